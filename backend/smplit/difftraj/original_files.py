# SPDX-License-Identifier: GPL-3.0-or-later
"""The published DiffTraj's files: a checkpoint, the `args.json` beside it, and the npz of means and standard deviations."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from smplit import models
from smplit.difftraj.original_features import HEADING_STEP, JOINT_POSITIONS, ROOT_CHANNELS, Statistics
from smplit.difftraj.original_network import CONDITION, MOTION, ROOT_AND_CONTACTS, OriginalDenoiser, network_for
from smplit.diffusion.denoiser import load_strictly
from smplit.errors import BadInput
from smplit.npz import read_npz

_ARGUMENTS = "args.json"
_REMEDY = "Use the mean/std npz that was published with this checkpoint."


def load_network(checkpoint: str | Path) -> OriginalDenoiser:
    """The network of a published checkpoint, of either kind; names and shapes must fit exactly.

    Raises:
        BadInput: unreadable, or of another network; lists the names that do not fit.
    """
    weights = models.load_weights(checkpoint)
    network = network_for(weights, _adds_condition(Path(checkpoint)))
    load_strictly(network, weights, checkpoint)
    return network


def _adds_condition(checkpoint: Path) -> bool:
    """`--add_emb` of the training: the weights' names do not tell it. Without `args.json`, as published."""
    arguments = checkpoint.with_name(_ARGUMENTS)
    if not arguments.is_file():
        return True
    try:
        options = json.loads(arguments.read_text(encoding="utf-8"))
    except ValueError as error:  # bad JSON or bad text
        raise BadInput(f"'{arguments}' is not a JSON file ({error}).", "Copy it again, or take it away.", "unreadable") from error
    older = isinstance(options, dict) and options.get("use_old_model", False)  # that kind knows no other way
    return older or not isinstance(options, dict) or bool(options.get("add_emb", False))


def load_statistics(path: str | Path, outputs: int) -> tuple[Statistics, Statistics]:
    """Statistics of a network's 68 conditions and of its outputs, 11 or 13.

    Raises:
        BadInput: unreadable, entries missing or of a wrong length, NaN.
    """
    if outputs == ROOT_AND_CONTACTS:
        lengths = {"local_pose": CONDITION, "local_traj": ROOT_AND_CONTACTS}
    else:
        lengths = {"motoin_info_all_list": MOTION}  # spelt so in the published files
    wanted = {f"{name}_{what}": length for name, length in lengths.items() for what in ("mean", "std")}
    entries = read_npz(path, lambda name: name in wanted)
    for name, length in wanted.items():
        value = entries.get(name)
        if value is None or value.dtype.kind != "f" or value.shape != (length,) or not np.all(np.isfinite(value)):
            found = "missing" if value is None else f"{value.dtype} {value.shape}"
            raise BadInput(f"'{path}': '{name}' should be {length} finite numbers ({found}).", _REMEDY, "bad_statistics")
    found = {name: Statistics(*(entries[f"{name}_{what}"].astype(np.float64) for what in ("mean", "std"))) for name in lengths}
    if outputs == ROOT_AND_CONTACTS:
        return found["local_pose"], found["local_traj"]
    motion = found["motoin_info_all_list"]
    return motion[np.r_[JOINT_POSITIONS, HEADING_STEP]], motion[ROOT_CHANNELS]
