# SPDX-License-Identifier: GPL-3.0-or-later
"""First guesses of a travelling camera's poses, for the adjustment to start from."""

from __future__ import annotations

import cv2
import numpy as np

from smplit.axes import axis_angle_from_matrix, matrix_from_axis_angle
from smplit.video.camera_stretch import Stretch, place, with_one

NEAREST = 12.0  # inverse depth, where the median corner has about 1
MIN_SHARED = 6


def first_guesses(stretch: Stretch, rotation: np.ndarray, widest: int) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """First guesses: rotation (T,3,3), centre (T,3), inverse depth (M,).

    Equal depths with a step forward or backward suit a camera that follows somebody. Sideways travel
    resembles a turn, which no descent undoes; there the widest pair of pictures gives the guesses.
    """
    count, points = stretch.weight.shape
    level = np.ones(points)
    starts = [(rotation, np.tile([0.0, 0.0, step], (count, 1)), level) for step in (1e-2, -1e-2)]
    there = stretch.weight[widest] > 0
    before, now = stretch.corners[there], stretch.seen[widest, there]
    if there.sum() < MIN_SHARED:
        return starts
    for turn, centre in _two_views(before, now, stretch.tolerance):
        start = _grow(stretch, widest, turn, centre)
        if start is not None:
            starts.append(start)
    return starts


def _two_views(before: np.ndarray, now: np.ndarray, tolerance: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """Turn (3,3) and centre (3,) of the second view that two sets of tangents (m,2) may mean: all motion a shift;
    a scene with depth (essential matrix, Nister 2004); a flat scene, such as a wall or the ground (homography)."""
    guesses = [(np.eye(3), np.append(np.median(before - now, axis=0), 0.0))]
    essential, agrees = cv2.findEssentialMat(before, now, np.eye(3), cv2.RANSAC, 0.999, 3.0 * tolerance)
    if essential is not None and essential.shape == (3, 3):
        good, turn, shift, _ = cv2.recoverPose(essential, before, now, np.eye(3), mask=agrees.copy())
        if good >= MIN_SHARED:
            guesses.append((turn, -turn.T @ shift[:, 0]))
    homography, agrees = cv2.findHomography(before, now, cv2.RANSAC, 3.0 * tolerance)
    if homography is None:
        return guesses
    _, turns, shifts, normals = cv2.decomposeHomographyMat(homography, np.eye(3))
    on_plane = before[agrees.ravel() > 0]
    for turn, shift, normal in zip(turns, shifts, normals, strict=True):
        if ((on_plane @ normal[:2] + normal[2]) > 0.0).mean() > 0.9:
            guesses.append((turn, -turn.T @ shift[:, 0]))
    return guesses


def _grow(stretch: Stretch, widest: int, turn: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """All frames and depths from the pose of the widest one; None when it means no depth at all."""
    there = stretch.weight[widest] > 0
    before, now = stretch.corners[there], stretch.seen[widest, there]
    # Depth along each ray where the pair's epipolar motion puts it: x' ~ R (a - rho c), linear in rho.
    turned = with_one(before) @ turn.T
    pushed = turn @ centre
    slope = pushed[:2] - now * pushed[2]
    depth = ((turned[:, :2] - now * turned[:, 2:]) * slope).sum(1) / np.maximum((slope**2).sum(1), 1e-12)
    unit = float(np.median(np.clip(depth, 0.0, None)))
    if unit < 1e-6:
        return None
    inverse_depth = np.ones(stretch.weight.shape[1])
    inverse_depth[there] = np.clip(depth / unit, 0.0, NEAREST)
    # The other frames: somewhere between none and all of that motion, then each on its own.
    share = np.clip(np.arange(1, len(stretch.seen) + 1) / (widest + 1), 0.0, 1.0)
    turns = matrix_from_axis_angle(share[:, None] * axis_angle_from_matrix(turn))
    return *place(stretch, inverse_depth, turns, share[:, None] * centre * unit), inverse_depth
