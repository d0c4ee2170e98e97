# SPDX-License-Identifier: GPL-3.0-or-later
"""Weights and inputs of the ACR and SMIRK goldens, which a formula makes (goldens/{acr,smirk}/FORMULA.md).

Names and shapes are those of the published networks: whole in ../shared/goldens beside the repository, and without anything
else in tests/goldens (`python formula_weights.py` cuts them). A checkpoint's prefix (`module.`, `smirk_encoder.`) is no part of a name.
"""

import functools
import json
import zlib
from pathlib import Path

import numpy as np
import torch

GOLDENS = Path(__file__).resolve().parents[1] / "goldens"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "goldens"
TOLERANCE = 3e-5  # of the largest number, or of 1 where that is less

_VARIANCE = 2.0  # of a layer's sums, about
_GAINS = {"acr": 0.5, "smirk": 1.2}
_LAST_LAYERS = {"smirk": ("_layers.0.weight", 0.02)}
_BATCHES = "num_batches_tracked"


def normal(name, shape):
    """N() of FORMULA.md: float64, to be cast by who uses it."""
    return np.random.default_rng(zlib.crc32(name.encode())).standard_normal(tuple(shape))


@functools.cache
def shapes(network):
    """{name: shape} of the published `network`, "acr" or "smirk"."""
    with np.load(GOLDENS / f"{network}_names.npz") as archive:
        return {str(name): tuple(int(side) for side in row[row >= 0]) for name, row in zip(archive["names"], archive["shapes"], strict=True)}


@functools.cache
def formula_weights(network):
    """{name: tensor} of all of them, float32 (counts int64); read only. Its first numbers and sums are checked against the goldens'."""
    known = shapes(network)
    normed = {name.removesuffix("running_mean") for name in known if name.endswith("running_mean")}
    made = {name: torch.from_numpy(_value(network, name, shape, normed)) for name, shape in known.items()}
    with np.load(GOLDENS / f"{network}_names.npz") as archive:
        for name, expected in zip(archive["checked"], archive["first_four_and_sum"], strict=True):
            value = made[str(name)]
            found = [*value.flatten()[:4].tolist(), float(value.double().sum())]
            assert np.allclose(found, expected, rtol=1e-6, atol=1e-6), f"numpy draws '{name}' otherwise: {found}, not {expected}"
    return made


def _value(network, name, shape, normed):
    before, _, leaf = name.rpartition(".")
    if leaf == _BATCHES:
        return np.zeros(shape, np.int64)
    z = normal(name, shape)
    if leaf == "running_var":
        z = 0.5 + np.abs(z)
    elif leaf in ("running_mean", "bias"):
        z = 0.1 * z
    elif before + "." in normed:
        z = _GAINS[network] * (0.8 + 0.2 * z)
    else:
        z = z * np.sqrt(_VARIANCE / np.prod(shape[1:]))
    ending, factor = _LAST_LAYERS.get(network, ("", 1.0))
    return (z * factor if ending and name.endswith(ending) else z).astype(np.float32)


def _grid(height, width):
    return np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")


def woven_image(height, width, lean, divisor, shift):
    """(H,W,3) uint8: `(((x*(lean-2+c)+y*(lean-c))//divisor) ^ ((x*y)>>(shift+c))) & 255`; lean is 4 or 5."""
    y, x, c = _grid(height, width)
    return (((x * (lean - 2 + c) + y * (lean - c)) // divisor ^ ((x * y) >> (shift + c))) & 255).astype(np.uint8)


def acr_picture():
    """(512,512,3) RGB of acr/net.npz."""
    return woven_image(512, 512, 5, 4, 5)


def bgr_frame(height, width):
    """(H,W,3) BGR of acr/preprocess.npz and smirk/crop.npz."""
    return woven_image(height, width, 4, 8, 9)


def smirk_pictures():
    """(3,224,224,3) RGB of smirk/net.npz."""
    y, x, c = _grid(224, 224)
    disc = np.where((x - 112) ** 2 + (y - 96) ** 2 < 70**2, 200 - 40 * c, 20 + 30 * c)
    return np.stack([woven_image(224, 224, 5, 2, 4), (x + y) * 255 // 446 * (c + 1) // 3, disc]).astype(np.uint8)


def checksum(picture):
    return zlib.crc32(np.ascontiguousarray(picture).tobytes())


def error(found, expected):
    """Largest difference in parts of the largest expected number, or of 1 where that is less; compare with `TOLERANCE`."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape, (found.shape, expected.shape)
    return float(np.abs(found - expected).max() / max(1.0, np.abs(expected).max()))


def _cut_names(network):
    described = json.loads((SHARED / network / "state_dict.json").read_text())
    sides = np.full((len(described["keys"]), 6), -1)
    for row, (_, shape, _) in zip(sides, described["keys"], strict=True):
        row[: len(shape)] = shape
    checks = described["check_first4_and_float64_sum"]
    np.savez_compressed(
        GOLDENS / f"{network}_names.npz", names=np.array([name for name, _, _ in described["keys"]]), shapes=sides.astype(np.int32),
        checked=np.array(list(checks)), first_four_and_sum=np.array(list(checks.values())),
    )


if __name__ == "__main__":
    for published in _GAINS:
        _cut_names(published)
