# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers that the published WHAM gave, and how much of them the repository keeps.

Whole in ../shared/goldens/wham beside the repository, cut in tests/goldens (`cut_goldens.py`). Where the whole ones are
there, what is checked is checked against them too.
"""

import functools
import json
from pathlib import Path

import numpy as np
import torch
from splitmix_weights import weights

from smplit.mocap.wham.body import SmplArrays, SmplBody
from smplit.mocap.wham.network import Wham

CUT = Path(__file__).resolve().parents[2] / "goldens"
SHARED = Path(__file__).resolve().parents[4] / "shared" / "goldens" / "wham"
TOLERANCE = 2e-5  # m, and what has no unit; README of the goldens
PIXELS = 1e-3

# Outputs that are kept in part: every n-th number along the last axes.
_STRIDES = {
    "stage_motion_context": (..., slice(None, None, 10)), "enc_context": (..., slice(None, None, 10)), "int_out": (..., slice(None, None, 5)),
    "int_out_item1_zero": (..., slice(None, None, 5)), "int_out_one_zero_in_item0": (..., slice(None, None, 5)),
    "stage_integrated": (..., slice(None, None, 10)),
} | {f"crop{number}_norm_stride4": (..., slice(None, None, 3), slice(None, None, 3)) for number in range(3)}


def kept(key, value):
    """What the repository keeps of an array."""
    return value[_STRIDES[key]] if key in _STRIDES else value


@functools.cache
def golden(name):
    """{key: tensor} of `wham_<name>.npz` as the repository has it; texts stay numpy."""
    with np.load(CUT / f"wham_{name}.npz") as archive:
        return {key: archive[key] if archive[key].dtype.kind == "U" else torch.from_numpy(np.asarray(archive[key])) for key in archive.files}


@functools.cache
def whole(name):
    if not SHARED.is_dir():
        return {}
    with np.load(SHARED / f"wham_{name}.npz") as archive:
        return {key: archive[key] for key in archive.files}


def difference(name, key, value):
    """Largest difference from the golden's `key`, the kept part of it and, where it is there, the whole."""
    value = torch.as_tensor(value).detach().to(torch.float64)
    expected = golden(name)[key].to(torch.float64)
    assert kept(key, value).shape == expected.shape, (key, value.shape, expected.shape)
    worst = float((kept(key, value) - expected).abs().max())
    if key in whole(name):
        every = torch.as_tensor(whole(name)[key]).to(torch.float64)
        every = every[: len(value)] if value.ndim else every  # of some cases the repository keeps the first item alone
        worst = max(worst, float((value - every).abs().max()))
    return worst


def assert_golden(name, found, tolerance=TOLERANCE):
    """{key: value} all within tolerance."""
    off = {key: difference(name, key, value) for key, value in found.items()}
    assert max(off.values()) < tolerance, off


@functools.cache
def manifest():
    return [json.loads(str(entry)) for entry in golden("modules")["manifest"]]


@functools.cache
def published_weights():
    return weights(manifest())


@functools.cache
def network():
    """Filled by the formula; read only."""
    made = Wham()
    made.load_state_dict(published_weights())
    return made.eval().requires_grad_(False)


@functools.cache
def toy_arrays():
    known = {key: value.numpy() for key, value in golden("body").items()}
    return SmplArrays(
        known["v_template"], known["shapedirs"], known["posedirs"], known["J_regressor"], known["weights"], known["J_regressor_wham"],
        known["J_regressor_feet"],
    )


@functools.cache
def toy_body():
    return SmplBody(toy_arrays())
