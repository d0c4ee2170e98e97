# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes small ONNX files byte by byte (field numbers of onnx.proto), so that tests need no package for it. ONNX Runtime checks them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

Shape = Sequence[int | str]  # a word stands for a free length
Node = tuple[str, Sequence[str], Sequence[str], Mapping[str, int | float | Sequence[int]]]
_TYPES = {np.dtype(np.float32): 1, np.dtype(np.int64): 7, np.dtype(np.float16): 10}


def write(
    path: Path, inputs: Mapping[str, Shape], outputs: Mapping[str, Shape], nodes: Sequence[Node], constants: Mapping[str, np.ndarray],
    types: Mapping[str, type] | None = None,
) -> Path:
    """A model of opset 13: `nodes` are (operator, inputs, outputs, attributes); inputs and outputs are float32 unless `types` says otherwise."""
    types = types or {}
    graph = b"".join(_bytes(1, _node(*node)) for node in nodes) + _text(2, "test")
    graph += b"".join(_bytes(5, _tensor(name, values)) for name, values in constants.items())
    for field, ports in ((11, inputs), (12, outputs)):
        graph += b"".join(_bytes(field, _port(name, shape, types.get(name, np.float32))) for name, shape in ports.items())
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_number(1, 8) + _bytes(7, graph) + _bytes(8, _text(1, "") + _number(2, 13)))
    return path


def _node(operator: str, inputs: Sequence[str], outputs: Sequence[str], attributes: Mapping) -> bytes:
    message = b"".join(_text(1, name) for name in inputs) + b"".join(_text(2, name) for name in outputs) + _text(4, operator)
    for name, value in attributes.items():
        kind, content = (2, _number(3, value)) if isinstance(value, int) else (7, b"".join(_number(8, each) for each in value))
        message += _bytes(5, _text(1, name) + content + _number(20, kind))
    return message


def _tensor(name: str, values: np.ndarray) -> bytes:
    values = np.ascontiguousarray(values)
    dims = b"".join(_number(1, length) for length in values.shape)
    return dims + _number(2, _TYPES[values.dtype]) + _text(8, name) + _bytes(9, values.tobytes())


def _port(name: str, shape: Shape, kind: type) -> bytes:
    lengths = b"".join(_bytes(1, _text(2, n) if isinstance(n, str) else _number(1, n)) for n in shape)
    return _text(1, name) + _bytes(2, _bytes(1, _number(1, _TYPES[np.dtype(kind)]) + _bytes(2, lengths)))


def _varint(value: int) -> bytes:
    out = bytearray()
    value &= (1 << 64) - 1  # negative numbers are written in two's complement
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, value: str) -> bytes:
    return _bytes(field, value.encode())
