# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place where weights are read: tensors and numbers alone, whatever else a file holds is refused, never unpickled."""

from __future__ import annotations

import zipfile
from collections import OrderedDict
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from smplit.errors import BadInput

# Where training scripts put the weights among other things, averaged ones first.
_NESTED = ("model_avg", "model", "state_dict", "model_state_dict")


class _Settings:
    """Stands in for yacs' CfgNode, which Lightning leaves beside the weights: a dict of settings. Making one makes a plain dict.

    torch fills only plain dicts, so a class derived from dict would not do.
    """

    def __new__(cls, *_: object) -> OrderedDict:
        return OrderedDict()


class _Kind:
    """Stands in for numpy's dtype, whose own unpickling is code that a file would feed."""

    def __init__(self, *_: object):
        pass

    def __setstate__(self, _: object) -> None:
        pass


def _number(*_: object) -> None:
    """Stands in for a number of numpy's: training scripts leave their best score beside the weights. Nobody asks for it."""


def harmless() -> list:
    """What a checkpoint may hold besides tensors, for torch's own restricted unpickler. None of it is real: nothing runs.

    numpy's module was renamed in version 2; files of either name are read.
    """
    scalars = [(_number, f"{package}.multiarray.scalar") for package in ("numpy.core", "numpy._core")]
    return [*scalars, (_Kind, "numpy.dtype"), (_Settings, "yacs.config.CfgNode")]


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, on the CPU: `.safetensors`, or a torch or Lightning file of numbers alone.

    Big files are mapped, not read: their pages come in as they are used.

    Raises:
        BadInput: no such file, damaged, holds other objects than numbers, or no tensors.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"'{path}' is not a file.", "Check the path of the checkpoint.", "no_such_file")
    try:
        loaded = load_file(path) if path.suffix == ".safetensors" else read_torch(path)
    except Exception as error:  # a damaged or foreign file fails in zipfile, struct, the unpickler or torch: all of it is a bad file
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInput(
            f"'{path}' cannot be read as a checkpoint of plain weights ({first_line}).",
            "Download it again, or save its state dict alone.", "bad_weights",
        ) from error
    weights = {str(name): value for name, value in nested(loaded).items() if isinstance(value, Tensor)}
    if not weights:
        raise BadInput(f"'{path}' holds no weights.", "Use a checkpoint of the model, not of its optimizer or options.", "bad_weights")
    return weights


def nested(loaded: object) -> dict:
    """The state dict inside what a training script saved; {} where there is none."""
    if not isinstance(loaded, dict):
        return {}
    for name in _NESTED:
        if isinstance(loaded.get(name), dict):
            return loaded[name]
    return loaded


def read_torch(path: Path) -> object:
    """All that a torch file holds, tensors and plain values; raises whatever torch does where it holds more, or is damaged."""
    with torch.serialization.safe_globals(harmless()):
        return torch.load(path, map_location="cpu", weights_only=True, mmap=_can_be_mapped(path))


def _can_be_mapped(path: Path) -> bool:
    """Only torch's newer format, a zip, has its numbers as they are at known places."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return all(entry.compress_type == zipfile.ZIP_STORED for entry in archive.infolist())
