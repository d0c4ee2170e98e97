# SPDX-License-Identifier: GPL-3.0-or-later
"""The picture of a person that image features are made of."""

from __future__ import annotations

import numpy as np
import torch

from smplit.mocap.wham.camera import BOX_UNIT

SIDE = 256  # px
FEATURE_COLUMNS = slice(32, 224)  # of the crop: what HMR2.0a looks at
_MEAN, _DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet


def person_crop(image: np.ndarray, box: np.ndarray) -> torch.Tensor:
    """The box cut out of a picture (H,W,3) uint8 RGB, black beyond the picture's edge -> (3,256,256), ImageNet's normalisation.

    Args:
        box: (3,) centre px and side by 200. Corners are rounded to whole pixels; scaling is bilinear without blurring, as in the original.

    Raises:
        ValueError: a box of less than a pixel.
    """
    low, high = (np.round(np.asarray(box[:2], np.float64) + sign * BOX_UNIT / 2.0 * float(box[2])).astype(int) for sign in (-1, 1))
    if np.any(high <= low):
        raise ValueError(f"box {tuple(box)} is smaller than a pixel")
    inside_low, inside_high = np.maximum(low, 0), np.minimum(high, image.shape[1::-1])
    cut = np.zeros((*(high - low)[::-1], 3), np.float32)
    if np.all(inside_high > inside_low):
        (x0, y0), (x1, y1) = inside_low - low, inside_high - low
        cut[y0:y1, x0:x1] = image[inside_low[1] : inside_high[1], inside_low[0] : inside_high[0]]
    pixels = torch.from_numpy(cut).permute(2, 0, 1)[None]
    pixels = torch.nn.functional.interpolate(pixels, (SIDE, SIDE), mode="bilinear", align_corners=False)[0]
    return normalised(pixels)


def normalised(pixels: torch.Tensor) -> torch.Tensor:
    """(3,H,W) RGB, 0..255 -> the same with ImageNet's mean 0 and deviation 1."""
    return (pixels / 255.0 - torch.tensor(_MEAN)[:, None, None]) / torch.tensor(_DEVIATION)[:, None, None]
