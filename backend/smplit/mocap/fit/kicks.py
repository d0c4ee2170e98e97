# SPDX-License-Identifier: GPL-3.0-or-later
"""Kicks that the fit has missed: the leg's landmarks may pull from afar for a while.

The fit begins with smooth motion. A kick that is not in it lies so far off that its landmarks count as outliers, and nothing brings
the leg there. Where a knee's or an ankle's landmark flies along a smooth path, and nobody else is near, the limit beyond which it
counts as an outlier is first as wide as the miss and then closes: graduated non-convexity (Blake & Zisserman 1987). Arms gain in
the picture as much, but lose in depth, which their landmarks do not tell and the hands' refinement cannot mend.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from smplit.mocap.fit.curves import median_step

LOOK, CLOSED = 0.15, 0.7  # shares of a stage's steps: when the misses are looked for, and from when on all limits are as ever
_JOINTS = ("knee", "ankle")
_TRUSTED = 0.6  # weight of a landmark
_MISSED = 6.0  # sigmas
_WIDTH = 2.0  # misses: a limit pulls most at 0.6 of itself
_FAST = 2.0  # m/s across the line of sight, against the hips
_BEND = 0.5  # of the way that two frames take: how far the one between them lies off their middle; a leap and back is more
_BUMP = 0.12  # m, the same in a frame itself
_REACH = 0.1  # s: a kick stands still at its end


def misses(off: Tensor, off_other: Tensor, places: Tensor, weights: Tensor, times: Tensor, alone: Tensor, names: Sequence[str]) -> Tensor:
    """(T,K) sigmas by which kicking legs are missed; 0 of all other landmarks.

    Args:
        off: (T,K) sigmas between the fit's points and the landmarks; off_other: the same of the other side's point, since sides are
            mistaken for each other. places: (T,K,2) m, where the landmarks are beside the hips. weights: (T,K).
        times: (T,) s. alone: (T,) bool, nobody else is near. names: of the K landmarks.
    """
    if len(times) < 3:
        return torch.zeros_like(off)
    way = (places[2:] - places[:-2]).norm(dim=-1)
    bump = (places[1:-1] - 0.5 * (places[2:] + places[:-2])).norm(dim=-1)
    fast = (way / (times[2:] - times[:-2]).clamp(min=1e-3)[:, None] > _FAST) & (bump < _BEND * way)
    reach = max(round(_REACH / max(median_step(times), 1e-3)), 1)
    fast = torch.nn.functional.pad(fast.float().T, (1, 1))[:, None]
    fast = torch.nn.functional.max_pool1d(fast, 2 * reach + 1, 1, reach)[:, 0].T > 0.5
    calm = torch.nn.functional.pad(bump.T, (1, 1), value=torch.inf).T < _BUMP
    joints = torch.tensor([name.endswith(_JOINTS) for name in names])
    missed = fast & calm & joints & alone[:, None] & (weights > _TRUSTED) & (off > _MISSED) & (off_other > 0.5 * off)
    return torch.where(missed, off, torch.zeros_like(off))


def limits(missed: Tensor, done: float, least: float) -> Tensor:
    """(T,K) sigmas beyond which a landmark is an outlier, never below `least`; `done`: share of the stage's steps."""
    left = max(0.0, 1.0 - (done - LOOK) / (CLOSED - LOOK))
    return least + left * (_WIDTH * missed - least).clamp(min=0.0)
