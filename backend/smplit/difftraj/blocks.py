# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trajectory networks are built of."""

from __future__ import annotations

from torch import Tensor, nn


class Block(nn.Module):
    """Residual dilated convolution over time: three taps, then a mix of the channels."""

    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.over_time = nn.Conv1d(width, width, 3, padding=dilation, dilation=dilation)
        self.mix = nn.Linear(width, width)

    def forward(self, values: Tensor) -> Tensor:
        """(B,T,width) -> the same."""
        seen = self.over_time(self.norm(values).transpose(1, 2)).transpose(1, 2)
        return values + self.mix(nn.functional.gelu(seen))
