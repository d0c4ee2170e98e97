# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of single frames become arrays over all of them."""

import numpy as np

from smplit.mocap.keypoints.blazepose import BodyLandmarks
from smplit.mocap.keypoints.extremities import Extremities
from smplit.mocap.keypoints.face import FaceLandmarks
from smplit.mocap.keypoints.regions import Region
from smplit.mocap.landmark_rows import dense, row_of


def test_actions_are_numbers_only_in_frames_whose_face_was_asked():
    body = BodyLandmarks(*(np.zeros(1),) * len(BodyLandmarks.__dataclass_fields__))
    face = lambda actions: Extremities(face=FaceLandmarks(np.ones((468, 3)), 0.9, Region(0, 0, 1), actions), face_confidence=0.9)
    asked, small, none = face(np.full(51, 0.25)), face(None), Extremities()
    landmarks = dense([row_of(index, np.zeros(4), body, found) for index, found in ((3, asked), (4, small), (5, none), (8, asked))])
    np.testing.assert_array_equal(np.isfinite(landmarks.face_actions).all(1), [True, False, False, False, False, True])
    assert (landmarks.face_actions[[0, 5]] == 0.25).all()
    np.testing.assert_array_equal(landmarks.part(slice(1, 6)).face_actions[-1], landmarks.face_actions[5])
    landmarks.face_actions = None
    assert landmarks.part(slice(1, 6)).face_actions is None
