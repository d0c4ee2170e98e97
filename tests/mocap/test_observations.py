# SPDX-License-Identifier: GPL-3.0-or-later
"""Landmarks as they are handed on: those of a bending lens are straightened."""

from __future__ import annotations

import cv2
import numpy as np

from smplit.mocap.observations import PersonLandmarks
from smplit.video.lens import Lens


def test_landmarks_of_a_bending_lens_become_those_of_a_pinhole():
    """OpenCV projects what the landmarks are pictures of, with and without the lens's distortion."""
    K, bent = np.array([[700.0, 0, 480], [0, 700, 270], [0, 0, 1]]), np.array([-0.2, 0.03, 0.001, 0.0])
    rng = np.random.default_rng(2)
    project = lambda places, distortion: cv2.projectPoints(places, np.zeros(3), np.zeros(3), K, distortion)[0][:, 0]
    body, hands, face = (rng.uniform([-1.6, -0.9, 3], [1.6, 0.9, 3.2], (count, 3)) for count in (33, 42, 468))
    body[0] = [60.0, 0.0, 3.0]  # far outside: the lens cannot show it
    corners = np.array([[-1.0, -0.8, 3], [0.6, 0.7, 3]])
    filmed = project(body, bent)
    filmed[0] = [9000.0, 270.0]
    landmarks = PersonLandmarks(
        1, 0, np.ones(1, bool), project(corners, bent).reshape(1, 4), filmed[None], np.full((1, 33), 0.8), np.zeros((1, 33, 3)),
        project(hands, bent).reshape(1, 2, 21, 2), np.ones((1, 2)), np.zeros((1, 2, 21, 3)),
        np.concatenate([project(face, bent), np.full((468, 1), 7.0)], 1)[None], np.ones(1),
    )
    straight = landmarks.straightened(Lens(K, bent))
    np.testing.assert_allclose(straight.body[0, 1:], project(body, None)[1:], atol=0.01)
    np.testing.assert_allclose(straight.hands.reshape(-1, 2), project(hands, None), atol=0.01)
    np.testing.assert_allclose(straight.face[0, :, :2], project(face, None), atol=0.01)
    np.testing.assert_allclose(straight.boxes.reshape(2, 2), project(corners, None), atol=0.01)
    assert (straight.face[..., 2] == 7.0).all()
    assert straight.body_confidence[0, 0] == 0.0 and (straight.body_confidence[0, 1:] == 0.8).all()


def test_landmarks_come_back_to_where_the_lens_put_them():
    lens = Lens(np.array([[700.0, 0, 480], [0, 700, 270], [0, 0, 1]]), np.array([-0.12, 0.03, 0.001, -0.001, 0.0]))
    random = np.random.default_rng(3)
    pixels = lambda *shape: random.uniform([100, 60], [860, 480], (*shape, 2)).astype(np.float32)
    face = np.concatenate([pixels(4, 468), np.zeros((4, 468, 1), np.float32)], -1)
    filmed = PersonLandmarks(
        1, 0, np.ones(4, bool), pixels(4, 2).reshape(4, 4), pixels(4, 33), np.ones((4, 33), np.float32), np.zeros((4, 33, 3), np.float32),
        pixels(4, 2, 21), np.ones((4, 2), np.float32), np.zeros((4, 2, 21, 3), np.float32), face, np.ones(4, np.float32),
    )
    straight = filmed.straightened(lens)
    assert np.abs(straight.body - filmed.body).max() > 5.0
    back = straight.as_filmed(lens)
    for name in ("body", "hands", "face", "boxes"):
        np.testing.assert_allclose(getattr(back, name), getattr(filmed, name), atol=0.02)
