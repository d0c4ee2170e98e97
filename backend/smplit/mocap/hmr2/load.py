# SPDX-License-Identifier: GPL-3.0-or-later
"""HMR2's files: `hmr2a.ckpt`, 4D-Humans' Lightning checkpoints, and what `smplit models add` makes of either.

A published file also holds a discriminator that training needed and the arrays of the SMPL body (`smpl.*`). They are ignored.
"""

from __future__ import annotations

from pathlib import Path

import torch

from smplit import models
from smplit.diffusion.denoiser import load_strictly
from smplit.errors import BadInput
from smplit.mocap.hmr2 import network as published
from smplit.mocap.hmr2.network import Hmr2Network

_OURS = ("backbone.", "smpl_head.")


def load_network(path: str | Path, depth: int | None = None) -> Hmr2Network:
    """The network of a checkpoint, ready to answer, in float32 on the CPU; names and shapes must be the published ones.

    Its 2.7 GB are in memory once at most: tensors are taken over as they were read, or stay mapped where the file allows it.

    Args:
        depth: blocks of the backbone; None: 32, as published.

    Raises:
        BadInput: unreadable, of another network, or incomplete (names that do not fit are listed).
    """
    weights = {name: value.float() for name, value in models.load_weights(path).items() if name.startswith(_OURS)}
    if not weights:
        raise BadInput(
            f"'{path}' is no checkpoint of HMR2: it has neither 'backbone.*' nor 'smpl_head.*'.",
            "Use hmr2a.ckpt, which comes with WHAM, or 4D-Humans' epoch=35-step=1000000.ckpt.", "not_hmr2",
        )
    with torch.device("meta"):
        network = Hmr2Network(published.DEPTH if depth is None else depth)
    load_strictly(network, weights, path)
    return network.eval().requires_grad_(False)
