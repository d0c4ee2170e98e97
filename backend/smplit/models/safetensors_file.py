# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes a safetensors file one tensor after the other: HMR2's 2.7 GB never lie in memory at once, as the library's writer has it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_NAMES = {"torch.float32": "F32", "torch.int64": "I64", "torch.int32": "I32", "torch.bool": "BOOL"}
_ALIGNED = 8  # bytes, for the header: the format asks for it


def write_safetensors(path: Path, tensors: Iterable[tuple[str, Tensor]], shapes: Mapping[str, Tensor], notes: Mapping[str, str]) -> None:
    """`tensors` come once, in the order of `shapes`, whose real numbers are written as float32."""
    header: dict[str, object] = {"__metadata__": dict(notes)}
    offset = 0
    for name, value in shapes.items():
        kind = "F32" if value.is_floating_point() else _NAMES.get(str(value.dtype), "I64")
        size = value.numel() * {"F32": 4, "I64": 8, "I32": 4, "BOOL": 1}[kind]
        header[name] = {"dtype": kind, "shape": list(value.shape), "data_offsets": [offset, offset + size]}
        offset += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % _ALIGNED)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, value in tensors:
            file.write(value.numpy().data)
