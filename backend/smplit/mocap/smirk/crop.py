# SPDX-License-Identifier: GPL-3.0-or-later
"""The square that SMIRK looks at: around all face landmarks, stretched to 224 pixels.

The reference takes MediaPipe's newer mesh of 478 points, the tracker here its older one of 468. The ten more are irises, which lie
inside the box; but the two meshes' outlines, and so their boxes, differ by up to a tenth. The network was trained with
squares from 1.2 to 1.8 boxes wide, so that this is no matter.

Pixels count as the reference counts them: a landmark's coordinates are taken for places between the middles of pixels,
although they are measured from the picture's corner. What the network sees is half a pixel beside the landmarks; it learned that.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor

SIDE = 224
BOXES = 1.4  # side of the square, in mean sides of the landmarks' box
_LEAST_CONFIDENCE = 0.2  # of the landmarks, as the landmark fit asks for
_SMALLEST = 16  # px: a face of fewer says nothing
_BRIDGED = 0.4  # s: landmarks that are lost for no longer are guessed from both ends; what the picture shows may still be good


def squares(face: np.ndarray, confidence: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Where to cut over a clip.

    Args: face (N,468,3) px; confidence (N,) 0..1; times (N,) s.
    Returns: (N,3) float64 px: the middle's x and y, and the side; NaN where no face is to be seen.
    """
    found = np.full((len(face), 3), np.nan)
    good = (np.nan_to_num(confidence) >= _LEAST_CONFIDENCE) & np.isfinite(face[..., :2]).all((1, 2))
    for row in np.flatnonzero(good):
        found[row] = square_around(face[row, :, :2])
    found[~(found[:, 2] >= _SMALLEST)] = np.nan
    return _bridged(found, np.asarray(times, np.float64))


def square_around(points: np.ndarray, boxes: float = BOXES) -> np.ndarray:
    """(P,2) px -> (3,) px: middle and side."""
    low, high = points.min(0).astype(np.float64), points.max(0).astype(np.float64)
    return np.array([*(low + high) / 2, float(int((high - low).sum() / 2 * boxes))])


def into_crop(square: np.ndarray) -> np.ndarray:
    """(3,) px -> (3,3): homogeneous, from the picture's pixels to the crop's. The square's corners become the corner pixels' middles."""
    factor = (SIDE - 1) / square[2]
    corner = square[:2] - square[2] / 2
    return np.array([[factor, 0.0, -factor * corner[0]], [0.0, factor, -factor * corner[1]], [0.0, 0.0, 1.0]])


def cut(image: np.ndarray, square: np.ndarray) -> Tensor:
    """(H,W,3) uint8 RGB, (3,) px -> (3,224,224) 0..1: between four pixels, black outside, fractions of a level dropped."""
    corner, step = square[:2] - square[2] / 2, square[2] / (SIDE - 1)
    x, y = (start + step * np.arange(SIDE) for start in corner)
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    across, down = (x - left).astype(np.float32)[:, None], (y - top).astype(np.float32)[:, None, None]
    upper, lower = _pixels(image, top, left), _pixels(image, top + 1, left)
    upper += (_pixels(image, top, left + 1) - upper) * across
    lower += (_pixels(image, top + 1, left + 1) - lower) * across
    upper += (lower - upper) * down
    return torch.from_numpy(np.floor(upper + 1e-4)).permute(2, 0, 1) / 255.0  # the sum of four weights may be a trace below 1


def _pixels(image: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """(R,C,3) float32 of an image (H,W,3); zero outside."""
    height, width = image.shape[:2]
    found = image[np.clip(rows, 0, height - 1)][:, np.clip(columns, 0, width - 1)].astype(np.float32)
    found[(rows < 0) | (rows >= height)] = 0.0
    found[:, (columns < 0) | (columns >= width)] = 0.0
    return found


def _bridged(found: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(N,3) with NaN rows: short gaps are filled from both ends."""
    rows = np.flatnonzero(np.isfinite(found[:, 2]))
    for before, after in itertools.pairwise(rows):
        if after - before > 1 and times[after] - times[before] <= _BRIDGED:
            gap = np.arange(before + 1, after)
            for column in range(3):
                found[gap, column] = np.interp(times[gap], times[[before, after]], found[[before, after], column])
    return found
