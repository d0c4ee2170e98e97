# SPDX-License-Identifier: GPL-3.0-or-later
"""Stage 2 of WHAM's training: files of sequences, batches of them, and that a small network learns to use features and resumes."""

import csv
import math

import pytest
import torch
from safetensors.torch import load_file, save_file

from smplit.difftraj.quaternions import matrices, quaternion_from_axis_angle
from smplit.errors import BadInput
from smplit.mocap.wham.lift import Path as WorldPath
from smplit.mocap.wham.lift import to_world
from smplit.mocap.wham.load import FEATURES, LIFTING, load_network, save_network
from smplit.mocap.wham.network import Prediction, Wham
from smplit.mocap.wham.rotations import Y_DOWN_TO_Z_UP, matrix_from_rows
from smplit.training.wham_commands import train_wham_stage2
from smplit.training.wham_losses import STAGE_2, losses, views
from smplit.training.wham_options import WhamStage2Options
from smplit.training.wham_sequences import Sequence, open_sequences, write_sequence
from smplit.training.wham_videos import VideoWindows

FRAMES, LENGTH, WIDTH, BATCH = 8, 30, 24, 4
K = torch.tensor([[900.0, 0, 640], [0, 900, 360], [0, 0, 1]])


def sequence(body, seed, truth=True):
    """Somebody upright who turns and waves 4 m before a camera that pans; the features tell the pose."""
    draw = torch.Generator().manual_seed(seed)
    phase = torch.linspace(0, 6, LENGTH)[:, None, None] + 6 * torch.rand(1, 24, 3, generator=draw)
    pose = 0.3 * torch.sin(phase) * torch.randn(1, 24, 3, generator=draw)
    pose[:, 0] = torch.tensor([math.pi, 0, 0]) + 0.1 * torch.sin(phase[:, 0])  # in a camera's axes, whose y points down
    betas = torch.randn(10, generator=draw)
    place = torch.stack([torch.linspace(-0.5, 0.5, LENGTH), torch.zeros(LENGTH), torch.full((LENGTH,), 4.0)], 1)
    posed = body(matrices(quaternion_from_axis_angle(pose)), betas.expand(LENGTH, 10))
    flat = (posed.keypoints[:, :17] + place[:, None]) @ K.T
    keypoints = torch.cat([flat[..., :2] / flat[..., 2:], torch.rand(LENGTH, 17, 1, generator=draw) * 0.7 + 0.3], -1)
    pan = torch.linspace(0, 0.4, LENGTH)[:, None] * torch.tensor([0.0, 1.0, 0.0])
    camera = matrices(quaternion_from_axis_angle(pan)) @ Y_DOWN_TO_Z_UP.T  # level; world z up
    mix = torch.randn(72, 1024, generator=torch.Generator().manual_seed(99)) / 8
    arrays = {
        "keypoints": keypoints, "features": pose.flatten(1) @ mix + 0.5, "size": torch.tensor([1280.0, 720.0]), "K": K,
        "start_pose": pose + 0.02 * torch.randn(pose.shape, generator=draw),
    }
    if truth:
        world = (camera.transpose(-1, -2) @ place[..., None])[..., 0]
        arrays |= {"pose": pose, "betas": betas, "place": place, "camera": camera, "world_place": world, "contact": torch.zeros(LENGTH, 4)}
    return arrays


@pytest.fixture(scope="module")
def videos(body, tmp_path_factory):
    """Two data sets: three sequences with truth, one that has keypoints alone."""
    folder = tmp_path_factory.mktemp("videos")
    for name in ("a", "b"):
        (folder / name).mkdir()
    for number in range(3):
        write_sequence(folder / "a" / f"{number}.safetensors", sequence(body, number))
    write_sequence(folder / "b" / "wild.safetensors", sequence(body, 7, truth=False))
    return folder


def test_folders_are_sets_and_short_sequences_are_left_out(videos):
    sets = open_sequences([videos], FRAMES + 1)
    assert [len(members) for members in sets] == [3, 1] and all(len(one) == LENGTH for one in sets[0])
    with pytest.raises(BadInput, match="No sequence of 31 frames"):
        open_sequences([videos], LENGTH + 1)
    with pytest.raises(BadInput, match=r"nowhere.*not a folder"):
        open_sequences([videos / "nowhere"], 3)


@pytest.mark.parametrize("change, told", [
    ({"features": None}, "missing: features"), ({"betas": None}, "missing: betas"), ({"smell": torch.zeros(3)}, "unknown: smell"),
    ({"world_place": torch.zeros(LENGTH, 2)}, "'world_place' has shape"), ({"contact": torch.zeros(LENGTH + 1, 4)}, "'contact' has shape"),
    ({"keypoints": torch.full((LENGTH, 17, 3), torch.nan)}, "'keypoints' has numbers that are not finite"),
])
def test_a_sequence_that_is_not_whole_is_not_written(body, tmp_path, change, told):
    arrays = {name: value for name, value in (sequence(body, 0) | change).items() if value is not None}
    with pytest.raises(BadInput, match=rf"odd\.safetensors.*{told}"):
        write_sequence(tmp_path / "odd.safetensors", arrays)
    assert not list(tmp_path.iterdir())


def test_files_of_another_kind_rate_or_cut_short_are_named(videos, tmp_path):
    source = videos / "a" / "0.safetensors"
    save_file(load_file(source), tmp_path / "plain.safetensors")
    with pytest.raises(BadInput, match=r"plain\.safetensors.*no sequence"):
        Sequence(tmp_path / "plain.safetensors")
    save_file(load_file(source), tmp_path / "fast.safetensors", {"format": "smplit-wham-sequence-1", "fps": "60"})
    with pytest.raises(BadInput, match=r"fast\.safetensors.*60 frames a second"):
        Sequence(tmp_path / "fast.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(source.read_bytes()[:5000])
    with pytest.raises(BadInput, match=r"cut\.safetensors.*cut short"):
        Sequence(tmp_path / "cut.safetensors")


def test_a_network_that_knew_the_truth_would_lose_nothing(videos, body):
    """Pose, pixels, camera and path of a sequence fit together."""
    batch = VideoWindows(open_sequences([videos / "a"], FRAMES + 1), body, BATCH, FRAMES, vertices=True)(torch.Generator().manual_seed(0))
    inputs, scene, truth = batch
    place, side = torch.stack([_place(truth, i) for i in range(BATCH)]), scene.bbox[..., 2] * 200
    scale = 2 * K[0, 0] / (side * place[..., 2])
    cam = torch.cat([scale[..., None], place[..., :2] - 2 * (scene.bbox[..., :2] - scene.size[:, None] / 2) / (scale * side)[..., None]], -1)
    answer = Prediction(
        truth.keypoints[:, :, :17, :3], torch.zeros(BATCH, FRAMES, WIDTH + 51), truth.pose.flatten(2), truth.betas, cam, truth.contact, truth.root,
        truth.velocity,
    )
    network = Wham(WIDTH)
    with torch.no_grad():
        lifted, _ = to_world(network, body, answer, scene, WorldPath(inputs.init_root), vertices=True)
        parts = losses(lifted, views(lifted, scene), truth, scene.bbox, STAGE_2)
    # In the crop, WHAM's camera is one of another focal length: it is only nearly the same picture.
    assert all(parts[name] < 5e-3 for name in ("pose", "3d", "3d_nn", "contact", "root", "camera", "v3d")), parts
    pixels = views(lifted, scene).pixels
    assert (pixels - truth.pixels[..., :2]).abs().max() < 0.05
    assert (views(lifted, scene).crop - truth.crop[..., :2]).abs().max() < 0.1
    # Nobody leaves the place the truth names: the pan is in the camera, not in the path.
    way = lifted.first_place - lifted.first_place[:, :1]
    assert way.norm(dim=-1).max() < 1.2


def _place(truth, item):
    """The place that puts the keypoints on their pixels: linear least squares."""
    found = []
    for points, pixels in zip(truth.keypoints[item, ..., :3], truth.pixels[item, ..., :2], strict=True):
        u = (pixels - K[:2, 2]) / 900
        rows = torch.zeros(31, 2, 3)
        rows[:, 0, 0] = rows[:, 1, 1] = 1
        rows[:, :, 2] = -u
        right = u * points[:, 2:] - points[:, :2]
        found.append(torch.linalg.lstsq(rows.view(-1, 3), right.reshape(-1, 1)).solution[:, 0])
    return torch.stack(found)


def test_what_a_batch_tells_of_videos_with_and_without_truth(videos, body, store):
    from smplit.body.model import BodyModel
    from smplit.training.wham_windows import MotionWindows

    motion = MotionWindows(store, range(len(store)), body, BodyModel.load().rest_joints()[0].cpu(), 2, FRAMES, features=True)
    inputs, scene, truth = VideoWindows(open_sequences([videos], FRAMES + 1), body, 12, FRAMES, motion=motion)(torch.Generator().manual_seed(1))
    assert len(inputs.x) == len(scene.bbox) == len(truth.pose) == 12 and inputs.mask.dtype == torch.bool
    recorded = slice(10, 12)
    assert (inputs.features[recorded] == 0).all() and not truth.has_smpl[recorded].any() and truth.has_path[recorded].all()
    assert (truth.keypoints[recorded, ..., 3] == 0).all() and (truth.contact[recorded] >= 0).all()
    wild = ~truth.has_smpl[:10]
    assert 2 <= wild.sum() <= 8  # sets are drawn equally often, though one has a third of the sequences
    assert (truth.keypoints[:10][wild][..., 3] == 0).all() and (truth.pixels[:10][wild][:, :, :17, 2] > 0).all()
    assert (truth.contact[:10][wild] == -1).all() and (truth.root[:10][wild] == 0).all() and not truth.has_path[:10][wild].any()
    assert (inputs.mask[:10] == (truth.pixels[:10, :, :17, 2] < 0.6))[wild].all()
    assert torch.allclose(matrix_from_rows(inputs.init_root[:10][wild]), matrix_from_rows(inputs.init_pose[:10][wild][:, 0]), atol=1e-5)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("base") / "stage1.safetensors"
    save_network(Wham(WIDTH), path, LIFTING, {})
    return path


def run(videos, folder, steps, base, **more):
    plan = WhamStage2Options(folder, steps=steps, **({"log_every": 1, "eval_every": 0, "save_every": 1000, "drops": (), "lr": 1e-3} | more))
    return train_wham_stage2((videos,), plan, base_model=base, batch=BATCH, frames=FRAMES)


def test_a_small_network_learns_and_the_integrator_fastest(videos, base, tmp_path):
    report = run(videos, tmp_path, 40, base, eval_every=20)
    assert report["sets"] == 2 and report["sequences"] == 4
    with (tmp_path / "losses.csv").open(newline="") as file:
        rows = [float(row["loss"]) for row in csv.DictReader(file)]
    assert sum(rows[-8:]) < 0.6 * sum(rows[:8])
    with (tmp_path / "metrics.csv").open(newline="") as file:
        judged = list(csv.DictReader(file))
    assert float(judged[1]["pa_mpjpe_mm"]) < float(judged[0]["pa_mpjpe_mm"]) and float(judged[1]["held_out"]) < float(judged[0]["held_out"])
    groups = torch.load(tmp_path / "training.pt", weights_only=True)["optimiser"]["param_groups"]
    assert [group["lr"] for group in groups] == pytest.approx([1e-3, 1e-2]) and [len(group["params"]) for group in groups] == [77, 6]
    assert load_network(tmp_path / "weights.safetensors", FEATURES)


def test_a_resumed_run_is_the_run_that_did_not_stop(videos, base, tmp_path):
    run(videos, tmp_path / "whole", 4, base)
    run(videos, tmp_path / "parted", 2, base)
    run(videos, tmp_path / "parted", 4, base, resume=True)
    whole, parted = (load_file(tmp_path / name / "weights.safetensors") for name in ("whole", "parted"))
    assert all(torch.equal(value, parted[name]) for name, value in whole.items())


def test_a_base_of_stage_2_is_refused(videos, base, tmp_path):
    run(videos, tmp_path / "first", 2, base)
    with pytest.raises(BadInput, match="stage 2, not 1"):
        run(videos, tmp_path / "second", 2, tmp_path / "first" / "weights.safetensors")
