# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights of the goldens, which a formula makes: SplitMix64 seeded by a parameter's name (goldens/wham/README.md)."""

import zlib

import numpy as np
import torch


def noise(name, count):
    """(count,) float64 in [-1,1)."""
    with np.errstate(over="ignore"):
        z = np.uint64(zlib.crc32(name.encode())) * np.uint64(2**32) + np.arange(count, dtype=np.uint64) + np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    return 2.0 * (z >> np.uint64(40)) / 2**24 - 1.0


def weights(manifest):
    """{name: tensor} of a manifest's parameters: dicts of name, shape, scale and offset (a number or a list that is tiled)."""
    made = {}
    for entry in manifest:
        count = int(np.prod(entry["shape"]))
        offset = np.resize(np.asarray(entry["offset"], np.float64), count)
        values = offset + entry["scale"] * noise(entry["name"], count)
        made[entry["name"]] = torch.from_numpy(values.astype(np.float32)).view(entry["shape"])
    return made
