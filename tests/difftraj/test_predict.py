# SPDX-License-Identifier: GPL-3.0-or-later
"""A walk made by hand goes where it went; what a motion holds beside its path stays."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from synthetic_walk import walk

from smplit.difftraj.network import MARGIN, TrajectoryNetwork
from smplit.difftraj.predict import add_trajectory, even_times, resampled, trajectories
from smplit.difftraj.predictor import TrajectoryPredictor, save_weights
from smplit.errors import BadInput
from smplit.motion import joint_transforms


@pytest.fixture(scope="module")
def stroll(body):
    return walk(body, seconds=6.0)


@pytest.fixture(scope="module")
def untrained(tmp_path_factory):
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("weights") / "untrained.safetensors"
    save_weights(TrajectoryNetwork(16), path, {"data": "none"})
    return path


def on_the_spot(walked):
    return replace(walked.motion, trans=np.zeros_like(walked.motion.trans))


def joints_of(motion, body):
    return joint_transforms(motion.poses, body.rest_joints(motion.betas).numpy())[1] + np.asarray(motion.trans)[:, None]


@pytest.mark.parametrize("weights", ["auto", "free"])
def test_a_walk_on_the_spot_travels_along_its_true_path_with_planted_feet(stroll, body, weights):
    made = add_trajectory(on_the_spot(stroll), weights=weights, body=body)
    true = stroll.motion.trans - stroll.motion.trans[0]
    off = np.linalg.norm((made.trans - made.trans[0] - true)[:, :2], axis=1)
    assert off.max() < 0.05 * 6.0  # metres walked
    joints = joints_of(made, body)
    for foot, ankle in enumerate((7, 8)):
        stands = stroll.planted[1:, foot] & stroll.planted[:-1, foot]
        assert np.linalg.norm(np.diff(joints[:, ankle, :2], axis=0), axis=1)[stands].mean() < 0.002
    lowest = joints[:, [10, 11], 2].min(1)
    assert 0.0 < lowest.mean() < 0.06  # toe joints of a standing foot are inside it


@pytest.mark.parametrize("fps", [24.0, 25.0, 50.0, 60.0, 120.0])
def test_the_frame_rate_does_not_change_the_path(stroll, body, fps):
    reference = add_trajectory(on_the_spot(stroll), body=body).trans
    other = add_trajectory(on_the_spot(walk(body, seconds=6.0, fps=fps)), body=body).trans
    assert np.linalg.norm(other[-1] - reference[-1]) < 0.01 * 6.0


def test_place_and_facing_of_the_first_frame_hands_face_and_extras_stay(stroll, body, untrained):
    frames = len(stroll.motion)
    random = np.random.default_rng(0)
    poses = np.array(stroll.motion.poses)
    poses[:, 66:] = random.normal(0, 0.2, (frames, 99))
    motion = replace(
        stroll.motion, poses=poses, trans=np.tile(np.float32([3.0, -2.0, 7.0]), (frames, 1)), expression=random.normal(0, 1, (frames, 5)),
        betas=np.full(10, 0.3, np.float32), extras={"smplit_source": np.array("x.mp4")}, valid=np.ones(frames, bool),
    )
    before = {name: np.array(value) for name, value in motion.arrays().items()}
    made = add_trajectory(motion, weights=untrained, body=body)
    np.testing.assert_allclose(made.trans[0, :2], [3.0, -2.0], atol=1e-4)
    np.testing.assert_array_equal(made.poses[:, :3], poses[:, :3])
    np.testing.assert_array_equal(made.poses[:, 66:], poses[:, 66:])
    legs = [j * 3 + i for j in (1, 2, 4, 5, 7, 8) for i in range(3)]
    rest = np.setdiff1d(np.arange(165), legs)
    np.testing.assert_array_equal(made.poses[:, rest], poses[:, rest])
    for name in ("expression", "betas", "smplit_source", "valid"):
        np.testing.assert_array_equal(made.arrays()[name], before[name])
    assert made.contacts.shape == (frames, 4)
    for name, value in motion.arrays().items():
        np.testing.assert_array_equal(value, before[name])  # the input was not touched


def test_without_foot_lock_only_the_root_moves(stroll, body, untrained):
    made = add_trajectory(stroll.motion, weights=untrained, body=body, lock_feet=False)
    np.testing.assert_array_equal(made.poses, stroll.motion.poses)


def test_what_the_input_says_of_its_own_path_is_not_looked_at(stroll, body, untrained):
    lost = replace(stroll.motion, trans=np.cumsum(np.random.default_rng(0).normal(0, 1, stroll.motion.trans.shape), 0).astype(np.float32))
    lost.trans -= lost.trans[0]
    a, b = (add_trajectory(m, weights=untrained, body=body).trans for m in (lost, on_the_spot(stroll)))
    np.testing.assert_allclose(a, b, atol=1e-5)


def test_a_turned_input_goes_along_a_turned_path(stroll, body, untrained):
    turn = Rotation.from_euler("z", 70, degrees=True)
    turned = np.array(stroll.motion.poses)
    turned[:, :3] = (turn * Rotation.from_rotvec(turned[:, :3])).as_rotvec()
    a = add_trajectory(on_the_spot(stroll), weights=untrained, body=body).trans
    b = add_trajectory(replace(on_the_spot(stroll), poses=turned), weights=untrained, body=body).trans
    np.testing.assert_allclose(b - b[0], turn.apply(a - a[0]), atol=2e-3)


def test_an_answer_does_not_depend_on_frames_far_away(body, stroll, untrained):
    predictor = TrajectoryPredictor.load(untrained, body)
    from smplit.difftraj.features import BodyShape

    poses = torch.as_tensor(stroll.motion.poses.reshape(-1, 55, 3)[:, :22])
    times = np.arange(len(poses)) / 30
    rotations = resampled(poses, times, times)
    whole, part = (predictor.predict(rotations[:n], BodyShape.of(body), 1 / 30).contacts for n in (len(poses), 120))
    np.testing.assert_allclose(part[: 120 - MARGIN - 2], whole[: 120 - MARGIN - 2], atol=1e-4)


def test_even_times_reach_from_end_to_end_close_to_thirty_a_second():
    for times in (np.arange(100) / 24.0, np.array([0.0, 0.04]), np.cumsum(np.random.default_rng(0).uniform(0.01, 0.06, 300))):
        grid, seconds = even_times(times)
        assert grid[0] == times[0] and grid[-1] == pytest.approx(times[-1])
        np.testing.assert_allclose(np.diff(grid), seconds)
        if times[-1] - times[0] > 1:
            assert seconds == pytest.approx(1 / 30, rel=0.02)


def test_between_frames_a_joint_turns_evenly():
    angle = np.linspace(0, 2.0, 11)
    poses = torch.zeros(11, 22, 3)
    poses[:, 5, 1] = torch.as_tensor(angle)
    times = np.arange(11) / 10
    wanted = np.array([0.0, 0.13, 0.55, 1.0])
    found = Rotation.from_matrix(resampled(poses, times, wanted)[:, 5].numpy()).as_rotvec()
    np.testing.assert_allclose(found, np.stack([0 * wanted, 2 * wanted, 0 * wanted], 1), atol=1e-3)


@pytest.mark.parametrize("frames", [2, 3, 4, 5])
def test_the_shortest_motions_have_a_trajectory(stroll, body, untrained, frames):
    made = add_trajectory(stroll.motion[:frames], weights=untrained, body=body)
    assert np.isfinite(made.trans).all() and len(made) == frames


def test_a_camera_tells_the_way_where_no_legs_are_seen_the_more_the_surer_it_is(body, stroll):
    poses = np.array(stroll.motion.poses).reshape(-1, 55, 3)
    swing = np.sin(np.arange(len(poses)) / 30 * 2 * np.pi / 1.1)  # arms and back of a walker, a step in 0.55 s
    poses[:, [1, 2, 4, 5, 7, 8, 10, 11]] = 0
    poses[:, [16, 17], 2] = np.stack([-1.2 + 0 * swing, 1.2 + 0 * swing], 1)
    poses[:, [16, 17], 0] = np.stack([0.5 * swing, -0.5 * swing], 1)
    poses[:, 6, 1] = 0.15 * swing
    legless = replace(on_the_spot(stroll), poses=poses.reshape(len(poses), -1))
    true = stroll.motion.trans
    velocity = np.gradient(true, 1 / 30, axis=0)
    ends = []
    for confidence in (None, 0.2, 1.0):
        seen = {} if confidence is None else {"camera_velocity": velocity, "camera_confidence": np.full(len(poses), confidence)}
        made = add_trajectory(legless, body=body, **seen).trans
        ends.append(np.linalg.norm((made[-1] - made[0] - true[-1] + true[0])[:2]))
    assert ends[2] < 0.6 * ends[0] and ends[2] < 0.6 * ends[1], ends


def bad(motion, **change):
    return replace(motion, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: {"poses": m.poses[:, :66]}, "shape"),
        (lambda m: {"poses": np.where(np.arange(165) == 7, np.nan, m.poses)}, "NaN"),
        (lambda m: {"poses": m.poses[:0], "trans": m.trans[:0]}, "no frames"),
        (lambda m: {"poses": m.poses[:1], "trans": m.trans[:1]}, "single frame"),
        (lambda m: {"poses": m.poses * 57.3}, "no rotations"),
        (lambda m: {"fps": 0.0}, "frame rate"),
    ],
)
def test_what_has_no_trajectory_is_refused_with_a_reason(stroll, body, untrained, change, message):
    with pytest.raises(BadInput, match=message):
        add_trajectory(bad(stroll.motion, **change(stroll.motion)), weights=untrained, body=body)


def test_a_camera_of_another_length_is_refused(stroll, body, untrained):
    with pytest.raises(BadInput, match="camera's velocity has shape"):
        add_trajectory(stroll.motion, weights=untrained, body=body, camera_velocity=np.zeros((5, 2)))


def test_weights_that_do_not_fit_are_listed(tmp_path, body):
    from safetensors.torch import save_file

    network = TrajectoryNetwork(16).state_dict()
    network["blocks.0.mix.wrong"] = network.pop("blocks.0.mix.weight")
    save_file(network, tmp_path / "wrong.safetensors", {"format": "smplit-difftraj-1", "width": "16"})
    with pytest.raises(BadInput, match=r"blocks\.0\.mix\.weight.*blocks\.0\.mix\.wrong"):
        TrajectoryPredictor.load(tmp_path / "wrong.safetensors", body)
    (tmp_path / "text.safetensors").write_text("nothing")
    for name, message in (("text.safetensors", "cannot be read"), ("absent.safetensors", "not a file")):
        with pytest.raises(BadInput, match=message):
            TrajectoryPredictor.load(tmp_path / name, body)


def test_hypotheses_are_others_every_time_and_the_same_for_a_seed(stroll, body, untrained):
    ask = lambda **more: [m.trans for m in trajectories(stroll.motion, weights=untrained, body=body, **more)]
    first, second = ask(samples=2, seed=4)
    again = ask(samples=2, seed=4)
    np.testing.assert_array_equal(again[0], first)
    np.testing.assert_array_equal(again[1], second)
    likeliest = add_trajectory(stroll.motion, weights=untrained, body=body).trans
    for one, other in ((first, second), (first, likeliest), (first, ask(samples=1, seed=5)[0])):
        assert np.abs(one - other).max() > 1e-3
    with pytest.raises(BadInput, match="less than 0"):
        ask(samples=-1)


def test_hypotheses_of_a_walk_stay_close_to_where_its_feet_lead(stroll, body):
    ends = np.stack([m.trans[-1, :2] for m in trajectories(on_the_spot(stroll), samples=6, body=body)])
    true = (stroll.motion.trans[-1] - stroll.motion.trans[0])[:2]
    assert np.linalg.norm(ends - ends[0], axis=1)[1:].min() > 1e-4
    assert np.linalg.norm(ends - true, axis=1).max() < 0.05 * 6.0
