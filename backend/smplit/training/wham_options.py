# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the published WHAM's two stages: Adam, nothing averaged, a learning rate that drops in steps; without torch."""

from __future__ import annotations

from dataclasses import dataclass

from smplit.training.options import TrainOptions


@dataclass
class WhamStage1Options(TrainOptions):
    """`TrainOptions` with the original's values; see there.

    Attributes:
        drops: shares of the steps after which the learning rate is multiplied by `drop`.
        drop: see `drops`.
    """

    steps: int = 100_000
    lr: float = 5e-4
    warmup: int = 1
    cooldown: float = 0.0
    weight_decay: float = 0.0
    ema: float = 0.0
    eval_every: int = 2000
    save_every: int = 2000
    seed: int = 42
    drops: tuple[float, ...] = (0.6, 0.8)  # epochs 60 and 80 of 100
    drop: float = 0.1

    def share(self, step: int) -> float:
        """Of the learning rate at a step."""
        return super().share(step) * self.drop ** sum(step >= share * self.steps for share in self.drops)


@dataclass
class WhamStage2Options(WhamStage1Options):
    """`WhamStage1Options` with the values of the second stage; the integrator learns ten times as fast as `lr`."""

    steps: int = 40_000
    lr: float = 1e-5
    drops: tuple[float, ...] = (0.5, 0.75)  # epochs 20 and 30 of 40; with BEDLAM 0.5, 0.625, 0.875
    drop: float = 0.2
