# SPDX-License-Identifier: GPL-3.0-or-later
"""MobileNetV3 "minimal" (Howard et al. 2019), without its classifier: 3x3 kernels and ReLU alone, no squeeze-and-excite.

Parts carry the names of the published weights. These were learned in TensorFlow, which left two traces: another epsilon in the
batch norms, and padding that, where a layer halves an even side, is on the right and at the bottom alone.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

_EPSILON = 1e-3
_STEM = 16
# Of each block: channels in between, channels out, stride. The first row is the stage without a widening layer.
SMALL = (
    ((16, 16, 2),),
    ((72, 24, 2), (88, 24, 1)),
    ((96, 40, 2), (240, 40, 1), (240, 40, 1)),
    ((120, 48, 1), (144, 48, 1)),
    ((288, 96, 2), (576, 96, 1), (576, 96, 1)),
)
LARGE = (
    ((16, 16, 1),),
    ((64, 24, 2), (72, 24, 1)),
    ((72, 40, 2), (120, 40, 1), (120, 40, 1)),
    ((240, 80, 2), (200, 80, 1), (184, 80, 1), (184, 80, 1)),
    ((480, 112, 1), (672, 112, 1)),
    ((672, 160, 2), (960, 160, 1), (960, 160, 1)),
)


class MobileNet(nn.Module):
    """(B,3,H,W) -> (B,`width`): the mean over the picture of the last layer's channels."""

    def __init__(self, stages: tuple[tuple[tuple[int, int, int], ...], ...]):
        super().__init__()
        self.conv_stem = SameConv(3, _STEM, 2)
        self.bn1 = _norm(_STEM)
        channels, blocks = _STEM, nn.ModuleList()
        for number, stage in enumerate(stages):
            blocks.append(nn.Sequential())
            for between, out, stride in stage:
                blocks[-1].append(Widened(channels, between, out, stride) if number else Separable(channels, out, stride))
                channels = out
        self.width = stages[-1][-1][0]  # the last layer is as wide as the last block is inside
        blocks.append(nn.Sequential(LastLayer(channels, self.width)))
        self.blocks = blocks

    def forward(self, picture: Tensor) -> Tensor:
        maps = F.relu(self.bn1(self.conv_stem(picture)))
        for stage in self.blocks:
            maps = stage(maps)
        return maps.mean((2, 3))


class SameConv(nn.Conv2d):
    """3x3, (B,C,H,W) -> (B,O,ceil(H/stride),ceil(W/stride)), padded as TensorFlow's "same" does: what does not halve goes last."""

    def __init__(self, channels: int, out: int, stride: int, groups: int = 1):
        super().__init__(channels, out, 3, stride, groups=groups, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        (top, bottom), (left, right) = (_same(side, self.stride[0]) for side in maps.shape[-2:])
        return super().forward(F.pad(maps, (left, right, top, bottom)))


class Separable(nn.Module):
    """One convolution a channel, then a mixing of channels."""

    def __init__(self, channels: int, out: int, stride: int):
        super().__init__()
        self.conv_dw = SameConv(channels, channels, stride, groups=channels)
        self.bn1 = _norm(channels)
        self.conv_pw = nn.Conv2d(channels, out, 1, bias=False)
        self.bn2 = _norm(out)
        self.keeps = stride == 1 and channels == out

    def forward(self, maps: Tensor) -> Tensor:
        changed = self.bn2(self.conv_pw(F.relu(self.bn1(self.conv_dw(maps)))))
        return maps + changed if self.keeps else changed


class Widened(nn.Module):
    """Channels are widened, convolved one by one, and mixed to few again (an inverted residual)."""

    def __init__(self, channels: int, between: int, out: int, stride: int):
        super().__init__()
        self.conv_pw = nn.Conv2d(channels, between, 1, bias=False)
        self.bn1 = _norm(between)
        self.conv_dw = SameConv(between, between, stride, groups=between)
        self.bn2 = _norm(between)
        self.conv_pwl = nn.Conv2d(between, out, 1, bias=False)
        self.bn3 = _norm(out)
        self.keeps = stride == 1 and channels == out

    def forward(self, maps: Tensor) -> Tensor:
        wide = F.relu(self.bn2(self.conv_dw(F.relu(self.bn1(self.conv_pw(maps))))))
        changed = self.bn3(self.conv_pwl(wide))
        return maps + changed if self.keeps else changed


class LastLayer(nn.Module):
    def __init__(self, channels: int, out: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, out, 1, bias=False)
        self.bn1 = _norm(out)

    def forward(self, maps: Tensor) -> Tensor:
        return F.relu(self.bn1(self.conv(maps)))


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, eps=_EPSILON)


def _same(side: int, stride: int) -> tuple[int, int]:
    """Padding before and after a side of so many pixels."""
    total = max((-(-side // stride) - 1) * stride + 3 - side, 0)
    return total // 2, total - total // 2
