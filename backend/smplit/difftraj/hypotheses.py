# SPDX-License-Identifier: GPL-3.0-or-later
"""Several trajectories for the same poses: how else the body may have travelled where its feet do not tell.

A small flow (Lipman et al. 2023, flow matching) over what is left of the velocity when the network's answer is
taken off, given the network's own features. Noise flows into a plausible remainder in a few Euler steps.
Next to planted feet the remainders are small, in leaps and without legs they are not.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from smplit.difftraj.blocks import Block

DILATIONS = (1, 2, 4, 8, 4, 1)
_SCALE = 0.2  # leg lengths/s: about how large remainders are
_WAVES = 4  # of the flow's time


class Hypotheses(nn.Module):
    """Flow over velocity remainders (B,T,2), leg lengths/s in the heading frame, given features (B,T,width)."""

    def __init__(self, width: int, channels: int = 64):
        super().__init__()
        self.enter = nn.Linear(2 + 2 * _WAVES + width, channels)
        self.blocks = nn.ModuleList(Block(channels, dilation) for dilation in DILATIONS)
        self.leave = nn.Linear(channels, 2)

    def forward(self, noisy: Tensor, moment: Tensor, features: Tensor) -> Tensor:
        """noisy (B,T,2), moment (B,) 0 (noise) .. 1 (remainder) -> (B,T,2) where it flows."""
        waves = moment[:, None] * torch.pi * 2.0 ** torch.arange(_WAVES, device=moment.device)
        clock = torch.cat([waves.sin(), waves.cos()], -1)[:, None].expand(*noisy.shape[:2], -1)
        values = self.enter(torch.cat([noisy, clock, features], -1))
        for block in self.blocks:
            values = block(values)
        return self.leave(values).float()

    def flow_error(self, features: Tensor, remainder: Tensor, noise: Tensor, moment: Tensor) -> Tensor:
        """(B,T,2): what the flow says at `moment` (B,) between noise (B,T,2) and remainder (B,T,2), less the straight way."""
        target = remainder / _SCALE
        along = moment[:, None, None]
        return self((1 - along) * noise + along * target, moment, features) - (target - noise)

    def sample(self, features: Tensor, noise: Tensor, steps: int) -> Tensor:
        """Noise (B,T,2) of unit variance -> remainders (B,T,2)."""
        values = noise
        for step in range(steps):
            values = values + self(values, torch.full((len(values),), step / steps, device=values.device), features) / steps
        return values * _SCALE
