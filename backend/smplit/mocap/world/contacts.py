# SPDX-License-Identifier: GPL-3.0-or-later
"""When is a foot on the ground: from how the foot moves, how high it is, and how well it is seen."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d, grey_opening, median_filter

from smplit.mocap.runs import runs

# Speeds (m/s) and heights (m) at which a foot point is as likely planted as not.
_SPEED, _HEIGHT = 0.35, 0.06
_ALONG_VIEW = 0.5  # how much of a speed along the view counts
_STILL, _RESTING = 0.2, 0.25  # m/s across the view, for how many s: a foot at rest in the picture
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


def foot_contacts(
    feet: np.ndarray, up: np.ndarray, times: np.ndarray, translating: bool, centre: np.ndarray | None = None
) -> np.ndarray:
    """Contact probabilities (T,4) of left ankle, left toe, right ankle, right toe.

    Args:
        feet: (T,4,3) m in axes that do not turn with the camera.
        up: (3,) unit up direction in the same axes.
        times: (T,) s.
        translating: the camera moves along, so only speeds relative to the other foot mean anything.
        centre: (T,3) m or (3,) where the camera was, in the same axes. Along its rays a picture hardly tells speeds, so they count little there.
    """
    steady = smooth(feet, times, 0.03)
    height = steady @ up
    motion = velocity(steady, times)
    if centre is not None:
        motion = _across_view(motion, steady, centre, _ALONG_VIEW)
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


def still_in_picture(feet: np.ndarray, up: np.ndarray, times: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Contact probabilities (T,4) of feet that rest in the picture for a while, however wrong their depth is.

    Arguments as in `foot_contacts`. A foot that hangs still above the other one is not planted.
    """
    steady = smooth(feet, times, 0.03)
    across = _across_view(velocity(steady, times), steady, centre)
    still = 1.0 / (1.0 + (smooth(np.linalg.norm(across, axis=-1), times, SETTLE / 2) / _STILL) ** 4)
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    size = 2 * round(_RESTING / max(step, 1e-3) / 2) + 1
    height = steady @ up
    low = 1.0 / (1.0 + np.exp((height - height.min(axis=1, keepdims=True) - 0.06) / 0.015))
    return grey_opening(still, size=(size, 1), mode="nearest") * low


def _across_view(motion: np.ndarray, places: np.ndarray, centre: np.ndarray, along: float = 0.0) -> np.ndarray:
    """`motion` (T,P,3) at `places` (T,P,3), its part along the rays from `centre` (T,3) or (1,3) scaled by `along`."""
    rays = places - np.reshape(centre, (-1, 1, 3))
    rays = rays / np.linalg.norm(rays, axis=-1, keepdims=True)
    return motion - (1.0 - along) * (motion * rays).sum(-1, keepdims=True) * rays


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


def rest_feet(soles: np.ndarray, contacts: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Shift (T,3) m along the view that keeps resting feet at the distance where they are most of their rest.

    One picture tells poorly how far somebody is (a person who bends seems to go away); a foot that rests in
    the picture cannot have moved.

    Args:
        soles: (T,4,3) m seen from the camera, in axes that do not turn with it.
        contacts: (T,4) 0..1.
        times: (T,) s.
    """
    distance = np.linalg.norm(soles, axis=-1)
    scale, weight = np.zeros(len(soles)), np.zeros(len(soles))
    for point in range(4):
        for first, last in runs(contacts[:, point] > 0.5):
            piece = slice(first, last)
            scale[piece] += contacts[piece, point] * _mode(distance[piece, point]) / distance[piece, point]
            weight[piece] += contacts[piece, point]
    known = weight > 0
    if not known.any():
        return np.zeros((len(soles), 3))
    index = np.arange(len(soles))
    scale = smooth(np.interp(index, index[known], scale[known] / weight[known]), times, SETTLE)
    return (scale - 1.0)[:, None] * soles.mean(1)


def _mode(values: np.ndarray) -> float:
    """Half-sample mode (Bickel and Fruehwirth 2006): where most values lie, whatever the others are."""
    values = np.sort(values)
    while len(values) > 3:
        half = (len(values) + 1) // 2
        start = int(np.argmin(values[half - 1 :] - values[: len(values) - half + 1]))
        values = values[start : start + half]
    return float(values.mean())
