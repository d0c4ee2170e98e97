# SPDX-License-Identifier: GPL-3.0-or-later
"""How much noise each step holds, and which of the trained steps a shorter sampling visits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from smplit.errors import BadInput

_COSINE_OFFSET = 0.008  # keeps the first step's noise from vanishing (Nichol and Dhariwal 2021, section 3.2)
_LARGEST_BETA = 0.999


def cosine_betas(steps: int) -> np.ndarray:
    """(steps,) noise variances of the cosine schedule (Nichol and Dhariwal 2021, eq. 17)."""

    def signal(share: float) -> float:
        return math.cos((share + _COSINE_OFFSET) / (1 + _COSINE_OFFSET) * math.pi / 2) ** 2

    return np.array([min(1 - signal((i + 1) / steps) / signal(i / steps), _LARGEST_BETA) for i in range(steps)])


def linear_betas(steps: int) -> np.ndarray:
    """(steps,) noise variances of the linear schedule (Ho et al. 2020), scaled so that any number of steps ends in noise.

    Raises:
        ValueError: fewer than 20 steps, where a variance would pass 1.
    """
    if steps < 20:
        raise ValueError(f"A linear schedule needs at least 20 steps, not {steps}.")
    return np.linspace(1e-4, 0.02, steps) * 1000 / steps


def even_timesteps(total: int, count: int) -> np.ndarray:
    """(count,) of 0..total-1, evenly spread with the first and the last among them: for ancestral sampling.

    Raises:
        BadInput: `count` is not in 1..total.
    """
    _check_count(total, count)
    if count == 1:
        return np.array([total - 1])  # one step must start where there is nothing but noise
    strides = np.full(count - 1, (total - 1) / (count - 1))
    return np.round(np.cumsum([0.0, *strides])).astype(int)  # summed, not multiplied: the published one rounds halves so


def strided_timesteps(total: int, count: int) -> np.ndarray:
    """(count,) of 0..total-1 at a constant whole stride from 0: what DDIM is sampled with (Song et al. 2021, appendix D.2).

    Raises:
        BadInput: `count` is not in 1..total.
    """
    _check_count(total, count)
    return np.arange(count) * (total // count)


def sectioned_timesteps(total: int, counts: Sequence[int]) -> np.ndarray:
    """`even_timesteps` of as many equal sections of 0..total-1 as there are counts: more steps where they matter.

    Raises:
        BadInput: a section has fewer steps than it should give.
    """
    edges = np.linspace(0, total, len(counts) + 1).round().astype(int)
    parts = [edge + even_timesteps(int(end - edge), count) for edge, end, count in zip(edges, edges[1:], counts, strict=False)]
    return np.concatenate(parts)


def _check_count(total: int, count: int) -> None:
    if not 1 <= count <= total:
        raise BadInput(f"{count} diffusion steps cannot be taken, of {total} that were trained.", f"Use 1 to {total} steps.", "bad_steps")


@dataclass(frozen=True)
class Schedule:
    """Noise of each step, and what the network was told the step is called.

    Attributes:
        betas: (S,) noise variances, float64.
        timesteps: (S,) of the schedule the network was trained on. A shorter sampling keeps these names:
            a network told t = 50 of 100 where it learned t = 500 of 1000 takes noise for signal.
    """

    betas: np.ndarray
    timesteps: np.ndarray

    @classmethod
    def of(cls, betas: np.ndarray) -> Schedule:
        """The schedule that a network is trained on: every step under its own name."""
        return cls(np.asarray(betas, np.float64), np.arange(len(betas)))

    def respaced(self, timesteps: np.ndarray) -> Schedule:
        """The steps `timesteps` of this schedule alone, with betas that lead to the same noise at each of them."""
        kept = self.alphas_cumprod[timesteps]
        return Schedule(1 - kept / np.append(1.0, kept[:-1]), self.timesteps[timesteps])

    def __len__(self) -> int:
        return len(self.betas)

    @cached_property
    def alphas_cumprod(self) -> np.ndarray:
        """(S,) share of the signal's variance that is left after each step."""
        return np.cumprod(1 - self.betas)

    @cached_property
    def alphas_cumprod_prev(self) -> np.ndarray:
        """(S,) the same before each step."""
        return np.append(1.0, self.alphas_cumprod[:-1])

    @cached_property
    def posterior_variance(self) -> np.ndarray:
        """(S,) of q(x[t-1] | x[t], x0) (Ho et al. 2020, eq. 7)."""
        return self.betas * (1 - self.alphas_cumprod_prev) / (1 - self.alphas_cumprod)

    @cached_property
    def posterior_log_variance_clipped(self) -> np.ndarray:
        """(S,) its logarithm; the first step's variance is 0 and takes that of the second."""
        variance = self.posterior_variance
        return np.log(np.append(variance[1] if len(variance) > 1 else self.betas[0], variance[1:]))

    @cached_property
    def posterior_mean_coef1(self) -> np.ndarray:
        """(S,) weight of x0 in the posterior's mean."""
        return self.betas * np.sqrt(self.alphas_cumprod_prev) / (1 - self.alphas_cumprod)

    @cached_property
    def posterior_mean_coef2(self) -> np.ndarray:
        """(S,) weight of x[t] in the posterior's mean."""
        return (1 - self.alphas_cumprod_prev) * np.sqrt(1 - self.betas) / (1 - self.alphas_cumprod)
