# SPDX-License-Identifier: GPL-3.0-or-later
"""Clips in one place: the floor level and at z = 0, the first frame over the origin and facing +x."""

from __future__ import annotations

import numpy as np

from smplit.axes import axis_angle_from_matrix, matrix_from_axis_angle
from smplit.datasets.soles import FootedBody

# A sole point slower than this may stand on the floor, m/s; the floor is judged by these only.
_SLOW = 0.5
_LOW = 10.0  # percentile of the lowest slow points' height that is near the floor for certain
_BAND = 0.03  # m above it: these belong to the floor as well, less to noise than the percentile itself
_STEEPEST = 0.04  # capture floors tilt by 1.5 %; more is a hill or a wrong fit
_PATH = 1.0  # m: shorter paths tell nothing of a tilt
_UNSURE = 0.15  # m: spread of the path (across it, mostly) below which its tilt is not told by the data


def stood_on_floor(trans: np.ndarray, soles: np.ndarray, fps: float) -> tuple[np.ndarray, float]:
    """Shifts a clip's height so that its standing soles are at z = 0.

    The floor of a recording need not be level (CMU's drops by up to 6 cm over a walk of 4 m): where
    the path is long enough a plane is fitted to the lowest slow sole points and taken off. Its
    height is the median of those within 3 cm of their tenth percentile, so that steps onto things
    and jumps do not raise it, nor noise lower it.

    Args:
        trans: (T,3) m.
        soles: (T,6,3) m, sole points.
        fps: frames per second.

    Returns:
        `trans` with new heights, and the slope that was taken off, m per m.
    """
    speed = np.linalg.norm(np.gradient(soles, 1.0 / fps, axis=0), axis=-1) if len(soles) > 1 else np.zeros(soles.shape[:2])
    lowest = soles[..., 2].argmin(1)
    rows = np.arange(len(soles))
    points = soles[rows, lowest]
    slow = speed[rows, lowest] < _SLOW
    if slow.sum() < 5:  # a jump all through: its low frames must do
        slow = points[:, 2] <= np.quantile(points[:, 2], 0.2)
    standing = points[slow]
    slope = _tilt(standing)
    level = standing[:, 2] - standing[:, :2] @ slope
    near = level < np.percentile(level, _LOW) + _BAND
    trans = trans.copy()
    trans[:, 2] -= soles[..., :2].mean(1) @ slope + np.median(level[near])
    return trans, float(np.linalg.norm(slope))


def _tilt(points: np.ndarray) -> np.ndarray:
    """(2,) slope of the plane through standing points (N,3); zero where they cannot tell."""
    middle = points - points.mean(0)
    if len(points) < 10 or np.ptp(points[:, :2], axis=0).max() < _PATH:
        return np.zeros(2)
    slope = np.zeros(2)
    weights = np.ones(len(points))
    for _ in range(5):  # points that lie far from the plane are steps onto something: they count less
        weighted = middle[:, :2] * weights[:, None]
        square = weighted.T @ middle[:, :2] + _UNSURE**2 * weights.sum() * np.eye(2)
        slope = np.linalg.solve(square, weighted.T @ (middle[:, 2] - np.average(middle[:, 2], weights=weights)))
        rest = middle[:, 2] - middle[:, :2] @ slope
        weights = 1.0 / (1.0 + ((rest - np.median(rest)) / 0.02) ** 2)
    return slope if np.linalg.norm(slope) < _STEEPEST else np.zeros(2)


def canonical(poses: np.ndarray, trans: np.ndarray, body: FootedBody) -> tuple[np.ndarray, np.ndarray]:
    """Turns and shifts a clip about the vertical: its first frame has the pelvis at x = y = 0 and faces +x.

    Facing is the twist of the root about z, counted from a body that stands and looks along +x; it
    is told for every pose but one that hangs head down.

    Args:
        poses: (T,22,3) rad.
        trans: (T,3) m.
        body: whose pelvis is meant.
    """
    roots = matrix_from_axis_angle(poses[:, 0])
    turn = about_z(-headings(roots[:1])[0])
    pelvis = trans + body.joints[0]
    pelvis = np.concatenate([(pelvis[:, :2] - pelvis[0, :2]) @ turn[:2, :2].T, pelvis[:, 2:]], 1)
    poses = poses.copy()
    poses[:, 0] = axis_angle_from_matrix(turn @ roots)
    return poses, pelvis - body.joints[0]


def headings(roots: np.ndarray) -> np.ndarray:
    """(T,3,3) root rotations, world Z up -> (T,) rad about z from +x: the twist of R B^-1 about z,
    where B stands the body frame (Y up, facing +Z) up so that it faces +x."""
    stood = roots @ np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    # The twist angle of a rotation matrix about z: atan2 of what the quaternion's z and w are in proportion to.
    return np.arctan2(stood[:, 1, 0] - stood[:, 0, 1], stood[:, 0, 0] + stood[:, 1, 1])


def about_z(angle: float) -> np.ndarray:
    """(3,3) rotation about z by `angle` rad."""
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0], [0.0, 0.0, 1.0]])
