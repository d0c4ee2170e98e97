# SPDX-License-Identifier: GPL-3.0-or-later
"""L-BFGS for many small problems at once (Nocedal and Wright, Numerical Optimization, 7.2): every row has its own curvature and step.

torch.optim.LBFGS would share one step among all frames, or need one call for each of them.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Energy = Callable[[Tensor, Tensor], Tensor]  # (n,D) unknowns of rows (n,) -> (n,)
_HISTORY = 30
_ARMIJO, _CURVATURE = 1e-4, 0.9  # Wolfe's conditions
_TRIALS = 12


def minimise(
    energy: Energy, start: Tensor, rounds: int = 30, steps: int = 30, tolerance: float = 1e-9, check: Callable[[], None] = lambda: None
) -> tuple[Tensor, Tensor]:
    """Minimises B independent energies of D unknowns each.

    Args:
        start: (B,D).
        rounds, steps: a row ends after `rounds` times `steps` steps, or when a round lowered it by less than `tolerance` of itself.
        check: called before each round, may raise.

    Returns:
        (B,D) unknowns and (B,) energies.
    """
    best, lowest = start.detach().clone(), start.new_zeros(len(start))
    rows = torch.arange(len(start), device=start.device)
    state = _State(energy, best, rows)
    for _ in range(rounds):
        check()
        before = state.value
        for _ in range(steps):
            last = state.value
            state.step()
            if not (last - state.value > tolerance * state.value.abs().clamp(min=1.0)).any():
                break
        best[state.rows], lowest[state.rows] = state.x, state.value
        scale = torch.maximum(before.abs(), state.value.abs()).clamp(min=1.0)
        going = ((before - state.value) / scale > tolerance) & (state.gradient.abs().amax(1) > tolerance)
        if not going.any():
            break
        state.keep(going)
    return best, lowest


class _State:
    """Rows still at work: place, value, gradient and what their curvature was in the last steps."""

    def __init__(self, energy: Energy, x: Tensor, rows: Tensor):
        self.energy, self.x, self.rows = energy, x, rows
        self.value, self.gradient = self._evaluate(x)
        self.moves: list[Tensor] = []  # (n,D) each
        self.changes: list[Tensor] = []
        self.inverse: list[Tensor] = []  # (n,): 1 / (move . change); 0 where the pair is unusable

    def keep(self, chosen: Tensor) -> None:
        """Goes on with some rows, (n,) bool."""
        self.x, self.rows, self.value, self.gradient = (v[chosen] for v in (self.x, self.rows, self.value, self.gradient))
        self.moves, self.changes, self.inverse = ([v[chosen] for v in values] for values in (self.moves, self.changes, self.inverse))

    def _evaluate(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.detach().requires_grad_()
        with torch.enable_grad():
            value = self.energy(x, self.rows)
            (gradient,) = torch.autograd.grad(value.sum(), x)
        return torch.nan_to_num(value.detach(), nan=torch.inf), torch.nan_to_num(gradient)

    def step(self) -> None:
        """One step along the quasi-Newton direction; a row without a lower place stays, and forgets its curvature."""
        direction = self._direction()
        slope = (direction * self.gradient).sum(1)
        size = torch.ones_like(slope)
        if not self.moves:
            size = (1.0 / self.gradient.abs().sum(1).clamp(min=1e-30)).clamp(max=1.0)
        x, value, gradient = self._search(direction, slope, size)
        move, change = x - self.x, gradient - self.gradient
        product = (move * change).sum(1)
        usable = product > 1e-10 * change.square().sum(1).clamp(min=1e-30)
        self.moves.append(move)
        self.changes.append(change)
        self.inverse.append(torch.where(usable, 1.0 / product.where(usable, torch.ones_like(product)), torch.zeros_like(product)))
        stuck = value >= self.value
        if stuck.any():
            self.inverse = [values.where(~stuck, torch.zeros_like(values)) for values in self.inverse]
        for kept in (self.moves, self.changes, self.inverse):
            del kept[:-_HISTORY]
        self.x, self.value, self.gradient = x, value, gradient

    def _direction(self) -> Tensor:
        """The two-loop recursion, (n,D); steepest descent where it does not lead downhill."""
        q, alphas = self.gradient.clone(), []
        scale = torch.ones_like(self.value)
        for move, change, inverse in zip(reversed(self.moves), reversed(self.changes), reversed(self.inverse), strict=True):
            alphas.append(inverse * (move * q).sum(1))
            q = q - alphas[-1][:, None] * change
        for change, inverse in zip(self.changes, self.inverse, strict=True):  # the newest usable pair tells the scale
            scale = torch.where(inverse > 0, 1.0 / (inverse * change.square().sum(1)).clamp(min=1e-300), scale)
        fresh = torch.stack(self.inverse).amax(0) == 0 if self.inverse else None
        q = scale[:, None] * q
        for move, change, inverse, alpha in zip(self.moves, self.changes, self.inverse, reversed(alphas), strict=True):
            q = q + (alpha - inverse * (change * q).sum(1))[:, None] * move
        if fresh is not None:  # a row that forgot its curvature begins as the first step does
            q = torch.where(fresh[:, None], self.gradient / self.gradient.abs().sum(1, keepdim=True).clamp(min=1.0), q)
        uphill = (q * self.gradient).sum(1) <= 0
        return -torch.where(uphill[:, None], self.gradient, q)

    def _search(self, direction: Tensor, slope: Tensor, size: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Bisection to a step that meets Wolfe's conditions (Lewis and Overton 2013); the lowest place tried, at least the present one."""
        low, high = torch.zeros_like(size), torch.full_like(size, torch.inf)
        best = [self.x, self.value, self.gradient]
        done = torch.zeros_like(size, dtype=torch.bool)
        for _ in range(_TRIALS):
            x = self.x + size[:, None] * direction
            value, gradient = self._evaluate(x)
            enough = value <= self.value + _ARMIJO * size * slope
            flat = (gradient * direction).sum(1) >= _CURVATURE * slope
            better = enough & ~done & (value <= best[1])
            best = [
                torch.where(better[:, None], x, best[0]), torch.where(better, value, best[1]), torch.where(better[:, None], gradient, best[2]),
            ]
            high = torch.where(enough, high, size)
            low = torch.where(enough & ~flat, size, low)
            done = done | (enough & flat)
            if done.all():
                break
            size = torch.where(done, size, torch.where(high.isinf(), 2.0 * low, (low + high) / 2.0))
        return best[0], best[1], best[2]
