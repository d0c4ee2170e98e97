# SPDX-License-Identifier: GPL-3.0-or-later
"""The diffusion process for networks that predict the clean motion x0: noising, sampling steps, loss.

Shapes: x, x0 and noise are (B,...), the same for all; `step` is (B,) int64, 0 the cleanest, an index
into the schedule. A model is called as `model(x, timesteps)` with timesteps (B,) int64 by the names
it was trained with, and returns x0.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from smplit.diffusion.schedules import Schedule

Model = Callable[[Tensor, Tensor], Tensor]


class GaussianDiffusion:
    """Gaussian noise by a `Schedule`.

    Args:
        large_variance: ancestral steps add noise of the schedule's own variance instead of the posterior's smaller one.
    """

    def __init__(self, schedule: Schedule, large_variance: bool = False):
        self.schedule = schedule
        clipped = schedule.posterior_log_variance_clipped
        self._log_variance = np.log(np.append(np.exp(clipped[0]), schedule.betas[1:])) if large_variance else clipped

    def q_sample(self, x0: Tensor, step: Tensor, noise: Tensor) -> Tensor:
        """The clean motion with the noise of `step`."""
        signal = self.schedule.alphas_cumprod
        return _at(np.sqrt(signal), step, x0) * x0 + _at(np.sqrt(1 - signal), step, x0) * noise

    def predict_x0(self, model: Model, x: Tensor, step: Tensor) -> Tensor:
        """The model's x0, told each step's name in training."""
        names = torch.as_tensor(self.schedule.timesteps, device=x.device)
        return model(x, names[step])

    def noise_from_x0(self, x: Tensor, step: Tensor, x0: Tensor) -> Tensor:
        """The noise that x holds when x0 is what lies under it."""
        signal = self.schedule.alphas_cumprod
        return (_at(np.sqrt(1 / signal), step, x) * x - x0) / _at(np.sqrt(1 / signal - 1), step, x)

    def x0_from_noise(self, x: Tensor, step: Tensor, noise: Tensor) -> Tensor:
        """What lies under the noise of x."""
        signal = self.schedule.alphas_cumprod
        return _at(np.sqrt(1 / signal), step, x) * x - _at(np.sqrt(1 / signal - 1), step, x) * noise

    def posterior_mean(self, x0: Tensor, x: Tensor, step: Tensor) -> Tensor:
        """Mean of q(x[t-1] | x[t], x0) (Ho et al. 2020, eq. 7)."""
        schedule = self.schedule
        return _at(schedule.posterior_mean_coef1, step, x) * x0 + _at(schedule.posterior_mean_coef2, step, x) * x

    def p_sample(self, model: Model, x: Tensor, step: Tensor, noise: Tensor) -> Tensor:
        """One ancestral step towards x0 (Ho et al. 2020, algorithm 2); the last one, step 0, adds no noise."""
        mean = self.posterior_mean(self.predict_x0(model, x, step), x, step)
        spread = _at(np.exp(0.5 * self._log_variance), step, x)
        return mean + torch.where(_like(step, x) > 0, spread, torch.zeros_like(spread)) * noise

    def ddim_sample(self, model: Model, x: Tensor, step: Tensor, eta: float = 0.0, noise: Tensor | None = None) -> Tensor:
        """One step towards x0 (Song et al. 2021, eq. 12 and 16): deterministic, or with `noise` of the share `eta`."""
        signal, before = self.schedule.alphas_cumprod, self.schedule.alphas_cumprod_prev
        sigma = eta * np.sqrt((1 - before) / (1 - signal) * (1 - signal / before))
        x0 = self.predict_x0(model, x, step)
        held = self.noise_from_x0(x, step, x0)
        mean = _at(np.sqrt(before), step, x) * x0 + _at(np.sqrt(1 - before - sigma**2), step, x) * held
        return mean if noise is None else mean + _at(sigma, step, x) * noise

    def ddim_reverse_sample(self, model: Model, x: Tensor, step: Tensor) -> Tensor:
        """One deterministic step towards noise: a motion's own noise, from which sampling gives it back."""
        after = np.append(self.schedule.alphas_cumprod[1:], 0.0)
        x0 = self.predict_x0(model, x, step)
        held = self.noise_from_x0(x, step, x0)
        return _at(np.sqrt(after), step, x) * x0 + _at(np.sqrt(1 - after), step, x) * held

    @torch.no_grad()
    def ddim_sample_loop(self, model: Model, noise: Tensor, progress: Callable[[int], None] = lambda done: None) -> Tensor:
        """From pure noise to motion, deterministic; `progress` is told how many steps are done."""
        x = noise
        for index in reversed(range(len(self.schedule))):
            x = self.ddim_sample(model, x, torch.full((len(x),), index, dtype=torch.int64, device=x.device))
            progress(len(self.schedule) - index)
        return x

    @torch.no_grad()
    def p_sample_loop(self, model: Model, noise: Tensor, fresh_noise: Callable[[Tensor], Tensor] = torch.randn_like) -> Tensor:
        """From pure noise to motion by ancestral sampling; `fresh_noise` draws noise of a tensor's shape for each step."""
        x = noise
        for index in reversed(range(len(self.schedule))):
            x = self.p_sample(model, x, torch.full((len(x),), index, dtype=torch.int64, device=x.device), fresh_noise(x))
        return x

    def losses(self, model: Model, x0: Tensor, step: Tensor, noise: Tensor, mask: Tensor) -> Tensor:
        """(B,) training loss of noised motions, over the entries where `mask` (broadcast to x0) is true."""
        return masked_mse(self.predict_x0(model, self.q_sample(x0, step, noise), step), x0, mask)


def masked_mse(predicted: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """(B,) mean square difference over the entries where `mask` (broadcast to the target) is true."""
    kept = mask.expand_as(target).to(target.dtype)
    squares = (predicted - target).square() * kept
    return squares.flatten(1).sum(1) / kept.flatten(1).sum(1)


def inpainting(model: Model, known: Tensor, where: Tensor) -> Model:
    """The model, whose answers are `known` (B,...) in the entries that `where` (B,...) says."""
    return lambda x, timesteps: torch.where(where, known, model(x, timesteps))


def _at(values: np.ndarray, step: Tensor, x: Tensor) -> Tensor:
    """`values` (S,) of each sample's step, in x's type, shaped to multiply x."""
    return _like(torch.as_tensor(values, dtype=x.dtype, device=x.device)[step], x)


def _like(values: Tensor, x: Tensor) -> Tensor:
    return values.reshape(-1, *[1] * (x.ndim - 1))
