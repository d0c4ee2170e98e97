# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody who stands and turns on the spot. Oracle: numpy's forward kinematics and the plan itself."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from smplit.difftraj.features import heading
from smplit.errors import BadInput
from smplit.loco.idle import Idle, load_idle
from smplit.loco.journey import Walker
from smplit.loco.plan import plan, stand
from smplit.loco.stance import Standing
from smplit.loco.weights import load_weights
from smplit.models import find
from smplit.motion import BODY_JOINTS, joint_transforms

FPS = 30
ANKLES = [BODY_JOINTS.index(name) for name in ("left_ankle", "right_ankle")]


@pytest.fixture(scope="module")
def idle():
    return load_idle(find("idle"))


@pytest.fixture(scope="module")
def stance(weights_file, body):
    weights = load_weights(weights_file)
    return Walker(weights, body, 1.0, None).stance(torch.eye(len(weights.styles))[0], 1.0)


@pytest.fixture
def standing(stance, idle):
    """Standing through a whole plan."""
    return lambda way, seed=0, life=idle: Standing(way, 0, len(way), stance, life, seed, False, False)


def posed(found, body):
    """World rotations (T,22,3,3) and joints (T,22,3) m."""
    poses = np.zeros((len(found), 55, 3))
    poses[:, :22] = Rotation.from_matrix(found.rotations.reshape(-1, 3, 3)).as_rotvec().reshape(-1, 22, 3)
    rest = body.rest_joints().cpu().numpy().astype(np.float64)
    around, at = joint_transforms(poses, rest - rest[0])
    return around[:, :22], at[:, :22] + found.pelvis[:, None]


def yaws(around):
    """(T,2) rad of the feet."""
    return heading(torch.from_numpy(around[:, ANKLES])).numpy()


def off(a, b):
    return np.abs((a - b + np.pi) % (2 * np.pi) - np.pi)


def test_who_stands_breathes_and_sways_over_feet_that_do_not_move(standing, body):
    way = stand((1.0, -2.0), 10.0, 0.5)
    found = standing(way).at(np.arange(len(way)))
    _, at = posed(found, body)
    feet = at[:, ANKLES]
    assert np.abs(feet - feet[0]).max() < 1e-3 and found.contacts.all()
    assert np.abs(feet[0, :, :2].mean(0) - [1, -2]).max() < 0.06, "below the body"
    assert 0.005 < np.ptp(at[:, 15], axis=0).max() < 0.2, "the head moves"
    assert np.linalg.norm(np.diff(at, axis=0), axis=-1).max() < 0.01, "slowly"


def test_without_recordings_of_people_who_stand_it_is_a_statue(standing):
    way = stand((0, 0), 2.0)
    found = standing(way, life=None).at(np.arange(len(way)))
    assert np.ptp(found.pelvis, axis=0).max() == 0 and np.ptp(found.rotations, axis=0).max() < 1e-12


def test_what_it_does_at_a_frame_does_not_depend_on_how_it_is_asked(standing):
    way = stand((0, 0), 4.0, 0.0, 2.0)
    whole = standing(way, 3).at(np.arange(len(way)))
    again = standing(way, 3)
    pieces = [again.at(np.arange(first, min(first + 17, len(way)))) for first in range(0, len(way), 17)]
    assert np.allclose(np.concatenate([p.pelvis for p in pieces]), whole.pelvis, atol=1e-9)
    assert np.abs(np.concatenate([p.rotations for p in pieces]) - whole.rotations).max() < 2e-3
    assert np.array_equal(np.concatenate([p.contacts for p in pieces]), whole.contacts)
    assert np.abs(standing(way, 4).at(np.arange(len(way))).rotations - whole.rotations).max() > 0.01, "another seed, another life"


@pytest.mark.parametrize("degrees", [15, 90, -90, 175, -120])
def test_on_the_spot_the_feet_step_round_one_after_the_other(standing, body, degrees):
    way = stand((0, 0), 1.0, 0.3, 0.3 + np.radians(degrees))
    found = standing(way).at(np.arange(len(way)))
    around, at = posed(found, body)
    stands = found.contacts[:, ::2] > 0.5
    assert stands.any(1).all(), "one foot at least is on the floor"
    step = np.linalg.norm(np.diff(at[:, ANKLES], axis=0), axis=-1)
    turn = off(yaws(around)[1:], yaws(around)[:-1])
    planted = stands[1:] & stands[:-1]
    assert step[planted].max() < 2e-3 and np.degrees(turn[planted].max()) < 0.5, "what stands neither slides nor spins"
    begun, ended = yaws(around)[0], yaws(around)[-1]
    assert np.degrees(off(ended - begun, np.radians(degrees)).max()) < 6
    lifted = [at[~stands[:, foot], ANKLES[foot], 2].max(initial=0) for foot in (0, 1)]
    assert min(lifted) > 0.1, "an ankle of a standing foot is at 8 cm"
    facing = heading(torch.from_numpy(found.rotations[:, 0])).numpy()
    assert np.degrees(off(facing, way.facing).mean()) < 8
    assert np.linalg.norm(np.diff(at, 2, axis=0), axis=-1).max() < 0.06, "without a jerk"


def test_feet_never_cross(standing, body):
    for degrees in (90, -90, 175, -175):
        way = stand((0, 0), 1.0, 0.0, np.radians(degrees))
        around, at = posed(standing(way, life=None).at(np.arange(len(way))), body)
        opened = (yaws(around)[:, 0] - yaws(around)[:, 1] + np.pi) % (2 * np.pi) - np.pi
        assert np.degrees(opened.min()) > -10 and np.degrees(opened.max()) < 75
        assert np.linalg.norm(at[:, ANKLES[0], :2] - at[:, ANKLES[1], :2], axis=1).min() > 0.1


def test_a_turn_goes_the_shorter_way_in_a_second_or_two():
    way = stand((0, 0), 0.1, np.radians(170), np.radians(-170))
    assert np.degrees(np.ptp(way.facing)) == pytest.approx(20, abs=0.1) and off(way.facing[-1], np.radians(-170)) < 1e-6
    quarter = stand((0, 0), 0.1, 0.0, np.pi / 2)
    assert 1.5 < len(quarter) / FPS < 2.6 and np.degrees(np.abs(np.diff(quarter.facing)).max() * FPS) < 180
    assert np.ptp(quarter.place) == 0 and quarter.rests == (True, True)


def test_a_walk_turns_before_and_after_and_its_own_time_stays():
    plain = plan([(0, 0), (0, 3)], speed=1.0)
    way = plan([(0, 0), (0, 3)], speed=1.0, start_facing=0.0, end_facing=np.pi)
    moving = np.flatnonzero(np.linalg.norm(np.diff(way.place, axis=0), axis=1) > 1e-6)
    assert way.facing[0] == pytest.approx(0) and way.facing[-1] == pytest.approx(np.pi)
    assert np.allclose(way.facing[moving], np.pi / 2, atol=1e-3), "it walks ahead"
    assert any(np.allclose(way.place[first : first + len(plain)], plain.place) for first in range(len(way) - len(plain) + 1))
    assert len(plan([(0, 0), (0, 3)], speed=1.0, start_facing=np.pi / 2)) == len(plain), "who faces that way need not turn"
    lap = plan([(1, 0), (0, 1), (-1, 0), (0, -1)], speed=1.0, closed=True, start_facing=0.0)
    assert lap.rests == (True, False) and not lap.laps
    with pytest.raises(BadInput, match="walk on and stand"):
        plan([(0, 0), (0, 3)], speed=1.0, start="walk", start_facing=0.0)
    for wrong in ({"start_facing": np.nan}, {"end_facing": np.inf}):
        with pytest.raises(BadInput, match="Facing"):
            plan([(0, 0), (0, 3)], speed=1.0, **wrong)
    for wrong in ({"seconds": 0}, {"seconds": np.nan}, {"place": (0, np.nan)}, {"place": (1,)}):
        with pytest.raises(BadInput):
            stand(**({"place": (0, 0), "seconds": 1.0} | wrong))


def test_idle_goes_on_for_ever_without_a_jump(idle):
    for seed in range(4):
        turns, sway = idle.at(np.arange(0, 120, 1 / FPS), seed)
        angle = Rotation.from_matrix((np.swapaxes(turns[:-1], -1, -2) @ turns[1:]).reshape(-1, 3, 3)).magnitude()
        assert angle.max() < 0.06 and np.linalg.norm(np.diff(sway, axis=0), axis=1).max() < 0.006
        assert 0.02 < np.abs(sway).max() < 0.12


def test_idle_that_is_not_there_or_damaged_is_told(tmp_path, weights_file):
    (tmp_path / "broken.safetensors").write_bytes(b"no")
    for file in (tmp_path / "none.safetensors", tmp_path / "broken.safetensors", weights_file):
        with pytest.raises(BadInput):
            load_idle(file)


def test_a_mean_of_walking_stands_on_both_feet(stance, body):
    rest = body.rest_joints().cpu().numpy()
    leg = np.linalg.norm(rest[1] - rest[4]) + np.linalg.norm(rest[4] - rest[7])
    assert 0.7 * leg < stance.height < 1.25 * leg and stance.ankle == pytest.approx(0.0776, abs=0.002)
    assert stance.place["left"][1] > 0.05 > -0.05 > stance.place["right"][1]


def test_idle_moves_nothing_below_the_hips_and_every_seed_differs(idle):
    legs = [i for i, name in enumerate(BODY_JOINTS) if any(part in name for part in ("hip", "knee", "ankle", "foot"))]
    times = np.arange(0, 20, 1 / FPS)
    (turns, sway), (others, _) = idle.at(times, 1), idle.at(times, 2)
    assert isinstance(idle, Idle) and np.allclose(turns[:, legs], np.eye(3), atol=1e-6)
    head = Rotation.from_matrix(turns[:, 15]).magnitude()
    assert 0.5 < np.degrees(head).std() < 15 and np.abs(turns - others).max() > 0.02
    again, same = idle.at(times, 1)
    assert (again == turns).all() and (same == sway).all()
