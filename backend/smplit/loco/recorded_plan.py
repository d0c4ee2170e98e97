# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan that a recorded person seems to have followed: the path without the sway of the steps, and where the body faced."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d

_PATH = 0.5  # s: sway goes with the stride, about once a second
_WAY = 0.2  # s: along the path only the pulses of the steps go, so that starts and stops stay where they are
_FACING = 0.4  # s


def smooth(values: np.ndarray, seconds: float, fps: float) -> np.ndarray:
    """Gaussian of `seconds`, applied so that curves do not shrink: what it took away is smoothed and given back (Tukey's twicing).
    Beyond its ends the recording is thought to go on as it came (odd reflection)."""
    pad = min(len(values) - 1, int(4 * seconds * fps))
    long = np.concatenate([2 * values[:1] - values[pad:0:-1], values, 2 * values[-1:] - values[-2 : -pad - 2 : -1]])
    once = gaussian_filter1d(long, seconds * fps, axis=0, mode="nearest")
    twice = once + gaussian_filter1d(long - once, seconds * fps, axis=0, mode="nearest")
    return twice[pad : pad + len(values)]


def recorded_plan(pelvis: np.ndarray, heading: np.ndarray, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """Pelvis (T,2|3) m and heading (T,) rad of a person -> place (T,2) m and facing (T,) rad of the plan."""
    pelvis = np.asarray(pelvis, np.float64)[:, :2]
    line = smooth(pelvis, _PATH, fps)
    steps = np.linalg.norm(np.diff(line, axis=0), axis=1)
    arc = np.concatenate([[0.0], np.cumsum(steps)])
    tangent = np.gradient(line, axis=0)
    tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-3)  # standing, no way ahead counts
    done = np.clip(smooth(arc + ((pelvis - line) * tangent).sum(1), _WAY, fps), 0, arc[-1])
    done = np.maximum.accumulate(done)
    place = np.stack([np.interp(done, arc, line[:, axis]) for axis in range(2)], 1)
    return place, smooth(np.unwrap(heading), _FACING, fps)
