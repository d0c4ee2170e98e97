# SPDX-License-Identifier: GPL-3.0-or-later
"""From a video's times to the 30 frames a second of the networks over time, and back."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

FPS = 30.0


def even_times(times: np.ndarray) -> np.ndarray:
    """(G,) s from the first of `times` (N,) to the last, a thirtieth apart; the last may lie beyond it."""
    seconds = float(times[-1] - times[0])
    return times[0] + np.arange(int(np.ceil(seconds * FPS - 1e-6)) + 1) / FPS


def interpolated(values: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(N,...) at `known` (N,) s -> (M,...) at `wanted` (M,) s: straight lines, held at the ends."""
    if len(known) == 1:
        return np.repeat(values, len(wanted), 0)
    after = np.searchsorted(known, wanted).clip(1, len(known) - 1)
    part = ((wanted - known[after - 1]) / np.maximum(known[after] - known[after - 1], 1e-9)).clip(0.0, 1.0)
    part = part.reshape(-1, *[1] * (values.ndim - 1))
    return values[after - 1] * (1.0 - part) + values[after] * part


def turned(rotations: np.ndarray, known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Rotations (N,...,3,3) at `known` (N,) s -> (M,...,3,3) at `wanted` (M,) s: the short way, held at the ends."""
    if len(known) == 1:
        return np.repeat(np.asarray(rotations, np.float64), len(wanted), 0)
    flat = np.asarray(rotations, np.float64).reshape(len(known), -1, 3, 3)
    at = wanted.clip(known[0], known[-1])
    found = [Slerp(known, Rotation.from_matrix(flat[:, joint]))(at).as_matrix() for joint in range(flat.shape[1])]
    return np.stack(found, 1).reshape(len(wanted), *np.shape(rotations)[1:])


def filled(values: np.ndarray, known: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(N,...) with the rows that are not `known` (N,) put between their known neighbours in time; at least one must be known."""
    return interpolated(values[known], times[known], times)
