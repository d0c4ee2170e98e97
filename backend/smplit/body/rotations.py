# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotation representations in torch that fitting needs.

roma (BSD-3) has more, but is imported only where these are needed: it brings torch's compiler along, 1.4 s of every capture.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SKEW = ((0, 0, 0, 0, 0, -1, 0, 1, 0), (0, 0, 1, 0, 0, 0, -1, 0, 0), (0, -1, 0, 1, 0, 0, 0, 0, 0))  # of x, y, z: what crosses with them


def matrix_from_6d(values: Tensor) -> Tensor:
    """(...,6) -> (...,3,3): the first two columns, orthonormalised (Zhou et al. 2019, CVPR)."""
    first, second = values[..., :3], values[..., 3:]
    x = torch.nn.functional.normalize(first, dim=-1)
    y = torch.nn.functional.normalize(second - (x * second).sum(-1, keepdim=True) * x, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], dim=-1)


def matrix_from_rotvec(values: Tensor) -> Tensor:
    """(...,3) rad -> (...,3,3) by Rodrigues' formula, with its gradient at rest too."""
    squared = (values * values).sum(-1, keepdim=True).clamp(min=1e-12)[..., None]
    angle = squared.sqrt()
    outer = values[..., :, None] * values[..., None, :]
    skew = (values @ values.new_tensor(_SKEW)).unflatten(-1, (3, 3))
    about = 2.0 * (angle / 2.0).sin().square() / squared
    return angle.cos() * torch.eye(3, dtype=values.dtype, device=values.device) + angle.sin() / angle * skew + about * outer


def rotvec_from_matrix(matrices: Tensor) -> Tensor:
    """(...,3,3) -> (...,3) rad, differentiable; `axes.axis_angle_from_matrix` where no gradient is asked for."""
    from roma import rotmat_to_rotvec

    return rotmat_to_rotvec(matrices)


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
