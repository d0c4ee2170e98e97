# SPDX-License-Identifier: GPL-3.0-or-later
"""Window after window along a plan: each begins where the last one's kept part ends."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from smplit.difftraj.features import turn_level
from smplit.loco.frames import as_tensor, mirrored
from smplit.loco.plan import Plan
from smplit.loco.weights import LocoWeights
from smplit.loco.windows import AHEAD, APPLIED, PAST, control

_GUIDANCE = 1.75  # towards the style; chosen from 1 to 2.5 by style accuracy and Frechet distance on curves of its own
_NEAREST, _NEAR = 3, 0.15  # movements to begin from are drawn among so many of either hand, if they are so near in m/s
_BEFORE = 9  # frames of the plan before the last known one that `control` looks at


def rollout(
    weights: LocoWeights, plan: Plan, style: Tensor, seed: int = 0, steps: int = 4, strength: float = 1.0, size: float = 1.0,
    begin: int = 0, end: int | None = None, past: Tensor | None = None,
) -> Iterator[Tensor]:
    """Frames of a body on `plan`, APPLIED at a time.

    Args:
        style: (T,S) shares of the styles at the plan's frames.
        steps: of the flow; 1 gives the mean movement, which no seed changes.
        strength: 1: the style as it is told apart best; 0: any style's; above 1: exaggerated.
        size: leg length of the body over that of the body that the network knows.
        begin, end: frames of the plan, which goes on before its first and after its last; by default all of it.
        past: (PAST,CHANNELS) frames before `begin`; by default a recorded movement that suits the plan.

    Yields:
        (n,CHANNELS), n = APPLIED but for the last.
    """
    network = weights.network
    frames = (len(plan) if end is None else end) - begin
    rows = plan.rows(begin + np.arange(-PAST - _BEFORE, frames + AHEAD + APPLIED))
    place, facing = as_tensor(rows.place[:, :2]) / size, as_tensor(rows.facing)
    generator = torch.Generator().manual_seed(seed)
    past = _begin(weights, style[begin % len(style)], place, facing, generator) if past is None else past[None]
    tail: Tensor | None = None
    fade = torch.linspace(0, 1, APPLIED + 2)[1:-1, None]
    for first in range(0, frames, APPLIED):
        now = first + PAST + _BEFORE - 1  # the row of the last known frame
        asked = control(place, facing, now)[None]
        noise = torch.randn(1, network.sizes["components"], generator=generator)
        with torch.no_grad():
            told = network.embed_style(style[(begin + first) % len(style)][None])
            drawn = network.draw(network.see(past, asked), told, noise, steps, _GUIDANCE * strength)
            window = network.window(drawn, past[:, -1])[0]
        kept = window[:APPLIED]
        if tail is not None:
            kept = tail * (1 - fade) + kept * fade
        tail = window[APPLIED : 2 * APPLIED]
        past = torch.cat([past[0], kept])[-PAST:][None]
        yield kept[: frames - first]


def _begin(weights: LocoWeights, style: Tensor, place: Tensor, facing: Tensor, generator: torch.Generator) -> Tensor:
    """(1,PAST,CHANNELS): a recorded movement in the style, or its mirror image, at the plan's first speed and direction or near it;
    drawn among the nearest, so that variants begin on different feet."""
    now = _BEFORE + PAST - 1
    goes = turn_level(place[now + 1] - place[now + 1 - PAST], -facing[now]) * (30.0 / PAST)
    seeds = weights.seeds
    velocity = torch.cat([seeds.velocity, seeds.velocity * seeds.velocity.new_tensor([1.0, -1.0])])
    off = (velocity - goes).norm(dim=-1) + 10.0 * (1 - style[seeds.style]).repeat(2)
    nearest = torch.topk(off, min(2 * _NEAREST, len(off)), largest=False).indices
    near = nearest[off[nearest] < off[nearest[0]] + _NEAR]
    chosen = int(near[torch.randint(len(near), (), generator=generator)])
    past = seeds.past[chosen % len(seeds.past)]
    return (past if chosen < len(seeds.past) else mirrored(past))[None]
