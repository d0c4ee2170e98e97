# SPDX-License-Identifier: GPL-3.0-or-later
"""Random numbers for a batch of windows."""

from __future__ import annotations

import math

import torch
from torch import Tensor


class RandomBatch:
    """Random numbers of a batch, drawn where the generator lives: on the training device."""

    def __init__(self, generator: torch.Generator, batch: int):
        self.generator, self.device, self.batch = generator, generator.device, batch

    def many(self, *shape: int) -> Tensor:
        """(B,*shape) in 0..1"""
        return torch.rand(self.batch, *shape, generator=self.generator, device=self.device)

    def uniform(self, low: float, high: float) -> Tensor:
        """(B,)"""
        return low + (high - low) * self.many()

    def each(self, chance: float) -> Tensor:
        """(B,) bool"""
        return self.many() < chance

    def coin(self, chance: float) -> bool:
        return bool(torch.rand(1, generator=self.generator, device=self.device) < chance)

    def normal(self, *shape: int) -> Tensor:
        """(B,*shape)"""
        return torch.randn(self.batch, *shape, generator=self.generator, device=self.device)

    def smooth(self, frames: int, *shape: int) -> Tensor:
        """(B,T,*shape): unit variance, waves of a third of a second and longer."""
        knots = max(2, frames // 8)
        values = self.normal(math.prod(shape), knots)
        values = torch.nn.functional.interpolate(values, size=frames, mode="linear", align_corners=True)
        return values.transpose(1, 2).reshape(self.batch, frames, *shape) * 1.22  # a line between knots has 2/3 of their variance
