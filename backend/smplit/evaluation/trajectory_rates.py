# SPDX-License-Identifier: GPL-3.0-or-later
"""The same clip at other frame rates must go the same way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, Slerp

from smplit.evaluation import metrics
from smplit.evaluation.trajectory import Candidates
from smplit.motion import Motion

RATES = (24.0, 25.0, 50.0, 60.0, 120.0)


def at_rate(motion: Motion, fps: float) -> Motion:
    """Poses and path of `motion` at another rate: spherical interpolation, cubic for the path."""
    times = np.arange(len(motion)) / motion.fps
    wanted = np.arange(int(np.floor(times[-1] * fps + 1e-6)) + 1) / fps
    poses = np.asarray(motion.poses, np.float64).reshape(len(motion), -1, 3)
    turned = np.stack([Slerp(times, Rotation.from_rotvec(poses[:, j]))(wanted).as_rotvec() for j in range(poses.shape[1])], 1)
    trans = CubicSpline(times, np.asarray(motion.trans, np.float64))(wanted)
    return replace(motion, poses=turned.reshape(len(wanted), -1).astype(np.float32), trans=trans.astype(np.float32), fps=fps, contacts=None)


def rate_differences(candidates: Candidates, motion: Motion) -> dict[float, dict[str, float]]:
    """Rate -> `mean` and `most`: distance of the root's paths at that rate and at the clip's own, % of the latter's length."""
    method = candidates.methods[0]
    own = candidates(motion)[method]
    times = np.arange(len(motion)) / motion.fps
    length = metrics.path_length(np.asarray(own.trans, np.float64))
    out = {}
    for rate in RATES:
        other = candidates(at_rate(motion, rate))[method]
        moments = np.arange(len(other)) / rate
        reference = CubicSpline(times, np.asarray(own.trans, np.float64))(moments)
        off = 100 * np.linalg.norm(np.asarray(other.trans, np.float64) - reference, axis=-1) / length
        out[rate] = {"mean": float(off.mean()), "most": float(off.max())}
    return out
