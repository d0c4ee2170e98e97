# SPDX-License-Identifier: GPL-3.0-or-later
"""Opens a file by what its first bytes say it is, never by its name, and tells what lies in it."""

from __future__ import annotations

import re
import struct
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from smplit.errors import BadInput
from smplit.models.pickles import Refused, array_of, read_pickle
from smplit.npz import read_npz

if TYPE_CHECKING:
    from torch import Tensor

    from smplit.mocap.keypoints.onnx_kinds import OnnxKind

ZIP, NPZ, TORCH, SAFETENSORS, PICKLE, ONNX = "zip", "npz", "torch", "safetensors", "pickle", "onnx"
_OLD_TORCH = bytes.fromhex("80028a0a6cfc9c46f9206aa850192e")  # torch's magic number, pickled: files of before 2020
_LONGEST_HEADER = 64 << 20
_PICKLE_STARTS = (b"(d", b"}q", b"(lp", b"ccopy")  # of Python 2's protocols; later ones begin with 0x80 and their number
# What a download turns out to be when it was none.
_NO_FILE = {
    b"<!doc": "is a web page: the download needs you to be signed in", b"<html": "is a web page: the download needs you to be signed in",
    b"versi": "is a pointer to a file of Git LFS, not the file", b"\x1f\x8b": "is packed as gz: unpack it first",
    b"Rar!": "is packed as rar: unpack it first", b"7z\xbc\xaf": "is packed as 7z: unpack it first",
}


@dataclass
class Content:
    """One opened file: `tensors` of a network, or `arrays`, or the kind of an ONNX `graph`."""

    kind: str
    tensors: dict[str, Tensor] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    graph: OnnxKind | None = None
    about: dict = field(default_factory=dict)  # epoch and global_step of Lightning, or a safetensors file's own notes


def kind_of(path: Path) -> str:
    """What a file is.

    Raises:
        BadInput: empty, or nothing that a model comes as.
    """
    with path.open("rb") as file:
        head = file.read(512)
    if not head:
        raise BadInput("The file is empty (0 bytes).", "Download it again.", "empty_file")
    if head.startswith(b"PK"):
        return _kind_of_zip(path)
    if head.startswith(_OLD_TORCH):
        return TORCH
    length = int.from_bytes(head[:8], "little")
    if head[8:9] == b"{" and len(head) > 8:
        if not 0 < length <= min(_LONGEST_HEADER, path.stat().st_size - 8):
            raise BadInput("The file is damaged: its header is longer than the file.", "Download it again.", "damaged")
        return SAFETENSORS
    if (head[0] == 0x80 and len(head) > 1 and 2 <= head[1] <= 5) or head.startswith(_PICKLE_STARTS):
        return PICKLE
    if head[0] == 0x08 and len(head) > 2 and head[1] < 0x80:
        return ONNX
    start = head[:16].lower()
    said = next((words for begin, words in _NO_FILE.items() if start.startswith(begin.lower())), None)
    if head[257:262] == b"ustar":
        said = "is packed as tar: unpack it first"
    raise BadInput(f"The file {said or 'is no model: it is neither weights, arrays, ONNX nor a zip of them'}.",
                   "Download it again, and choose the file that 'smplit models list' names.", "not_a_model")


def _kind_of_zip(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, struct.error, EOFError, ValueError, NotImplementedError, OSError) as error:
        raise BadInput("The file is damaged, or was not downloaded to its end.", "Download it again.", "damaged") from error
    if any(name.count("/") == 1 and name.endswith("/data.pkl") for name in names):
        return TORCH
    return NPZ if names and all(name.endswith(".npy") for name in names) else ZIP


def open_file(path: Path, wanted_arrays: frozenset[str]) -> Content:
    """Reads a file that is not an archive; of arrays only the wanted ones.

    Raises:
        BadInput: damaged, or it holds more than numbers.
    """
    kind = kind_of(path)
    if kind == NPZ:
        return Content(kind, arrays=read_npz(path, wanted_arrays.__contains__))
    if kind == PICKLE:
        return Content(kind, arrays=_pickled_arrays(path, wanted_arrays))
    if kind in (TORCH, SAFETENSORS):
        return _weights(path, kind)
    return _graph(path)


def _pickled_arrays(path: Path, wanted: frozenset[str]) -> dict[str, np.ndarray]:
    arrays = {}
    for name, value in read_pickle(path).items():
        if name in wanted:
            try:
                arrays[name] = array_of(value)
            except Refused as error:
                raise BadInput(f"The file's '{name}' {error}.", "Use the file as its authors published it.", "unsafe_pickle") from error
    return arrays


def _weights(path: Path, kind: str) -> Content:
    from safetensors import safe_open
    from torch import Tensor

    from smplit.models.weights import nested, read_torch

    try:
        if kind == SAFETENSORS:
            with safe_open(path, "pt") as opened:
                return Content(kind, {name: opened.get_tensor(name) for name in opened.keys()}, about=dict(opened.metadata() or {}))  # noqa: SIM118
        loaded = read_torch(path)
    except Exception as error:  # torch and safetensors fail in many ways on damaged or foreign files
        raise BadInput(f"The file is not a checkpoint of plain numbers ({_reason(error)}).", "Use the file as its authors published it.",
                       "bad_weights") from error
    about = {name: loaded[name] for name in ("epoch", "global_step") if isinstance(loaded, dict) and isinstance(loaded.get(name), int)}
    return Content(kind, {str(name): value for name, value in nested(loaded).items() if isinstance(value, Tensor)}, about=about)


def _reason(error: Exception) -> str:
    """torch's message without its advice to load the file unsafely."""
    text = " ".join(str(error).split())
    asked = re.search(r"(?:Unsupported global: GLOBAL|unsupported GLOBAL) ([\w.]+)", text)
    if asked:
        return f"it asks for {asked[1].rstrip('.')}, which could run code"
    return text.rpartition("WeightsUnpickler error: ")[2][:120] or type(error).__name__


def _graph(path: Path) -> Content:
    """The kind, from the header; then the file is opened as it will be used, so that a damaged one is found out now."""
    import onnxruntime

    from smplit.mocap.keypoints.onnx_kinds import kind_of as kind_of_graph

    try:
        kind = kind_of_graph(path)
    except BadInput as error:  # it names the file by its path here, which the user does not know
        raise BadInput(error.message.replace(f"'{path}'", "The file"), error.remedy, error.code) from error
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL  # only looked at
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    try:
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no common class of errors
        raise BadInput(
            f"The file is no ONNX model that can be run from one file ({' '.join(str(error).split())[:160]}).",
            "Use an export whose weights are in the .onnx file itself.", "bad_onnx",
        ) from error
    return Content(ONNX, graph=kind)
