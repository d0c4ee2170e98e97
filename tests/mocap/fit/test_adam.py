# SPDX-License-Identifier: GPL-3.0-or-later
"""The fits' optimiser against torch's own."""

from __future__ import annotations

import pytest
import torch

from smplit.mocap.fit.adam import OneCycleAdam

_RATES = (0.03, 0.05)


def _energy(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    return 3.0 * a.square().sum() + 5.0 * (a[:4, 0] * b).sin().sum() + (b - 1.0).pow(4).sum()


def _start() -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    return torch.randn(5, 3, requires_grad=True), torch.randn(4, requires_grad=True)


@pytest.mark.parametrize("steps", [3, 45, 60])
def test_every_step_is_that_of_torchs_adam_under_its_one_cycle_schedule(steps):
    a, b = _start()
    adam = torch.optim.Adam([{"params": [a], "lr": _RATES[0]}, {"params": [b], "lr": _RATES[1]}], betas=(0.9, 0.99))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        adam, list(_RATES), total_steps=steps, pct_start=0.15, div_factor=4, final_div_factor=25
    )
    ours = _start()
    optimiser = OneCycleAdam(ours, _RATES, steps)
    for _ in range(steps):
        adam.zero_grad()
        _energy(a, b).backward()
        adam.step()
        schedule.step()
        optimiser.descend(_energy(*ours))
        torch.testing.assert_close(ours[0], a, rtol=1e-6, atol=1e-7)
        torch.testing.assert_close(ours[1], b, rtol=1e-6, atol=1e-7)
