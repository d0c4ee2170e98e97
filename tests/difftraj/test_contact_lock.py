# SPDX-License-Identifier: GPL-3.0-or-later
"""A path from planted feet, against a walk whose path is known by construction."""


import numpy as np
import pytest
from synthetic_walk import walk

from smplit.body.model import BodyModel
from smplit.difftraj.contact_lock import Trust, footholds, level_path, pelvis_height
from smplit.motion import joint_transforms

FEET = [7, 8]  # ankles


@pytest.fixture(scope="module")
def stroll():
    body = BodyModel.load()
    made = walk(body, seconds=8.0)
    joints = joint_transforms(made.motion.poses, body.rest_joints().numpy())[1]
    return made, joints[:, FEET] - joints[:, :1]


def test_planted_feet_alone_lead_along_the_true_path(stroll):
    made, feet = stroll
    path = level_path(np.zeros((len(feet), 2)), feet[..., :2], made.planted.astype(float), 1 / 30, Trust(velocity=20.0))
    off = np.linalg.norm(path - made.pelvis[:, :2], axis=1)
    assert off.max() < 0.01 * 8.0  # metres walked


def test_a_wrong_velocity_does_not_lead_planted_feet_astray(stroll):
    made, feet = stroll
    true = np.gradient(made.pelvis[:, :2], 1 / 30, axis=0)
    path = level_path(0.7 * true, feet[..., :2], made.planted.astype(float), 1 / 30, Trust(velocity=0.8))
    assert np.linalg.norm(path[-1] - made.pelvis[-1, :2]) < 0.03 * 8.0
    integrated = np.cumsum(0.7 * true, 0) / 30
    assert np.linalg.norm(integrated[-1] - made.pelvis[-1, :2]) > 0.2 * 8.0


def test_noise_of_single_frames_averages_out_over_a_stance(stroll):
    made, feet = stroll
    random = np.random.default_rng(0)
    velocity = 0.97 * np.gradient(made.pelvis[:, :2], 1 / 30, axis=0)
    locked, stepped = [], []
    for _ in range(30):
        noisy = feet[..., :2] + random.normal(0, 0.015, feet[..., :2].shape)
        path = level_path(velocity, noisy, made.planted.astype(float), 1 / 30)
        locked.append(np.linalg.norm(path[-1] - made.pelvis[-1, :2]))
        foot = made.planted[:-1].argmax(1)
        steps = -(noisy[1:] - noisy[:-1])[np.arange(len(foot)), foot]
        stepped.append(np.linalg.norm(steps.sum(0) - made.pelvis[-1, :2]))
    assert np.mean(locked) < 0.8 * np.mean(stepped)


def test_a_foot_that_slides_after_all_loses_its_say(stroll):
    made, feet = stroll
    contacts = made.planted.astype(float)
    first, last = np.flatnonzero(np.diff(contacts[:, 0]) == -1)[1] + 1, np.flatnonzero(np.diff(contacts[:, 0]) == 1)[1] + 1
    contacts[first : first + (last - first) // 2, 0] = 1.0  # the second swing is taken for planted through half of its way
    true = np.gradient(made.pelvis[:, :2], 1 / 30, axis=0)
    path = level_path(0.9 * true, feet[..., :2], contacts, 1 / 30, Trust(velocity=0.4))
    assert np.linalg.norm(path - made.pelvis[:, :2], axis=1).max() < 0.03 * 8.0


def test_without_contacts_the_path_is_the_integrated_velocity():
    time = np.linspace(0, 5, 50)
    velocity = np.stack([np.sin(time), np.cos(0.5 * time)], 1)
    path = level_path(velocity, np.zeros((50, 4, 2)), np.zeros((50, 4)), 0.1)
    np.testing.assert_allclose(path, np.concatenate([np.zeros((1, 2)), np.cumsum(velocity[:-1] * 0.1, 0)]), atol=0.02)


def test_every_stance_of_every_point_is_a_foothold_of_its_own():
    contacts = np.array([[1, 0], [1, 0], [0, 1], [1, 1], [1, 0]], float)
    frames, points, numbers = footholds(contacts)
    stances = {tuple(frames[numbers == n]): set(points[numbers == n]) for n in set(numbers)}
    assert stances == {(0, 1): {0}, (3, 4): {0}, (2, 3): {1}}


@pytest.mark.parametrize("frames", [1, 2, 3, 4])
def test_the_shortest_clips_have_a_path(frames):
    path = level_path(np.ones((frames, 2)), np.zeros((frames, 4, 2)), np.ones((frames, 4)), 1 / 30)
    height = pelvis_height(np.ones(frames), np.full((frames, 4), -0.9), np.ones((frames, 4)), 1 / 30)
    assert path.shape == (frames, 2) and np.isfinite(path).all() and np.isfinite(height).all()


def test_planted_soles_stand_near_the_floor_and_a_leap_keeps_its_predicted_height():
    soles = np.full((60, 4), -0.95)
    contacts = np.ones((60, 4))
    contacts[25:40] = 0
    predicted = np.full(60, 0.90)  # 5 cm too low all the time
    predicted[25:40] += 0.3 * np.sin(np.linspace(0, np.pi, 15))
    height = pelvis_height(predicted, soles, contacts, 1 / 30)
    assert np.abs(height[:20] - 0.95).max() < 0.025  # half of the error is gone at least
    assert height.max() - height[:20].mean() == pytest.approx(0.3, abs=0.06)


def test_half_an_hour_takes_memory_in_proportion():
    frames = 54_000
    contacts = np.zeros((frames, 4))
    contacts[np.arange(frames) // 20 % 2 == 0, :2] = 1
    contacts[np.arange(frames) // 20 % 2 == 1, 2:] = 1
    velocity = np.tile([1.0, 0.0], (frames, 1))
    points = np.zeros((frames, 4, 2))
    points[..., 0] = -(np.arange(frames) % 20)[:, None] / 30
    path = level_path(velocity, points, contacts, 1 / 30)
    assert path[-1, 0] == pytest.approx((frames - 1) / 30, rel=0.01)
