# SPDX-License-Identifier: GPL-3.0-or-later
"""Resampling, floor, path scale, contacts and origin of a clip, against motions whose truth is known."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation, Slerp

from smplit.datasets.floor import canonical, headings, stood_on_floor
from smplit.datasets.judge import fault, weight_hint
from smplit.datasets.resample import resampled
from smplit.datasets.soles import FootedBody, planted
from smplit.datasets.stride import path_scale

BODY = FootedBody.load()


@pytest.mark.parametrize("source, fps", [(120.0, 30.0), (59.0, 30.0), (24.0, 30.0), (100.0, 30.0), (25.0, 60.0)])
def test_a_motion_at_another_rate_is_the_same_motion_in_seconds(source, fps):
    times = np.arange(200) / source
    axes = np.random.default_rng(1).normal(size=(3, 3))
    axes /= np.linalg.norm(axes, axis=1, keepdims=True)
    poses = np.stack([Rotation.from_rotvec(np.outer(1.5 * times, axis)).as_rotvec() for axis in axes], 1)
    trans = np.stack([np.sin(2 * times), np.cos(times), 0.3 * times**2], 1)
    new_poses, new_trans = resampled(poses, trans, source, fps)
    new = np.arange(len(new_trans)) / fps
    assert new[-1] <= times[-1] + 1e-9 < new[-1] + 1 / fps
    np.testing.assert_allclose(new_trans, np.stack([np.sin(2 * new), np.cos(new), 0.3 * new**2], 1), atol=2e-4)
    expected = np.stack([Rotation.from_rotvec(np.outer(1.5 * new, axis)).as_matrix() for axis in axes], 1)
    np.testing.assert_allclose(Rotation.from_rotvec(new_poses.reshape(-1, 3)).as_matrix().reshape(-1, 3, 3, 3), expected, atol=1e-9)


def test_rotations_between_frames_are_those_of_scipy_s_slerp():
    random = np.random.default_rng(2)
    poses = random.normal(size=(9, 2, 3))
    got, _ = resampled(poses, np.zeros((9, 3)), 10.0, 37.0)
    times = np.arange(len(got)) / 37.0
    for joint in range(2):
        expected = Slerp(np.arange(9) / 10.0, Rotation.from_rotvec(poses[:, joint]))(times)
        assert (expected.inv() * Rotation.from_rotvec(got[:, joint])).magnitude().max() < 1e-9


def test_a_header_s_rounding_is_no_other_rate():
    poses, trans = np.zeros((5, 1, 3)), np.arange(15.0).reshape(5, 3)
    assert resampled(poses, trans, 1 / 0.0333333, 30.0)[1] is trans


def footprints(slope=(0.0, 0.0), height=0.0, speed=1.2, seconds=6.0, fps=30.0, seed=0):
    """A walk of two feet: pelvis (T,3) m and sole points (T,6,3) m; each foot stands for 0.6 s, then steps."""
    times = np.arange(int(seconds * fps)) / fps
    pelvis = np.stack([speed * times, 0.3 * np.sin(0.3 * times), np.full(len(times), 0.9)], 1)
    soles = np.empty((len(times), 6, 3))
    arms = np.array([[-0.06, 0.0, 0], [0.19, 0.03, 0], [0.16, -0.03, 0]])
    truth = np.zeros((len(times), 4), bool)
    for foot, shift in enumerate((0.0, 0.5)):
        phase = times + shift
        step, share = np.divmod(phase, 1.0)
        swing = np.clip((share - 0.6) / 0.4, 0, 1)
        x = speed * (step + 0.5 * (1 - np.cos(np.pi * swing)) - shift + 0.3)
        at = np.stack([x, np.full(len(times), 0.1 - 0.2 * foot), 0.12 * np.sin(np.pi * swing)], 1)
        soles[:, 3 * foot : 3 * foot + 3] = at[:, None] + arms
        truth[:, 2 * foot : 2 * foot + 2] = (swing == 0)[:, None]
    soles[..., 2] += soles[..., :2] @ slope + height + np.random.default_rng(seed).normal(0, 0.001, soles.shape[:2])
    return pelvis, soles, truth


@pytest.mark.parametrize("height", [0.0, -0.4, 1.1])
@pytest.mark.parametrize("slope", [(0.0, 0.0), (0.015, 0.0), (-0.012, 0.006)])
def test_a_tilted_floor_at_any_height_is_levelled_to_zero(slope, height):
    _, soles, truth = footprints(slope, height)
    trans = np.random.default_rng(3).normal(size=(len(soles), 3))
    moved, found = stood_on_floor(trans, soles, 30.0)
    lift = moved[:, 2] - trans[:, 2]
    np.testing.assert_array_equal(moved[:, :2], trans[:, :2])
    standing = (soles[..., 2] + lift[:, None])[:, [0, 1, 3, 4]][truth]
    assert abs(np.median(standing)) < 0.004 and np.percentile(np.abs(standing), 90) < 0.01
    assert found == pytest.approx(np.hypot(*slope), abs=0.004)


def test_a_walk_up_a_hill_stays_a_hill():
    _, soles, _ = footprints((0.10, 0.0))
    _, slope = stood_on_floor(np.zeros((len(soles), 3)), soles, 30.0)
    assert slope == 0.0


def test_jumps_do_not_lift_the_floor_nor_noise_lower_it():
    times = np.arange(120) / 30
    height = np.clip(0.5 * np.sin(2 * np.pi * times), 0, None)
    soles = np.zeros((120, 6, 3))
    soles[..., 2] = height[:, None] + np.random.default_rng(4).normal(0, 0.003, (120, 6))
    moved, _ = stood_on_floor(np.zeros((120, 3)), soles, 30.0)
    assert abs(moved[0, 2]) < 0.008


@pytest.mark.parametrize("factor", [0.9, 0.97, 1.0, 1.04, 1.15])
def test_a_path_too_long_for_the_feet_is_scaled_back(factor):
    """Where the pelvis travels by `factor` times what the feet allow, the whole body (feet and all) is carried along."""
    pelvis, soles, truth = footprints()
    carried = (factor - 1) * (pelvis - pelvis[0]) * [1, 1, 0]
    assert path_scale(pelvis + carried, soles + carried[:, None], truth) == pytest.approx(1 / factor, rel=0.012)


def test_a_person_who_stands_tells_no_scale():
    pelvis, soles, _ = footprints(speed=0.0)
    assert path_scale(pelvis * [0, 0, 1], soles, np.ones((len(soles), 4), bool)) == 1.0


def test_planted_soles_are_those_that_stand():
    _, soles, truth = footprints()
    found = planted(soles, 30.0)
    inner = np.array([np.convolve(column, np.ones(5), "same") for column in truth.T]).T  # away from the moments of touch and lift
    clear = (inner == 5) | (inner == 0)
    assert (found == truth)[clear].mean() > 0.995
    assert (found == truth).mean() > 0.95


def test_a_lifted_heel_is_not_planted_while_its_toe_is():
    soles = np.zeros((40, 6, 3))
    soles[10:, 0, 2] = 0.08
    found = planted(soles, 30.0)
    assert not found[14:, 0].any() and found[:, 1].all() and found[:9, 0].all()


def test_contacts_shorter_than_a_tenth_of_a_second_are_noise():
    soles = np.zeros((60, 6, 3))
    soles[20, 1:3, 2] = 0.2
    soles[:, 3:, 2] = 0.2
    soles[30, 3:, 2] = 0.0
    found = planted(soles, 60.0)
    assert found[:, 1].all() and not found[25:35, 2:].any()


def random_motion(seed, frames=15):
    random = np.random.default_rng(seed)
    poses = 0.4 * random.normal(size=(frames, 22, 3))
    poses[:, 0] = (Rotation.from_euler("z", random.uniform(-3, 3)) * Rotation.from_euler("x", 90, degrees=True)
                   * Rotation.from_rotvec(0.3 * random.normal(size=(frames, 3)))).as_rotvec()
    return poses, np.cumsum(0.1 * random.normal(size=(frames, 3)), 0) + [3, -2, 1]


@pytest.mark.parametrize("seed", range(4))
def test_a_clip_starts_at_the_origin_facing_x_and_is_else_unchanged(seed):
    poses, trans = random_motion(seed)
    new_poses, new_trans = canonical(poses, trans, BODY)
    before, after = BODY.posed(poses, trans)[0], BODY.posed(new_poses, new_trans)[0]
    np.testing.assert_allclose(after[0, 0, :2], 0, atol=1e-9)
    np.testing.assert_allclose(after[..., 2], before[..., 2], atol=1e-9)
    # One turn about z and one shift: the same for every joint of every frame.
    flat = [points[..., :2].reshape(-1, 2) @ [1, 1j] for points in (before - before[0, 0], after - after[0, 0])]
    turn = flat[1][5] / flat[0][5]
    assert abs(turn) == pytest.approx(1.0)
    np.testing.assert_allclose(flat[1], flat[0] * turn, atol=1e-9)
    assert abs(specified_heading(new_poses[0, 0])) < 1e-9


def specified_heading(root):
    """SPEC C of the original: Q = R B^-1 with B = (w, x, y, z) .5; heading = 2 atan2(qz, qw)."""
    _, _, z, w = (Rotation.from_rotvec(root) * Rotation.from_quat([0.5, 0.5, 0.5, 0.5]).inv()).as_quat()
    return (2 * np.arctan2(z, w) + np.pi) % (2 * np.pi) - np.pi


@pytest.mark.parametrize("seed", range(4))
def test_headings_are_the_twist_about_z(seed):
    roots = random_motion(seed)[0][:, 0]
    expected = [specified_heading(root) for root in roots]
    np.testing.assert_allclose(headings(Rotation.from_rotvec(roots).as_matrix()), expected, atol=1e-9)


def standing(frames=90):
    """A person who stands on the floor: poses, joints, sole points."""
    poses = np.zeros((frames, 22, 3))
    poses[:, 0] = Rotation.from_euler("x", 90, degrees=True).as_rotvec()
    joints, soles = BODY.posed(poses, np.zeros((frames, 3)))
    down = [0, 0, soles[0, :, 2].min()]
    return poses, joints - down, soles - down


def test_a_standing_person_has_no_fault():
    poses, joints, soles = standing()
    assert fault(poses, joints, soles, 30.0) == ""
    assert weight_hint(joints, 30.0) == 0.2


FAULTS = {
    "off_floor": lambda poses, joints, soles: lift(joints, soles, np.where(np.arange(90) > 40, 0.6, 0.0)),
    "uneven_floor": lambda poses, joints, soles: lift(joints, soles, np.where(np.arange(90) > 60, 0.2, 0.0)),
    "jump": lambda poses, joints, soles: shift(joints, soles, np.where(np.arange(90) > 50, 0.6, 0.0)),
    "sliding_feet": lambda poses, joints, soles: soles.__iadd__(np.stack([0.9 * np.arange(90) / 30, np.zeros(90), np.zeros(90)], 1)[:, None]),
    "not_finite": lambda poses, joints, soles: poses.__setitem__((3, 4, 0), np.nan),
}


def lift(joints, soles, height):
    joints[..., 2] += height[:, None]
    soles[..., 2] += height[:, None]


def shift(joints, soles, place):
    joints[..., 0] += place[:, None]
    soles[..., 0] += place[:, None]


@pytest.mark.parametrize("reason", FAULTS)
def test_what_cannot_teach_travel_is_refused_with_its_reason(reason):
    poses, joints, soles = standing()
    FAULTS[reason](poses, joints, soles)
    assert fault(poses, joints, soles, 30.0) == reason


def test_a_jump_of_a_person_and_a_spin_of_a_skater_are_kept():
    poses, joints, soles = standing()
    lift(joints, soles, np.clip(0.45 - 4.9 * (np.arange(90) / 30 - 1) ** 2, 0, None))  # 0.6 s in the air
    three_turns_a_second = Rotation.from_rotvec(np.outer(6 * np.pi * np.arange(90) / 30, [0, 0, 1]))
    poses[:, 0] = (three_turns_a_second * Rotation.from_rotvec(poses[0, 0])).as_rotvec()
    assert fault(poses, joints, soles, 30.0) == ""
