# SPDX-License-Identifier: GPL-3.0-or-later
"""Zero-phase smoothing of curves with uneven times, uncertain samples and gaps.

One banded least-squares solve (Whittaker 1923, in the form of Eilers 2003) does all three: the cut-off is
in Hz of real time, so 5 fps and 120 fps clips behave alike, and where samples are missing the
curve leaves the last one smoothly, goes to a rest value and comes back.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import solveh_banded

from smplit.axes import axis_angle_from_quaternion, matrix_from_axis_angle, quaternion_from_matrix

_REST_PULL = 0.03  # weight of the rest value in a gap, against 1 for a certain sample


def smooth_curves(
    values: np.ndarray,
    confidence: np.ndarray,
    times: np.ndarray,
    cutoff: float,
    rest: np.ndarray | None = None,
    rest_seconds: float = 0.35,
) -> np.ndarray:
    """Smooths D curves that share their confidence.

    Minimises  sum dt [c (x - y)^2 + pull (1 - c) (x - rest)^2] + integral (x'' / w^2)^2,  w = 2 pi cutoff,
    with a slope penalty in the gaps that makes `rest_seconds` the time constant of going to rest.

    Args:
        values: (N,D); rows of zero confidence are not read but must be finite.
        confidence: (N,) 0..1.
        times: (N,) s, increasing.
        cutoff: Hz at which a fully confident curve is halved.
        rest: (D,) or (N,D) values taken in gaps; None holds the neighbours' values instead.
        rest_seconds: time constant of approaching `rest`.

    Returns:
        (N,D) float64.
    """
    values = np.asarray(values, np.float64)
    count = len(values)
    if count < 3:
        if rest is None:
            return values.copy()
        c = np.asarray(confidence, np.float64)[:, None]
        return c * values + (1.0 - c) * np.broadcast_to(rest, values.shape)
    confidence = np.clip(np.asarray(confidence, np.float64), 0.0, 1.0)
    step = np.maximum(np.diff(np.asarray(times, np.float64)), 1e-4)  # (N-1,) s
    span = np.empty(count)  # s that each sample stands for
    span[0], span[-1], span[1:-1] = step[0] / 2, step[-1] / 2, (step[:-1] + step[1:]) / 2

    data = span * confidence
    # Without a rest value a trace of it keeps the system definite when nothing at all was seen.
    pull = span * (1.0 - confidence) * (_REST_PULL if rest is not None else 1e-9)
    target = np.zeros_like(values) if rest is None else np.broadcast_to(np.asarray(rest, np.float64), values.shape)

    bands = np.zeros((3, count))  # upper form: row 2 is the diagonal, row 1 the first off-diagonal, row 0 the second
    bands[2] = data + pull
    before, after = step[:-1], step[1:]
    strength = (2.0 * np.pi * cutoff) ** -4 * (before + after) / 2
    first, middle, last = 2 / (before * (before + after)), -2 / (before * after), 2 / (after * (before + after))
    bands[2, :-2] += strength * first**2
    bands[2, 1:-1] += strength * middle**2
    bands[2, 2:] += strength * last**2
    bands[1, 1:-1] += strength * first * middle
    bands[1, 2:] += strength * middle * last
    bands[0, 2:] += strength * first * last
    # The slope penalty acts between unsure samples only: it would blur what was seen well.
    slope = _REST_PULL * rest_seconds**2 * (1.0 - np.maximum(confidence[:-1], confidence[1:])) / step
    bands[2, :-1] += slope
    bands[2, 1:] += slope
    bands[1, 1:] -= slope
    return solveh_banded(bands, data[:, None] * values + pull[:, None] * target, check_finite=False)


def outlier_weights(values: np.ndarray, smooth: np.ndarray, scale: float) -> np.ndarray:
    """(N,D) raw and smoothed curves -> (N,) 0..1: Cauchy weight of each sample's distance, `scale` in their unit."""
    distance = np.sqrt(np.mean((np.asarray(values) - smooth) ** 2, axis=1))
    return 1.0 / (1.0 + (distance / scale) ** 2)


def smooth_rotations(
    rotations: np.ndarray,
    confidence: np.ndarray,
    times: np.ndarray,
    cutoff: float,
    rest: np.ndarray | None = None,
    rest_seconds: float = 0.35,
) -> np.ndarray:
    """(N,3,3) rotations smoothed as sign-aligned quaternions; arguments as in `smooth_curves`, `rest` (N,3,3)."""
    raw = quaternion_from_matrix(rotations)  # (N,4)
    seen = np.flatnonzero(confidence > 0)
    if len(seen) == 0:
        return np.array(rotations if rest is None else rest, np.float64)
    held = raw[seen[np.clip(np.searchsorted(seen, np.arange(len(raw)), side="right") - 1, 0, None)]]
    signs = np.cumprod(np.concatenate([[1.0], np.where((held[1:] * held[:-1]).sum(1) < 0, -1.0, 1.0)]))
    held = held * signs[:, None]
    rest_quaternion = None
    if rest is not None:
        rest_quaternion = quaternion_from_matrix(rest)
        rest_quaternion = rest_quaternion * np.where((rest_quaternion * held).sum(1) < 0, -1.0, 1.0)[:, None]
    result = smooth_curves(held, confidence, times, cutoff, rest_quaternion, rest_seconds)
    return matrix_from_axis_angle(axis_angle_from_quaternion(result))
