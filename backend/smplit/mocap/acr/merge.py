# SPDX-License-Identifier: GPL-3.0-or-later
"""Two estimates of a person's hands become one: ACR's where it saw them, the landmarks' where it did not, and no step in between."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from smplit.axes import axis_angle_from_matrix, matrix_from_axis_angle
from smplit.mocap.hands.landmark_fit import HandFit

_BLEND = 0.15  # s from one estimate to the other
_PREFERRED = 0.25  # confidence that the landmarks must be ahead by, to be taken before ACR
_STAY = 0.1  # confidence by which an estimate must be better than the one that is followed
_NOBODY = 0.02  # confidence of both below which a hand counts as unseen


class HandSource(IntEnum):
    """Who says what a hand does."""

    NONE = 0  # it is at ease
    LANDMARKS = 1
    ACR = 2


def merge_hands(acr: HandFit, landmarks: HandFit, times: np.ndarray) -> tuple[HandFit, np.ndarray]:
    """Cross-fades between two estimates of the same N frames, each side by itself.

    Args: times (N,) s.

    Returns:
        The merged hands, and (N,2) int `HandSource`: whose share is the larger one.
    """
    times = np.asarray(times, np.float64)
    share = np.stack([_share(acr.confidence[:, side], landmarks.confidence[:, side], times) for side in (0, 1)], 1)  # (N,2) of ACR
    poses = _between(matrix_from_axis_angle(landmarks.poses), matrix_from_axis_angle(acr.poses), share[..., None])
    wrists = _between(landmarks.wrist_rotations.astype(np.float64), acr.wrist_rotations.astype(np.float64), share)
    confidence = (1.0 - share) * landmarks.confidence + share * acr.confidence
    merged = HandFit(axis_angle_from_matrix(poses).astype(np.float32), wrists.astype(np.float32), confidence.astype(np.float32))
    source = np.where(share > 0.5, int(HandSource.ACR), int(HandSource.LANDMARKS))
    unseen = np.maximum(acr.confidence, landmarks.confidence) < _NOBODY
    return merged, np.where(unseen, int(HandSource.NONE), source)


def _share(acr: np.ndarray, landmarks: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(N,) 0..1 of ACR: who is followed, with the steps between them made ramps."""
    ahead = np.where(acr > 0, acr + _PREFERRED, 0.0) - landmarks
    followed, state = np.empty(len(times)), ahead[0] >= 0
    for row, lead in enumerate(ahead):
        state = lead >= (-_STAY if state else _STAY)
        followed[row] = state
    # The mean over a window of real time: (N,N) of a long clip would be large, sums are not.
    grid = np.interp(times[:, None] + _BLEND * np.linspace(-0.5, 0.5, 31), times, followed)
    share = grid.mean(1)
    return share**2 * (3.0 - 2.0 * share)


def _between(first: np.ndarray, second: np.ndarray, share: np.ndarray) -> np.ndarray:
    """(...,3,3) the rotation `share` (...) of the way from the first to the second, along the shortest path."""
    turn = axis_angle_from_matrix(np.swapaxes(first, -1, -2) @ second)
    return first @ matrix_from_axis_angle(np.asarray(share)[..., None] * turn)
