# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a camera's turning was found: from frame to frame, and summed up at the end."""

from __future__ import annotations

import numpy as np

from smplit.axes import axis_angle_from_matrix

_TURNS = 0.1  # deg: a camera that never turns further stands


def step_error(found: np.ndarray, true: np.ndarray) -> float:
    """Mean angle (deg) between the found and the true turn from each frame to the next; NaN for a single frame.

    Args: world-to-camera rotations (N,3,3) of the same consecutive frames; the two worlds need not be the same.
    """
    if len(found) < 2:
        return float("nan")
    return float(_angle(_turn(found[1:], found[:-1]), _turn(true[1:], true[:-1])).mean())


def drift(found: np.ndarray, true: np.ndarray) -> float:
    """Angle (deg) between the found and the true turn from the first frame (of N,3,3) to the last."""
    return float(_angle(_turn(found[-1:], found[:1]), _turn(true[-1:], true[:1]))[0])


def true_kind(planned: str, rotation: np.ndarray) -> str:
    """A truth clip's camera as it really moved: one planned "static" but held by hand is "hand-held" (rotation (N,3,3))."""
    if planned != "static" or _angle(rotation, rotation[:1]).max() < _TURNS:
        return planned
    return "hand-held"


def _turn(now: np.ndarray, before: np.ndarray) -> np.ndarray:
    return now.astype(np.float64) @ before.astype(np.float64).transpose(0, 2, 1)


def _angle(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """(N,) deg between rotations (N,3,3), as they are seen by the camera."""
    return np.degrees(np.linalg.norm(axis_angle_from_matrix(_turn(first, second)), axis=-1))
