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
    """Stands in for dicts of settings that are left beside the weights. Making one makes a plain dict.

    torch fills only plain dicts, so a class derived from dict would not do.
    """

    def __new__(cls, *_: object) -> OrderedDict:
        return OrderedDict()


class _Ignored:
    """Stands in for what is left beside the weights and nobody asks for: takes any arguments and any state, and does nothing."""

    def __init__(self, *_: object):
        pass

    def __setstate__(self, _: object) -> None:
        pass


# By names, for nothing of the real ones is run. numpy's numbers are scores; its module was renamed in version 2. CfgNode is
# known to be in HMR2's files; the others are what Lightning and OmegaConf write for settings.
_DICTS = ("yacs.config.CfgNode", "collections.defaultdict", "pytorch_lightning.utilities.parsing.AttributeDict")
_THINGS = (
    "numpy.core.multiarray.scalar", "numpy._core.multiarray.scalar", "numpy.dtype",
    *(f"omegaconf.{name}" for name in ("dictconfig.DictConfig", "listconfig.ListConfig", "base.ContainerMetadata", "base.Metadata")),
    *(f"omegaconf.nodes.{kind}Node" for kind in ("Any", "Integer", "Float", "Boolean", "String")),
    "typing.Any", *(f"builtins.{kind}" for kind in ("dict", "list", "int", "float", "bool", "str")),
    *(f"pathlib.{kind}Path" for kind in ("Posix", "Windows", "PurePosix", "PureWindows")), "argparse.Namespace",
)


def harmless() -> list:
    """What a checkpoint may hold besides tensors, for torch's own restricted unpickler: stand-ins of this file under those names."""
    return [*((_Settings, name) for name in _DICTS), *((_Ignored, name) for name in _THINGS)]


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
