# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of a training run of the published LOCO's recipe: AdamW at one learning rate, nothing averaged, nothing clipped."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from smplit.training.options import TrainOptions


@dataclass
class OriginalTrainOptions(TrainOptions):
    """`TrainOptions` with the original's values; see there."""

    steps: int = 600_000
    lr: float = 1e-4
    warmup: int = 1
    cooldown: float = 0.0
    weight_decay: float = 0.0
    clip: float = math.inf
    ema: float = 0.0
    log_every: int = 1000
    eval_every: int = 25_000
    save_every: int = 25_000
    seed: int = 10


def wants_original(arguments: Sequence[str]) -> tuple[bool, list[str]]:
    """Whether the arguments of `smplit train loco` ask for the published recipe, and the arguments for it."""
    names = {word.partition("=")[0].replace("_", "-") for word in arguments}
    rest = [word for word in arguments if word != "--original"]
    return "--original" in names or "--cmdm-base" in names, rest
