# SPDX-License-Identifier: GPL-3.0-or-later
"""Square, turned regions of a picture and the crops that the landmark networks look at.

MediaPipe maps region CORNERS to crop corners, without OpenCV's half-pixel shift; the same is done
here, because a different rule moves landmarks by several pixels.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Region:
    """Centre (x, y) px, side px, angle rad (clockwise on the picture, as y points down)."""

    x: float
    y: float
    side: float
    angle: float = 0.0

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """(...,2) in units of the region's side, (0,0) top-left -> (...,2) px of the picture."""
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        centred = (np.asarray(points) - 0.5) * self.side
        return np.stack(
            [self.x + cosine * centred[..., 0] - sine * centred[..., 1], self.y + sine * centred[..., 0] + cosine * centred[..., 1]], -1
        )

    def turn(self, vectors: np.ndarray) -> np.ndarray:
        """(...,3) vectors of the upright crop -> picture axes; the last component stays."""
        cosine, sine = np.cos(self.angle), np.sin(self.angle)
        x, y = vectors[..., 0], vectors[..., 1]
        return np.stack([cosine * x - sine * y, sine * x + cosine * y, vectors[..., 2]], -1)

    def crop(self, image: np.ndarray, size: int, border: int = cv2.BORDER_CONSTANT) -> np.ndarray:
        """(H,W,3) uint8 -> (size,size,3) float32 in 0..1."""
        corners = self.to_image(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])).astype(np.float32)
        target = np.array([[0, 0], [size, 0], [0, size]], np.float32)
        matrix = cv2.getAffineTransform(target, corners)
        patch = cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border)
        return patch.astype(np.float32) * np.float32(1.0 / 255.0)


def region_around(points: np.ndarray, angle: float, scale: float, shift_up: float = 0.0) -> Region:
    """Square region over the box of (K,2) points, the box turned by `angle`.

    `scale` multiplies the longer side; `shift_up` moves the centre towards the region's top, in
    units of the box height (MediaPipe's RectTransformation).
    """
    cosine, sine = np.cos(angle), np.sin(angle)
    middle = (points.min(0) + points.max(0)) / 2.0
    offset = points - middle
    along = np.stack([cosine * offset[:, 0] + sine * offset[:, 1], -sine * offset[:, 0] + cosine * offset[:, 1]], -1)
    low, high = along.min(0), along.max(0)
    centre = (low + high) / 2.0
    width, height = high - low
    centre = centre - np.array([0.0, shift_up * height])
    x = middle[0] + cosine * centre[0] - sine * centre[1]
    y = middle[1] + sine * centre[0] + cosine * centre[1]
    return Region(float(x), float(y), float(max(width, height) * scale), float(angle))


def upright_angle(lower: np.ndarray, upper: np.ndarray) -> float:
    """Angle that turns the line from `lower` to `upper` (px) to point straight up in the crop."""
    angle = np.pi / 2 - np.arctan2(-(upper[1] - lower[1]), upper[0] - lower[0])
    return float(angle - 2 * np.pi * np.floor((angle + np.pi) / (2 * np.pi)))


class PointFilter:
    """One Euro filter (Casiez et al. 2012) of (K,2) px: still points stand, moving ones are followed at once.

    Constants are MediaPipe's for the points that span a body's region; they were tuned together with the network.
    """

    _STILL_CUTOFF, _SPEED_GAIN, _SPEED_CUTOFF = 0.01, 10.0, 1.0  # Hz, Hz per (body sizes / s), Hz

    def __init__(self, points: np.ndarray, time: float):
        """Starts at `points`, `time` s."""
        self._raw = self._smooth = points.astype(np.float64)
        self._speed = np.zeros_like(self._raw)
        self._time = time

    def __call__(self, points: np.ndarray, time: float, size: float) -> np.ndarray:
        """Takes in the points of `time` s, of a body of `size` px, and gives where to take them to be."""
        step = max(time - self._time, 1e-6)
        self._speed += _follow(self._SPEED_CUTOFF, step) * ((points - self._raw) / (size * step) - self._speed)
        self._smooth = self._smooth + _follow(self._STILL_CUTOFF + self._SPEED_GAIN * np.abs(self._speed), step) * (points - self._smooth)
        self._raw, self._time = points.astype(np.float64), time
        return self._smooth


def _follow(cutoff: np.ndarray | float, step: float) -> np.ndarray | float:
    """Share of the way that a first-order low-pass of `cutoff` Hz goes in `step` s."""
    return 1.0 / (1.0 + 1.0 / (2.0 * np.pi * cutoff * step))
