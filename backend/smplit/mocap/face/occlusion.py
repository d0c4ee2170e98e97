# SPDX-License-Identifier: GPL-3.0-or-later
"""Which half of the face a hand covers: the mesh network invents what it does not see and says nothing about it."""

from __future__ import annotations

import numpy as np

from smplit.mocap.observations import PersonLandmarks

_MOUTH, _EYES = [13, 14, 61, 291], [33, 133, 362, 263, 105, 334]
_OUTER_EYES = (33, 263)
_BODY_HANDS = list(range(17, 23))  # BlazePose: little, index and thumb knuckles of both hands
_REACH = 0.55  # distance to the mouth's or eyes' middle at which a hand point is as good as on it, in eye distances


def covered(landmarks: PersonLandmarks) -> tuple[np.ndarray, np.ndarray]:
    """How surely a hand covers the mouth, and the eyes: two arrays (N,) 0..1.

    Hand points are those of the hand network and, where it has lost a hand before the face, the body network's.
    """
    left, right = (np.nan_to_num(landmarks.face[:, point, :2].astype(np.float64)) for point in _OUTER_EYES)
    size = np.maximum(np.linalg.norm(left - right, axis=-1), 1.0)[:, None]
    hands = np.nan_to_num(landmarks.hands.astype(np.float64)).reshape(len(size), 42, 2)
    trust = np.repeat(np.nan_to_num(landmarks.hand_confidence), 21, axis=1)
    points = np.concatenate([hands, landmarks.body[:, _BODY_HANDS]], axis=1)
    trust = np.concatenate([trust, landmarks.body_confidence[:, _BODY_HANDS]], axis=1)

    def over(part: list[int]) -> np.ndarray:
        middle = np.nan_to_num(landmarks.face[:, part, :2].astype(np.float64)).mean(1)  # these points alone: long clips stay small
        distance = np.linalg.norm(points - middle[:, None], axis=-1) / size
        return (trust / (1.0 + (distance / _REACH) ** 6)).max(1)

    return over(_MOUTH), over(_EYES)
