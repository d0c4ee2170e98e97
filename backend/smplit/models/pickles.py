# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays out of the pickles that body models and priors are published as, without running anything of theirs.

A pickle names classes and functions and has them called. Here each name of a short list stands for a class of this file
that only remembers what it was given; any other name ends the reading. What was remembered is made into arrays afterwards.

The list: arrays, scalars and types of numpy, sparse matrices of scipy, chumpy's arrays (SMPL, MANO and FLAME were written
with it) and its `Select` (elements of another array, in a new shape), ordered dicts, sets.
"""

from __future__ import annotations

import math
import pickle
import re
from collections import OrderedDict
from pathlib import Path

import numpy as np

from smplit.errors import BadInput

MOST_BYTES = 2 << 30  # of one array
_DEEPEST = 8  # Selects of Selects
_KINDS = re.compile(r"[biuf][1248]")


class Refused(ValueError):
    """The pickle holds something that is not on the list, or an array that cannot be."""


class _Remembered:
    """Takes any arguments and any state, and does nothing with them."""

    arguments: tuple = ()
    state: object = None

    def __init__(self, *arguments: object):
        self.arguments = arguments

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Kind(_Remembered):
    """numpy.dtype('f8', align, copy), then a state that begins (version, byte order)."""

    def dtype(self) -> np.dtype:
        code = _text(self.arguments[0]) if self.arguments else ""
        if not _KINDS.fullmatch(code):
            raise Refused(f"holds an array of '{code[:20]}', not of numbers")
        order = _text(self.state[1]) if isinstance(self.state, tuple) and len(self.state) > 1 else "="
        return np.dtype(code).newbyteorder(order if order in ("<", ">", "=") else "=")


class _Array(_Remembered):
    """numpy's `_reconstruct`, then the state (version, shape, dtype, column-major, bytes)."""

    def array(self) -> np.ndarray:
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            raise Refused("holds an array that is cut short")
        _, shape, kind, by_columns, content = self.state
        return _from_bytes(content, kind, shape, "F" if by_columns is True or by_columns == 1 else "C")


class _Buffer(_Remembered):
    """numpy's `_frombuffer(bytes, dtype, shape, order)`, of newer pickles."""

    def array(self) -> np.ndarray:
        content, kind, shape, order = self.arguments
        return _from_bytes(content, kind, shape, "F" if order == "F" else "C")


class _Scalar(_Remembered):
    """numpy's `scalar(dtype, bytes)`."""

    def array(self) -> np.ndarray:
        kind, content = self.arguments
        return _from_bytes(content, kind, (), "C")


class _Sparse(_Remembered):
    """scipy's csc or csr matrix; its state is a dict of `_shape`, `data`, `indices`, `indptr`."""

    by_columns = True

    def array(self) -> np.ndarray:
        state = self.state if isinstance(self.state, dict) else {}
        shape = _shape(state.get("_shape"))
        data, indices, starts = (array_of(state.get(name)) for name in ("data", "indices", "indptr"))
        lines, across = (shape[::-1] if self.by_columns else shape) if len(shape) == 2 else (-1, -1)
        fits = data.ndim == indices.ndim == starts.ndim == 1 and len(starts) == lines + 1 and len(data) == len(indices)
        fits = fits and indices.dtype.kind in "iu" and starts.dtype.kind in "iu" and starts[0] == 0 and starts[-1] == len(data)
        counts = np.diff(starts.astype(np.int64)) if fits else np.zeros(0)
        if not fits or (counts < 0).any() or (len(indices) and (indices.min() < 0 or indices.max() >= across)):
            raise Refused("holds a sparse matrix whose parts do not fit")
        dense = np.zeros((lines, across), data.dtype)
        np.add.at(dense, (np.repeat(np.arange(lines), counts), indices), data)
        return dense.T if self.by_columns else dense


class _SparseRows(_Sparse):
    by_columns = False


class _Chumpy(_Remembered):
    """chumpy's Ch: its numbers are `x`."""

    def array(self, depth: int = 0) -> np.ndarray:
        return array_of(self.state.get("x") if isinstance(self.state, dict) else None, depth + 1)


class _Select(_Remembered):
    """chumpy's Select: the elements `idxs` of `a`, in `preferred_shape`."""

    def array(self, depth: int = 0) -> np.ndarray:
        state = self.state if isinstance(self.state, dict) else {}
        source, places = array_of(state.get("a"), depth + 1).ravel(), array_of(state.get("idxs"), depth + 1)
        if places.dtype.kind not in "iu" or (places.size and (places.min() < 0 or places.max() >= source.size)):
            raise Refused("picks elements that are not there")
        shape = _shape(state["preferred_shape"]) if "preferred_shape" in state else places.shape
        if math.prod(shape) != places.size:
            raise Refused("picks elements into a shape that they do not fill")
        return source[places.ravel()].reshape(shape)


def _reconstructed(kind: object, *_: object) -> object:
    """copyreg's maker of objects without arguments: of the list's classes only."""
    if not (isinstance(kind, type) and issubclass(kind, _Remembered)):
        raise Refused("makes an object of a class that is not an array's")
    return kind()


def _latin(text: object, *_: object) -> bytes:
    """Bytes as Python 3 writes them for Python 2."""
    return text.encode("latin1") if isinstance(text, str) else b""


class _Nothing:
    """`object`, which copyreg's maker is handed."""


_NUMPY = {"_reconstruct": _Array, "scalar": _Scalar, "_frombuffer": _Buffer}
ALLOWED: dict[tuple[str, str], object] = {
    **{(f"{package}.{module}", name): kind for package in ("numpy.core", "numpy._core") for module in ("multiarray", "numeric")
       for name, kind in _NUMPY.items()},
    ("numpy", "ndarray"): _Array, ("numpy", "dtype"): _Kind,
    **{(f"scipy.sparse.{module}", name): kind for name, kind in (("csc_matrix", _Sparse), ("csr_matrix", _SparseRows))
       for module in (name[:3], f"_{name[:3]}")},
    ("chumpy.ch", "Ch"): _Chumpy, ("chumpy.reordering", "Select"): _Select,
    **{(module, "_reconstructor"): _reconstructed for module in ("copy_reg", "copyreg")},
    **{(module, name): kind for module in ("__builtin__", "builtins") for name, kind in (("object", _Nothing), ("set", set))},
    ("_codecs", "encode"): _latin, ("collections", "OrderedDict"): OrderedDict,
}


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> object:
        found = ALLOWED.get((module, name))
        if found is None:
            raise Refused(f"asks for {module}.{name}, which no model needs and which could run code")
        return found

    def persistent_load(self, _: object) -> object:
        raise Refused("refers to data outside the file")


def read_pickle(path: str | Path) -> dict[str, object]:
    """The entries of a pickled dict; `array_of` makes arrays of those that are wanted.

    Raises:
        BadInput: damaged, not a dict, or it asks for anything that is not on the list.
    """
    try:
        with Path(path).open("rb") as file:
            # latin1 keeps the bytes of Python 2's strings as they are.
            loaded = _Reader(file, encoding="latin1").load()
    except Refused as error:
        raise BadInput(f"The file {error}.", "Use the file as its authors published it.", "unsafe_pickle") from error
    except Exception as error:  # a damaged pickle can fail in any way
        raise BadInput(f"The file is a damaged pickle ({type(error).__name__}).", "Download it again.", "damaged") from error
    if not isinstance(loaded, dict):
        raise BadInput("The file is a pickle, but not of a model's arrays.", "Use the file as its authors published it.", "not_a_model")
    return {_text(name): value for name, value in loaded.items() if isinstance(name, (str, bytes))}


def array_of(value: object, depth: int = 0) -> np.ndarray:
    """An entry as an array of numbers.

    Raises:
        Refused: it is none, or its parts do not fit.
    """
    if depth > _DEEPEST:
        raise Refused("holds arrays of arrays of arrays")
    if isinstance(value, (_Chumpy, _Select)):
        return value.array(depth)
    if isinstance(value, (_Array, _Buffer, _Scalar, _Sparse)):
        return value.array()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return np.asarray(value)
    raise Refused("holds no numbers where a model has an array")


def _from_bytes(content: object, kind: object, shape: object, order: str) -> np.ndarray:
    if not isinstance(kind, _Kind):
        raise Refused("holds an array without a type")
    content = _latin(content) if isinstance(content, str) else content
    dtype, shape = kind.dtype(), _shape(shape)
    claimed = math.prod(shape) * dtype.itemsize
    if not isinstance(content, (bytes, bytearray)) or claimed > MOST_BYTES or claimed != len(content):
        raise Refused(f"holds an array of shape {shape} whose bytes are not there")
    return np.frombuffer(content, dtype).reshape(shape, order=order)


def _shape(value: object) -> tuple[int, ...]:
    if isinstance(value, int):
        value = (value,)
    if isinstance(value, (tuple, list)) and len(value) <= 8:
        lengths = [array_of(length).item() if isinstance(length, _Scalar) else length for length in value]
        if all(isinstance(length, int) and 0 <= length < 1 << 40 for length in lengths):
            return tuple(lengths)
    raise Refused("holds an array of no sensible shape")


def _text(value: object) -> str:
    return value.decode("latin1") if isinstance(value, bytes) else str(value)
