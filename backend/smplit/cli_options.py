# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that commands share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import arg

if TYPE_CHECKING:
    from smplit.body.model import BodyModel

Output = Annotated[Path, arg(aliases=["-o"])]


@dataclass
class Common:
    """Options that every command has."""

    device: str = "auto"  # auto, cpu, cuda, cuda:N or mps
    seed: int = 0  # random seed
    json: bool = False  # print one JSON object: what was written, and figures

    def body(self) -> BodyModel:
        """The best body model there is, on the chosen device."""
        from smplit.body.model import BodyModel
        from smplit.device import resolve_device

        return BodyModel.load(device=resolve_device(self.device))
