# SPDX-License-Identifier: GPL-3.0-or-later
"""Boxes around keypoints, and keypoints as numbers in their box: WHAM's own preprocessing, in torch, on any device.

A box is (centre x, centre y, side / 200), px.
"""

from __future__ import annotations

import torch
from torch import Tensor

from smplit.mocap.wham.camera import BOX_UNIT

SEEN = 0.3  # confidence from which a keypoint counts
MARGIN = 1.2
CROP = 224.0
FEWEST = 6  # keypoints that a box is made of


def boxes_of_keypoints(keypoints: Tensor, seen: Tensor, margin: float = MARGIN) -> Tensor:
    """(...,17,2) px, (...,17) bool -> (...,3); frames without a seen keypoint get NaN."""
    far = torch.tensor(float("inf"), dtype=keypoints.dtype, device=keypoints.device)
    low = torch.where(seen[..., None], keypoints, far).amin(-2)
    high = torch.where(seen[..., None], keypoints, -far).amax(-2)
    side = (high - low).amax(-1, keepdim=True)
    boxes = torch.cat([(low + high) / 2.0, side * margin / BOX_UNIT], -1)
    return torch.where(seen.any(-1)[..., None], boxes, torch.nan)


def boxes_of_enough(keypoints: Tensor, seen: Tensor) -> Tensor:
    """(...,17,2) px, (...,17) bool -> (...,3); where fewer than `FEWEST` are seen, all count."""
    enough = seen.sum(-1, keepdim=True) >= FEWEST
    return boxes_of_keypoints(keypoints, seen | ~enough)


def smoothed_boxes(boxes: Tensor, fps: float = 30.0) -> Tensor:
    """(...,F,3): the median over half a second; beyond the ends there are zeros, as in the original.

    That biases the first and last half window to small values. Weights were trained with it; `evenly_smoothed_boxes` has no such bias.
    """
    reach = int(int(fps / 2) / 2)
    return _median(torch.nn.functional.pad(boxes.transpose(-1, -2), (reach, reach)), reach)


def evenly_smoothed_boxes(boxes: Tensor, fps: float = 30.0) -> Tensor:
    """(...,F,3): the median over half a second, of those frames that there are."""
    reach = min(int(int(fps / 2) / 2), boxes.shape[-2] - 1)
    flat = boxes.transpose(-1, -2)
    shape = flat.shape
    return _median(torch.nn.functional.pad(flat.reshape(-1, 1, shape[-1]), (reach, reach), mode="reflect").view(*shape[:-1], -1), reach)


def _median(padded: Tensor, reach: int) -> Tensor:
    return padded.unfold(-1, 2 * reach + 1, 1).median(-1).values.transpose(-1, -2)


def box_of_corners(corners: Tensor, margin: float = 1.05) -> Tensor:
    """(...,4) px x0, y0, x1, y1 -> (...,3)."""
    low, high = corners[..., :2], corners[..., 2:]
    side = (high - low).amax(-1, keepdim=True)
    return torch.cat([(low + high) / 2.0, side * margin / BOX_UNIT], -1)


def normalised(keypoints: Tensor, boxes: Tensor, size: Tensor) -> Tensor:
    """What the network takes: keypoints in their box, -1..1, then the box's centre and side by the picture's longer side.

    Args:
        keypoints: (...,F,17,2) px; boxes: (...,F,3); size: (...,2) px, width and height.

    Returns:
        (...,F,37); the centre's two numbers are 0 in the middle of the picture.
    """
    side = boxes[..., 2:] * BOX_UNIT
    points = (keypoints - boxes[..., None, :2]) / (side[..., None] / 2.0)
    longer = size.amax(-1)[..., None, None]
    where = torch.cat([(2.0 * boxes[..., :2] - size[..., None, :]) / longer, side / longer], -1)
    return torch.cat([points.flatten(-2), where], -1)
