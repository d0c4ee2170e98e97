# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole travelling shot: its stretches, solved one by one, joined in the first frame's axes and unit."""

from __future__ import annotations

import numpy as np

from smplit.video.background import MIN_POINTS
from smplit.video.camera_path import StretchPath, shared_scale, solve_stretch
from smplit.video.camera_stretch import Stretch, with_one
from smplit.video.camera_turning import TOLERANCE, Clip

_TRAVEL_GAIN = 0.5  # travel must remove half of what turning alone leaves
_LEAST_TRAVEL = 0.02  # of the background's distance: a shorter path is a hand's sway or the lens's distortion


def travel(
    clip: Clip, links: np.ndarray, frames: np.ndarray, turn_cost: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]] | None:
    """rotation (N,3,3), path (N,3), error (N,) working px, background points (M,3) and their frames (M,); None
    when travel explains `frames` hardly better than turning, which leaves `turn_cost` there."""
    stretches = _stretches(clip, links)
    costs = np.full(len(links), turn_cost)
    for numbers, _, solved in stretches.values():
        costs[numbers] = solved.cost
    if not stretches or costs[frames].mean() > _TRAVEL_GAIN * turn_cost:
        return None
    rotation, path, error, unit = _join(clip, stretches)
    if np.linalg.norm(path, axis=1).max() < _LEAST_TRAVEL:
        return None
    return rotation, path, error, _points(clip, stretches, unit, rotation, path)


def _points(clip: Clip, stretches: dict, unit: dict[int, float], rotation: np.ndarray, path: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    points, frames = [], []
    for key in unit:
        _, stretch, solved = stretches[key]
        start = clip.keys[key].frame
        rays = with_one(stretch.corners)[solved.steady]
        points.append(path[start] + unit[key] * (rays / solved.inverse_depth[solved.steady, None]) @ rotation[start])
        frames.append(np.full(len(rays), start))
    return np.concatenate(points), np.concatenate(frames)


def _stretches(clip: Clip, links: np.ndarray) -> dict[int, tuple[np.ndarray, Stretch, StretchPath]]:
    members: dict[int, list[int]] = {}
    for number, match in enumerate(clip.matches):
        if not clip.begins(number) and len(match.index) >= MIN_POINTS:
            members.setdefault(match.key, []).append(number)
    solved = {}
    for key, numbers in members.items():
        corners = clip.tangents(clip.keys[key].points)
        seen = np.zeros((len(numbers), len(corners), 2))
        weight = np.zeros((len(numbers), len(corners)))
        for row, number in enumerate(numbers):
            match = clip.matches[number]
            seen[row, match.index], weight[row, match.index] = clip.tangents(match.points), 1.0
        stretch = Stretch(corners, seen, weight, TOLERANCE / clip.work_focal)
        solved[key] = np.array(numbers), stretch, solve_stretch(stretch, links[numbers])
    return solved


def _join(clip: Clip, stretches: dict[int, tuple[np.ndarray, Stretch, StretchPath]]) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[int, float]]:
    """Stretch after stretch into the first frame's axes and unit: rotation, path, error, unit of each key frame's stretch."""
    count = len(clip.matches)
    rotation, path, error = np.tile(np.eye(3), (count, 1, 1)), np.zeros((count, 3)), np.zeros(count)
    unit = {}
    for number, match in enumerate(clip.matches):
        if clip.begins(number) or match.key not in stretches:
            rotation[number], path[number] = (rotation[number - 1], path[number - 1]) if number else (np.eye(3), np.zeros(3))
            continue
        key = match.key
        if key not in unit:
            unit[key] = _unit(clip, key, stretches, unit)
        frames, _, solved = stretches[key]
        row, start = int(np.searchsorted(frames, number)), clip.keys[key].frame
        rotation[number] = solved.rotation[row] @ rotation[start]
        path[number] = path[start] + unit[key] * rotation[start].T @ solved.centre[row]
        error[number] = np.sqrt(solved.cost[row]) * TOLERANCE
    return rotation, path, error, unit


def _unit(clip: Clip, key: int, stretches: dict, unit: dict[int, float]) -> float:
    parent = clip.keys[key].parent
    if parent not in stretches:
        return 1.0
    frames, stretch, solved = stretches[parent]
    _, ours, theirs = np.intersect1d(clip.keys[parent].ids, clip.keys[key].ids, return_indices=True)
    at = int(np.searchsorted(frames, clip.keys[key].frame))
    ratio = shared_scale(solved, at, stretch.corners, stretches[key][2], ours, theirs)
    # With nothing shared the background is taken to stay about as far away as it was.
    return unit.get(parent, 1.0) * (1.0 if ratio is None else ratio)
