# SPDX-License-Identifier: GPL-3.0-or-later
"""ACR: maps of both hands' parameters from a picture, with attention on the hands' parts (Yu et al. 2023, section 3).

Parts keep the published names; what training alone used (`segmentation_layers`) is left out. Sides are "l" and "r" here,
and parts are the RIGHT hand's first, then the LEFT hand's, as the network was trained.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from smplit.mocap.acr.hrnet import WIDTHS, BasicBlock, HRNet, conv_norm

SIDE = 512  # px of the picture
CELLS = 64  # of the maps
SIDES = ("l", "r")
CAMERA, PRIOR, PARAMETERS = 3, 106, 109  # channels; the parameters are camera, 16 rotations of 6, 10 betas
_FEATURES = 34  # the backbone's and two of coordinates
_PARTS = 16  # of one hand
_PART_ROWS = {"l": slice(_PARTS, 2 * _PARTS), "r": slice(0, _PARTS)}
_POSE_WIDTH, _SHAPE_WIDTH = 256, 64
_BETAS = 10
_SCALE_BASE = 1.1


@dataclass
class HandMaps:
    """What the network says of B pictures, one hand's side: `centre` (B,1,64,64) likeness of a hand's middle,
    `parameters` (B,109,64,64), `prior` (B,106,64,64): what this place adds to the OTHER hand's parameters but its camera."""

    centre: Tensor
    parameters: Tensor
    prior: Tensor


class Acr(nn.Module):
    """(B,512,512,3) RGB of 0..255 -> maps of the left and the right hand, and the parts' map (B,33,256,256)."""

    def __init__(self):
        super().__init__()
        self.backbone = HRNet()
        # In the backbone by its published name alone.
        self.backbone.hand_segm = nn.ModuleDict({"segm_head": PartSegmentation()})
        for side in SIDES:
            widths = (PRIOR, 1, CAMERA, PRIOR)  # parameters without the camera, centre, camera, prior
            self.add_module(f"{side}_final_layers", nn.ModuleList([nn.Identity(), *(_map_head(width) for width in widths)]))
        self.contact_layers = nn.ModuleList([
            nn.Identity(), conv_norm(_FEATURES, _POSE_WIDTH, bias=True), PartwiseLinear(), PartwiseLinear(), *(_mixer() for _ in SIDES),
        ])
        self.cam_shape_layers = nn.ModuleList([
            nn.Identity(), nn.Sequential(nn.Conv2d(_POSE_WIDTH, _SHAPE_WIDTH, 1)), *(nn.Linear(_SHAPE_WIDTH * _PARTS, _BETAS) for _ in SIDES),
        ])

    def forward(self, pictures: Tensor) -> tuple[dict[str, HandMaps], Tensor]:
        features = self.backbone(pictures.permute(0, 3, 1, 2) / 255.0 * 2.0 - 1.0)
        parts = self.backbone.hand_segm["segm_head"](features)
        features = with_coordinates(features)
        pose = self.contact_layers[1](features)
        shape = self.cam_shape_layers[1](pose)
        attention = part_attention(parts, features.shape[-1])
        pooled = [torch.einsum("bchw,bphw->bcp", values, attention) for values in (pose, shape)]  # (B,C,32)
        return {side: self._side(index, features, *pooled) for index, side in enumerate(SIDES)}, parts

    def _side(self, index: int, features: Tensor, pose: Tensor, shape: Tensor) -> HandMaps:
        side = SIDES[index]
        own, centre, camera, prior = (head(features) for head in getattr(self, f"{side}_final_layers")[1:])
        camera = torch.cat([scale_of(camera[:, :1]), camera[:, 1:]], 1)
        rows = _PART_ROWS[side]
        offsets = self.contact_layers[2 + index](pose[..., rows])
        betas = self.cam_shape_layers[2 + index](shape[..., rows].flatten(1))
        everywhere = torch.cat([offsets, betas], 1)[..., None, None].expand(-1, -1, *own.shape[-2:])
        return HandMaps(centre, self.contact_layers[4 + index](torch.cat([camera, own, camera, everywhere], 1)), prior)


def quicker(network: Acr) -> Acr:
    """The network itself, its norms made part of the convolutions before them: the same answers in five sixths of the time.

    It has no longer the published names.
    """
    for module in network.modules():
        for (name, layer), (following, norm) in pairwise(list(module.named_children())):
            if isinstance(layer, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                setattr(module, name, fuse_conv_bn_eval(layer, norm))
                setattr(module, following, nn.Identity())
    return network.to(memory_format=torch.channels_last)


class PartSegmentation(nn.Module):
    """(B,32,128,128) -> (B,33,256,256): background, 16 parts of the right hand, 16 of the left."""

    def __init__(self):
        super().__init__()
        self.upsampler = nn.ModuleDict({"up1": nn.ModuleDict({"conv": nn.ModuleDict({"double_conv": _two_convs(WIDTHS[0], 16, 64)})})})
        outputs = 1 + 2 * _PARTS
        layers = [*conv_norm(64, outputs, bias=True), nn.Conv2d(outputs, outputs, 3, 1, 1)]
        self.segm_net = nn.ModuleDict({"double_conv": nn.Sequential(*layers)})

    def forward(self, features: Tensor) -> Tensor:
        larger = F.interpolate(features, scale_factor=2, mode="bilinear", align_corners=True)
        return self.segm_net["double_conv"](self.upsampler["up1"]["conv"]["double_conv"](larger))


class PartwiseLinear(nn.Module):
    """(B,256,16) -> (B,96): each part's features by weights of its own to 6 numbers, part after part."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, 6, _POSE_WIDTH, _PARTS, 1, 1))

    def forward(self, features: Tensor) -> Tensor:
        return torch.einsum("ocp,bcp->bpo", self.weight[0, ..., 0, 0], features).flatten(1)


def with_coordinates(features: Tensor) -> Tensor:
    """(B,C,S,S) -> (B,C+2,S,S): -1..1 along the columns, then along the rows."""
    count, _, rows, columns = features.shape
    x = torch.linspace(-1.0, 1.0, columns, dtype=features.dtype, device=features.device).expand(rows, columns)
    y = torch.linspace(-1.0, 1.0, rows, dtype=features.dtype, device=features.device)[:, None].expand(rows, columns)
    return torch.cat([features, torch.stack([x, y]).expand(count, -1, -1, -1)], 1)


def scale_of(values: Tensor) -> Tensor:
    """The camera's scale is learned as its logarithm."""
    return _SCALE_BASE**values


def part_attention(parts: Tensor, side: int) -> Tensor:
    """(B,33,2S,2S) -> (B,32,S,S): where in the picture each hand part is, adding up to 1; the background is not asked."""
    smaller = F.interpolate(parts, size=(side, side), mode="nearest")[:, 1:]
    return smaller.flatten(2).softmax(-1).view_as(smaller)


def _map_head(outputs: int) -> nn.Sequential:
    blocks = nn.Sequential(*(nn.Sequential(BasicBlock(64)) for _ in range(2)))
    return nn.Sequential(conv_norm(_FEATURES, 64, 3, 2, bias=True), blocks, nn.Conv2d(64, outputs, 1))


def _two_convs(inputs: int, middle: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(*conv_norm(inputs, middle, bias=True), *conv_norm(middle, outputs, bias=True))


def _mixer() -> nn.Conv2d:
    """A place's parameters and the picture's offsets become the parameters that count."""
    return nn.Conv2d(CAMERA + PRIOR + CAMERA + 6 * _PARTS + _BETAS, PARAMETERS, 1)
