# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotation representations in torch that fitting needs beyond roma's.

roma (BSD-3) does axis-angle, quaternions and geodesics; this adds the continuous 6-D form.
"""

from __future__ import annotations

import torch
from torch import Tensor


def matrix_from_6d(values: Tensor) -> Tensor:
    """(...,6) -> (...,3,3): the first two columns, orthonormalised (Zhou et al. 2019, CVPR)."""
    first, second = values[..., :3], values[..., 3:]
    x = torch.nn.functional.normalize(first, dim=-1)
    y = torch.nn.functional.normalize(second - (x * second).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)


def sixd_from_matrix(matrices: Tensor) -> Tensor:
    """(...,3,3) -> (...,6): the first two columns."""
    return torch.cat([matrices[..., 0], matrices[..., 1]], dim=-1)


def rotation_between(source: Tensor, target: Tensor) -> Tensor:
    """Smallest rotation (...,3,3) taking the direction of `source` (...,3) onto that of `target`."""
    source = torch.nn.functional.normalize(source, dim=-1)
    target = torch.nn.functional.normalize(target, dim=-1)
    cross = torch.linalg.cross(source, target)
    cosine = (source * target).sum(-1)
    zero = torch.zeros_like(cosine)
    x, y, z = cross.unbind(-1)
    skew = torch.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(*cosine.shape, 3, 3)
    # Opposite directions have no unique smallest rotation; the clamp keeps the result finite there.
    factor = 1.0 / (1.0 + cosine).clamp(min=1e-4)
    return torch.eye(3, dtype=source.dtype, device=source.device) + skew + (skew @ skew) * factor[..., None, None]


def frame_from_axes(primary: Tensor, secondary: Tensor) -> Tensor:
    """Right-handed frame (...,3,3), columns: x = `primary`, y = `secondary` made orthogonal, z."""
    return matrix_from_6d(torch.cat([primary, secondary], -1))
