# SPDX-License-Identifier: GPL-3.0-or-later
"""Triangles land where a pinhole camera puts them, the nearer over the farther."""

import cv2
import numpy as np
import pytest

from smplit.view.camera import Camera, look_at
from smplit.view.raster import Placed, Surface, draw

K = np.array([[200.0, 0, 100], [0, 200.0, 80], [0, 0, 1]])
CAMERA = Camera(np.eye(3), np.zeros(3), K, 200, 160)
FACES = np.array([[0, 2, 1], [0, 3, 2]])  # wound to face the camera, which looks along +Z with Y down


def square(depth, left=-0.4, right=0.4, colour=(1.0, 1.0, 1.0), opacity=1.0, faces=FACES):
    corners = np.array([[left, -0.3, depth], [right, -0.3, depth], [right, 0.3, depth], [left, 0.3, depth]], np.float32)
    return Placed(Surface(faces, 4), corners, np.tile(np.float32(colour), (4, 1)), opacity)


def drawn(*bodies):
    image = np.zeros((160, 200, 3), np.uint8)
    draw(image, list(bodies), CAMERA)
    return image


def test_a_square_covers_exactly_its_projection():
    covered = drawn(square(2.0)).max(2) > 0
    rows, columns = np.nonzero(covered)
    # 200 px * 0.4 m / 2 m = 40 px each way from (100, 80), 30 px up and down.
    assert (columns.min(), columns.max() + 1) == pytest.approx((60, 140), abs=1) and (rows.min(), rows.max() + 1) == pytest.approx((50, 110), abs=1)
    assert covered.sum() == pytest.approx(80 * 60, rel=0.03)


def test_the_nearer_of_two_is_seen_whatever_their_order():
    near, far = square(1.5, colour=(1, 0, 0)), square(3.0, colour=(0, 0, 1))
    for image in (drawn(near, far), drawn(far, near)):
        assert image[80, 100, 0] > 40 and image[80, 100, 2] < image[80, 100, 0] / 2


def test_backs_and_what_is_behind_the_camera_are_not_drawn():
    assert not drawn(square(2.0, faces=FACES[:, ::-1])).any()
    assert not drawn(square(-2.0)).any() and not drawn(square(0.01)).any()


def test_half_opacity_shows_half_of_the_picture_behind():
    image = np.full((160, 200, 3), 200, np.uint8)
    draw(image, [square(2.0, colour=(0, 0, 0), opacity=0.0)], CAMERA)
    assert (image[80, 100] == 200).all()
    solid, half = np.zeros_like(image), np.full_like(image, 200)
    draw(solid, [square(2.0)], CAMERA)
    draw(half, [square(2.0, opacity=0.5)], CAMERA)
    assert half[80, 100].astype(int) == pytest.approx(100 + solid[80, 100] / 2, abs=2)


def test_a_camera_projects_as_opencv_does():
    camera = look_at([3.0, -4.0, 2.0], [0.0, 0.5, 1.0], 640, 360)
    points = np.random.default_rng(0).normal(size=(20, 3))
    expected = cv2.projectPoints(points, cv2.Rodrigues(camera.R)[0], camera.t, camera.K, None)[0][:, 0]
    assert camera.project(camera.see(points)) == pytest.approx(expected, abs=1e-6)
    assert camera.project(camera.see(np.array([0.0, 0.5, 1.0]))) == pytest.approx([320, 180])
    above = camera.project(camera.see(np.array([0.0, 0.5, 1.5])))
    assert above[1] < 180 and above[0] == pytest.approx(320)  # upright


def test_a_line_through_the_camera_is_cut_and_one_behind_it_is_left_out():
    assert CAMERA.line([0, 0, -1], [0, 0, -2]) is None
    start, end = CAMERA.line([0.1, 0, -1], [0.1, 0, 4])
    assert np.isfinite(start).all() and end == pytest.approx([105, 80])
