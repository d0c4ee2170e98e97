# SPDX-License-Identifier: GPL-3.0-or-later
"""All background matches of one shot, and what they say while the camera does not travel: it stands, or it turns."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

from smplit.video.background import MIN_POINTS, BackgroundTracker, KeyFrame, Matches
from smplit.video.camera_stretch import best_rotation, robust_cost, with_one

TOLERANCE = 0.35  # working px: how well a corner is followed, flattening, compression and lens included
_STILL = 1.5  # working px a standing corner may seem to move by: breathing focus, a touched tripod
_SWAY = 2.5  # working px: a camera that never strays further than this from where it began stands
_STILL_FRAMES = 0.9
_FOCAL_STEPS = np.geomspace(0.45, 2.2, 15)
_FOCAL_EXACT = 0.002  # relative: half a degree of a pan of 180
_DECIDING_FRAMES = 60
_BATCH = 512  # frames per batch: bounds memory, not results


class Clip:
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
        # The minimum is much narrower than a step.
        around = np.log(_FOCAL_STEPS[[best - 1, best + 1]])
        cost = lambda log: self.turns(np.exp(log), frames)[2].mean()
        finest = minimize_scalar(cost, bounds=around, method="bounded", options={"xatol": _FOCAL_EXACT})
        return self.focal * float(np.exp(finest.x)), min(unexplained, float(finest.fun))

    def chain(self, links: np.ndarray) -> np.ndarray:
        """Key frame -> frame (N,3,3) to first frame -> frame; a lost view holds the last direction."""
        rotation = np.tile(np.eye(3), (len(links), 1, 1))
        for number, match in enumerate(self.matches):
            if self.begins(number):
                rotation[number] = rotation[number - 1] if number else np.eye(3)
            else:
                rotation[number] = links[number] @ rotation[self.keys[match.key].frame]
        return rotation


def _rays(tangents: np.ndarray) -> np.ndarray:
    rays = with_one(tangents)
    return rays / np.linalg.norm(rays, axis=-1, keepdims=True)


def _masked_median(values: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(T,M) -> (T,) median over what is there; 0 for an empty row."""
    ordered = np.sort(np.where(there, values, np.inf), axis=1)
    count = there.sum(axis=1)
    middle = np.take_along_axis(ordered, np.maximum(count - 1, 0)[:, None] // 2, axis=1)[:, 0]
    return np.where(count > 0, middle, 0.0)
