# SPDX-License-Identifier: GPL-3.0-or-later
"""HRNet-W32 (Sun et al. 2019): a picture's features at a quarter of its size, with the finest branch never given up.

Parts keep the published names. Layouts are (B,C,H,W); "branch" i has a quarter of the picture's side, halved i times.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTHS = (32, 64, 128, 256)  # channels of the branches
_MODULES = (1, 4, 3)  # of stages 2, 3 and 4
_BLOCKS = 4


def conv_norm(inputs: int, outputs: int, kernel: int = 3, stride: int = 1, *, bias: bool = False, relu: bool = True) -> nn.Sequential:
    """Convolution that keeps the size (or halves it), batch norm and, if wanted, ReLU."""
    parts = [nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=bias), nn.BatchNorm2d(outputs)]
    return nn.Sequential(*parts, nn.ReLU()) if relu else nn.Sequential(*parts)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))) + x)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 around a shortcut, which is a convolution itself where the width changes."""

    def __init__(self, inputs: int, width: int):
        super().__init__()
        outputs = 4 * width
        self.conv1, self.bn1 = nn.Conv2d(inputs, width, 1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width)
        self.conv3, self.bn3 = nn.Conv2d(width, outputs, 1, bias=False), nn.BatchNorm2d(outputs)
        self.downsample = conv_norm(inputs, outputs, 1, relu=False) if inputs != outputs else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        inner = torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))))
        return torch.relu(self.bn3(self.conv3(inner)) + self.downsample(x))


class Exchange(nn.Module):
    """Every branch goes on by itself, then each becomes the sum of all, brought to its size."""

    def __init__(self, branches: int, outputs: int):
        """`outputs`: how many branches are wanted of it, the finest first."""
        super().__init__()
        self.branches = nn.ModuleList(nn.Sequential(*(BasicBlock(width) for _ in range(_BLOCKS))) for width in WIDTHS[:branches])
        self.fuse_layers = nn.ModuleList(nn.ModuleList(_between(j, i) for j in range(branches)) for i in range(outputs))

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        features = [branch(x) for branch, x in zip(self.branches, features, strict=True)]
        return [torch.relu(sum(layer(x) for layer, x in zip(row, features, strict=True))) for row in self.fuse_layers]


def _between(source: int, target: int) -> nn.Module:
    """From a branch's features to another's: width and size."""
    if source == target:
        return nn.Identity()
    if source > target:  # smaller: the width first, then nearest neighbours
        larger = nn.Upsample(scale_factor=2 ** (source - target), mode="nearest")
        return nn.Sequential(*conv_norm(WIDTHS[source], WIDTHS[target], 1, relu=False), larger)
    steps = [conv_norm(WIDTHS[source], WIDTHS[source], 3, 2) for _ in range(target - source - 1)]
    return nn.Sequential(*steps, conv_norm(WIDTHS[source], WIDTHS[target], 3, 2, relu=False))


def _one_branch_more(branches: int) -> nn.ModuleList:
    """Its last layer makes the new branch from the smallest one."""
    new = nn.Sequential(conv_norm(WIDTHS[branches - 1], WIDTHS[branches], 3, 2))
    return nn.ModuleList([*(nn.Identity() for _ in range(branches)), new])


class HRNet(nn.Module):
    """(B,3,H,W), numbers of -1..1 -> (B,32,H/4,W/4); H and W are multiples of 32."""

    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 64, 3, 2, 1, bias=False), nn.BatchNorm2d(64)
        self.conv2, self.bn2 = nn.Conv2d(64, 64, 3, 2, 1, bias=False), nn.BatchNorm2d(64)
        self.layer1 = nn.Sequential(Bottleneck(64, 64), *(Bottleneck(256, 64) for _ in range(_BLOCKS - 1)))
        self.transition1 = nn.ModuleList([conv_norm(256, WIDTHS[0]), nn.Sequential(conv_norm(256, WIDTHS[1], 3, 2))])
        self.transition2, self.transition3 = _one_branch_more(2), _one_branch_more(3)
        self.stage2, self.stage3, self.stage4 = (
            nn.Sequential(*(Exchange(branches, 1 if branches == 4 and index == count - 1 else branches) for index in range(count)))
            for branches, count in enumerate(_MODULES, 2)
        )

    def forward(self, picture: Tensor) -> Tensor:
        x = torch.relu(self.bn1(self.conv1(picture)))
        x = self.layer1(torch.relu(self.bn2(self.conv2(x))))
        features = self.stage2([layer(x) for layer in self.transition1])
        features = self.stage3([*features, self.transition2[-1](features[-1])])
        return self.stage4([*features, self.transition3[-1](features[-1])])[0]
