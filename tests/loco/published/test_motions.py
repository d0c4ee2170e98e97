# SPDX-License-Identifier: GPL-3.0-or-later
"""Motions from the published LOCO. Oracle: a stand-in for its network that walks exactly as it is told, so that the
motion's way must be the named path; and files as the original writes them."""

import json

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from smplit.body.model import BodyModel
from smplit.difftraj.original_features import STANDING, Statistics, motion_features, root_heading
from smplit.errors import BadInput, Cancelled
from smplit.loco.published.commands import walk_original
from smplit.loco.published.control import OriginalControlDenoiser
from smplit.loco.published.files import OriginalLoco, load, published_styles, save
from smplit.loco.published.motions import original_rollout
from smplit.loco.published.network import OriginalLocoDenoiser
from smplit.loco.published.options import RolloutOptions, translate
from smplit.loco.published.paths import named_path
from smplit.motion import Motion, joint_transforms
from smplit.progress import Reporter

PAST, FUTURE, HEIGHT = 4, 8, 0.9
ELBOW, BEND = 18, 0.5  # the joint that is bent by so many rad about Y, all the time
ELSEWHERE = np.array([0.02, 0.3, -0.2])  # m: where the rest pose of the network's body lies, from ours


@pytest.fixture(scope="module")
def body():
    return BodyModel.load()


def statistics(body):
    """Means of a body that stands with a bent elbow, deviations all different, so that a forgotten or doubled scaling shows."""
    rest = body.rest_joints()[:22].cpu().numpy().astype(np.float64) + ELSEWHERE
    pose = np.tile(np.eye(3), (3, 21, 1, 1))
    pose[:, ELBOW - 1] = Rotation.from_rotvec([0, BEND, 0]).as_matrix()
    standing = motion_features(np.tile([0, 0, HEIGHT], (3, 1)), Rotation.concatenate([STANDING] * 3), pose, rest)
    return Statistics(standing.mean(0), np.random.default_rng(0).uniform(0.2, 3.0, 203))


class Obedient(torch.nn.Module):
    """Stands in for the network: steps and turns of the root are those of the way, the body stands."""

    styles = 0

    def __init__(self, motion):
        super().__init__()
        self.motion, self.seen, self.asked = motion, [], []

    def forward(self, x, timesteps, past_motion, control, style=None):
        self.seen.append(past_motion)
        self.asked.append(style)
        values = np.tile(self.motion.mean[:, None], (len(x), 1, 1, x.shape[-1])).reshape(len(x), 203, 1, -1)
        values[:, 0:2], values[:, 9:11] = control[:, 0:2].numpy(), control[:, 2:4].numpy()
        normalised = (values - self.motion.mean[:, None, None]) / self.motion.scale[:, None, None]
        return torch.from_numpy(normalised).float()


def obedient(body, styles=()):
    motion = statistics(body)
    network = Obedient(motion)
    network.styles = len(styles)
    return OriginalLoco(network, motion, None, tuple(styles), PAST, FUTURE)


def options(**more):
    return RolloutOptions(**({"gen_time_length": 2.0, "num_samples": 2, "infer_step": 3} | more))


@pytest.mark.parametrize("face", [0, 1])
@pytest.mark.parametrize("name,reverse", [("line", 0), ("rec", 1), ("circle", 0), ("circle", 1), ("spline", 0)])
def test_an_obedient_network_walks_the_named_path(body, name, reverse, face):
    made = original_rollout(
        obedient(body), options(difine_traj=name, traj_rev_dir=reverse, traj_face_type=face, infer_walk_speed=1.2), body
    )
    assert len(made) == 2
    path = named_path(name, 60, 1.2, bool(reverse))
    path = path - path[0]
    direction = np.arctan2(path[1, 1], path[1, 0]) if face == 0 else 0.0
    cos, sin = np.cos(direction), np.sin(direction)
    expected = path @ np.array([[cos, -sin], [sin, cos]])  # turned so that it starts along X
    motion = made[0].motion
    motion.check()
    assert len(motion) == 60 and motion.fps == 30.0
    assert np.abs(motion.trans[:, :2] - motion.trans[0, :2] - expected).max() < 1e-3
    assert np.abs(made[0].path - expected).max() < 1e-6
    facing = root_heading(Rotation.from_rotvec(motion.poses[:, :3].astype(np.float64)))
    steps = np.diff(expected, axis=0)
    wanted = np.arctan2(steps[:, 1], steps[:, 0]) if face == 0 else np.zeros(59)
    assert np.abs(np.sin((facing[:-1] - wanted) / 2)).max() < 0.01


def test_a_motion_stands_on_the_floor_upright(body):
    motion = original_rollout(obedient(body), options(), body)[0].motion
    joints = joint_transforms(motion.poses, body.rest_joints().cpu().numpy())[1] + motion.trans[:, None]
    assert 0.0 < joints[:, [10, 11], 2].min() < 0.08  # toe joints lie a little over the sole
    assert joints[:, 15, 2].min() > 1.2  # the head
    pose = motion.poses.reshape(60, 55, 3)[:, 1:].copy()
    assert np.abs(pose[:, ELBOW - 1] - [0, BEND, 0]).max() < 1e-5
    pose[:, ELBOW - 1] = 0
    assert np.abs(pose).max() < 1e-5


def test_the_way_is_told_beyond_its_end_for_the_last_window(body):
    """One frame kept of each window of eight: the original ends before the path does."""
    assert len(original_rollout(obedient(body), options(infer_step=1, num_samples=1), body)[0].motion) == 60


def walk(fps, frames):
    """A straight walk along Y with swinging arms, from (3, -2)."""
    time = np.arange(frames) / fps
    poses = np.zeros((frames, 55, 3))
    poses[:, 16, 0] = 0.4 * np.sin(2 * np.pi * time)
    poses[:, 0] = (Rotation.from_rotvec([0, 0, np.pi / 2]) * STANDING).as_rotvec()
    trans = np.stack([np.full(frames, 3.0), -2.0 + 1.1 * time, np.full(frames, 1.3)], -1)
    return Motion(poses.reshape(frames, 165), trans, fps)


@pytest.mark.parametrize("fps,frames", [(30.0, 61), (60.0, 121), (24.0, 49)])
def test_a_roll_out_goes_on_from_the_last_frames_of_a_motion(body, fps, frames):
    loco = obedient(body)
    original_rollout(loco, options(num_samples=1), body, starts=[walk(fps, frames)])
    seen = loco.network.seen[0][0, :, 0].numpy().T * loco.motion.scale + loco.motion.mean  # the first repeated frames, then windows
    kept = PAST - options().infer_step
    assert np.abs(seen[:kept, :2] - [1.1 / 30, 0.0]).max() < 1e-4  # metres a frame, ahead
    assert np.abs(seen[:, 9:11] - [1, 0]).max() < 1e-5
    assert np.abs(seen[:, 2] - (1.3 - ELSEWHERE[2])).max() < 1e-4  # of the network's body: its pelvis is where this one's is
    arm = seen[:, 11 + 6 * 15 : 11 + 6 * 16]  # joint 16 is the 16th of the body's
    # The last frame stands at 2 s, with the arm at rest; past is [.., 60] and then 58, 59, 60 again.
    expected = 0.4 * np.sin(2 * np.pi * np.array([60, 58, 59, 60]) / 30)
    assert np.abs(np.arctan2(-arm[:, 5], arm[:, 4]) - expected).max() < 0.01


def test_a_start_of_one_frame_is_held(body):
    loco = obedient(body)
    original_rollout(loco, options(num_samples=1), body, starts=[walk(30.0, 1)])
    assert np.isfinite(loco.network.seen[0].numpy()).all()
    seen = loco.network.seen[0][0, :2, 0].numpy().T * loco.motion.scale[:2] + loco.motion.mean[:2]
    assert np.abs(seen).max() < 1e-6


def test_styles_are_told_by_their_number(body):
    loco = obedient(body, ("Old", "Angry", "Proud"))
    made = original_rollout(loco, options(num_samples=3), body, styles=["Proud", "Old"])
    assert [one.style for one in made] == ["Proud", "Old", "Proud"]
    assert torch.equal(loco.network.asked[0], torch.eye(3)[[2, 0, 2]])
    assert {one.style for one in original_rollout(loco, options(num_samples=20, gen_time_length=0.1), body)} == {"Old", "Angry", "Proud"}
    with pytest.raises(BadInput, match="'Angri'") as error:
        original_rollout(loco, options(), body, styles=["Angri"])
    assert "Angry" in error.value.remedy


def test_options_that_cannot_be_are_refused(body):
    for change in ({"num_samples": 0}, {"gen_time_length": 0.0}, {"infer_step": 0}, {"infer_step": PAST + 1}, {"difine_traj": "loop"}):
        with pytest.raises(BadInput):
            original_rollout(obedient(body), options(**change), body)
    with pytest.raises(BadInput, match="no style 'Old'"):
        original_rollout(obedient(body), options(), body, styles=["Old"])


def test_the_same_seed_is_the_same_motion_and_another_is_another(body):
    torch.manual_seed(1)
    network = OriginalLocoDenoiser(0, 16, 1)
    loco = OriginalLoco(network, statistics(body), None, (), PAST, FUTURE)
    made = lambda seed: original_rollout(loco, options(num_samples=1, gen_time_length=0.5), body, seed=seed)[0].motion
    assert np.array_equal(made(3).trans, made(3).trans) and np.array_equal(made(3).poses, made(3).poses)
    assert np.abs(made(3).poses - made(4).poses).max() > 1e-3


def test_cancelling_ends_a_roll_out(body):
    class Impatient(Reporter):
        pieces = 0

        def check(self):
            self.pieces += 1
            if self.pieces == 3:
                raise Cancelled("enough")

    impatient = Impatient()
    with pytest.raises(Cancelled):
        original_rollout(obedient(body), options(), body, reporter=impatient)
    assert impatient.pieces == 3


# Files


KINDS = {"styles": OriginalLocoDenoiser, "base": lambda: OriginalLocoDenoiser(0), "control": OriginalControlDenoiser}


def published(folder, kind, change=None, arguments=None):
    """A checkpoint and statistics as the original writes them."""
    torch.manual_seed(0)
    network = KINDS[kind]()
    weights = network.state_dict()
    torch.save(change(dict(weights)) if change else weights, folder / "model000100000.pt")
    np.savez(folder / "mean_std.npz", motoin_info_all_list_mean=np.zeros(203, np.float32), motoin_info_all_list_std=np.ones(203, np.float32),
             ctrl_signal_mean=np.full(4, 0.5, np.float32), ctrl_signal_std=np.full(4, 2.0, np.float32))
    if arguments is not None:
        (folder / "args.json").write_text(json.dumps(arguments))
    return folder / "model000100000.pt", folder / "mean_std.npz"


@pytest.mark.parametrize("kind", KINDS)
def test_a_published_checkpoint_of_every_kind_loads_whole(tmp_path, kind):
    checkpoint, means = published(tmp_path, kind, arguments={"p_len": 10, "f_len": 30})
    loco = load(checkpoint, means)
    saved = torch.load(checkpoint, weights_only=True)
    assert type(loco.network) is (OriginalControlDenoiser if kind == "control" else OriginalLocoDenoiser)
    assert all(torch.equal(value, saved[name]) for name, value in loco.network.state_dict().items())
    assert (loco.past, loco.future, loco.control) == (10, 30, None) and not loco.network.training
    assert loco.styles == (() if kind == "base" else published_styles())


def test_published_styles_are_a_hundred_in_the_originals_order():
    styles = published_styles()
    assert len(set(styles)) == 100
    assert (styles[0], styles[1], styles[2], styles[96], styles[99]) == ("LeanLeft", "KarateChop", "LeftHop", "Neutral", "LeanBack")


def test_args_json_tells_windows_and_whether_the_way_was_normalised(tmp_path):
    checkpoint, means = published(tmp_path, "base")
    assert (load(checkpoint, means).past, load(checkpoint, means).future) == (15, 20)
    (tmp_path / "args.json").write_text(json.dumps({"normlize_ctrl_traj": True}))
    assert np.array_equal(load(checkpoint, means).control.mean, np.full(4, 0.5))
    (tmp_path / "args.json").write_text(json.dumps({"p_len": "many"}))
    with pytest.raises(BadInput, match="'p_len' is 'many'"):
        load(checkpoint, means)
    (tmp_path / "args.json").write_text("{")
    with pytest.raises(BadInput, match="not a JSON file"):
        load(checkpoint, means)


def test_a_normalised_way_is_what_such_a_network_is_told(body):
    loco = obedient(body)
    loco.control = Statistics(np.array([0.01, 0.0, 0.9, 0.0]), np.array([0.5, 2.0, 0.25, 4.0]))
    told = []
    answer = loco.network.forward
    loco.network.forward = lambda x, t, past, control, style=None: told.append(control) or answer(x, t, past, control, style)
    original_rollout(loco, options(difine_traj="line", infer_walk_speed=0.9), body)
    assert np.abs(told[0][0, :, 0, 1].numpy() - [(0.03 - 0.01) / 0.5, 0.0, 0.4, 0.0]).max() < 1e-4


def test_a_checkpoint_that_does_not_fit_lists_its_names(tmp_path):
    def other(weights):
        weights["pae_encoder.weight"] = weights.pop("past_motion_encoder.bias")
        weights["output_process.poseFinal.bias"] = torch.zeros(7)
        return weights

    with pytest.raises(BadInput) as error:
        load(*published(tmp_path, "styles", other))
    for part in ("missing: past_motion_encoder.bias", "unknown: pae_encoder.weight", "poseFinal.bias (7,) instead of (203,)", "model000100000.pt"):
        assert part in error.value.message


def test_statistics_are_asked_for_and_checked(tmp_path):
    checkpoint, _ = published(tmp_path, "base")
    with pytest.raises(BadInput, match="no means"):
        load(checkpoint)
    np.savez(tmp_path / "short.npz", motoin_info_all_list_mean=np.zeros(68, np.float32), motoin_info_all_list_std=np.ones(203, np.float32))
    with pytest.raises(BadInput, match=r"motoin_info_all_list_mean.*203.*\(68,\)"):
        load(checkpoint, tmp_path / "short.npz")


def test_what_our_training_writes_holds_all_of_it(tmp_path, body):
    torch.manual_seed(0)
    loco = OriginalLoco(OriginalLocoDenoiser(3, 16, 2), statistics(body), None, ("Old", "Angry", "Proud"), 5, 7)
    save(loco, tmp_path / "weights.safetensors", {"data": "none"})
    again = load(tmp_path / "weights.safetensors")
    assert again.styles == loco.styles and (again.past, again.future) == (5, 7)
    assert np.allclose(again.motion.mean, loco.motion.mean, atol=1e-6) and np.allclose(again.motion.std, loco.motion.std, atol=1e-6)
    assert all(torch.equal(value, loco.network.state_dict()[name]) for name, value in again.network.state_dict().items())


# The command


def test_the_command_writes_files_as_the_original_names_them(tmp_path, body):
    torch.manual_seed(0)
    save(OriginalLoco(OriginalLocoDenoiser(3, 16, 1), statistics(body), None, ("Old", "Angry", "Proud"), 5, 7), tmp_path / "w.safetensors", {})
    walk(60.0, 31).save(tmp_path / "start.npz")
    wanted = RolloutOptions("circle", 1, 0, 0.8, 0.5, 2, 3)
    rows = walk_original(
        tmp_path / "w.safetensors", tmp_path / "out", wanted, body, Reporter(), styles=["Proud", "Old"], starts=[tmp_path / "start.npz"]
    )
    assert [row["style"] for row in rows] == ["Proud", "Old", "Proud"]
    expected = [f"{style}_pred_{n}_circle_dir1_speed0.8_Face0.npz" for n, style in enumerate(("Proud", "Old", "Proud"))]
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == sorted(expected)
    for row in rows:
        motion = Motion.load(row["file"])
        length = np.linalg.norm(np.diff(motion.trans[:, :2], axis=0), axis=1).sum()
        assert len(motion) == row["frames"] == 15 and row["path_m"] == round(float(length), 2)
    with pytest.raises(BadInput, match="no path"):
        walk_original(tmp_path / "w.safetensors", tmp_path / "none", RolloutOptions("oval"), body, Reporter())
    assert not (tmp_path / "none").exists()


def test_the_originals_arguments_are_understood():
    given = "--model_path save/model.pt --vis_save_dir out --user_transl --difine_traj circle --guidance_param 2.5 --eval_cmdm_base --infer_step=3"
    arguments, notes = translate(given.split())
    assert arguments == ["save/model.pt", "--output", "out", "--difine_traj", "circle", "--infer_step=3"]
    assert len(notes) == 3 and "--guidance_param" in notes[1]
