# SPDX-License-Identifier: GPL-3.0-or-later
"""SMIRK's file: the published `SMIRK_em1.pt`, or what `smplit models add` made of it.

The published file also holds a generator (`smirk_generator.*`) that painted faces for the training; it is not needed.
"""

from __future__ import annotations

from pathlib import Path

from smplit import models
from smplit.diffusion.denoiser import load_strictly
from smplit.mocap.smirk.network import Smirk

_PREFIX, _NOT_NEEDED = "smirk_encoder.", "smirk_generator."
_COUNTS = "num_batches_tracked"  # of the training; says nothing of the answer


def load_network(path: str | Path, device: str = "cpu") -> Smirk:
    """The encoders of a checkpoint, ready to answer; names with and without the published prefix are read.

    Raises:
        BadInput: unreadable, or of another network: names that are missing, unknown or of another shape are listed.
    """
    given = {
        name.removeprefix(_PREFIX): value for name, value in models.load_weights(path).items() if not name.startswith(_NOT_NEEDED)
    }
    network = Smirk()
    counts = {name: value for name, value in network.state_dict().items() if name.endswith(_COUNTS)}
    load_strictly(network, counts | given, path)
    return network.float().eval().requires_grad_(False).to(device)
