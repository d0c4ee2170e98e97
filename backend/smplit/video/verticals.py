# SPDX-License-Identifier: GPL-3.0-or-later
"""Up from what people build: edges of walls, doors, posts and trees stand upright.

Line segments (OpenCV's LSD, von Gioi et al. 2010) are gathered at a few moments of a shot; the
direction that most of them share near the expected up is their vanishing direction. Where nothing
is built no direction stands out, and the answer is None.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_MOMENTS, _EVERY = 8, 1.0  # how often lines are looked for at most, and s between two looks
_LARGEST = 960  # px: larger pictures are halved first
_SHORTEST = 0.07  # of the picture's height
_REACH = np.radians(16.0)  # between the expected up and the lines' direction
_WIDTH = np.radians(0.7)  # scatter of an upright edge about the common direction
_STEP = np.radians(0.5)
_LEAST_LENGTH = 1.2  # picture heights of agreeing lines at each moment
_LEAST_LINES = 10
_CONTRAST = 3.0  # agreeing lines against what as many random ones would give
_BEST_SPREAD = np.radians(0.5)


@dataclass
class Verticals:
    """Unit `direction` (3,) up; `whitening` (2,3): whitening @ (some up) is standard normal about it."""

    direction: np.ndarray
    whitening: np.ndarray


class LineGatherer:
    """`add` every frame of a shot; `lines` (M,5): row of the shot, then x0, y0, x1, y1 px."""

    def __init__(self) -> None:
        self._detector = cv2.createLineSegmentDetector()
        self._found: list[np.ndarray] = []
        self._rows = 0
        self._next = -np.inf

    def add(self, image_rgb: np.ndarray, boxes: np.ndarray, time: float) -> None:
        """Looks at a frame (H,W,3) now and then; lines inside people's boxes (P,4) px are left out."""
        row, self._rows = self._rows, self._rows + 1
        if time < self._next or len(self._found) >= _MOMENTS:
            return
        self._next = time + _EVERY
        grey = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2GRAY)
        scale = max(1, int(np.ceil(max(grey.shape) / _LARGEST)))
        if scale > 1:
            grey = cv2.resize(grey, (grey.shape[1] // scale, grey.shape[0] // scale), interpolation=cv2.INTER_AREA)
        segments = self._detector.detect(grey)[0]
        segments = np.zeros((0, 4)) if segments is None else segments.reshape(-1, 4).astype(np.float64) * scale
        middle = (segments[:, :2] + segments[:, 2:]) / 2
        long = np.linalg.norm(segments[:, 2:] - segments[:, :2], axis=1) > _SHORTEST * image_rgb.shape[0]
        for x0, y0, x1, y1 in boxes:
            long &= ~((middle[:, 0] > x0) & (middle[:, 0] < x1) & (middle[:, 1] > y0) & (middle[:, 1] < y1))
        self._found.append(np.column_stack([np.full(long.sum(), float(row)), segments[long]]))

    @property
    def lines(self) -> np.ndarray:
        return np.concatenate(self._found) if self._found else np.zeros((0, 5))


def upright(lines: np.ndarray, K: np.ndarray, rotation: np.ndarray, expected_up: np.ndarray) -> Verticals | None:
    """The common direction of upright lines, in the first frame's camera axes.

    Args:
        lines: (M,5) of `LineGatherer`.
        K: (3,3) px.
        rotation: (N,3,3) first camera -> each frame's camera.
        expected_up: (3,) unit; only directions near it are considered.

    Returns:
        None when too few lines agree.
    """
    if len(lines) < _LEAST_LINES:
        return None
    rows = lines[:, 0].astype(int)
    ends = np.stack([lines[:, 1:3], lines[:, 3:5]], 1)
    rays = np.concatenate([(ends - K[:2, 2]) / K[[0, 1], [0, 1]], np.ones((len(ends), 2, 1))], -1)
    normals = np.cross(rays[:, 0], rays[:, 1])  # of the plane through the camera and the line
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    normals = np.einsum("mji,mj->mi", rotation[rows], normals)
    weight = np.linalg.norm(ends[:, 1] - ends[:, 0], axis=1) / (2.0 * K[1, 2]) / len(np.unique(rows))
    near = np.abs(normals @ expected_up) < np.sin(_REACH)
    normals, weight = normals[near], weight[near]
    if len(normals) < _LEAST_LINES:
        return None
    across = np.linalg.svd(expected_up[None])[2][1:]  # (2,3) two directions square to up
    grid = np.arange(-_REACH, _REACH + _STEP / 2, _STEP)
    offsets = np.stack(np.meshgrid(grid, grid), -1).reshape(-1, 2)
    offsets = offsets[np.linalg.norm(offsets, axis=1) < _REACH]
    candidates = expected_up + np.tan(offsets) @ across
    candidates /= np.linalg.norm(candidates, axis=1, keepdims=True)
    agreement = np.exp(-0.5 * ((candidates @ normals.T) / _WIDTH) ** 2) @ weight
    up = candidates[np.argmax(agreement)]
    for _ in range(10):
        trust = weight * np.exp(-0.5 * ((normals @ up) / _WIDTH) ** 2)
        # The direction square to all normals, held to where it was in what the lines do not tell.
        spread = np.einsum("m,mi,mj->ij", trust, normals, normals) + 1e-4 * trust.sum() * (np.eye(3) - np.outer(up, up))
        vector = np.linalg.eigh(spread)[1][:, 0]
        up = vector * np.sign(vector @ expected_up)
    agreeing = np.abs(normals @ up) < 2.0 * _WIDTH
    chance = weight.sum() * _WIDTH * np.sqrt(2.0 * np.pi) / (2.0 * np.sin(_REACH))
    best = float((weight * np.exp(-0.5 * ((normals @ up) / _WIDTH) ** 2)).sum())
    if agreeing.sum() < _LEAST_LINES or weight[agreeing].sum() < _LEAST_LENGTH or best < _CONTRAST * chance or up @ expected_up < np.cos(_REACH):
        return None
    across = np.linalg.svd(up[None])[2][1:]
    # A line's own error is independent of its neighbours' only in part: count a tenth of the lines.
    tangent = normals[agreeing] @ across.T
    information = (tangent.T @ tangent) / _WIDTH**2 * 0.1
    values, vectors = np.linalg.eigh(information)
    values = np.minimum(values, 1.0 / _BEST_SPREAD**2)
    return Verticals(up, (np.sqrt(values)[:, None] * vectors.T) @ across)
