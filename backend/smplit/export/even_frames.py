# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion at a constant rate, for formats that know one frame time only."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from smplit.export.joints import times
from smplit.motion import NUM_JOINTS, Motion

_TOLERANCE = 0.1  # of a frame: times this close to even ones are rounding of the container's clock


def even_frames(motion: Motion) -> tuple[np.ndarray, np.ndarray]:
    """Local rotations (N,55,3,3) and `trans` (N,3) m at 1/fps steps from the first frame's time.

    A motion whose frames already lie at even times passes unchanged; otherwise rotations are
    interpolated along the shortest arc and translations linearly, so that seconds stay seconds.
    """
    poses = np.asarray(motion.poses, np.float64).reshape(len(motion), NUM_JOINTS, 3)
    trans = np.asarray(motion.trans, np.float64)
    local = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(len(motion), NUM_JOINTS, 3, 3)
    seconds = times(motion) - times(motion)[0]
    if _is_even(seconds, motion.fps):
        return local, trans
    wanted = np.arange(int(np.floor(seconds[-1] * motion.fps + 1e-6)) + 1) / float(motion.fps)
    wanted = np.minimum(wanted, seconds[-1])
    turned = [Slerp(seconds, Rotation.from_matrix(local[:, joint]))(wanted).as_matrix() for joint in range(NUM_JOINTS)]
    moved = [np.interp(wanted, seconds, trans[:, axis]) for axis in range(3)]
    return np.stack(turned, 1), np.stack(moved, -1)


def _is_even(seconds: np.ndarray, fps: float) -> bool:
    return bool(np.all(np.abs(seconds * fps - np.arange(len(seconds))) < _TOLERANCE))
