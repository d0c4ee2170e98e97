# SPDX-License-Identifier: GPL-3.0-or-later
"""The published programme's own smoothing (its `-t`): one-Euro filters (Casiez et al. 2012), as if every video had 30 frames a second.

The capture smooths otherwise, both ways in time; this is for who wants the published result.
"""

from __future__ import annotations

import numpy as np

from smplit.axes import axis_angle_from_matrix, matrix_from_axis_angle

_RATE = 30.0  # Hz
_POSE_CUTOFF, _BETAS_CUTOFF, _SPEED_CUTOFF = 4.0, 0.6, 1.0  # Hz
_SPEED_GAIN = 0.7


class OneEuro:
    """Takes values (...) one by one."""

    def __init__(self, cutoff: float):
        """`cutoff`: Hz for what stands still."""
        self._cutoff = cutoff
        self._raw = self._smooth = self._speed = None

    def __call__(self, values: np.ndarray) -> np.ndarray:
        values = np.array(values)  # kept, whatever becomes of the given one
        if self._smooth is None:
            self._raw = self._smooth = values
            self._speed = np.zeros_like(values)
            return values
        self._speed = self._speed + _share(_SPEED_CUTOFF) * ((values - self._raw) * _RATE - self._speed)
        self._smooth = self._smooth + _share(self._cutoff + _SPEED_GAIN * np.abs(self._speed)) * (values - self._smooth)
        self._raw = values
        return self._smooth


def smooth_as_published(poses: np.ndarray, betas: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One side's poses (N,48) rad and betas (N,10) of N frames, smoothed; frames where it was not `found` (N,) stay and tell nothing.

    The hand's own rotation is filtered as a matrix. The original takes the filtered matrix for a rotation as it is, which it is not
    quite; here the quaternion is made a unit one. They differ by up to 0.004 rad.
    """
    poses, betas = np.array(poses, np.float64), np.array(betas, np.float64)
    orientation, fingers, shape = OneEuro(_POSE_CUTOFF), OneEuro(_POSE_CUTOFF), OneEuro(_BETAS_CUTOFF)
    for row in np.flatnonzero(found):
        poses[row, :3] = axis_angle_from_matrix(orientation(matrix_from_axis_angle(poses[row, :3])))
        poses[row, 3:], betas[row] = fingers(poses[row, 3:]), shape(betas[row])
    return poses, betas


def _share(cutoff: np.ndarray | float) -> np.ndarray | float:
    """Of the way to a new value that a first-order low-pass goes in one frame."""
    return 1.0 / (1.0 + _RATE / (2.0 * np.pi * cutoff))
