# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a person as HMR2's own authors cut it. WHAM cuts another one, `mocap.wham.crop.person_crop`, and its features must come from that.

A box is WHAM's: centre x, centre y, side / 200, px, counted from the corner of the first pixel. The authors feed boxes
of a detector that counts so too into a warp that counts from the middle of the first pixel; we do the same. The warp
therefore shows everything (1 - 256 / side) / 2 crop pixels further down and right than the box says, which is less than
half a pixel of the crop or of the picture.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from smplit.mocap.wham.camera import BOX_UNIT
from smplit.mocap.wham.crop import SIDE, normalised

_SHAPE = 4.0 / 3.0  # height by width of what the network looks at
_SHARP = 1.1  # times that a crop may be shrunk by half before it is blurred
_REACH = 4.0  # deviations of the blur


def box_around(corners: np.ndarray) -> np.ndarray:
    """(...,4) px x0, y0, x1, y1 -> (...,3) box of the square around it, once it is as slim as 3 by 4 and no slimmer."""
    corners = np.asarray(corners, np.float64)
    low, high = corners[..., :2], corners[..., 2:]
    wide, tall = (high - low)[..., 0], (high - low)[..., 1]
    return np.concatenate([(low + high) / 2.0, np.maximum(tall, wide * _SHAPE)[..., None] / BOX_UNIT], -1)


def blurred_crop(image: np.ndarray, box: np.ndarray) -> Tensor:
    """The box cut out of a picture (H,W,3) uint8 RGB, black beyond the picture's edge -> (3,256,256), ImageNet's normalisation.

    A picture that is shrunk much is blurred first, so that no finer pattern than the crop's pixels is left.

    Raises:
        ValueError: a box without a size.
    """
    centre, side = np.asarray(box[:2], np.float64), float(box[2]) * BOX_UNIT
    if not side > 0.0:
        raise ValueError(f"box {tuple(box)} has no size")
    shrunk = side / SIDE / 2.0
    pixels = _blurred_around(image, centre, side, (shrunk - 1.0) / 2.0) if shrunk > _SHARP else image
    half = SIDE / 2.0
    source = np.float32([centre, centre + (0.0, side / 2.0), centre + (side / 2.0, 0.0)])
    warp = cv2.getAffineTransform(source, np.float32([(half, half), (half, SIDE), (SIDE, half)]))
    cut = cv2.warpAffine(pixels, warp, (SIDE, SIDE), flags=cv2.INTER_LINEAR)
    return normalised(torch.from_numpy(cut.astype(np.float32)).permute(2, 0, 1))


def _blurred_around(image: np.ndarray, centre: np.ndarray, side: float, deviation: float) -> np.ndarray:
    """(H,W,3) float64: blurred where the box shows it; the rest, which nobody looks at, is black."""
    reach = int(_REACH * deviation + 0.5) + 2
    low = np.maximum(np.floor(centre - side / 2.0).astype(int) - reach, 0)
    high = np.minimum(np.ceil(centre + side / 2.0).astype(int) + reach + 1, image.shape[1::-1])
    found = np.zeros(image.shape, np.float64)
    if np.all(high > low):
        part = (slice(low[1], high[1]), slice(low[0], high[0]))
        found[part] = gaussian_filter(image[part].astype(np.float64), (deviation, deviation, 0.0), truncate=_REACH, mode="nearest")
    return found
