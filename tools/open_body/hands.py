# SPDX-License-Identifier: GPL-3.0-or-later
"""Hand pose components for the smplx package's `use_pca`: six movements of hands, then whatever completes the basis."""

from __future__ import annotations

import numpy as np

_ORDER = ("index", "middle", "pinky", "ring", "thumb")
_LONG = _ORDER[:4]
_MIRROR = np.tile([1, -1, -1], 15)


def _pose(*parts: tuple[str | tuple[str, ...], tuple[int, ...], int, float]) -> np.ndarray:
    """(45,) left-hand axis-angle: fingers, their joints (0..2), axis (0..2), rad."""
    pose = np.zeros(45)
    for fingers, joints, axis, value in parts:
        for finger in (fingers,) if isinstance(fingers, str) else fingers:
            for joint in joints:
                pose[9 * _ORDER.index(finger) + 3 * joint + axis] += value
    return pose


_ALL = (0, 1, 2)
_MOVEMENTS = np.array([
    _pose((_LONG, _ALL, 2, -1)),  # curl
    _pose((_LONG, (0,), 2, -1), (_LONG, (1, 2), 2, 0.7)),  # knuckles against middle joints
    _pose(("index", (0,), 1, -1), ("middle", (0,), 1, -0.3), ("ring", (0,), 1, 0.4), ("pinky", (0,), 1, 1)),  # spread
    _pose(("thumb", (0,), 1, 1), ("thumb", (1,), 1, 0.5)),  # thumb towards the palm
    _pose(("index", _ALL, 2, -1), ("middle", _ALL, 2, -0.3), ("ring", _ALL, 2, 0.4), ("pinky", _ALL, 2, 1)),  # index against little finger
    _pose(("thumb", (1, 2), 1, 1), ("thumb", (0,), 0, -0.5)),  # thumb curl
])
_RELAXED = _pose((_LONG, (0,), 2, -0.15), (_LONG, (1,), 2, -0.3), (_LONG, (2,), 2, -0.15), ("thumb", (0,), 1, 0.15), ("thumb", (1,), 1, 0.1))


def components() -> dict[str, np.ndarray]:
    """Orthonormal rows (45,45) and the relaxed mean (45,) of either hand, named as in the file."""
    q, r = np.linalg.qr(np.concatenate([_MOVEMENTS, np.eye(45)]).T)
    sign = np.sign(np.diag(r)[:45])
    sign[sign == 0] = 1
    left = (q[:, :45] * sign).T
    return {
        "hands_componentsl": left, "hands_componentsr": left * _MIRROR, "hands_meanl": _RELAXED, "hands_meanr": _RELAXED * _MIRROR,
        "hands_coeffsl": np.zeros((0, 45)), "hands_coeffsr": np.zeros((0, 45)),
    }  # fmt: skip
