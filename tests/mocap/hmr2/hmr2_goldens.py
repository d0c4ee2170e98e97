# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers that the published HMR2 gave: ../shared/goldens/hmr2, as `cut_goldens.py` put them into tests/goldens."""

import functools
import json
from pathlib import Path

import numpy as np
import torch
from splitmix_weights import weights

from smplit.mocap.hmr2.network import Hmr2Network
from smplit.mocap.wham.crop import normalised

CUT = Path(__file__).resolve().parents[2] / "goldens"
# Of tokens up to 14.5, half of what the README of the goldens allows: a wrong eps of a norm must show. And of all the rest.
TOKEN, TOLERANCE = 2.5e-5, 1e-5


@functools.cache
def golden(name):
    """{key: array} of `hmr2_<name>.npz`."""
    with np.load(CUT / f"hmr2_{name}.npz") as archive:
        return {key: archive[key] for key in archive.files}


def difference(name, key, value):
    """Largest difference from the golden's `key`."""
    value, expected = np.asarray(value, np.float64), golden(name)[key]
    assert value.shape == expected.shape, (key, value.shape, expected.shape)
    return float(np.abs(value - expected).max())


def assert_golden(name, found, tolerance=TOLERANCE):
    """{key: value} all within tolerance."""
    off = {key: difference(name, key, value) for key, value in found.items()}
    assert max(off.values()) < tolerance, off


def deeper(manifest, depth):
    """The manifest of a backbone with more blocks: all of them are made as the first."""
    first = "backbone.blocks.0."
    entries = [entry for entry in manifest if not entry["name"].startswith("backbone.blocks.")]
    one = [entry for entry in manifest if entry["name"].startswith(first)]
    return entries + [entry | {"name": entry["name"].replace(first, f"backbone.blocks.{block}.")} for block in range(depth) for entry in one]


def manifest(depth):
    return deeper([json.loads(str(entry)) for entry in golden("depth2")["manifest"]], depth)


@functools.cache
def published_weights():
    """At depth 2; read only."""
    return weights(manifest(2))


@functools.cache
def network():
    """At depth 2, filled by the formula; read only."""
    made = Hmr2Network(2)
    made.load_state_dict(published_weights())
    return made.eval().requires_grad_(False)


def crops():
    """(2,3,256,256): the pictures as the network takes them."""
    return torch.stack([normalised(torch.from_numpy(image).permute(2, 0, 1).float()) for image in golden("depth2")["image_rgb_u8"]])
