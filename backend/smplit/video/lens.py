# SPDX-License-Identifier: GPL-3.0-or-later
"""A real lens bends straight lines: from pixels as filmed to those of a pinhole with the same matrix, and back.

Points are straightened, not pictures: the networks know pictures as they are filmed, a few hundred
points are exact where resampled pixels blur, and it costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

_STEPS, _CLOSE = 60, 1e-4  # px
_SAME = 0.5  # px: a point that comes back further away has no place on a pinhole's picture


@dataclass
class Lens:
    """`K` (3,3) px, pixel origin at the top-left corner of the top-left pixel; `distortion` (0, 4, 5 or 8,)
    k1, k2, p1, p2, k3 ... in OpenCV's order."""

    K: np.ndarray
    distortion: np.ndarray = field(default_factory=lambda: np.zeros(0))

    @property
    def straight(self) -> bool:
        return not np.any(self.distortion)

    def straighten(self, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Pixels (...,2) as filmed -> pixels (...,2) of the pinhole, and (...,) bool whether the point has one.

        Far outside the picture a lens's polynomial turns back on itself; points there stay as they are.
        """
        filmed = np.asarray(points, np.float64)
        if self.straight:
            return filmed.copy(), np.ones(filmed.shape[:-1], bool)
        flat = filmed.reshape(-1, 2)
        known = np.isfinite(flat).all(axis=1)
        straight = flat.copy()
        if known.any():
            found, off = self._unbend(flat[known])
            straight[known] = np.where((off < _SAME)[:, None], found, flat[known])
            known[known] = off < _SAME
        return straight.reshape(filmed.shape), known.reshape(filmed.shape[:-1])

    def _unbend(self, filmed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(N,2) px by fixed-point steps (OpenCV's own stop after five), and (N,) px how far off they end."""
        reach = 10.0 * np.abs(filmed - self.K[:2, 2]).max() + self.K[0, 0]  # what runs away stays finite
        straight = filmed
        for _ in range(_STEPS):
            off = filmed - self.bend(straight)
            if np.abs(off).max() < _CLOSE:
                break
            straight = np.clip(straight + off, self.K[:2, 2] - reach, self.K[:2, 2] + reach)
        off = np.linalg.norm(filmed - self.bend(straight), axis=1)
        # On the far side of the lens's middle the polynomial has solutions that no ray takes.
        across = ((straight - self.K[:2, 2]) * (filmed - self.K[:2, 2])).sum(1) < 0.0
        return straight, np.where(across, np.inf, off)

    def bend(self, points: np.ndarray) -> np.ndarray:
        """Pixels (N,2) of the pinhole -> as filmed."""
        rays = np.column_stack([(points - self.K[:2, 2]) / self.K[[0, 1], [0, 1]], np.ones(len(points))])
        return cv2.projectPoints(rays[:, None], np.zeros(3), np.zeros(3), self.K, self.distortion)[0][:, 0]
