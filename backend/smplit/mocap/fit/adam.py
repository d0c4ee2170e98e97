# SPDX-License-Identifier: GPL-3.0-or-later
"""Adam (Kingma & Ba 2015) over one cycle of step sizes (Smith & Topin 2018): what the fits over a clip go downhill with.

torch's own optimiser and schedule give the same numbers, but their first use imports torch's compiler: 1.4 s of every capture.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_START, _END = 4.0, 25.0  # the first step is the greatest one over `_START`, the last is the first over `_END`
_RISING = 0.15  # share of the steps that grow
_LEAST_MOMENTUM, _MOMENTUM, _SQUARES, _TINY = 0.85, 0.95, 0.99, 1e-8


class OneCycleAdam:
    """`OneCycleAdam(unknowns, rates, steps)`; then `steps` times `descend(energy)`.

    Args:
        unknowns: leaves that need a gradient; rates: the greatest step size of each; steps: how many there will be.
    """

    def __init__(self, unknowns: Sequence[Tensor], rates: Sequence[float], steps: int):
        self._unknowns, self._rates, self._steps = list(unknowns), list(rates), steps
        self._means = [torch.zeros_like(values) for values in self._unknowns]
        self._squares = [torch.zeros_like(values) for values in self._unknowns]
        self._done = 0

    def descend(self, energy: Tensor) -> None:
        """One step down the gradient of `energy` ()."""
        gradients = torch.autograd.grad(energy, self._unknowns)
        share, momentum = self._cycle()
        self._done += 1
        unbiased = math.sqrt(1.0 - _SQUARES**self._done)
        with torch.no_grad():
            for values, rate, gradient, mean, squares in zip(
                self._unknowns, self._rates, gradients, self._means, self._squares, strict=True
            ):
                mean.mul_(momentum).add_(gradient, alpha=1.0 - momentum)
                squares.mul_(_SQUARES).addcmul_(gradient, gradient, value=1.0 - _SQUARES)
                deviation = (squares.sqrt() / unbiased).add_(_TINY)
                values.addcdiv_(mean, deviation, value=-rate * share / (1.0 - momentum**self._done))

    def _cycle(self) -> tuple[float, float]:
        """Step size as a share of the greatest, and momentum, of the next step: each goes to its other end and back by half cosines."""
        top = _RISING * self._steps - 1.0
        if self._done <= top:
            rise = 0.5 - 0.5 * math.cos(math.pi * self._done / top)
            low = 1.0 / _START
        else:
            rise = 0.5 + 0.5 * math.cos(math.pi * (self._done - top) / (self._steps - 1.0 - top))
            low = 1.0 / (_START * _END)
        return low + rise * (1.0 - low), _MOMENTUM + rise * (_LEAST_MOMENTUM - _MOMENTUM)
