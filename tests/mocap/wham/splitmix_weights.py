# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights of the goldens, which a formula makes: SplitMix64 seeded by a parameter's name (goldens/wham/README.md)."""

import zlib

import numpy as np
import torch

_PIECE = 1 << 15  # numbers made at once: they stay in the processor's cache


def noise(name, count, first=0):
    """(count,) float64 in [-1,1): the numbers from `first` on."""
    with np.errstate(over="ignore"):
        z = np.arange(first, first + count, dtype=np.uint64)
        z += np.uint64(zlib.crc32(name.encode()) << 32) + np.uint64(0x9E3779B97F4A7C15)
        for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
            z ^= z >> np.uint64(shift)
            z *= np.uint64(factor)
        z ^= z >> np.uint64(31)
    z >>= np.uint64(40)
    return z.astype(np.float64) * 2.0**-23 - 1.0


def weights(manifest):
    """{name: tensor} of a manifest's parameters: dicts of name, shape, scale and offset (a number or a list that is tiled)."""
    made = {}
    for entry in manifest:
        count = int(np.prod(entry["shape"]))
        values = np.empty(count, np.float32)
        offset = np.asarray(entry["offset"], np.float64)
        for first in range(0, count, _PIECE):
            numbers = entry["scale"] * noise(entry["name"], min(_PIECE, count - first), first)
            tiled = offset if offset.ndim == 0 else offset[np.arange(first, first + len(numbers)) % len(offset)]
            values[first : first + len(numbers)] = tiled + numbers
        made[entry["name"]] = torch.from_numpy(values).view(entry["shape"])
    return made
