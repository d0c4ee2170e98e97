# SPDX-License-Identifier: GPL-3.0-or-later
"""A quick look at a file that lies where a model should: only names and sizes are read, so that a list of all models is quick.

No torch: the server asks too. Nothing is unpickled; the names in a torch file are read from the pickle's text.
"""

from __future__ import annotations

import json
import pickle
import pickletools
import zipfile
from pathlib import Path

import numpy as np

from smplit.errors import BadInput
from smplit.models import bodies, contents, networks
from smplit.models.entry import ModelFile

_MOST_PICKLE = 64 << 20
_NETWORKS = {"hmr2a": "hmr2", "hmr2b": "hmr2", "wham_published": "wham", "acr": "acr", "smirk": "smirk", "vposer": "vposer"}


def problem_of(entry: ModelFile, path: Path) -> str:
    """What is wrong with a file that the user put in a model's place; empty where nothing can be seen."""
    try:
        kind = contents.kind_of(path)
        if entry.name in _NETWORKS:
            return _network_problem(entry.name, path, kind)
        if path.suffix == ".npz":
            return _arrays_problem("smplx" if entry.name == "body" else entry.name, path) if kind == contents.NPZ else "it is no npz file"
        if path.suffix == ".onnx":
            return _graph_problem(entry.name, path)
    except BadInput as error:
        return error.message
    except Exception as error:  # a damaged file fails in zipfile, json, pickletools or numpy, in any way: the list goes on
        return f"it cannot be read ({error or type(error).__name__})"
    return ""


def _network_problem(model: str, path: Path, kind: str) -> str:
    key = _NETWORKS[model]
    if kind not in (contents.SAFETENSORS, contents.TORCH):
        return "it is no checkpoint"
    known = networks.KINDS[key]
    names = _names_in_header(path) if kind == contents.SAFETENSORS else _names_in_pickle(path)
    if names is None:
        return ""
    bare = {name.removeprefix(prefix) for name in names for prefix in ("", *known.prefixes)}
    if not all(sign in bare for sign in known.signs):
        return f"it is not {known.title}"
    return _other_hmr2(model, path) if key == "hmr2" and kind == contents.TORCH else ""


def _other_hmr2(model: str, path: Path) -> str:
    """HMR2.0a and b have the same tensors: the training's step tells them apart."""
    step = _step_in_pickle(path)
    told = next((name for name, steps in networks.HMR2_STEPS.items() if step is not None and abs(step - steps) <= 1), model)
    return "" if told == model else f"it is HMR2.0{told[-1]}, whose numbers are others"


def _names_in_header(path: Path) -> set[str]:
    with path.open("rb") as file:
        return set(json.loads(file.read(int.from_bytes(file.read(8), "little"))))


def _names_in_pickle(path: Path) -> set[str] | None:
    """All texts in a torch file's pickle; None where it is of torch's old format or too big for a quick look."""
    pickled = _pickle_in(path)
    return None if pickled is None else {argument for _, argument, _ in pickletools.genops(pickled) if isinstance(argument, str)}


def _step_in_pickle(path: Path) -> int | None:
    """Lightning's `global_step`: the number that follows the name."""
    named = False
    for code, argument, _ in pickletools.genops(_pickle_in(path) or pickle.dumps(None)):
        if named and type(argument) is int and not code.name.endswith("PUT"):  # PUT numbers what was written, for later use
            return argument
        if isinstance(argument, str):
            named = argument == "global_step"
    return None


def _pickle_in(path: Path) -> bytes | None:
    if not zipfile.is_zipfile(path):
        return None
    with zipfile.ZipFile(path) as archive:
        entry = next(entry for entry in archive.infolist() if entry.filename.endswith("/data.pkl"))
        return None if entry.file_size > _MOST_PICKLE else archive.read(entry)


def _arrays_problem(model: str, path: Path) -> str:
    with zipfile.ZipFile(path) as archive:
        names = {name.removesuffix(".npy") for name in archive.namelist()}
        if model == "mano":
            return "" if {"left_hands_mean", "right_hands_mean"} <= names else "it is not MANO as 'smplit models add' writes it"
        weights = None
        if "weights.npy" in names or "weights" in names:
            with archive.open("weights.npy") as stream:
                version = np.lib.format.read_magic(stream)
                read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
                weights = read(stream)[0]
    body = bodies.of_size(names, weights)
    if body is None or body.model != model:
        return f"it is {body.title}" if body else "it holds other arrays"
    missing = [name for name in body.shapes if name not in names]
    return f"it lacks {', '.join(missing)}" if missing else ""


def _graph_problem(model: str, path: Path) -> str:
    from smplit.mocap.keypoints.onnx_kinds import kind_of

    kind = kind_of(path)
    return "" if kind.model == model else f"it is {kind.title}"
