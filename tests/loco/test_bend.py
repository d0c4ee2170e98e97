# SPDX-License-Identifier: GPL-3.0-or-later
"""A walk on another path. Oracle: a walk made by hand, its feet by numpy's forward kinematics, the paths by arithmetic."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from synthetic_walk import walk

from smplit.loco import frames as numbers
from smplit.loco.bend import Change, changed
from smplit.motion import BODY_JOINTS, joint_transforms

FPS = 30


def tensor(values):
    return torch.tensor(np.asarray(values), dtype=torch.float32)


@pytest.fixture(scope="module")
def straight(body):
    """Frames, place and facing of a walk straight ahead (nearly: a circle of 1 km), and which feet are planted (T,2)."""
    made = walk(body, seconds=4.0, speed=1.0, turn_rate=0.001)
    rotations = Rotation.from_rotvec(made.motion.poses.reshape(-1, 3)).as_matrix().reshape(-1, 55, 3, 3)[:, :22]
    place, facing = made.pelvis[:, :2], 0.001 * np.arange(len(made.pelvis)) / FPS - np.pi / 2
    contacts = np.repeat(made.planted, 2, axis=1)
    shape = numbers.shape_of(body)
    return numbers.encode(*map(tensor, (rotations, made.pelvis, contacts, place, facing)), shape), place, facing, made.planted


def bent(straight, body, **change):
    return changed(*straight[:3], Change(**change), body, FPS)


def length(place):
    return np.linalg.norm(np.diff(place, axis=0), axis=1).sum()


def joints(frames, place, facing, body):
    rotations, pelvis, contacts = numbers.decode(frames, tensor(place), tensor(facing))
    poses = np.zeros((len(frames), 55, 3))
    poses[:, :22] = Rotation.from_matrix(rotations.numpy().reshape(-1, 3, 3)).as_rotvec().reshape(-1, 22, 3)
    rest = body.rest_joints().cpu().numpy().astype(np.float64)
    turned, at = joint_transforms(poses, rest - rest[0])
    return at[:, :22] + pelvis.numpy()[:, None], turned, contacts.numpy()


def slide(found, body):
    """Largest m per frame of an ankle or toe joint while its foot is planted."""
    at, _, contacts = joints(*found, body)
    worst = []
    for point, name in enumerate(("left_ankle", "left_foot", "right_ankle", "right_foot")):
        step = np.linalg.norm(np.diff(at[:, BODY_JOINTS.index(name)], axis=0), axis=1)
        planted = contacts[:, point] > 0.5
        worst.append(step[planted[1:] & planted[:-1]].max())
    return max(worst)


def rigidly(straight, change):
    """What carrying the frames over alone would give: the plan of the change under the old frames."""
    return straight[0][: len(change[0])], change[1], change[2]


def test_no_change_changes_nothing(straight, body):
    frames, place, facing = bent(straight, body)
    assert len(frames) == len(straight[0])
    assert np.abs(place - (straight[1] - straight[1][0])).max() < 1e-6 and np.abs(facing - straight[2]).max() < 1e-6
    before, after = joints(*straight[:3], body)[0], joints(frames, place, facing, body)[0]
    assert np.abs(after - (before - [*straight[1][0], 0])).max() < 0.01


@pytest.mark.parametrize("curve", [0.8, -0.4])
def test_the_path_has_the_asked_curvature_and_its_old_length(straight, body, curve):
    _, place, facing = bent(straight, body, curve=curve)
    way = np.unwrap(np.arctan2(*np.diff(place, axis=0).T[::-1]))
    assert (way[-1] - way[0]) / length(place[:-1]) == pytest.approx(curve, abs=0.01)
    assert length(place) == pytest.approx(length(straight[1]), rel=1e-4)
    assert np.abs(facing[:-1] - way).max() < 0.05, "the body turns with the path"
    centre = place[0] + np.array([-np.sin(way[0]), np.cos(way[0])]) / curve
    assert np.abs(np.linalg.norm(place - centre, axis=1) - 1 / abs(curve)).max() < 0.03


@pytest.mark.parametrize("change", [{"curve": 0.5}, {"curve": -0.9}, {"stride": 1.15}, {"crab": 0.25}, {"curve": 0.4, "stride": 0.85, "crab": -0.2}])
def test_planted_feet_stand_still_on_the_new_path(straight, body, change):
    found = bent(straight, body, **change)
    assert slide(rigidly(straight, found), body) > 0.004, "carried over alone they slide"
    assert slide(found, body) < 0.005
    assert slide(found, body) < 0.5 * slide(rigidly(straight, found), body)


def test_planted_feet_do_not_turn_with_the_path(straight, body):
    found = bent(straight, body, curve=0.9)
    _, turned, contacts = joints(*found, body)
    for point, name in ((0, "left_ankle"), (2, "right_ankle")):
        ankle = turned[:, BODY_JOINTS.index(name)]
        angle = Rotation.from_matrix(np.swapaxes(ankle[:-1], -1, -2) @ ankle[1:]).magnitude()
        planted = contacts[:, point] > 0.5
        inside = planted[1:] & planted[:-1]
        assert np.degrees(angle[inside]).mean() < 0.35, "of 1.7 degrees a frame that the path turns"


def test_a_faster_pace_is_the_same_path_in_less_time(straight, body):
    frames, place, _ = bent(straight, body, pace=1.25)
    assert len(frames) == len(place) == round(len(straight[0]) / 1.25)
    assert length(place) == pytest.approx(length(straight[1]), rel=1e-4)


def test_longer_strides_go_further_in_the_same_time(straight, body):
    frames, place, _ = bent(straight, body, stride=1.2)
    assert len(frames) == len(straight[0])
    assert length(place) == pytest.approx(1.2 * length(straight[1]), rel=1e-4)
    at = joints(frames, place, bent(straight, body, stride=1.2)[2], body)[0]
    old = joints(*straight[:3], body)[0]
    apart = lambda j: np.linalg.norm(j[:, BODY_JOINTS.index("left_ankle"), :2] - j[:, BODY_JOINTS.index("right_ankle"), :2], axis=1).max()
    assert apart(at) > 1.1 * apart(old)


def test_crab_turns_the_way_and_not_the_body(straight, body):
    _, place, facing = bent(straight, body, crab=0.3)
    assert np.abs(facing - straight[2]).max() < 1e-6
    way = np.arctan2(*np.diff(place, axis=0).T[::-1])
    assert np.abs(way - facing[:-1] - 0.3).max() < 0.01


def test_the_body_stays_on_its_bones_and_near_the_ground(straight, body):
    frames, place, facing = bent(straight, body, curve=0.9, stride=1.1)
    at = joints(frames, place, facing, body)[0]
    assert (at[:, [BODY_JOINTS.index(n) for n in ("left_foot", "right_foot")], 2] > -0.01).all()
    pelvis = straight[0][:, numbers.HEIGHT] * numbers.UNITS[numbers.HEIGHT]
    assert np.abs(at[:, 0, 2] - pelvis.numpy()[:, 0]).max() < 0.08
