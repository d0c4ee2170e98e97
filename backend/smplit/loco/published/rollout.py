# SPDX-License-Identifier: GPL-3.0-or-later
"""The published LOCO's roll-out: windows of future motion, of each the first few frames are kept.

All in the network's normalised numbers. They tell steps, so nothing needs moving between windows; nothing brings
the character back to the path either: the numbers of the way are fed as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from smplit.diffusion.gaussian import GaussianDiffusion
from smplit.diffusion.schedules import Schedule, cosine_betas
from smplit.errors import BadInput
from smplit.loco.published.network import OriginalLocoDenoiser

STEPS = 8
Draw = Callable[[tuple[int, ...]], Tensor]


def drawing(generator: torch.Generator) -> Draw:
    """Normal noise of a shape, where the generator lives."""
    return lambda shape: torch.randn(shape, generator=generator, device=generator.device)


@torch.no_grad()
def roll_out(
    network: OriginalLocoDenoiser, past: Tensor, control: Tensor, frames: int, future: int, draw: Draw, style: Tensor | None = None,
    infer_step: int = 2,
) -> Iterator[Tensor]:
    """Goes on from `past`, `infer_step` frames at a time: (B,203,1,infer_step) each.

    As in the original, the first piece is none of the network's: the past's last frames once more.

    Args:
        past: (B,203,1,P); control: (4,C) the way, from the first new frame on; style: (B,S).
        frames: how many are wanted; it ends before when the way has less than `future` frames left.
        draw: `draw(shape)` gives normal noise.

    Raises:
        BadInput: `infer_step` is not in 1..`future`.
    """
    if not 1 <= infer_step <= min(future, past.shape[-1]):
        most = min(future, past.shape[-1])
        raise BadInput(f"{infer_step} frames cannot be kept of each window.", f"Keep 1 to {most}.", "bad_step")
    diffusion = GaussianDiffusion(Schedule.of(cosine_betas(STEPS)))
    batch, channels, _, length = past.shape
    piece = past[..., -infer_step:]
    yield piece
    for first in range(0, frames, infer_step):
        past = torch.cat([past, piece], -1)[..., -length:]
        way = control[:, first : first + future]
        if way.shape[1] < future:
            return
        way = way[None, :, None].expand(batch, -1, -1, -1)
        model = lambda x, t, past=past, way=way: network(x, t, past, way, style)
        shape = (batch, channels, 1, future)
        piece = diffusion.p_sample_loop(model, draw(shape), lambda x: draw(tuple(x.shape)))[..., :infer_step]
        yield piece
