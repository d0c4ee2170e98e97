# SPDX-License-Identifier: GPL-3.0-or-later
"""The lifter's file: half precision, safetensors, with what it says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from smplit.errors import BadInput
from smplit.export.whole_file import whole_file
from smplit.mocap.lifter.network import Lifter

FORMAT = "smplit-lifter-1"
_REMEDY = "Name weights that 'smplit train wham-stage1' wrote."


def save_weights(network: nn.Module, path: str | Path, card: dict[str, str]) -> None:
    """Writes the weights in half precision, with `card` (data, licence, steps ...) in the metadata."""
    network = getattr(network, "module", network)
    state = {name: value.detach().cpu().half().contiguous() for name, value in network.state_dict().items()}
    metadata = {"format": FORMAT, "width": str(network.width), "card": json.dumps(card)}
    with whole_file(path) as temporary:
        save_file(state, temporary, metadata)


def load_weights(path: str | Path, device: str = "cpu") -> Lifter:
    """Reads the weights of `save_weights`.

    Raises:
        BadInput: no such file, damaged, of another network, or with other tensors than this network's.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"'{path}' is not a file.", _REMEDY, "no_such_file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        state = load_file(path)
    except (SafetensorError, OSError) as error:
        raise BadInput(f"'{path}' is no safetensors file, or was cut short ({error}).", _REMEDY, "damaged_weights") from error
    if metadata.get("format") != FORMAT:
        raise BadInput(f"'{path}' holds no lifter (format {metadata.get('format')!r}).", _REMEDY, "other_weights")
    network = Lifter(int(metadata["width"]))
    expected = {name: value.shape for name, value in network.state_dict().items()}
    found = {name: value.shape for name, value in state.items()}
    if expected != found:
        wrong = sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name))
        raise BadInput(f"'{path}' does not fit the lifter: {', '.join(wrong[:6])}.", _REMEDY, "other_weights")
    network.load_state_dict({name: value.float() for name, value in state.items()})
    return network.eval().to(torch.device(device))
