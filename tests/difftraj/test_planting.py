# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted feet do not move, and do not tremble when the input does."""


import numpy as np
import pytest
from scipy.spatial.transform import Rotation
from synthetic_walk import walk

from smplit.difftraj.planting import plant_feet
from smplit.difftraj.predict import add_trajectory
from smplit.motion import joint_transforms


@pytest.fixture(scope="module")
def stroll(body):
    return walk(body, 4.0)


def ankles(poses, pelvis, rest):
    joints = joint_transforms(poses.reshape(len(poses), -1), rest)[1]
    return (joints - joints[:, :1] + pelvis[:, None])[:, [7, 8]]


def steps_while_standing(poses, pelvis, planted, rest):
    moved = np.linalg.norm(np.diff(ankles(poses, pelvis, rest), axis=0), axis=-1)
    return moved[planted[1:] & planted[:-1]]


def test_a_drifting_body_keeps_its_feet_where_they_stand(stroll, body):
    rest = body.rest_joints().numpy()
    poses = stroll.motion.poses.reshape(-1, 55, 3).astype(np.float64)
    times = np.arange(len(poses)) / 30
    drifted = stroll.pelvis + np.stack([0.02 * np.sin(3 * times), 0.02 * np.cos(2 * times), 0 * times], 1)
    before = steps_while_standing(poses, drifted, stroll.planted, rest)
    legs, pelvis = plant_feet(poses, drifted, stroll.planted.repeat(2, 1).astype(float), times, body, np.zeros(10, np.float32))
    whole = poses.copy()
    whole[:, :22] = legs
    after = steps_while_standing(whole, pelvis, stroll.planted, rest)
    assert after.mean() < 0.35 * before.mean()
    np.testing.assert_array_equal(legs[:, [0, 3, 6, 9, 10, 11, *range(12, 22)]], poses[:, [0, 3, 6, 9, 10, 11, *range(12, 22)]])


def test_feet_of_noisy_legs_stand_still(stroll, body):
    rest = body.rest_joints().numpy()
    poses = stroll.motion.poses.reshape(-1, 55, 3).astype(np.float64)
    noise = Rotation.from_rotvec(np.random.default_rng(0).normal(0, 0.025, (len(poses) * 6, 3)))
    legs_of = [1, 2, 4, 5, 7, 8]
    poses[:, legs_of] = (Rotation.from_rotvec(poses[:, legs_of].reshape(-1, 3)) * noise).as_rotvec().reshape(-1, 6, 3)
    times = np.arange(len(poses)) / 30
    before = steps_while_standing(poses, stroll.pelvis, stroll.planted, rest)
    legs, pelvis = plant_feet(poses, stroll.pelvis, stroll.planted.repeat(2, 1).astype(float), times, body, np.zeros(10, np.float32))
    whole = poses.copy()
    whole[:, :22] = legs
    assert steps_while_standing(whole, pelvis, stroll.planted, rest).mean() < 0.2 * before.mean()


def test_without_contacts_nothing_changes(stroll, body):
    poses = stroll.motion.poses.reshape(-1, 55, 3).astype(np.float64)
    legs, pelvis = plant_feet(
        poses, stroll.pelvis + [0, 0, 1.0], np.zeros((len(poses), 4)), np.arange(len(poses)) / 30, body, np.zeros(10, np.float32)
    )
    np.testing.assert_allclose(legs, poses[:, :22], atol=1e-6)
    np.testing.assert_allclose(pelvis, stroll.pelvis + [0, 0, 1.0])


@pytest.mark.parametrize("beta", [-2.0, 2.0])
def test_a_short_and_a_tall_body_stand_on_the_floor_not_over_or_in_it(body, beta):
    betas = np.zeros(10, np.float32)
    betas[0] = beta
    stroll = walk(body, 2.0, betas=betas)
    found = add_trajectory(stroll.motion, body=body)
    lowest = body.vertices(found.poses, found.trans, found.betas)[..., 2].min(1)
    assert np.abs(lowest).max() < 0.01
