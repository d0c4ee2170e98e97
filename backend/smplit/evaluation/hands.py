# SPDX-License-Identifier: GPL-3.0-or-later
"""Captured arms and fingers against the truth, in frames in which the whole hand is within the picture."""

from __future__ import annotations

import numpy as np

from smplit.evaluation.metrics import project
from smplit.motion import JOINT_NAMES

_SIDES = ("left", "right")
_ARMS = [[JOINT_NAMES.index(f"{side}_{joint}") for joint in ("shoulder", "elbow", "wrist")] for side in _SIDES]
_NAMES = [f"{finger}{n}" for finger in ("index", "middle", "pinky", "ring", "thumb") for n in (1, 2, 3)]
_FINGERS = [[JOINT_NAMES.index(f"{side}_{name}") for name in _NAMES] for side in _SIDES]
_MM = 1000.0


def hand_figures(joints: np.ndarray, true: np.ndarray, K: np.ndarray, true_K: np.ndarray) -> dict[str, float]:
    """Both hands' figures together; NaN where no frame shows a whole hand.

    Args:
        joints, true: (N,55,3) m, camera axes, of the capture and of the truth; K, true_K: (3,3) px, the principal point the picture's middle.

    Returns:
        `finger_px`, `finger_p90_px`: median and 90th percentile of the finger joints' distances in the picture; `finger_mm`: their mean
        distance in space, the wrists of both at the origin; `arm_mm`: that of elbow and wrist, the shoulders at the origin;
        `hands_in_picture`: share of frames and sides.
    """
    drawn, truly = project(joints, K), project(true, true_K)
    size = 2.0 * true_K[:2, 2]
    pixels, fingers, arms, whole = [], [], [], []
    for arm, hand in zip(_ARMS, _FINGERS, strict=True):
        points = truly[:, [arm[-1], *hand]]
        inside = ((points >= 0) & (points <= size)).all((1, 2)) & (true[:, hand, 2] > 0).all(1)
        whole.append(inside)
        pixels.append(np.linalg.norm(drawn - truly, axis=-1)[inside][:, hand].ravel())
        fingers.append(_distances(joints[inside], true[inside], hand, arm[2]))
        arms.append(_distances(joints[inside], true[inside], arm[1:], arm[0]))
    pixels, fingers, arms = (np.concatenate(values) for values in (pixels, fingers, arms))
    known = len(pixels) > 0
    return {
        "finger_px": float(np.median(pixels)) if known else np.nan, "finger_p90_px": float(np.percentile(pixels, 90)) if known else np.nan,
        "finger_mm": float(fingers.mean()) if known else np.nan, "arm_mm": float(arms.mean()) if known else np.nan,
        "hands_in_picture": float(np.mean(whole)),
    }


def _distances(joints: np.ndarray, true: np.ndarray, chosen: list[int], origin: int) -> np.ndarray:
    """mm"""
    ours, theirs = (points[:, chosen] - points[:, [origin]] for points in (joints, true))
    return _MM * np.linalg.norm(ours - theirs, axis=-1).ravel()
