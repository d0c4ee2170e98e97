# SPDX-License-Identifier: GPL-3.0-or-later
"""What an ONNX file says of itself, read without loading it: inputs, outputs, the names of its weights.

An ONNX file is one protocol-buffer message (onnx.proto of the ONNX project, Apache-2.0). Only its frame is read: weights are
stepped over, so a file of two gigabytes takes no memory, and nothing of a foreign file is run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from smplit.errors import BadInput

_MOST_FIELDS = 500_000  # real files have some ten thousand; one of nothing but tiny fields would be read for hours
_MOST_TEXT = 1 << 16  # bytes of a name or a shape
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5  # wire types
# Field numbers of onnx.proto.
_GRAPH = 7
_INITIALIZER, _INPUT, _OUTPUT = 5, 11, 12
_TENSOR_NAME = 8
_FLOAT_TYPES = {1: "float32", 10: "float16"}


@dataclass(frozen=True)
class Port:
    """One input or output: `name`, `shape` (None where a length is free or not told), `type` ("float32", "float16" or "other")."""

    name: str
    shape: tuple[int | None, ...]
    type: str


@dataclass(frozen=True)
class OnnxHeader:
    """Inputs (without the weights), outputs and names of the weights, in the file's order."""

    inputs: list[Port]
    outputs: list[Port]
    weights: list[str]


def read_header(path: str | Path) -> OnnxHeader:
    """The header of an ONNX file.

    Raises:
        BadInput: not a file, or not an ONNX file.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"'{path}' is not a file.", "Check the path of the ONNX file.", "no_such_file")
    inputs, outputs, weights = [], [], []
    with path.open("rb") as file:
        fields = _Fields(file)
        try:
            for number, start, end in fields.inside(0, path.stat().st_size):
                if number != _GRAPH:
                    continue
                for part, first, last in fields.inside(start, end):
                    if part == _INITIALIZER:
                        weights.append(_tensor_name(fields, first, last))
                    elif part in (_INPUT, _OUTPUT):
                        (inputs if part == _INPUT else outputs).append(_port(fields, first, last))
        except _NotOnnx as error:
            raise BadInput(f"'{path}' is not an ONNX file ({error}).", "Download or export it again.", "bad_onnx") from error
    if not outputs:
        raise BadInput(f"'{path}' is not an ONNX file (it has no outputs).", "Download or export it again.", "bad_onnx")
    known = set(weights)
    return OnnxHeader([port for port in inputs if port.name not in known], outputs, weights)


class _NotOnnx(Exception):
    pass


class _Fields:
    """Walks through the fields of messages in a file, each as its number and the place of its content."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self._count = 0

    def inside(self, start: int, end: int) -> Iterator[tuple[int, int, int]]:
        """(number, first byte, byte after the last) of the fields of the message at start...end."""
        at = start
        while at < end:
            self._count += 1
            if self._count > _MOST_FIELDS:
                raise _NotOnnx("too many fields")
            tag, at = self.varint(at)
            number, wire = tag >> 3, tag & 7
            if number == 0 or wire not in (_VARINT, _EIGHT, _BYTES, _FOUR):
                raise _NotOnnx("not a protocol-buffer message")
            first = at
            if wire == _VARINT:
                _, at = self.varint(at)
            elif wire == _BYTES:
                length, first = self.varint(at)
                at = first + length
            else:
                at += 8 if wire == _EIGHT else 4
            if at > end:
                raise _NotOnnx("it ends too early")
            yield number, first, at

    def varint(self, at: int) -> tuple[int, int]:
        """The number that begins at byte `at`, and the byte after it."""
        self._file.seek(at)
        value = 0
        for i, byte in enumerate(self._file.read(10)):
            value |= (byte & 0x7F) << (7 * i)
            if byte < 0x80:
                return value, at + i + 1
        raise _NotOnnx("it ends too early")

    def text(self, start: int, end: int) -> str:
        if end - start > _MOST_TEXT:
            raise _NotOnnx("a name that is too long")
        self._file.seek(start)
        return self._file.read(end - start).decode("utf-8", "replace")


def _tensor_name(fields: _Fields, start: int, end: int) -> str:
    return next((fields.text(first, last) for number, first, last in fields.inside(start, end) if number == _TENSOR_NAME), "")


def _port(fields: _Fields, start: int, end: int) -> Port:
    """ValueInfoProto: name 1, type 2 > tensor type 1 > element type 1, shape 2 > dimension 1 > value 1."""
    name, kind, shape = "", "other", []
    for number, first, last in fields.inside(start, end):
        if number == 1:
            name = fields.text(first, last)
        for part, a, b in fields.inside(first, last) if number == 2 else ():
            for field, c, d in fields.inside(a, b) if part == 1 else ():
                if field == 1:
                    kind = _FLOAT_TYPES.get(fields.varint(c)[0], "other")
                elif field == 2:
                    shape = [_length(fields, e, f) for dimension, e, f in fields.inside(c, d) if dimension == 1]
    return Port(name, tuple(shape), kind)


def _length(fields: _Fields, start: int, end: int) -> int | None:
    lengths = [fields.varint(first)[0] for number, first, _ in fields.inside(start, end) if number == 1]
    return lengths[-1] if lengths and 0 < lengths[-1] < 1 << 31 else None
