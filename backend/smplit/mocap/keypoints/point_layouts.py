# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of BlazePose's 33 landmarks the point sets of other networks give.

COCO: 17 points (Lin et al. 2014). Halpe: COCO's, then head, neck, hip, left and right big toe, small toe, heel (Fang et al. 2022).
COCO-WholeBody (Jin et al. 2020): COCO's; 17-22 big toe, small toe, heel, left foot then right; 23-90 face in the order of 300-W;
91-111 left hand, 112-132 right hand, in the order of our hands.

Names agree, places not quite: annotators of COCO put hips and shoulders where they believe the joints, BlazePose's are its own
(`mocap.fit.points` holds their measured offsets from the skeleton). No published file was at hand to measure the difference, so
none is corrected. BlazePose's little finger and index lie in the palm rather than on the knuckles, so hands of COCO-WholeBody do not
replace them.
"""

from __future__ import annotations

import numpy as np

_COCO = [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]  # BlazePose landmark of each COCO point
# {number of points: {point: BlazePose landmark}}
_BLAZEPOSE = {
    17: dict(enumerate(_COCO)),
    26: dict(enumerate(_COCO)) | {20: 31, 21: 32, 24: 29, 25: 30},
    133: dict(enumerate(_COCO)) | {17: 31, 19: 29, 20: 32, 22: 30, 23 + 36: 6, 23 + 39: 4, 23 + 42: 1, 23 + 45: 3, 23 + 48: 10, 23 + 54: 9},
}
_HANDS = np.arange(91, 133).reshape(2, 21)
# What a landmark hangs on: eye corners on the eye, mouth on the nose, hand on the wrist, foot on the ankle.
CARRIED_BY = {1: 2, 3: 2, 4: 5, 6: 5, 9: 0, 10: 0} | {i: 15 + (i + 1) % 2 for i in range(17, 23)} | {29: 27, 30: 28, 31: 27, 32: 28}


def in_blazepose(points: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """points (P,K,2) px, confidence (P,K) -> (P,33,2), (P,33): BlazePose's order; confidence is NaN where the set has no such point."""
    placed = np.zeros((len(points), 33, 2), np.float32)
    told = np.full((len(points), 33), np.nan, np.float32)
    source, target = np.array(list(_BLAZEPOSE[points.shape[1]].items())).T
    placed[:, target], told[:, target] = points[:, source], confidence[:, source]
    return placed, told


def hands_of(points: np.ndarray, confidence: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """(K,2) px, (K,) of one person -> (2,21,2) px, (2,21): left and right hand; None where the set has none."""
    return (points[_HANDS], confidence[_HANDS]) if len(points) == 133 else None
