# SPDX-License-Identifier: GPL-3.0-or-later
"""What a body stands on in a preview: backdrop, metre grid, its shadow, its path and its planted feet."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np

from smplit.view.camera import Camera

_TOP, _BOTTOM = np.array([52, 56, 64], np.float32), np.array([92, 97, 106], np.float32)  # RGB of the backdrop
_LINE = np.array([142, 148, 158], np.float32)
_SHADE = 0.45  # of the light that the middle of a shadow takes away
_SHIFT = 4  # lines are handed to OpenCV in sixteenths of a pixel


def backdrop(width: int, height: int) -> np.ndarray:
    """(H,W,3) uint8 RGB, darker towards the top."""
    share = np.linspace(0.0, 1.0, height, dtype=np.float32)[:, None]
    rows = _TOP * (1.0 - share) + _BOTTOM * share
    return np.repeat(rows[:, None].astype(np.uint8), width, axis=1)


def draw_grid(image: np.ndarray, camera: Camera, centre: np.ndarray, reach: float = 6.0) -> None:
    """Lines a metre apart at whole metres of the world, fading out `reach` m from `centre` (2,)."""
    low, high = np.floor(centre - reach).astype(int), np.ceil(centre + reach).astype(int)
    along = [np.arange(low[axis], high[axis] + 0.5, 0.5) for axis in (0, 1)]
    for axis in (0, 1):
        across = 1 - axis
        for at in range(low[across], high[across] + 1):
            points = np.zeros((len(along[axis]), 3))
            points[:, axis], points[:, across] = along[axis], at
            away = np.linalg.norm((points[1:, :2] + points[:-1, :2]) / 2 - centre, axis=1)
            for start, end, distance in zip(points[:-1], points[1:], away, strict=True):
                strength = 1.0 - distance / reach
                if strength > 0.02 and (ends := camera.line(start, end)) is not None:
                    _line(image, ends, strength)


def _line(image: np.ndarray, ends: tuple[np.ndarray, np.ndarray], strength: float) -> None:
    if any(np.abs(end).max() > 30000 for end in ends):
        return
    middle = ((ends[0] + ends[1]) / 2).astype(int)
    x, y = np.clip(middle, 0, (image.shape[1] - 1, image.shape[0] - 1))
    colour = image[y, x] * (1.0 - strength) + _LINE * strength
    a, b = (tuple(np.round((end - 0.5) * (1 << _SHIFT)).astype(int).tolist()) for end in ends)
    cv2.line(image, a, b, colour.tolist(), max(1, round(image.shape[0] / 700)), cv2.LINE_AA, _SHIFT)


def draw_shadow(image: np.ndarray, camera: Camera, vertices: np.ndarray) -> None:
    """A soft shadow straight below (V,3) m: the nearer the body to the floor, the darker."""
    ground = vertices * np.array([1.0, 1.0, 0.0], np.float32)
    seen = camera.see(ground)
    ahead = seen[:, 2] > 0.1
    pixels = np.floor(camera.project(seen[ahead])).astype(int)
    height, width = image.shape[:2]
    inside = np.all((pixels >= 0) & (pixels < (width, height)), axis=1)
    if not inside.any():
        return
    columns, rows = pixels[inside].T
    dark = np.zeros((height, width), np.float32)
    near = np.clip(1.0 - vertices[ahead][inside, 2] / 1.2, 0.15, 1.0).astype(np.float32)
    np.maximum.at(dark, (rows, columns), near)
    grain = max(3, round(0.035 * camera.K[0, 0] / float(np.median(seen[ahead, 2]))))  # px of 3.5 cm there
    dark = cv2.dilate(dark, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (grain, grain)))
    dark = cv2.GaussianBlur(dark, (0, 0), 1.2 * grain)
    image[:] = (image * (1.0 - _SHADE * dark[..., None])).astype(np.uint8)


def draw_path(image: np.ndarray, camera: Camera, ground: np.ndarray, colour: np.ndarray) -> None:
    """The line of (N,2) m floor positions in `colour` (RGB 0..1)."""
    points = np.c_[ground, np.zeros(len(ground))]
    ink = (255 * np.asarray(colour)).tolist()
    for start, end in pairwise(points):
        ends = camera.line(start, end)
        if ends is None or any(np.abs(e).max() > 30000 for e in ends):
            continue
        a, b = (tuple(np.round((e - 0.5) * (1 << _SHIFT)).astype(int).tolist()) for e in ends)
        cv2.line(image, a, b, ink, max(1, round(image.shape[0] / 360)), cv2.LINE_AA, _SHIFT)


def draw_marks(image: np.ndarray, camera: Camera, points: np.ndarray, colour: np.ndarray) -> None:
    """A small dot at each of (N,3) m."""
    seen = camera.see(np.asarray(points, np.float64))
    for pixel in camera.project(seen[seen[:, 2] > 0.1]):
        if np.abs(pixel).max() < 30000:
            centre = tuple(np.round((pixel - 0.5) * (1 << _SHIFT)).astype(int).tolist())
            cv2.circle(image, centre, round(image.shape[0] / 180 * (1 << _SHIFT)), (255 * np.asarray(colour)).tolist(), -1, cv2.LINE_AA, _SHIFT)
