# SPDX-License-Identifier: GPL-3.0-or-later
"""Regions, their crops and the filter that keeps them still."""

from __future__ import annotations

import numpy as np
import pytest

from smplit.mocap.keypoints.regions import PointFilter, Region, region_around, upright_angle


def ramp(height: int = 200, width: int = 300) -> np.ndarray:
    """A picture whose red is x and green is y, so that a crop tells where it came from."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, 0 * x], -1).astype(np.uint8)


@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0])
def test_a_crop_shows_what_to_image_says(angle):
    region = Region(150.0, 100.0, 90.0, angle)
    crop = region.crop(ramp(), 60)
    for column, row in ((10, 10), (30, 30), (50, 15)):
        # Crop corners are region corners: pixel k of 60 samples k/60 of the side.
        x, y = region.to_image(np.array([column / 60, row / 60]))
        np.testing.assert_allclose(crop[row, column, :2], [x / 300, y / 200], atol=0.012)


def test_the_middle_stays_and_a_quarter_turn_takes_right_to_down():
    region = Region(50.0, 40.0, 20.0, np.pi / 2)
    np.testing.assert_allclose(region.to_image(np.array([0.5, 0.5])), [50, 40])
    np.testing.assert_allclose(region.to_image(np.array([1.0, 0.5])), [50, 50], atol=1e-9)
    np.testing.assert_allclose(region.turn(np.array([1.0, 0.0, 7.0])), [0, 1, 7], atol=1e-9)


@pytest.mark.parametrize(("upper", "angle"), [((0, -10), 0.0), ((10, 0), np.pi / 2), ((-10, 0), -np.pi / 2)])
def test_what_points_up_needs_no_turn_and_what_points_right_a_quarter_clockwise(upper, angle):
    assert upright_angle(np.zeros(2), np.array(upper, float)) == pytest.approx(angle)


def test_a_region_around_points_holds_them_turned_or_not():
    points = np.random.default_rng(0).uniform(0, 100, (20, 2)) * (1.0, 0.4)
    for angle in (0.0, 0.7):
        region = region_around(points, angle, 1.0)
        corners = region.to_image(np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float))
        centre, across = corners.mean(0), corners[1] - corners[0]
        down = corners[3] - corners[0]
        for axis in (across, down):
            reach = np.abs((points - centre) @ axis) / np.linalg.norm(axis)
            assert reach.max() <= region.side / 2 + 1e-6


def test_the_filter_holds_still_points_and_follows_moving_ones():
    rng = np.random.default_rng(1)
    still = np.array([[300.0, 200.0], [300.0, 100.0]])
    held = PointFilter(still, 0.0)
    noisy = [held(still + rng.normal(0, 1.0, (2, 2)), i / 30, 200.0) for i in range(1, 90)]
    assert np.std(noisy[30:], axis=0).max() < 0.5
    moved = PointFilter(still, 0.0)
    for i in range(1, 60):  # two body sizes a second
        place = still + (2.0 * 200.0 * i / 30, 0.0)
        followed = moved(place, i / 30, 200.0)
    assert np.abs(followed - place).max() < 0.1 * 200.0


def test_the_filter_heeds_time_not_frames():
    """The same motion seen at 10 and at 60 fps ends at about the same place."""
    ends = []
    for fps in (10, 60):
        follow = PointFilter(np.zeros((1, 2)), 0.0)
        for i in range(1, fps + 1):
            end = follow(np.array([[100.0 * i / fps, 0.0]]), i / fps, 200.0)
        ends.append(end[0, 0])
    assert abs(ends[0] - ends[1]) < 5.0
