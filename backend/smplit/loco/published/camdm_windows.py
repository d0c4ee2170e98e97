# SPDX-License-Identifier: GPL-3.0-or-later
"""What CAMDM's network is given of a recording: windows with the last past frame at the origin, and the way ahead.

Y up, facing +Z at rest, metres; nothing is normalised. Rotations are written as two ROWS.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation

from smplit.difftraj.original_features import rows_6d

_LEVEL = [0, 2]  # x and z


@dataclass(frozen=True)
class CamdmWindow:
    """`past_motion` (P,J+1,6), `data` (F,J+1,6), `traj_trans` (F,2) m, `traj_pose` (F,6): see `diffusion.camdm`."""

    past_motion: np.ndarray
    data: np.ndarray
    traj_trans: np.ndarray
    traj_pose: np.ndarray


def smoothed_facing(forwards: np.ndarray, sigma: float) -> np.ndarray:
    """(T,3) facing directions -> (T,) rad about the vertical from +Z towards +X, of their average over about `sigma` frames."""
    level = gaussian_filter1d(forwards, sigma, axis=0, mode="nearest")
    return np.arctan2(level[:, 0], level[:, 2])


def smoothed_path(root: np.ndarray, sigma: float) -> np.ndarray:
    """(T,3) m -> (T,2) m: x and z, averaged over about `sigma` frames."""
    return gaussian_filter1d(root[:, _LEVEL], sigma, axis=0, mode="nearest")


def camdm_window(
    rotations: np.ndarray, root: np.ndarray, facing: np.ndarray, first: int, past: int, future: int, *, yaw: float = 0.0,
    path_sigma: float | None = None,
) -> CamdmWindow:
    """A training window.

    Args:
        rotations: (T,J,3,3) local; root: (T,3) m; facing: (T,) rad, of `smoothed_facing`.
        first: frame of the recording with which the past begins; past, future: frames.
        yaw: rad by which everything is turned about the vertical.
        path_sigma: frames over which the way ahead is smoothed, within the window; None: as walked.
    """
    frames = slice(first, first + past + future)
    turn = Rotation.from_euler("y", yaw).as_matrix()
    place = np.array(root[frames], np.float64)
    place[:, _LEVEL] -= place[past - 1, _LEVEL]
    place = place @ turn.T
    local = np.array(rotations[frames], np.float64)
    local[:, 0] = turn @ local[:, 0]
    last_row = np.concatenate([place, np.zeros_like(place)], -1)[:, None]
    motion = np.concatenate([rows_6d(local), last_row], 1)
    path = place[:, _LEVEL]
    if path_sigma is not None:
        path = gaussian_filter1d(path, path_sigma, axis=0, mode="reflect")
        path = path - path[past - 1]
    ahead = turn @ Rotation.from_rotvec(facing[frames, None] * [0, 1, 0]).as_matrix()
    return CamdmWindow(motion[:past], motion[past:], path[past:], rows_6d(ahead)[past:])
