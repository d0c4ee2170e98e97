# SPDX-License-Identifier: GPL-3.0-or-later
"""Cameras that look at the world: those of a capture, and those placed for a preview."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_NEAR = 0.05  # m: nothing closer is drawn


@dataclass(frozen=True)
class Camera:
    """A pinhole camera, OpenCV axes (X right, Y down, Z forward).

    `R` (3,3), `t` (3,): world-to-camera, m; `K` (3,3) px with the origin at the top-left corner of
    the top-left pixel; `width` x `height` of the picture, px.
    """

    R: np.ndarray
    t: np.ndarray
    K: np.ndarray
    width: int
    height: int

    def see(self, points: np.ndarray) -> np.ndarray:
        """(...,3) m world -> (...,3) m camera."""
        return points @ np.asarray(self.R, points.dtype).T + np.asarray(self.t, points.dtype)

    def project(self, seen: np.ndarray) -> np.ndarray:
        """(...,3) m camera -> (...,2) px."""
        depth = np.maximum(seen[..., 2:], _NEAR)
        flat = seen[..., :2] / depth
        return flat * np.array([self.K[0, 0], self.K[1, 1]], flat.dtype) + np.array([self.K[0, 2], self.K[1, 2]], flat.dtype)

    def line(self, start: np.ndarray, end: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Both ends in px of a straight line between two world points, cut at the picture's plane;
        None when it lies behind the camera."""
        a, b = self.see(np.asarray(start, np.float64)), self.see(np.asarray(end, np.float64))
        if a[2] < _NEAR and b[2] < _NEAR:
            return None
        if min(a[2], b[2]) < _NEAR:
            share = (_NEAR - a[2]) / (b[2] - a[2])
            cut = a + share * (b - a)
            a, b = (cut, b) if a[2] < _NEAR else (a, cut)
        return self.project(a), self.project(b)


def look_at(eye: np.ndarray, target: np.ndarray, width: int, height: int, view_angle: float = 35.0) -> Camera:
    """A camera at `eye` that looks at `target` (both m, world), upright; `view_angle` degrees vertically."""
    eye, target = np.asarray(eye, np.float64), np.asarray(target, np.float64)
    forward = target - eye
    forward /= np.linalg.norm(forward)
    up = np.array([0.0, 0.0, 1.0]) if abs(forward[2]) < 0.999 else np.array([0.0, 1.0, 0.0])
    right = np.cross(forward, up)
    right /= np.linalg.norm(right)
    R = np.stack([right, np.cross(forward, right), forward])
    focal = height / 2.0 / np.tan(np.radians(view_angle) / 2.0)
    K = np.array([[focal, 0.0, width / 2.0], [0.0, focal, height / 2.0], [0.0, 0.0, 1.0]])
    return Camera(R, -R @ eye, K, width, height)
