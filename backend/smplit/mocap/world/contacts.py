# SPDX-License-Identifier: GPL-3.0-or-later
"""When is a foot on the ground: from how the foot moves, how high it is, and how well it is seen."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d, median_filter

# Speeds (m/s) and heights (m) at which a foot point is as likely planted as not.
_SPEED, _HEIGHT = 0.35, 0.06
_SHORTEST = 0.06  # s: a contact or a gap shorter than this is a flicker
SETTLE = 0.08  # s: smoothing of speeds, about the length of heel strike


def smooth(values: np.ndarray, times: np.ndarray, seconds: float) -> np.ndarray:
    """Zero-phase Gaussian over (T,...) whose standard deviation is `seconds`."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    sigma = seconds / max(step, 1e-3)
    return values if sigma < 0.3 else gaussian_filter1d(values, sigma, axis=0, mode="nearest")


def velocity(points: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T,...,3) m over (T,) s -> m/s, central differences."""
    if len(points) < 2:
        return np.zeros_like(points)
    return np.gradient(points, np.maximum.accumulate(times + 1e-9 * np.arange(len(times))), axis=0)


def foot_contacts(feet: np.ndarray, up: np.ndarray, times: np.ndarray, translating: bool) -> np.ndarray:
    """Contact probabilities (T,4) of left ankle, left toe, right ankle, right toe.

    Args:
        feet: (T,4,3) m in axes that do not turn with the camera.
        up: (3,) unit up direction in the same axes.
        times: (T,) s.
        translating: the camera moves along, so only speeds relative to the other foot mean anything.
    """
    steady = smooth(feet, times, 0.03)
    height = steady @ up
    motion = velocity(steady, times)
    if translating:
        # The planted foot is the one that moves backwards fastest against the body; without the
        # camera's path only its height and vertical rest are left to judge by.
        speed = np.abs(motion @ up)
        height = height - height.min(axis=1, keepdims=True)
        limit = 0.05
    else:
        speed = np.linalg.norm(motion, axis=-1)
        height = height - _standing_height(height, speed, times)
        limit = _HEIGHT
    slow = 1.0 / (1.0 + (smooth(speed, times, SETTLE / 2) / _SPEED) ** 4)
    low = 1.0 / (1.0 + np.exp((height - limit) / 0.015))
    return _remove_flicker(slow * low, times)


def _standing_height(height: np.ndarray, speed: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T,4) height each foot point has when it stands, allowed to drift slowly with depth errors."""
    out = np.empty_like(height)
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    reach = max(1, round(2.0 / max(step, 1e-3)))
    for point in range(height.shape[1]):
        weight = 1.0 / (1.0 + (speed[:, point] / _SPEED) ** 4) + 1e-3
        column = height[:, point]
        low = np.array([
            np.quantile(column[max(0, t - reach) : t + reach + 1], 0.15) for t in range(0, len(column), max(1, reach // 8))
        ])
        index = np.arange(0, len(column), max(1, reach // 8))
        base = np.interp(np.arange(len(column)), index, low)
        near = weight * np.exp(-(((column - base) / 0.05) ** 2))
        out[:, point] = np.average(column - base, weights=near + 1e-6) + base
    return out


def _remove_flicker(contacts: np.ndarray, times: np.ndarray) -> np.ndarray:
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    size = 2 * round(_SHORTEST / max(step, 1e-3) / 2) + 1
    return contacts if size < 3 else median_filter(contacts, size=(size, 1), mode="nearest")
