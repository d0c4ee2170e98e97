# SPDX-License-Identifier: GPL-3.0-or-later
"""The square of a picture that ACR looks at, and the way back from it to pixels and metres.

A square is (left, top, side) in whole pixels; it may reach beyond the picture, where there is white, as the authors had it.
"""

from __future__ import annotations

import cv2
import numpy as np

from smplit.mocap.acr.network import SIDE

_WHITE = 255


def whole_picture(width: int, height: int) -> np.ndarray:
    """(3,) the smallest square about a picture: what the published programme looks at."""
    side = max(width, height)
    return np.array([-((side - width) // 2), -((side - height) // 2), side])


def cut_square(image: np.ndarray, square: np.ndarray) -> np.ndarray:
    """(H,W,3) uint8 RGB, (3,) px -> (512,512,3) uint8 RGB, by cubic interpolation without blurring, as the authors had it."""
    left, top, side = (int(value) for value in square)
    height, width = image.shape[:2]
    cut = np.full((side, side, 3), _WHITE, np.uint8)
    x0, x1, y0, y1 = max(left, 0), min(left + side, width), max(top, 0), min(top + side, height)
    if x1 > x0 and y1 > y0:
        cut[y0 - top : y1 - top, x0 - left : x1 - left] = image[y0:y1, x0:x1]
    return cv2.resize(cut, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)


def pixels_of(points: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """(...,2) of -1..1 across squares (...,3) -> (...,2) px of the picture."""
    squares = np.asarray(squares, np.float64)
    return (np.asarray(points, np.float64) + 1.0) / 2.0 * squares[..., 2:] + squares[..., :2]


def pixels_per_metre(cameras: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Weak-perspective cameras (...,3) scale, x, y of squares (...,3) px -> (...) px/m; not positive where a hand makes no sense."""
    return np.asarray(cameras, np.float64)[..., 0] * np.asarray(squares, np.float64)[..., 2] / 2.0


def places(cameras: np.ndarray, squares: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(...,3) m, camera axes: where the hands' middle (the middle finger's knuckle) is. K (3,3) px.

    The depth at which a pinhole shows the hand as large as its weak-perspective camera does.
    """
    pixels = pixels_of(np.asarray(cameras)[..., 1:], squares)
    depth = np.sqrt(K[0, 0] * K[1, 1]) / pixels_per_metre(cameras, squares)
    rays = np.concatenate([pixels, np.ones((*pixels.shape[:-1], 1))], -1) @ np.linalg.inv(K).T
    return rays * depth[..., None]
