# SPDX-License-Identifier: GPL-3.0-or-later
"""A body on a plan as numbers and back. Oracle: numpy's forward kinematics of `smplit.motion` and scipy's rotations."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from synthetic_walk import walk

from smplit.difftraj.features import BodyShape
from smplit.loco import frames as numbers
from smplit.motion import BODY_JOINTS, joint_transforms

OTHER = [BODY_JOINTS.index(n.replace("left", "#").replace("right", "left").replace("#", "right")) for n in BODY_JOINTS]
MIRROR = np.array([1.0, -1.0, 1.0])


def tensor(values):
    return torch.tensor(np.asarray(values), dtype=torch.float32)


@pytest.fixture(scope="module")
def rest(body):
    """(55,3) m: the body's joints, made as symmetric as people are thought to be."""
    joints = body.rest_joints().cpu().numpy().astype(np.float64)
    other = joints[:22][OTHER] * [-1, 1, 1]
    joints[:22] = (joints[:22] + other) / 2
    return joints - joints[0]


@pytest.fixture(scope="module")
def shape(body, rest):
    """The same as bones; the soles as they are."""
    parents = [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19]
    return BodyShape(tensor(rest[:22] - rest[parents]), BodyShape.of(body).soles.float())


@pytest.fixture(scope="module")
def walker(body):
    """Local rotations (T,22,3,3), pelvis (T,3), contacts (T,4), and a plan nearby: place (T,2), facing (T,). Arms and head move too."""
    made = walk(body, seconds=3.0, turn_rate=0.6)
    poses = made.motion.poses.reshape(-1, 55, 3)[:, :22].astype(np.float64)
    time = np.arange(len(poses)) / 30
    for joint in (3, 15, 16, 17, 18, 20):
        poses[:, joint] += 0.3 * np.sin(time[:, None] * (2 + joint % 3) + np.arange(3) * joint)
    rotations = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(-1, 22, 3, 3)
    contacts = np.stack([made.planted[:, 0], made.planted[:, 0] & (time > 1), made.planted[:, 1], made.planted[:, 1]], 1)
    place = made.pelvis[:, :2] + 0.04 * np.stack([np.sin(5 * time), np.cos(4 * time)], 1)
    return rotations, made.pelvis, contacts.astype(float), place, 0.6 * time - np.pi / 2 + 0.2


@pytest.fixture(scope="module")
def encoded(walker, shape):
    return numbers.encode(*map(tensor, walker), shape)


def joints_of(rotations, pelvis, rest):
    """(T,22,3) m in the world, by `joint_transforms`."""
    poses = np.zeros((len(rotations), 55, 3))
    poses[:, :22] = Rotation.from_matrix(np.asarray(rotations, float).reshape(-1, 3, 3)).as_rotvec().reshape(-1, 22, 3)
    return joint_transforms(poses, rest)[1][:, :22] + np.asarray(pelvis, float)[:, None]


def test_a_body_comes_back_as_it_went_in(walker, encoded):
    rotations, pelvis, contacts = numbers.decode(encoded, tensor(walker[3]), tensor(walker[4]))
    assert np.abs(rotations.numpy() - walker[0]).max() < 1e-5
    assert np.abs(pelvis.numpy() - walker[1]).max() < 1e-5
    assert np.array_equal(contacts.numpy(), walker[2])


def test_frames_say_where_every_joint_is_seen_from_the_plan(walker, encoded, rest):
    rotations, pelvis, _, place, facing = walker
    joints = joints_of(rotations, pelvis, rest)
    joints[..., :2] -= place[:, None]
    seen = np.stack([Rotation.from_euler("z", -angle).apply(row) for angle, row in zip(facing, joints, strict=True)])
    feet = numbers.feet_on_plan(encoded).numpy()
    named = [BODY_JOINTS.index(name) for name in ("left_ankle", "left_foot", "right_ankle", "right_foot")]
    assert np.abs(feet - seen[:, named]).max() < 1e-5
    values = (encoded * numbers.UNITS).numpy()
    assert np.abs(values[:, numbers.SWAY] - seen[:, 0, :2]).max() < 1e-5
    assert np.abs(values[:, numbers.HEIGHT] - seen[:, 0, 2:]).max() < 1e-5


def test_the_same_walk_elsewhere_and_turned_is_the_same_numbers(walker, encoded, shape):
    rotations, pelvis, contacts, place, facing = walker
    turn = Rotation.from_euler("z", 2.1)
    turned = rotations.copy()
    turned[:, 0] = turn.as_matrix() @ rotations[:, 0]
    away = np.array([40.0, -7.0, 0.0])
    place = turn.apply(np.column_stack([place, np.zeros(len(place))])) + away
    found = numbers.encode(*map(tensor, (turned, turn.apply(pelvis) + away, contacts, place[:, :2], facing + 2.1)), shape)
    assert (found - encoded).abs().max() < 2e-3  # float32 at 40 m, in units of 5 cm


def test_a_mirror_of_a_mirror_is_the_thing_itself():
    frames = torch.randn(7, numbers.CHANNELS, generator=torch.Generator().manual_seed(0))
    assert torch.equal(numbers.mirrored(numbers.mirrored(frames)), frames)
    assert not torch.allclose(numbers.mirrored(frames), frames)


def test_mirrored_frames_on_the_mirrored_plan_are_the_mirrored_walk(walker, encoded, rest):
    rotations, pelvis, contacts, place, facing = walker
    found = numbers.decode(numbers.mirrored(encoded), tensor(place * MIRROR[:2]), tensor(-facing))
    joints = joints_of(found[0], found[1], rest)
    assert np.abs(joints - joints_of(rotations, pelvis, rest)[:, OTHER] * MIRROR).max() < 1e-5
    assert np.array_equal(found[2].numpy(), contacts[:, [2, 3, 0, 1]])


def test_joints_in_mirrored_frames_are_where_the_mirrored_rotations_put_them(walker, encoded, shape):
    _, _, _, place, facing = walker
    other = numbers.mirrored(encoded)
    plan = tensor(place * MIRROR[:2]), tensor(-facing)
    assert (numbers.encode(*numbers.decode(other, *plan), *plan, shape) - other).abs().max() < 1e-3


def test_what_a_network_draws_still_becomes_rotations():
    frames = torch.randn(50, numbers.CHANNELS, generator=torch.Generator().manual_seed(1)) * 3
    rotations, _, contacts = numbers.decode(frames, torch.zeros(50, 2), torch.zeros(50))
    eye = rotations @ rotations.transpose(-1, -2)
    assert (eye - torch.eye(3)).abs().max() < 1e-4 and torch.linalg.det(rotations).min() > 0.999
    assert contacts.min() >= 0 and contacts.max() <= 1
