# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage 1 of the published WHAM: how recorded motion is filmed (goldens/wham, wham_train), and that a small network learns from it."""

import csv
import math

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from wham_goldens import assert_golden, golden

from smplit.body.model import BodyModel
from smplit.datasets.split import Split
from smplit.datasets.store import Clip, ClipInfo, MotionStore, write_store
from smplit.difftraj.random_batch import RandomBatch
from smplit.errors import BadInput
from smplit.mocap.wham.camera import BOX_UNIT
from smplit.mocap.wham.camera_turn import angular_velocity
from smplit.mocap.wham.lift import Path, to_world
from smplit.mocap.wham.load import LIFTING, load_network
from smplit.mocap.wham.network import KEYPOINTS, Prediction, Wham
from smplit.mocap.wham.rotations import matrix_from_rows
from smplit.training.wham_cameras import FOCAL, before_camera, cameras, looking, standing, turned
from smplit.training.wham_commands import train_wham_stage1_original
from smplit.training.wham_keypoints import NoiseTable, missed, noisy, spoilt_boxes, with_what_hangs_on
from smplit.training.wham_losses import STAGE_1, losses, views
from smplit.training.wham_options import WhamStage1Options, WhamStage2Options
from smplit.training.wham_windows import MotionWindows, contacts, film, resampled

FRAMES, WIDTH, BATCH = 12, 24, 6


def windows(store, body, batch=BATCH, frames=FRAMES, **more):
    return MotionWindows(store, range(len(store)), body, BodyModel.load().rest_joints()[0].cpu(), batch, frames, **more)


def rand(batch, seed=0):
    return RandomBatch(torch.Generator().manual_seed(seed), batch)


def test_contacts_of_feet_by_their_speed():
    assert_golden("train", {"contact_label": contacts(golden("train")["contact_feet"])}, 1e-6)


def test_motion_made_slower_or_faster():
    known = golden("train")
    for length in (12, 23):
        rotations, places = resampled(known["speed_pose"][:length], known["speed_transl"][:length], 17)
        assert_golden("train", {f"speed_l{length}_pose": rotations, f"speed_l{length}_transl": places})


@pytest.mark.parametrize("case", ["cam_far", "cam_near"])
def test_people_before_a_camera(case):
    """The near case is pushed back to a metre."""
    known = golden("train")
    R, place = known[f"{case}_in_R"], before_camera(known[f"{case}_in_R"][None], known[f"{case}_in_T"][None], known[f"{case}_in_transl"][None])[0]
    assert_golden("train", {
        f"{case}_out_transl_cam": place, f"{case}_out_cam_angvel": angular_velocity(R)[:-1],
        f"{case}_out_kp3d": known[f"{case}_in_kp3d"] @ R.transpose(-1, -2) + place[:, None],
    }, 1e-6)
    assert (place[:, 2].min() == pytest.approx(1.0)) == (case == "cam_near")
    before = lambda pose, turn: torch.cat([(turn @ pose[:, 0])[:, None], pose[:, 1:]], 1)  # only the root knows where the camera is
    assert_golden("train", {
        f"{case}_out_pose": before(known[f"{case}_in_pose"], R), f"{case}_out_init_pose": before(known[f"{case}_in_init_pose"], R[:1]),
        f"{case}_out_pose_root": known[f"{case}_in_pose"][:, 0],  # the world's
    }, 1e-6)


def test_people_far_beside_the_picture_are_pushed_back_until_the_worst_frame_fits():
    places = torch.tensor([[[0.0, 0.0, 2.0], [3.0, 0.0, 2.0], [-1.0, 2.0, 4.0]]])
    seen = before_camera(torch.eye(3).expand(1, 3, 3, 3), torch.zeros(1, 3, 3), places)
    ratio = (seen[..., :2].abs() / seen[..., 2:]).amax()
    assert ratio.item() == pytest.approx(0.6 * math.sqrt(2), abs=1e-5)
    assert torch.equal(seen[..., :2], places[..., :2]) and (seen[0, :, 2] - places[0, :, 2]).std() < 1e-6


def test_cameras_are_made_of_the_originals_random_numbers():
    """Its draws, in its order, by numpy's legacy generator of seed 123; a frame's jitter is not among what can be drawn again."""
    known, draw = golden("train"), np.random.RandomState(123)
    number = lambda value: torch.tensor([value], dtype=torch.float32)
    yaw, pitch, roll = draw.uniform() * 2 * np.pi, np.deg2rad(5 + 22.5 * draw.normal()), np.deg2rad(7.5 * draw.normal())
    start = looking(number(yaw), number(pitch), number(roll))[0]
    depth, across, down = draw.uniform(2, 12), draw.normal(), draw.normal()
    place = standing(number(depth), 0.25 * torch.tensor([[across, down]], dtype=torch.float32))[0]
    turn = torch.tensor(draw.normal(size=(1, 3)) * np.deg2rad([22.5, 45, 22.5]), dtype=torch.float32)
    assert_golden("train", {"camseed123_R0": start.expand(17, 3, 3), "camseed123_T0": place.expand(17, 3)}, 2e-6)
    assert (turned(start[None], turn)[0] - known["camseed123_R_move"][-1]).abs().max() < 2e-6
    assert (known["camseed123_R_move"][0] - known["camseed123_R0"][0]).abs().max() < 1e-6  # it moves from the first to the last frame
    shifts = known["camseed123_T_move"]
    assert (shifts[0] - known["camseed123_T0"][0]).abs().max() < 1e-6
    assert (shifts[-1] - place)[0].item() == pytest.approx(draw.normal(), abs=2e-6)  # the other two are drawn after jitter
    even = (shifts[1:] - shifts[:-1]) / (shifts[-1] - shifts[0]) * 16
    assert even.min() > 0.6 - 1e-4 and even.max() < 1.4 + 1e-4  # places that are off by a fifth of a step at most, as ours


def test_cameras_move_evenly_from_one_place_to_another_or_stand():
    R, shifts = cameras(rand(400), 20)
    assert torch.allclose(R @ R.transpose(-1, -2), torch.eye(3), atol=1e-5)
    steps = (shifts[:, 1:] - shifts[:, :-1]).norm(dim=-1)
    moving = steps.sum(1) > 1e-4
    assert 0.68 < moving.float().mean() < 0.82 and torch.equal(moving, (R[:, 0] - R[:, -1]).abs().amax((1, 2)) > 1e-4)
    even = steps[moving] / steps[moving].mean(1, keepdim=True)
    assert even.min() > 0.55 and even.max() < 1.45 and even.std() > 0.05


def test_what_hangs_on_a_missed_keypoint_is_missed_too():
    assert_golden("train", {"mask_tree": with_what_hangs_on(golden("train")["mask_raw"])}, 0.5)
    share = missed(rand(64), 81).float().mean((0, 1))
    assert share[5].item() == pytest.approx(0.03, abs=0.01) and share[9] > 0.07 and share[3] > 0.1


def test_noise_is_a_bias_jitter_and_rare_peaks():
    table = NoiseTable.substitute()
    error = noisy(rand(300), torch.zeros(300, 40, 17, 3), table)
    bias = error.median(1).values
    assert bias.std().item() == pytest.approx(0.0025, rel=0.1)
    jitter = error - bias[:, None]
    assert jitter.abs().median().item() == pytest.approx(0.6745 * 0.0006, rel=0.15)
    assert (jitter.norm(dim=-1) > 0.01).float().mean().item() == pytest.approx(0.005, rel=0.3)


def test_boxes_are_spoilt_as_a_whole():
    keypoints = torch.rand(200, 30, 17, 2, generator=torch.Generator().manual_seed(1)) * 0.01 + torch.tensor([[0.0, 0], [100, 300]])[
        torch.arange(17) % 2
    ]
    boxes = spoilt_boxes(rand(200), keypoints)[:, 10:20]
    scale = boxes[..., 2] * BOX_UNIT / 300
    assert 0.79 < scale.min() < 0.85 and 1.35 < scale.max() < 1.41 and scale.std(1).max() < 1e-3
    off = (boxes[..., 1] - 150) / (boxes[..., 2] * BOX_UNIT)
    assert 0.04 < off.abs().max() < 0.051 and off.std(1).max() < 1e-3


def test_the_originals_noise_table_is_read_and_another_file_named(tmp_path):
    tables = {"bias": 1.0, "jittering": 2.0, "peak": 3.0, "pmask": 4.0}
    torch.save({name: torch.full((1, 1, 17), value) for name, value in tables.items()}, tmp_path / "t.pth")
    table = NoiseTable.load(tmp_path / "t.pth")
    assert [values[0].item() for values in (table.bias, table.jitter, table.peak, table.rarity)] == [1, 2, 3, 4]
    torch.save({"bias": torch.zeros(3)}, tmp_path / "bad.pth")
    with pytest.raises(BadInput, match=r"bad\.pth.*'bias' of 17 numbers"):
        NoiseTable.load(tmp_path / "bad.pth")


def truth_as_answer(truth, scene, body, place):
    """What a perfect network would say."""
    side = scene.bbox[..., 2] * BOX_UNIT
    scale = 2 * FOCAL / (side * place[..., 2])
    cam = torch.cat([scale[..., None], place[..., :2] - 2 * (scene.bbox[..., :2] - scene.size[:, None] / 2) / (scale * side)[..., None]], -1)
    batch, frames = truth.pose.shape[:2]
    kp3d = body(matrix_from_rows(truth.pose).flatten(0, 1), truth.betas.flatten(0, 1)).keypoints[:, :KEYPOINTS].view(batch, frames, KEYPOINTS, 3)
    context = torch.zeros(batch, frames, WIDTH + 51)
    return Prediction(kp3d, context, truth.pose.flatten(2), truth.betas, cam, truth.contact, truth.root, truth.velocity)


def test_a_network_that_knew_the_truth_would_lose_nothing(store, body):
    """Everything that is taught fits together: poses, cameras, pixels, the path and the feet."""
    made = windows(store, body, batch=20)
    people = made.moving(rand(20))
    inputs, scene, truth = film(rand(20, 1), body, people, NoiseTable.substitute())
    R, shifts = cameras(rand(20, 1), FRAMES + 1)
    place = before_camera(R, shifts, people.place)[:, 1:]
    network = Wham(WIDTH)
    for head in ("declayer0", "declayer1"):
        torch.nn.init.zeros_(network.trajectory_refiner.refiner.get_submodule(head).weight)
        torch.nn.init.zeros_(network.trajectory_refiner.refiner.get_submodule(head).bias)
    with torch.no_grad():
        lifted, _ = to_world(network, body, truth_as_answer(truth, scene, body, place), scene, Path(inputs.init_root))
        seen = views(lifted, scene)
        parts = losses(lifted, seen, truth, scene.bbox, STAGE_1)
    assert all(parts[name] < 1e-3 for name in ("pose", "betas", "2d", "3d", "3d_nn", "contact", "root", "camera")), parts
    assert (seen.pixels - truth.pixels[..., :2]).abs().max() < 0.5 and (seen.camera - truth.camera[:, 1:]).abs().max() < 1e-4
    # The path in the world is the people's own, and what is shown first is where they begin.
    assert (lifted.first_place - (people.place[:, 1:] - people.place[:, :1])).abs().max() < 1e-4
    assert (matrix_from_rows(inputs.init_root) - people.rotations[:, 0, 0]).abs().max() < 1e-5
    # Upright people stand upright: heads above feet, and y points down.
    assert (people.keypoints[:, :, 0, 1] < people.feet[..., 1].amin(-1)).float().mean() > 0.9


def test_what_is_seen_is_the_projected_body_in_its_box(store, body):
    made = windows(store, body)
    inputs, scene, truth = made(torch.Generator().manual_seed(3))
    assert inputs.x.shape == (BATCH, FRAMES, 37) and inputs.init_kp.shape == (BATCH, 88) and inputs.features is None
    pixels = inputs.x[..., :34].unflatten(-1, (17, 2)) * (scene.bbox[..., None, 2:] * BOX_UNIT / 2) + scene.bbox[..., None, :2]
    off = (pixels - truth.pixels[:, :, :17, :2]).norm(dim=-1) / (scene.bbox[..., 2:] * BOX_UNIT)
    assert off.median() < 0.01 and off.max() > 0
    start = body(matrix_from_rows(inputs.init_pose), truth.betas[:, 0]).keypoints[:, :17].flatten(1)
    assert (inputs.init_kp[:, :51] - start).abs().max() < 1e-5


def test_on_a_treadmill_feet_tell_nothing_and_short_clips_are_left_out(tmp_path, store, body):
    def clips():
        for name, frames in (("cmu/Treadmill_fast", 90), ("cmu/short", 5)):
            part = store.clip(0)
            yield Clip(ClipInfo(name), part.poses[:frames], part.trans[:frames], part.contacts[:frames], 30.0)

    write_store(tmp_path / "mill.safetensors", clips(), 30.0, "0" * 64)
    mill = MotionStore.open(tmp_path / "mill.safetensors")
    made = windows(mill, body)
    assert made.clips == [0]
    _, _, truth = made(torch.Generator().manual_seed(0))
    assert (truth.contact == -1).all()
    with pytest.raises(BadInput, match="no clip of 100 frames"):
        windows(mill, body, frames=150)


def test_the_learning_rate_drops_as_the_originals():
    first, second = WhamStage1Options(None, steps=100), WhamStage2Options(None, steps=100)
    assert [first.lr * first.share(step) for step in (0, 59, 60, 79, 80, 99)] == pytest.approx([5e-4, 5e-4, 5e-5, 5e-5, 5e-6, 5e-6])
    assert [second.lr * second.share(step) for step in (0, 49, 50, 74, 75, 99)] == pytest.approx([1e-5, 1e-5, 2e-6, 2e-6, 4e-7, 4e-7])


def run(store, folder, steps, split, **more):
    plan = WhamStage1Options(folder, steps=steps, **({"log_every": 1, "eval_every": 0, "save_every": 1000, "drops": (), "lr": 3e-3} | more))
    return train_wham_stage1_original(store.path, plan, split=split, batch=BATCH, frames=FRAMES, width=WIDTH)


@pytest.fixture(scope="module")
def split(tmp_path_factory):
    path = tmp_path_factory.mktemp("split") / "split.json"
    Split({"held_out": [{"subject": "4"}, {"subject": "5"}]}).save(path)
    return path


def test_a_small_network_learns_and_is_written(store, split, tmp_path):
    report = run(store, tmp_path, 60, split, eval_every=30)
    assert report["clips"] == 4 and report["body"] == "open body with SMPL's joints"
    with (tmp_path / "losses.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    mean = lambda part: sum(float(row["loss"]) for row in part) / len(part)
    assert mean(rows[-10:]) < 0.6 * mean(rows[:10])
    assert float(rows[0]["camera"]) == 0 and float(rows[10]["camera"]) > 0
    with (tmp_path / "metrics.csv").open(newline="") as file:
        judged = list(csv.DictReader(file))
    assert [row["step"] for row in judged] == ["30", "60"] and float(judged[1]["held_out"]) < float(judged[0]["held_out"])
    assert 0 < float(judged[1]["pa_mpjpe_mm"]) < float(judged[1]["mpjpe_mm"]) and float(judged[1]["path_m"]) > 0
    assert load_network(tmp_path / "weights.safetensors", LIFTING)


def test_a_resumed_run_is_the_run_that_did_not_stop(store, split, tmp_path):
    run(store, tmp_path / "whole", 6, split)
    run(store, tmp_path / "parted", 3, split)
    run(store, tmp_path / "parted", 6, split, resume=True)
    whole, parted = (load_file(tmp_path / name / "weights.safetensors") for name in ("whole", "parted"))
    assert all(torch.equal(value, parted[name]) for name, value in whole.items())
