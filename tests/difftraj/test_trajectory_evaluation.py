# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of a trajectory, on motions whose figures are known beforehand."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from synthetic_walk import walk

from smplit.difftraj.features import BodyShape
from smplit.difftraj.predict import placed, resampled
from smplit.evaluation.trajectory import LEAST_PATH, Noise, add_noise, lowest_foot_path, measure, summary
from smplit.evaluation.trajectory_rates import at_rate
from smplit.motion import joint_transforms


@pytest.fixture(scope="module")
def stroll(body):
    return walk(body, seconds=6.0).motion


@pytest.fixture(scope="module")
def rest(body):
    return body.rest_joints().numpy()


def test_the_truth_has_no_error(stroll, rest):
    figures = measure(stroll, stroll, rest)
    assert figures["rte"] == pytest.approx(0, abs=1e-6) and figures["end"] == pytest.approx(0, abs=1e-6)
    assert figures["w100"] == figures["height"] == 0.0
    assert figures["path"] == pytest.approx(6.0, rel=0.01)


def test_a_path_that_is_a_tenth_too_short_ends_a_tenth_of_the_chord_away(stroll, rest):
    short = replace(stroll, trans=stroll.trans[:1] + (stroll.trans - stroll.trans[:1]) * np.float32(0.9))
    chord = np.linalg.norm(stroll.trans[-1] - stroll.trans[0])
    assert measure(short, stroll, rest)["end"] == pytest.approx(100 * 0.1 * chord / 6.0, rel=0.02)


def test_feet_that_are_dragged_along_slide_by_the_drag(stroll, rest):
    drag = np.zeros_like(stroll.trans)
    drag[:, 0] = np.arange(len(drag)) * 0.004
    figures = measure(replace(stroll, trans=stroll.trans + drag), stroll, rest)
    assert figures["slide_level"] == pytest.approx(0.4, abs=0.08)  # some true points move a little themselves
    assert measure(replace(stroll, trans=stroll.trans + [0, 0, 0.03]), stroll, rest)["height"] == pytest.approx(3.0, rel=0.01)


def test_noise_moves_joints_and_yaw_as_far_as_said(stroll, rest):
    noisy = add_noise(stroll, Noise(joints=0.015), rest, seed=1)
    joints = [joint_transforms(m.poses, rest)[1][:, 1:22] for m in (noisy, stroll)]
    assert np.sqrt(((joints[0] - joints[1]) ** 2).mean()) == pytest.approx(0.015, rel=0.1)
    np.testing.assert_array_equal(noisy.poses[:, :3], stroll.poses[:, :3])
    drifting = add_noise(stroll, Noise(yaw=0.5), rest, seed=1)
    turn = Rotation.from_rotvec(drifting.poses[:, :3]) * Rotation.from_rotvec(stroll.poses[:, :3]).inv()
    yaw = np.degrees(turn.as_rotvec()[:, 2])
    assert np.std(np.diff(yaw)) == pytest.approx(0.5, rel=0.15)
    np.testing.assert_allclose(turn.as_rotvec()[:, :2], 0, atol=1e-4)


def test_the_lowest_foot_is_the_standing_one_of_a_flat_footed_walk(stroll, body, rest):
    poses = torch.as_tensor(stroll.poses.reshape(-1, 55, 3)[:, :22])
    times = np.arange(len(stroll)) / 30
    path = lowest_foot_path(resampled(poses, times, times), BodyShape.of(body), 1 / 30)
    made = placed(stroll, times, path, body, lock_feet=False)
    assert measure(made, stroll, rest)["rte"] < 1.0


def test_clips_that_stay_in_place_are_reported_apart():
    row = {"method": "m", "rte": 1.0, "end": 2.0, "w100": 3.0, "slide": 0.1, "slide_level": 0.1, "jitter": 1.0, "height": 1.0, "drift": 4.0}
    rows = [row | {"path": 2 * LEAST_PATH}, row | {"path": 0.5 * LEAST_PATH, "rte": 900.0, "drift": 8.0}]
    figures = summary(rows)["m"]
    assert figures["rte"] == 1.0 and figures["drift_short"] == 8.0
    assert (figures["clips"], figures["clips_short"]) == (1, 1)


def test_a_clip_at_another_rate_is_the_same_movement(body):
    made, direct = at_rate(walk(body, 3.0, 60.0).motion, 30.0), walk(body, 3.0, 30.0).motion
    np.testing.assert_allclose(made.trans, direct.trans, atol=1e-4)
    turn = Rotation.from_rotvec(made.poses.reshape(-1, 3)) * Rotation.from_rotvec(direct.poses.reshape(-1, 3)).inv()
    assert turn.magnitude().max() < 1e-4


def test_top_views_are_drawn(stroll, tmp_path):
    pytest.importorskip("matplotlib")
    import cv2

    from smplit.evaluation.trajectory_pictures import top_views

    top_views({"a walk": {"true": stroll.trans, "ours": stroll.trans * 0.9}}, tmp_path / "paths.png")
    picture = cv2.imread(str(tmp_path / "paths.png"))
    red = (picture[..., 2] > 150) & (picture[..., 0] < 100)
    assert picture is not None and red.sum() > 50
