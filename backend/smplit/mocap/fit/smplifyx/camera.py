# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the person stands before the pose is known: depth from the trunk's length, then place and turn by least squares."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from smplit.mocap.fit.smplifyx.energy import DATA
from smplit.mocap.fit.smplifyx.joints import HIPS, SHOULDERS

_TRUNK = [*HIPS, *SHOULDERS]
_EDGES = ((SHOULDERS[1], HIPS[1]), (SHOULDERS[0], HIPS[0]))
_DEPTH = 100.0  # 1/m; enters squared
SIDE_VIEW = 25.0  # px between the shoulders below which front and back look alike


@dataclass
class Pinhole:
    """`focal` (2,) and `centre` (2,) px; `height` px of the picture. x right, y down, z ahead."""

    focal: Tensor
    centre: Tensor
    height: float

    def project(self, points: Tensor, translation: Tensor, rotation: Tensor | None = None) -> Tensor:
        """(F,J,3) m, (F,3) m and, unless the camera's axes are the points', (F,3,3) -> (F,J,2) px."""
        if rotation is not None:
            points = points @ rotation.transpose(-1, -2)
        points = points + translation[:, None]
        return self.focal * points[..., :2] / points[..., 2:] + self.centre


def first_translation(rest: Tensor, detected: Tensor, camera: Pinhole) -> Tensor:
    """(F,3) m straight ahead, so far away that the trunk has the right size.

    Args:
        rest: (F,J,3) m with ALL parameters zero; detected: (F,J,2 or more) px.
    """
    length = lambda points: sum((points[:, a] - points[:, b]).norm(dim=-1) for a, b in _EDGES) / len(_EDGES)
    depth = camera.focal.mean() * length(rest) / length(detected[..., :2]).clamp(min=1.0)
    return torch.stack([torch.zeros_like(depth), torch.zeros_like(depth), depth], -1)


def placing(projected: Tensor, detected: Tensor, depth: Tensor, first_depth: Tensor, height: float) -> Tensor:
    """The energy of the first step, (F,): hips and shoulders, neither robust nor trusted by confidence, and the depth's tie."""
    off = (detected[:, _TRUNK, :2] - projected[:, _TRUNK]).square().sum((-1, -2))
    return (DATA / height) ** 2 * off + _DEPTH**2 * (depth - first_depth).square()


def from_the_side(detected: Tensor) -> Tensor:
    """(F,) bool: shoulders so near each other that the person may as well look the other way."""
    return (detected[:, SHOULDERS[0], :2] - detected[:, SHOULDERS[1], :2]).norm(dim=-1) < SIDE_VIEW


def turned_about(orientation: Tensor) -> Tensor:
    """Axis angles (F,3) of the same people turned by half a circle about their own y axis."""
    from roma import rotmat_to_rotvec, rotvec_to_rotmat

    half = rotvec_to_rotmat(torch.tensor([0.0, math.pi, 0.0], dtype=orientation.dtype, device=orientation.device))
    return rotmat_to_rotvec(rotvec_to_rotmat(orientation) @ half)
