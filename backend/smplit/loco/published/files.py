# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the published LOCO: a checkpoint (`model*.pt`, with `args.json` beside it), and the npz of means and deviations.

What our own training of that network writes is one safetensors file that holds all of it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from smplit import models
from smplit.difftraj.original_features import Statistics
from smplit.diffusion.denoiser import load_strictly
from smplit.errors import BadInput
from smplit.export.whole_file import whole_file
from smplit.loco.published.control import OriginalControlDenoiser
from smplit.loco.published.network import CONTROL, MOTION, OriginalLocoDenoiser
from smplit.npz import read_npz

FORMAT = "smplit-loco-original-1"
DEFAULT_PAST, DEFAULT_FUTURE = 15, 20  # frames: the original's, where args.json does not tell
_STATISTICS = "statistics."
_STYLE_LAYER, _BRANCH_LAYER = "style_onehot_fc.weight", "zero_convs.0.weight"
_MOTION_NAME, _CONTROL_NAME = "motoin_info_all_list", "ctrl_signal"  # spelt so in the published files


@dataclass
class OriginalLoco:
    """A network of the published kind with all that belongs to it.

    Attributes:
        network: filled; motion: statistics of its 203 numbers.
        control: statistics of the way's 4 numbers where the network was trained on normalised ones, else None.
        styles: names by number, none for a network without; past, future: frames of its windows.
    """

    network: OriginalLocoDenoiser
    motion: Statistics
    control: Statistics | None
    styles: tuple[str, ...]
    past: int
    future: int


@cache
def published_styles() -> tuple[str, ...]:
    """The 100 styles in the order of the published one-hot inputs."""
    return tuple(json.loads(Path(__file__).with_name("styles.json").read_text(encoding="utf-8"))["styles"])


def load(checkpoint: str | Path, statistics: str | Path | None = None) -> OriginalLoco:
    """A checkpoint of any of the published kinds, or one that our training wrote; which it is shows in its names.

    Args:
        statistics: the mean/std npz that a published checkpoint was trained with; ours hold their own.

    Raises:
        BadInput: unreadable, of another network (the names that do not fit are listed), or statistics missing or wrong.
    """
    weights = models.load_weights(checkpoint)
    own = {name: weights.pop(name) for name in list(weights) if name.startswith(_STATISTICS)}
    network = network_for(weights)
    load_strictly(network, weights, checkpoint)
    if own:
        card = _metadata(checkpoint)
        mean, std = (own[f"{_STATISTICS}{what}"].double().numpy() for what in ("mean", "std"))
        return OriginalLoco(network.eval(), Statistics(mean, std), None, tuple(card["styles"]), card["past"], card["future"])
    if statistics is None:
        raise BadInput(f"'{checkpoint}' holds no means and deviations.", "Name the npz it was trained with: --statistics.", "no_statistics")
    arguments = _arguments(Path(checkpoint))
    motion, control = load_statistics(statistics, bool(arguments.get("normlize_ctrl_traj", False)))
    styles = published_styles() if network.styles == len(published_styles()) else tuple(f"style{n}" for n in range(network.styles))
    past, future = (_frames(arguments, key, usual, checkpoint) for key, usual in (("p_len", DEFAULT_PAST), ("f_len", DEFAULT_FUTURE)))
    return OriginalLoco(network.eval(), motion, control, styles, past, future)


def network_for(weights: dict[str, Tensor]) -> OriginalLocoDenoiser:
    """The network of a checkpoint, not yet filled: with styles, without, or with a control branch."""
    styles = weights[_STYLE_LAYER].shape[-1] if _STYLE_LAYER in weights and weights[_STYLE_LAYER].ndim == 2 else 0
    width = weights["sequence_pos_encoder.pe"].shape[-1] if "sequence_pos_encoder.pe" in weights else 512
    layers = len({name.split(".")[2] for name in weights if name.startswith("seqTransEncoder.layers.")}) or 8
    if _BRANCH_LAYER in weights:
        return OriginalControlDenoiser(styles or len(published_styles()), width, layers)
    return OriginalLocoDenoiser(styles, width, layers)


def save(loco: OriginalLoco, path: str | Path, card: dict[str, str]) -> None:
    """One safetensors file: the published names, `statistics.mean` and `.std`, and the rest as metadata."""
    tensors = {name: value.detach().cpu().clone() for name, value in loco.network.state_dict().items()}
    tensors |= {f"{_STATISTICS}{what}": torch.from_numpy(getattr(loco.motion, what)).float() for what in ("mean", "std")}
    described = {"styles": loco.styles, "past": loco.past, "future": loco.future}
    with whole_file(path) as temporary:
        save_file(tensors, temporary, {"format": FORMAT, "describes": json.dumps(described), "card": json.dumps(card, sort_keys=True)})


def load_statistics(path: str | Path, with_control: bool = False) -> tuple[Statistics, Statistics | None]:
    """Means and deviations of the 203 numbers, and of the way's 4 where they are wanted.

    Raises:
        BadInput: unreadable, entries missing, of a wrong length, or not finite.
    """
    lengths = {_MOTION_NAME: MOTION} | ({_CONTROL_NAME: CONTROL} if with_control else {})
    wanted = {f"{name}_{what}": length for name, length in lengths.items() for what in ("mean", "std")}
    entries = read_npz(path, lambda name: name in wanted)
    for name, length in wanted.items():
        value = entries.get(name)
        if value is None or value.dtype.kind != "f" or value.shape != (length,) or not np.all(np.isfinite(value)):
            found = "missing" if value is None else f"{value.dtype} {value.shape}"
            raise BadInput(
                f"'{path}': '{name}' should be {length} finite numbers ({found}).", "Use the npz published with this checkpoint.", "bad_statistics"
            )
    found = [Statistics(*(entries[f"{name}_{what}"].astype(np.float64) for what in ("mean", "std"))) for name in lengths]
    return found[0], found[1] if with_control else None


def _metadata(checkpoint: str | Path) -> dict:
    """What a file of `save` says of itself."""
    try:
        with safe_open(checkpoint, framework="pt") as file:
            described = json.loads((file.metadata() or {})["describes"])
        return {"styles": [str(name) for name in described["styles"]], "past": int(described["past"]), "future": int(described["future"])}
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise BadInput(f"'{checkpoint}' does not say which styles it knows.", "Train again with this version.", "damaged_weights") from error


def _arguments(checkpoint: Path) -> dict:
    """The original's options of the training, from `args.json` beside the checkpoint; none where there is no such file."""
    path = checkpoint.with_name("args.json")
    if not path.is_file():
        return {}
    try:
        options = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:  # bad JSON or bad text
        raise BadInput(f"'{path}' is not a JSON file ({error}).", "Copy it again, or take it away.", "unreadable") from error
    return options if isinstance(options, dict) else {}


def _frames(arguments: dict, key: str, usual: int, checkpoint: str | Path) -> int:
    value = arguments.get(key, usual)
    if not isinstance(value, int) or not 1 <= value <= 1000:
        raise BadInput(f"args.json of '{checkpoint}': '{key}' is {value!r}, not a number of frames.", "Copy the file again.", "bad_arguments")
    return value
