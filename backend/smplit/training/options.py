# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of a training run; without torch, so that the command line can show them at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass
class TrainOptions:
    """How long, how fast, how often.

    Attributes:
        save_dir: the run's folder.
        steps: of the optimiser in all.
        lr: learning rate after the warm-up; falls linearly to zero over the last `cooldown` share of the steps.
        warmup: steps over which the learning rate rises.
        cooldown: share of the steps, 0..1.
        weight_decay: of AdamW.
        clip: largest norm of the gradient.
        ema: decay of the averaged weights; early on the average is shorter.
        log_every: steps between rows of losses.csv.
        eval_every: steps between evaluations on held-out data; 0 for none.
        save_every: steps between saves.
        seed: of weights, windows and noise.
        resume: go on from `save_dir/training.pt`.
    """

    save_dir: Path
    steps: int = 10_000
    lr: float = 1e-3
    warmup: int = 200
    cooldown: float = 0.4
    weight_decay: float = 0.01
    clip: float = 1.0
    ema: float = 0.999
    log_every: int = 50
    eval_every: int = 1000
    save_every: int = 500
    seed: int = 0
    resume: bool = False

    def share(self, step: int) -> float:
        """Of the learning rate at a step: up over the warm-up, level, then down to zero; where it goes down can be moved when a run is resumed."""
        rise = min(1.0, (step + 1) / max(1, self.warmup))
        fall = min(1.0, (self.steps - step) / max(1.0, self.cooldown * self.steps))
        return rise * fall
