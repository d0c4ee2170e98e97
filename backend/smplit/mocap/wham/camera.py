# SPDX-License-Identifier: GPL-3.0-or-later
"""WHAM's cameras: from the three numbers of a crop's camera to a place before the real one, and projections (pixels)."""

from __future__ import annotations

import torch
from torch import Tensor

BOX_UNIT = 200.0  # px: a box's scale is its side by this
WEAK_FOCAL, WEAK_SIZE = 5000.0, 224.0  # the camera of training crops
_NONE = 1e-9


def place_in_camera(cam: Tensor, K: Tensor, bbox: Tensor, size: Tensor) -> Tensor:
    """Where the hips' middle is (B,F,3) m, in the camera of the whole picture.

    Args:
        cam: (B,F,3) s, tx, ty; K: (B,3,3) px; bbox: (B,F,3) centre px, side by 200; size: (B,2) px, width and height.
    """
    scale, side = cam[..., 0], bbox[..., 2] * BOX_UNIT
    shift = 2.0 * (bbox[..., :2] - size[:, None] / 2.0) / (scale * side)[..., None]
    depth = 2.0 * K[:, None, 0, 0] / (scale * side)
    return torch.cat([cam[..., 1:] + shift, depth[..., None]], -1)


def project(points: Tensor, K: Tensor) -> Tensor:
    """(B,F,P,3) m, (B,3,3) -> (B,F,P,2) px."""
    flat = points @ K[:, None].transpose(-1, -2)
    return flat[..., :2] / flat[..., 2:]


def project_weakly(points: Tensor, cam: Tensor) -> Tensor:
    """(B,F,P,3) m about the hips, (B,F,3) -> (B,F,P,2) in half sides of the crop."""
    depth = 2.0 * WEAK_FOCAL / (WEAK_SIZE * cam[..., :1] + _NONE)
    placed = points + torch.cat([cam[..., 1:], depth], -1)[:, :, None]
    return WEAK_FOCAL * placed[..., :2] / placed[..., 2:] / (WEAK_SIZE / 2.0)


def intrinsics(width: float, height: float) -> Tensor:
    """(3,3) px of a camera that nobody knows: as in the original, the focal length is the picture's diagonal."""
    focal = (width**2 + height**2) ** 0.5
    return torch.tensor([[focal, 0.0, width / 2.0], [0.0, focal, height / 2.0], [0.0, 0.0, 1.0]])
