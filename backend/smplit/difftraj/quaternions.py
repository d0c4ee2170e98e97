# SPDX-License-Identifier: GPL-3.0-or-later
"""Quaternions w, x, y, z in torch: what blends and multiplies fast over many frames."""

from __future__ import annotations

import torch
from torch import Tensor


def quaternion_from_axis_angle(vectors: Tensor) -> Tensor:
    """(...,3) rad -> (...,4) w, x, y, z."""
    angle = torch.linalg.vector_norm(vectors, dim=-1, keepdim=True)
    return torch.cat([torch.cos(angle / 2), vectors * 0.5 * torch.sinc(angle / (2 * torch.pi))], -1)


def multiply(a: Tensor, b: Tensor) -> Tensor:
    """Quaternion product (...,4): first `b`, then `a`."""
    w, v = a[..., :1], a[..., 1:]
    x, u = b[..., :1], b[..., 1:]
    return torch.cat([w * x - (v * u).sum(-1, keepdim=True), w * u + x * v + torch.linalg.cross(v, u)], -1)


def blend(a: Tensor, b: Tensor, part: Tensor) -> Tensor:
    """Normalised linear blend of quaternions (...,4), the short way; neighbours in time are close enough for it."""
    b = torch.where((a * b).sum(-1, keepdim=True) < 0, -b, b)
    return torch.nn.functional.normalize(torch.lerp(a, b, part), dim=-1)


def matrices(quaternions: Tensor) -> Tensor:
    """(...,4) unit w, x, y, z -> (...,3,3)."""
    w, x, y, z = quaternions.unbind(-1)
    return torch.stack([
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ], -1).unflatten(-1, (3, 3))
