# SPDX-License-Identifier: GPL-3.0-or-later
"""ACR's file: the published `wild.pkl`, or what `smplit models add` made of it.

The authors' own loader passes over names it does not find; a network half filled would still answer. Ours asks for all it
needs, and leaves alone what else lies in the file: hand models' arrays, layers of the training.
"""

from __future__ import annotations

from pathlib import Path

from smplit import models
from smplit.diffusion.denoiser import load_strictly
from smplit.mocap.acr.network import Acr

_PREFIX = "module."
_COUNTS = "num_batches_tracked"  # of the training; says nothing of the answer


def load_network(path: str | Path, device: str = "cpu") -> Acr:
    """The network of a checkpoint, ready to answer.

    Raises:
        BadInput: unreadable, or of another network: names that are missing or of another shape are listed.
    """
    given = {name.removeprefix(_PREFIX): value for name, value in models.load_weights(path).items()}
    network = Acr()
    own = network.state_dict()
    counts = {name: value for name, value in own.items() if name.endswith(_COUNTS)}
    load_strictly(network, counts | {name: value for name, value in given.items() if name in own}, path)
    return network.float().eval().requires_grad_(False).to(device)
