# SPDX-License-Identifier: GPL-3.0-or-later
"""A supplied camera through one shot, told in the words of a tracked one."""

from __future__ import annotations

import numpy as np

from smplit.axes import axis_angle_from_matrix
from smplit.video.background import MIN_POINTS, BackgroundTracker
from smplit.video.camera_motion import TrackedCamera
from smplit.video.camera_path import steady_corners
from smplit.video.camera_stretch import Stretch, residual_of, with_one
from smplit.video.camera_supplied import SuppliedCamera
from smplit.video.camera_turning import TOLERANCE
from smplit.video.lens import Lens

_TURNS = np.radians(0.05)
_MOVES = 0.01  # m
_LEAST_TRAVEL = 0.02  # of the background's distance: a shorter path says nothing about depths, and little about people
_ROUNDS = 6  # of the robust depth estimate


def known_camera(camera: SuppliedCamera, rotation: np.ndarray, centre: np.ndarray, background: BackgroundTracker) -> TrackedCamera:
    """The shot's camera from `rotation` (N,3,3) and `centre` (N,3) in the file's world, relative to its first frame.

    In metres the path is final; else it gets the background's points, from which the feet will tell its unit.
    """
    start = rotation[0]
    turns, path = rotation @ start.T, (centre - centre[0]) @ start.T
    way = float(np.linalg.norm(path, axis=1).max())
    kind = "rotating" if np.linalg.norm(axis_angle_from_matrix(turns), axis=1).max() > _TURNS else "static"
    residual = np.zeros(len(turns))
    if camera.metric:
        moves = way > _MOVES
        return TrackedCamera(turns, "travelling" if moves else kind, residual, centre=path if moves else None, to_world=start.T)
    if way == 0.0 or camera.still:
        return TrackedCamera(turns, kind, residual)
    points, frames = triangulate(background, camera.lens, turns, path)
    if len(points) and way < _LEAST_TRAVEL * np.median(np.linalg.norm(points - path[frames], axis=1)):
        return TrackedCamera(turns, kind, residual)
    return TrackedCamera(turns, "travelling", residual, path, points, frames)


def triangulate(background: BackgroundTracker, lens: Lens, rotation: np.ndarray, path: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Background points (M,3) in the first frame's axes and the path's unit, and the frame (M,) each was found in.

    Args:
        rotation, path: (N,3,3), (N,3) the camera, relative to its first frame.
    """
    members: dict[int, list[int]] = {}
    for number, match in enumerate(background.matches):
        if number != background.keys[match.key].frame and len(match.index) >= MIN_POINTS:
            members.setdefault(match.key, []).append(number)
    points, frames = [np.zeros((0, 3))], [np.zeros(0, int)]
    for key, numbers in members.items():
        start = background.keys[key].frame
        stretch = _stretch(background, lens, key, numbers)
        turn = rotation[numbers] @ rotation[start].T
        centre = (path[numbers] - path[start]) @ rotation[start].T
        inverse_depth, unit = _inverse_depths(stretch, turn, centre)
        if unit <= 0.0:
            continue
        _, steady = steady_corners(stretch, turn, centre * unit, inverse_depth / unit)
        rays = with_one(stretch.corners)[steady] / inverse_depth[steady, None]
        points.append(path[start] + rays @ rotation[start])
        frames.append(np.full(len(rays), start))
    return np.concatenate(points), np.concatenate(frames)


def _stretch(background: BackgroundTracker, lens: Lens, key: int, numbers: list[int]) -> Stretch:
    def tangents(points: np.ndarray) -> np.ndarray:
        full = (points.astype(np.float64) + 0.5) / background.to_work
        return (lens.straighten(full)[0] - lens.K[:2, 2]) / lens.K[[0, 1], [0, 1]]

    corners = tangents(background.keys[key].points)
    seen, weight = np.zeros((len(numbers), len(corners), 2)), np.zeros((len(numbers), len(corners)))
    for row, number in enumerate(numbers):
        match = background.matches[number]
        seen[row, match.index], weight[row, match.index] = tangents(match.points), 1.0
    return Stretch(corners, seen, weight, TOLERANCE / (float(lens.K[0, 0]) * background.to_work[0]))


def _inverse_depths(stretch: Stretch, turn: np.ndarray, centre: np.ndarray) -> tuple[np.ndarray, float]:
    """(M,) per corner, 0 where the motion tells none, and their median (0: none known). The poses are given, so each
    corner is a line fit: x' ~ R (a - rho c) is linear in rho."""
    turned = np.einsum("tij,mj->tmi", turn, with_one(stretch.corners))
    pushed = np.einsum("tij,tj->ti", turn, centre)[:, None]
    offset = turned[..., :2] - stretch.seen * turned[..., 2:]
    slope = pushed[..., :2] - stretch.seen * pushed[..., 2:]
    trust = stretch.weight
    for step in range(_ROUNDS):
        inverse_depth = (trust * (offset * slope).sum(-1)).sum(0) / np.maximum((trust * (slope**2).sum(-1)).sum(0), 1e-18)
        inverse_depth = np.maximum(inverse_depth, 0.0)
        residual, _ = residual_of(stretch.corners, stretch.seen, turn, centre, inverse_depth)
        scale = stretch.tolerance * max(1.5, 12.0 * 0.6**step)
        trust = stretch.weight / (1.0 + (residual**2).sum(-1) / scale**2) ** 2
    known = inverse_depth[inverse_depth > 0.0]
    return inverse_depth, float(np.median(known)) if len(known) else 0.0
