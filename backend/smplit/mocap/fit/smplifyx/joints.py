# SPDX-License-Identifier: GPL-3.0-or-later
"""The 118 points that are fitted: OpenPose's 25 of the body, 21 of each hand, 51 of the face; and our landmarks in that order."""

from __future__ import annotations

import numpy as np

from smplit.mocap.face.surface import LANDMARK_POINTS
from smplit.mocap.fit.points import BLAZEPOSE_NAMES
from smplit.mocap.observations import PersonLandmarks

COUNT = 118
LEFT_HAND, RIGHT_HAND, HANDS, FACE = slice(25, 46), slice(46, 67), slice(25, 67), slice(67, 118)
NECK, MIDDLE_HIP, HIPS, SHOULDERS = 1, 8, (9, 12), (2, 5)  # right first, as OpenPose counts

# Index into the smplx package's 144 points: 55 joints, 21 picked vertices (eyes, ears, feet, finger tips), 51 + 17 of the face.
_BODY = (55, 12, 17, 19, 21, 16, 18, 20, 0, 2, 5, 8, 1, 4, 7, *range(56, 66))
_FIRST_JOINTS = (12, 0, 3, 9, 6)  # of thumb, index, middle, ring, little finger; SMPL-X keeps index, middle, little, ring, thumb


def _hand(wrist: int, first: int, tips: int) -> tuple[int, ...]:
    fingers = [(*range(first + joint, first + joint + 3), tips + finger) for finger, joint in enumerate(_FIRST_JOINTS)]
    return (wrist, *(index for finger in fingers for index in finger))


def smplx_indices(hands: bool = True, face: bool = True, contour: bool = False) -> tuple[int, ...]:
    """Where OpenPose's points are among the smplx package's 144."""
    chosen = _BODY
    if hands:
        chosen += _hand(20, 25, 66) + _hand(21, 40, 71)
    if face:
        chosen += tuple(range(76, 127))
    return chosen + tuple(range(127, 144)) if face and contour else chosen


SMPL_INDICES = (24, *_BODY[1:15], *range(25, 35))  # the same 25 among SMPL's: 24 joints, then the picked vertices
_BLAZEPOSE = {
    0: "nose", 2: "right_shoulder", 3: "right_elbow", 4: "right_wrist", 5: "left_shoulder", 6: "left_elbow", 7: "left_wrist",
    9: "right_hip", 10: "right_knee", 11: "right_ankle", 12: "left_hip", 13: "left_knee", 14: "left_ankle", 15: "right_eye",
    16: "left_eye", 17: "right_ear", 18: "left_ear", 19: "left_foot_index", 21: "left_heel", 22: "right_foot_index", 24: "right_heel",
}


def openpose_points(landmarks: PersonLandmarks, trust: np.ndarray) -> np.ndarray:
    """(N,118,3): px and confidence of our landmarks in OpenPose's order; small toes, which BlazePose lacks, have none.

    Args:
        trust: (N,33) 0..1 confidence of the body's landmarks.
    """
    points = np.zeros((len(landmarks), COUNT, 3))
    for slot, name in _BLAZEPOSE.items():
        index = BLAZEPOSE_NAMES.index(name)
        points[:, slot, :2], points[:, slot, 2] = landmarks.body[:, index], trust[:, index]
    for slot, pair in ((NECK, SHOULDERS), (MIDDLE_HIP, HIPS)):  # OpenPose's own are middles too
        points[:, slot, :2] = points[:, pair, :2].mean(1)
        points[:, slot, 2] = points[:, pair, 2].min(1)
    for side, hand in enumerate((LEFT_HAND, RIGHT_HAND)):
        points[:, hand, :2], points[:, hand, 2] = landmarks.hands[:, side], landmarks.hand_confidence[:, side, None]
    points[:, FACE, :2], points[:, FACE, 2] = landmarks.face[:, LANDMARK_POINTS, :2], landmarks.face_confidence[:, None]
    points[points[..., 2] == 0.0] = 0.0  # places that nobody saw may be anything, not numbers even
    return np.nan_to_num(points)
