# SPDX-License-Identifier: GPL-3.0-or-later
"""SMIRK's encoders (Retsinas et al. 2024): a picture of a face becomes numbers of the FLAME face.

Three networks look at the same picture, and share nothing. Parts carry the published names.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from smplit.mocap.smirk.mobilenet import LARGE, SMALL, MobileNet

EXPRESSIONS, _LIDS = 50, 2
_JAW_ASIDE = 0.2  # rad: a jaw turns and rolls no further


@dataclass
class SmirkFace:
    """Of B pictures. `pose` (B,3) axis-angle rad: the head in a camera whose y is up and whose z points to the viewer;
    `camera` (B,3): scale and shift of that camera; `shape` (B,300) and `expression` (B,50) of FLAME 2020; `eyelids` (B,2) 0..1,
    left and right, 1 shut; `jaw` (B,3) axis-angle rad, opening is +x and never below zero."""

    pose: Tensor
    camera: Tensor
    shape: Tensor
    expression: Tensor
    eyelids: Tensor
    jaw: Tensor


class PoseEncoder(nn.Module):
    """(B,3,224,224) -> (B,6)."""

    def __init__(self):
        super().__init__()
        self.encoder = MobileNet(SMALL)
        self.pose_cam_layers = nn.Sequential(nn.Linear(self.encoder.width, 6))

    def forward(self, picture: Tensor) -> Tensor:
        return self.pose_cam_layers(self.encoder(picture))


class ShapeEncoder(nn.Module):
    """(B,3,224,224) -> (B,300)."""

    def __init__(self):
        super().__init__()
        self.encoder = MobileNet(LARGE)
        self.shape_layers = nn.Sequential(nn.Linear(self.encoder.width, 300))

    def forward(self, picture: Tensor) -> Tensor:
        return self.shape_layers(self.encoder(picture))


class ExpressionEncoder(nn.Module):
    """(B,3,224,224) -> (B,55): expression 50, eyelids 2, jaw 3, without their bounds."""

    def __init__(self):
        super().__init__()
        self.encoder = MobileNet(LARGE)
        self.expression_layers = nn.Sequential(nn.Linear(self.encoder.width, EXPRESSIONS + _LIDS + 3))

    def forward(self, picture: Tensor) -> Tensor:
        return self.expression_layers(self.encoder(picture))


class Smirk(nn.Module):
    """(B,3,224,224) RGB 0..1, as `crop.cut` gives it and with no mean taken off, -> `SmirkFace`."""

    def __init__(self):
        super().__init__()
        self.pose_encoder = PoseEncoder()
        self.shape_encoder = ShapeEncoder()
        self.expression_encoder = ExpressionEncoder()

    def forward(self, picture: Tensor) -> SmirkFace:
        head = self.pose_encoder(picture)
        return SmirkFace(head[:, :3], head[:, 3:], self.shape_encoder(picture), *self.expressed(picture))

    def expressed(self, picture: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Expression, eyelids and jaw alone, in less than half the time."""
        expression, lids, jaw = self.expression_encoder(picture).split((EXPRESSIONS, _LIDS, 3), dim=1)
        return expression, lids.clamp(0.0, 1.0), bounded_jaw(jaw)


def bounded_jaw(jaw: Tensor) -> Tensor:
    """(B,3) -> (B,3): it opens only downwards, and hardly turns aside."""
    return torch.cat([F.relu(jaw[:, :1]), jaw[:, 1:].clamp(-_JAW_ASIDE, _JAW_ASIDE)], dim=1)
