# SPDX-License-Identifier: GPL-3.0-or-later
"""The ground under a walker's feet makes a travelling camera's path metric: checked on a street made of points."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.video.camera_scale import Feet, metric_ground

K = np.array([[900.0, 0.0, 640.0], [0.0, 900.0, 360.0], [0.0, 0.0, 1.0]])
FRAMES, CAMERA_HEIGHT, METRES = 60, 1.6, 23.0


def street(pitch=4.0, roll=6.0, clutter=200, noise=0.01, seed=0):
    """A camera that follows somebody along a street; world X right, Y down, Z ahead, the first camera at the origin.

    Returns the tracked shot (rotation, path, points, points_frame in the first camera's axes, unit 23 m), true feet
    and the true up direction in those axes.
    """
    rng = np.random.default_rng(seed)
    held = Rotation.from_euler("zx", [roll, pitch], degrees=True).as_matrix()  # world to first camera
    sway = Rotation.from_euler("yxz", rng.normal(size=(FRAMES, 3)) * 0.5, degrees=True).as_matrix()
    sway[0] = np.eye(3)
    centre = np.stack([0.02 * np.sin(np.arange(FRAMES) / 5), np.zeros(FRAMES), 0.05 * np.arange(FRAMES)], 1)
    centre -= centre[0]
    ground = np.stack([rng.uniform(-5, 5, 300), np.full(300, CAMERA_HEIGHT), rng.uniform(3, 25, 300)], 1)
    ground += rng.normal(size=ground.shape) * [0, noise, 0]
    trees = np.stack([rng.uniform(-6, 6, clutter), rng.uniform(-3, 1.6, clutter), rng.uniform(4, 25, clutter)], 1)
    points = np.concatenate([ground, trees])
    foot = np.stack([0.3 + 0.1 * (-1.0) ** np.arange(FRAMES), np.full(FRAMES, CAMERA_HEIGHT), centre[:, 2] + 7.0], 1)
    in_camera = np.einsum("tij,tj->ti", sway @ held, foot - centre)
    pixels = in_camera[:, :2] / in_camera[:, 2:] * 900.0 + K[:2, 2]
    feet = Feet(np.arange(FRAMES), pixels, in_camera[:, 2], np.ones(FRAMES))
    tracked = sway, centre @ held.T / METRES, points @ held.T / METRES, np.zeros(len(points), int)
    return tracked, feet, held @ np.array([0.0, -1.0, 0.0])


def test_the_unit_of_the_path_and_the_cameras_height_come_out_in_metres():
    tracked, feet, _ = street()
    found = metric_ground(*tracked, K, feet)
    assert found.metres == pytest.approx(METRES, rel=0.01)
    assert found.height == pytest.approx(CAMERA_HEIGHT, rel=0.02)
    assert found.spread < 0.01


def test_up_is_the_grounds_normal_whatever_the_roll_and_pitch():
    for pitch, roll in ((4.0, 6.0), (-12.0, 0.0), (15.0, -15.0)):
        tracked, feet, up = street(pitch, roll)
        found = metric_ground(*tracked, K, feet)
        assert np.degrees(np.arccos(np.clip(found.up @ up, -1, 1))) < 0.6


def test_more_trees_than_ground_do_not_carry_the_plane_away():
    tracked, feet, up = street(clutter=900)
    found = metric_ground(*tracked, K, feet)
    assert found.metres == pytest.approx(METRES, rel=0.03)
    assert np.degrees(np.arccos(np.clip(found.up @ up, -1, 1))) < 1.5


def test_lifted_feet_that_nobody_trusts_do_not_count():
    tracked, feet, _ = street()
    lifted = np.arange(FRAMES) % 3 == 0
    feet.depth[lifted] *= 2.0
    feet.trust[lifted] = 0.0
    assert metric_ground(*tracked, K, feet).metres == pytest.approx(METRES, rel=0.01)


def test_without_ground_around_the_feet_there_is_no_answer():
    (rotation, path, points, frame), feet, _ = street()
    far = points[:, 2] * METRES > 20
    assert metric_ground(rotation, path, points[far], frame[far], K, feet) is None
    feet.trust[:] = 0.0
    assert metric_ground(rotation, path, points, frame, K, feet) is None
