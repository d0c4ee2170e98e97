# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the camera stand, turn or travel, and how: from the background outside people.

`CameraTracker` takes the frames as they are decoded and keeps only corner matches; `finish` decides.
The focal length may be known only then, so nothing before it depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smplit.video.background import MIN_POINTS, BackgroundTracker, KeyFrame, Matches
from smplit.video.camera_path import Stretch, StretchPath, best_rotation, robust_cost, shared_scale, solve_stretch

MODES = ("auto", "static", "moving")
TOLERANCE = 0.35  # working px: how well a corner is followed, flattening, compression and lens included
_STILL = 1.5  # working px a standing corner may seem to move by: breathing focus, a touched tripod
_SWAY = 2.5  # working px: a camera that never strays further than this from where it began stands
_STILL_FRAMES = 0.9
_TURN_ONLY = 1.0  # robust cost (9 at most): turning alone explains the picture when it leaves less
_TRAVEL_GAIN = 0.5  # travel must remove half of what turning alone leaves
_LEAST_TRAVEL = 0.02  # of the background's distance: a shorter path is a hand's sway or the lens's distortion
_FOCAL_STEPS = np.geomspace(0.45, 2.2, 15)
_DECIDING_FRAMES = 60
_BATCH = 512  # frames per batch: bounds memory, not results


@dataclass
class TrackedCamera:
    """The camera through one shot, relative to the shot's first frame.

    `rotation` (N,3,3) takes vectors of the first frame's camera to frame n's camera (OpenCV axes).
    `kind` is "static", "rotating" (turns about its centre) or "travelling" (its centre moves too).
    `residual` (N,) px of the full frame: median background error of the kind that was decided;
    frames in which the background told nothing hold the picture's width.
    `path` (N,3): a travelling camera's centre in the first frame's axes; its unit is about the distance
    of the background at the start, so one factor (the same for the whole shot) makes it metres. Else None.
    `points` (M,3): background points in the same axes and unit, `points_frame` (M,) the frame each was found
    in; the ground among them gives the factor (`camera_scale`). Else None.
    `focal`: the focal length (px) that makes a turning camera's background agree best; None when the
    turn is too small to tell. Better than a guess, worse than metadata.
    `note`: a sentence for the user when the answer is a fall-back, else empty.
    """

    rotation: np.ndarray
    kind: str
    residual: np.ndarray
    path: np.ndarray | None = None
    points: np.ndarray | None = None
    points_frame: np.ndarray | None = None
    focal: float | None = None
    note: str = ""


class CameraTracker:
    """`tracker.add(...)` for every frame of one shot, then `tracker.finish(K)`, as often as wanted.

    `mode`: "auto" decides; "static" looks at nothing; "moving" never answers static.
    """

    def __init__(self, width: int, height: int, mode: str = "auto"):
        if mode not in MODES:
            raise ValueError(f"camera mode {mode!r} is none of {MODES}")
        self.mode, self.width = mode, width
        self._background = BackgroundTracker(width, height)
        self._count = 0

    def add(self, image_rgb: np.ndarray, boxes: np.ndarray) -> None:
        """image_rgb (H,W,3) uint8; boxes (P,4) px x0, y0, x1, y1 of the people in it (P may be 0)."""
        self._count += 1
        if self.mode != "static":
            self._background.add(image_rgb, boxes)

    def finish(self, K: np.ndarray) -> TrackedCamera:
        """K (3,3) px of the full frame.

        Raises:
            ValueError: no frame was added.
        """
        if not self._count:
            raise ValueError("CameraTracker.finish needs at least one frame")
        if self.mode == "static":
            return self._standing(np.zeros(self._count), "")
        clip = _Clip(self._background, np.asarray(K, dtype=np.float64))
        told = clip.told()
        if told.mean() < 0.5:
            note = "The background has too little texture to tell whether the camera moves; it is taken as static."
            return self._standing(np.full(self._count, float(self.width)), note)
        if self.mode == "auto":
            still, shift = clip.stands()
            if still:
                return self._standing(np.where(told, shift / clip.scale, float(self.width)), "")
        return self._moving(clip, told)

    def _standing(self, residual: np.ndarray, note: str) -> TrackedCamera:
        return TrackedCamera(np.tile(np.eye(3), (self._count, 1, 1)), "static", residual, note=note)

    def _moving(self, clip: _Clip, told: np.ndarray) -> TrackedCamera:
        links, errors, _ = clip.turns(1.0)
        moved = clip.most_moved()
        focal, unexplained = clip.best_focal(moved)
        kind, path, points, rotation = "rotating", None, (None, None), clip.chain(links)
        if unexplained > _TURN_ONLY:
            travelled = clip.travel(links, moved, unexplained)
            if travelled is not None:
                kind, focal = "travelling", None
                rotation, path, errors, points = travelled
        note = ""
        if not told.all():
            note = f"The background was lost in {int((~told).sum())} of {self._count} frames; the camera is taken to hold still there."
        residual = np.where(told, errors / clip.scale, float(self.width))
        return TrackedCamera(rotation, kind, residual, path, *points, focal, note)


class _Clip:
    """All matches of one shot in tangents (x/z, y/z) of camera K."""

    def __init__(self, background: BackgroundTracker, K: np.ndarray):
        self.keys: list[KeyFrame] = background.keys
        self.matches: list[Matches] = background.matches
        self.scale = float(background.to_work[0])
        self._to_work, self._K = background.to_work, K
        self.focal = float(K[0, 0])
        self.work_focal = self.focal * self.scale

    def tangents(self, points: np.ndarray) -> np.ndarray:
        """(M,2) working px -> (M,2) x/z, y/z. Pixel centres are whole numbers there and halves in K's frame."""
        full = (points.astype(np.float64) + 0.5) / self._to_work
        return (full - self._K[:2, 2]) / np.array([self._K[0, 0], self._K[1, 1]])

    def begins(self, frame: int) -> bool:
        """This frame is a key frame tied to nothing before it."""
        key = self.keys[self.matches[frame].key]
        return key.frame == frame and key.parent < 0

    def told(self) -> np.ndarray:
        """(N,) bool: the frame's motion was seen (a first frame counts when it has corners to follow)."""
        return np.array([len(m.index) >= MIN_POINTS and (n == 0 or not self.begins(n)) for n, m in enumerate(self.matches)])

    def stands(self) -> tuple[bool, np.ndarray]:
        """Whether the camera stands, and (N,) working px: median motion of the corners that stand.

        Corners that stand are weighed against those that agree on any one motion: a crowd or a tree
        in the wind moves, but not as one.
        """
        origin = [np.zeros(2) for _ in self.keys]
        born = {key.frame: number for number, key in enumerate(self.keys) if key.parent >= 0}
        still, sway, shift = [], [], np.zeros(len(self.matches))
        for number, match in enumerate(self.matches):
            if self.begins(number):
                still.append(number == 0)
                continue
            motion = match.points - self.keys[match.key].points[match.index]
            here = np.linalg.norm(motion, axis=1) < _STILL
            drift = np.median(motion[here], axis=0) if here.any() else np.zeros(2)
            shift[number] = np.median(np.linalg.norm(motion[here], axis=1)) if here.any() else _STILL
            still.append(here.sum() >= max(8, 0.5 * match.agrees.sum()))
            sway.append(np.linalg.norm(origin[match.key] + drift))
            if number in born:
                origin[born[number]] = origin[match.key] + drift
        return bool(np.mean(still) >= _STILL_FRAMES and (not sway or np.percentile(sway, 95) < _SWAY)), shift

    def _padded(self, frames: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Tangents in the key frame and now (T,M,2) each, which are there (T,M), which agree (T,M)."""
        most = max((len(self.matches[n].index) for n in frames), default=1)
        before, now = np.zeros((2, len(frames), max(most, 1), 2))
        there, agrees = np.zeros((2, len(frames), max(most, 1)), bool)
        for row, number in enumerate(frames):
            match = self.matches[number]
            count = len(match.index)
            before[row, :count] = self.tangents(self.keys[match.key].points[match.index])
            now[row, :count] = self.tangents(match.points)
            there[row, :count], agrees[row, :count] = True, match.agrees
        return before, now, there, agrees

    def turns(self, focal_factor: float, frames: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Rotation key frame -> frame (T,3,3) with focal length x factor, median error (T,) working px, and
        mean robust cost (T,), which also sees the few near corners that a median does not."""
        frames = np.arange(len(self.matches)) if frames is None else frames
        parts = [self._turns(frames[i : i + _BATCH], focal_factor) for i in range(0, len(frames), _BATCH)]
        rotation, error, cost = (np.concatenate(part) for part in zip(*parts, strict=True))
        return rotation, error, cost

    def _turns(self, frames: np.ndarray, focal_factor: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        before, now, there, agrees = self._padded(frames)
        before, now, focal = before / focal_factor, now / focal_factor, self.work_focal * focal_factor
        rays_before, rays_now = _rays(before), _rays(now)
        weight = agrees.astype(np.float64)
        for step in range(14):
            rotation = best_rotation(rays_before, rays_now, weight)
            turned = np.einsum("tij,tmj->tmi", rotation, rays_before)
            error = np.linalg.norm(turned[..., :2] / np.maximum(turned[..., 2:], 0.05) - now, axis=-1) * focal
            # Geman-McClure, narrowed step by step: people and near things drop out last.
            scale = max(1.0, 8.0 * 0.75**step)
            weight = there / (1.0 + (error / scale) ** 2) ** 2
        cost = (there * robust_cost(error**2 / TOLERANCE**2)).sum(1) / np.maximum(there.sum(1), 1)
        return rotation, _masked_median(error, there), cost

    def most_moved(self) -> np.ndarray:
        """(F,) the frames that lie farthest from their key frames, in order: what they show decides."""
        return np.sort(np.argsort(-self._motion())[:_DECIDING_FRAMES])

    def _motion(self) -> np.ndarray:
        """(N,) working px: median way of the corners since the key frame."""
        ways = [np.linalg.norm(m.points - self.keys[m.key].points[m.index], axis=1) for m in self.matches]
        return np.array([np.median(way) if len(way) else 0.0 for way in ways])

    def best_focal(self, frames: np.ndarray) -> tuple[float | None, float]:
        """Focal length (px of the full frame) at which turning alone explains `frames` best, None when they
        cannot tell; and the robust cost that is left there."""
        swept = [self.turns(factor, frames) for factor in _FOCAL_STEPS]
        left = np.array([np.percentile(error, 70) for _, error, _ in swept])
        best = int(np.argmin(left))
        unexplained = float(min(cost.mean() for _, _, cost in swept))
        enough = self._motion()[frames].max() >= 40.0
        if not 1 < best < len(left) - 2 or not enough or min(left[best - 2], left[best + 2]) < 1.3 * left[best]:
            return None, unexplained
        # The minimum between the steps: a parabola through three, in log focal length.
        a, b, c = left[best - 1 : best + 2]
        offset = 0.5 * (a - c) / max(a - 2.0 * b + c, 1e-9)
        ratio = _FOCAL_STEPS[1] / _FOCAL_STEPS[0]
        return self.focal * float(_FOCAL_STEPS[best] * ratio ** np.clip(offset, -1.0, 1.0)), unexplained

    def chain(self, links: np.ndarray) -> np.ndarray:
        """Key frame -> frame (N,3,3) to first frame -> frame; a lost view holds the last direction."""
        rotation = np.tile(np.eye(3), (len(links), 1, 1))
        for number, match in enumerate(self.matches):
            if self.begins(number):
                rotation[number] = rotation[number - 1] if number else np.eye(3)
            else:
                rotation[number] = links[number] @ rotation[self.keys[match.key].frame]
        return rotation

    def travel(
        self, links: np.ndarray, frames: np.ndarray, turn_cost: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]] | None:
        """rotation (N,3,3), path (N,3), error (N,) working px, background points (M,3) and their frames (M,); None
        when travel explains `frames` hardly better than turning, which leaves `turn_cost` there."""
        stretches = self._stretches(links)
        costs = np.full(len(links), turn_cost)
        for numbers, _, solved in stretches.values():
            costs[numbers] = solved.cost
        if not stretches or costs[frames].mean() > _TRAVEL_GAIN * turn_cost:
            return None
        rotation, path, error, unit = self._join(stretches)
        if np.linalg.norm(path, axis=1).max() < _LEAST_TRAVEL:
            return None
        return rotation, path, error, self._points(stretches, unit, rotation, path)

    def _points(self, stretches: dict, unit: dict[int, float], rotation: np.ndarray, path: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        points, frames = [], []
        for key in unit:
            _, stretch, solved = stretches[key]
            start = self.keys[key].frame
            rays = np.concatenate([stretch.corners, np.ones((len(stretch.corners), 1))], axis=1)[solved.steady]
            points.append(path[start] + unit[key] * (rays / solved.inverse_depth[solved.steady, None]) @ rotation[start])
            frames.append(np.full(len(rays), start))
        return np.concatenate(points), np.concatenate(frames)

    def _stretches(self, links: np.ndarray) -> dict[int, tuple[np.ndarray, Stretch, StretchPath]]:
        members: dict[int, list[int]] = {}
        for number, match in enumerate(self.matches):
            if not self.begins(number) and len(match.index) >= MIN_POINTS:
                members.setdefault(match.key, []).append(number)
        solved = {}
        for key, numbers in members.items():
            corners = self.tangents(self.keys[key].points)
            seen = np.zeros((len(numbers), len(corners), 2))
            weight = np.zeros((len(numbers), len(corners)))
            for row, number in enumerate(numbers):
                match = self.matches[number]
                seen[row, match.index], weight[row, match.index] = self.tangents(match.points), 1.0
            stretch = Stretch(corners, seen, weight, TOLERANCE / self.work_focal)
            solved[key] = np.array(numbers), stretch, solve_stretch(stretch, links[numbers])
        return solved

    def _join(self, stretches: dict[int, tuple[np.ndarray, Stretch, StretchPath]]) -> tuple[np.ndarray, np.ndarray, np.ndarray, dict[int, float]]:
        """Stretch after stretch into the first frame's axes and unit: rotation, path, error, unit of each key frame's stretch."""
        count = len(self.matches)
        rotation, path, error = np.tile(np.eye(3), (count, 1, 1)), np.zeros((count, 3)), np.zeros(count)
        unit = {}
        for number, match in enumerate(self.matches):
            if self.begins(number) or match.key not in stretches:
                rotation[number], path[number] = (rotation[number - 1], path[number - 1]) if number else (np.eye(3), np.zeros(3))
                continue
            key = match.key
            if key not in unit:
                unit[key] = self._unit(key, stretches, unit)
            frames, _, solved = stretches[key]
            row, start = int(np.searchsorted(frames, number)), self.keys[key].frame
            rotation[number] = solved.rotation[row] @ rotation[start]
            path[number] = path[start] + unit[key] * rotation[start].T @ solved.centre[row]
            error[number] = np.sqrt(solved.cost[row]) * TOLERANCE
        return rotation, path, error, unit

    def _unit(self, key: int, stretches: dict, unit: dict[int, float]) -> float:
        parent = self.keys[key].parent
        if parent not in stretches:
            return 1.0
        frames, stretch, solved = stretches[parent]
        _, ours, theirs = np.intersect1d(self.keys[parent].ids, self.keys[key].ids, return_indices=True)
        at = int(np.searchsorted(frames, self.keys[key].frame))
        ratio = shared_scale(solved, at, stretch.corners, stretches[key][2], ours, theirs)
        # With nothing shared the background is taken to stay about as far away as it was.
        return unit.get(parent, 1.0) * (1.0 if ratio is None else ratio)


def _rays(tangents: np.ndarray) -> np.ndarray:
    rays = np.concatenate([tangents, np.ones((*tangents.shape[:-1], 1))], axis=-1)
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def _masked_median(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(T,M) -> (T,) median over what is there; 0 for an empty row."""
    ordered = np.sort(np.where(there, values, np.inf), axis=1)
    count = there.sum(axis=1)
    middle = np.take_along_axis(ordered, np.maximum(count - 1, 0)[:, None] // 2, axis=1)[:, 0]
    return np.where(count > 0, middle, 0.0)
