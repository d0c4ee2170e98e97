# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays packed into the binary chunk of a glb, each with its accessor (glTF 2.0, section 3.6)."""

from __future__ import annotations

import numpy as np
from pygltflib import (
    ARRAY_BUFFER,
    ELEMENT_ARRAY_BUFFER,
    FLOAT,
    GLTF2,
    MAT4,
    SCALAR,
    UNSIGNED_BYTE,
    UNSIGNED_INT,
    UNSIGNED_SHORT,
    VEC3,
    VEC4,
    Accessor,
    Buffer,
    BufferView,
)

_COMPONENT = {np.dtype(np.float32): FLOAT, np.dtype(np.uint8): UNSIGNED_BYTE, np.dtype(np.uint16): UNSIGNED_SHORT, np.dtype(np.uint32): UNSIGNED_INT}
_KIND = {(): SCALAR, (3,): VEC3, (4,): VEC4, (4, 4): MAT4}


class GlbBuffer:
    """Grows one buffer and the accessors of `gltf` that point into it."""

    def __init__(self, gltf: GLTF2):
        self._gltf = gltf
        self._pieces: list[bytes] = []
        self._length = 0

    def add(self, array: np.ndarray, bounds: bool = False) -> int:
        """Accessor of plain data: keys, matrices, morph targets. `array` is (N,), (N,3), (N,4) or
        (N,4,4) column-major; `bounds` stores min and max, which glTF asks for on positions and times."""
        return self._add(array, None, bounds)

    def add_vertices(self, array: np.ndarray, bounds: bool = False) -> int:
        """Accessor of a vertex attribute."""
        return self._add(array, ARRAY_BUFFER, bounds)

    def add_indices(self, array: np.ndarray) -> int:
        """Accessor of triangle corners (N,)."""
        return self._add(array, ELEMENT_ARRAY_BUFFER, False)

    def _add(self, array: np.ndarray, target: int | None, bounds: bool) -> int:
        array = np.ascontiguousarray(array)
        data = array.astype(array.dtype.newbyteorder("<")).tobytes()
        self._gltf.bufferViews.append(BufferView(buffer=0, byteOffset=self._length, byteLength=len(data), target=target))
        padded = data + b"\0" * (-len(data) % 4)
        self._pieces.append(padded)
        self._length += len(padded)
        accessor = Accessor(
            bufferView=len(self._gltf.bufferViews) - 1, componentType=_COMPONENT[array.dtype], count=len(array), type=_KIND[array.shape[1:]],
        )
        if bounds:
            flat = array.reshape(len(array), -1)
            accessor.min, accessor.max = flat.min(0).tolist(), flat.max(0).tolist()
        self._gltf.accessors.append(accessor)
        return len(self._gltf.accessors) - 1

    def finish(self) -> None:
        """Hands the packed bytes to the file."""
        self._gltf.buffers = [Buffer(byteLength=self._length)]
        self._gltf.set_binary_blob(b"".join(self._pieces))
