# SPDX-License-Identifier: GPL-3.0-or-later
"""Which processor to use."""

from __future__ import annotations

import re

from smplit.errors import BadInput


def check_device_name(name: str) -> None:
    """Whether `name` could be a device of some machine; does not load torch.

    Raises:
        BadInput: it could not.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
        raise BadInput(f"--device {name!r} is not one of auto, cpu, cuda, cuda:N, mps.", "Use --device auto.", "bad_option")


def resolve_device(name: str) -> str:
    """`auto`, `cpu`, `cuda`, `cuda:N` or `mps` -> a torch device name that is there.

    Raises:
        BadInput: the name is unknown or the device is not in this machine.
    """
    import torch

    check_device_name(name)
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if name.startswith("cuda"):
        count = torch.cuda.device_count()
        if int(name.partition(":")[2] or 0) >= count:
            raise BadInput(f"--device {name}: this machine has {count} CUDA device(s) that torch can use.", "Use --device auto or cpu.", "no_device")
    if name == "mps" and not torch.backends.mps.is_available():
        raise BadInput("--device mps: no Apple GPU that torch can use.", "Use --device auto or cpu.", "no_device")
    return name
