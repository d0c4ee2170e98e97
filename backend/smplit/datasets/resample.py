# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion at another frame rate, by time: never by leaving out every k-th frame, which turns 59 fps into "30"."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

_SAME = 1e-3  # headers write 0.0333333 s for 30 fps


def resampled(poses: np.ndarray, trans: np.ndarray, source_fps: float, fps: float) -> tuple[np.ndarray, np.ndarray]:
    """(T,J,3) axis-angle rad and (T,3) m at `source_fps` -> the same motion at `fps`.

    Rotations turn at constant speed between their neighbours (slerp), positions follow a cubic
    spline. The first frame stays; the last new frame is the last that lies within the recording.
    """
    if abs(source_fps / fps - 1) < _SAME or len(poses) < 2:
        return poses, trans
    known = np.arange(len(poses)) / source_fps
    times = np.arange(int(np.floor(known[-1] * fps + 1e-6)) + 1) / fps
    at = np.minimum(np.searchsorted(known, times, side="right") - 1, len(poses) - 2)
    share = np.clip((times - known[at]) * source_fps, 0.0, 1.0)
    before = Rotation.from_rotvec(poses[at].reshape(-1, 3))
    after = Rotation.from_rotvec(poses[at + 1].reshape(-1, 3))
    step = (before.inv() * after).as_rotvec() * np.repeat(share, poses.shape[1])[:, None]
    turned = (before * Rotation.from_rotvec(step)).as_rotvec().reshape(len(times), poses.shape[1], 3)
    places = CubicSpline(known, trans)(times) if len(trans) > 2 else trans[at] + (trans[at + 1] - trans[at]) * share[:, None]
    return turned, places
