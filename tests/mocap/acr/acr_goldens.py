# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers that the published ACR gave, and how much of them the repository keeps (`python acr_goldens.py` cuts them)."""

import functools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from formula_weights import GOLDENS, SHARED, acr_picture, error, formula_weights

from smplit.mocap.acr.network import Acr

UNUSED = "segmentation_layers."  # in the published file, asked by nobody
_WHOLE = ("parse", "preprocess", "rot6d", "smooth")
_THINNED = ("params_maps", "prior_maps", "segms")  # every second of the goldens' numbers along both sides is kept


@functools.cache
def golden(name):
    """{key: array} as the repository has it."""
    with np.load(GOLDENS / f"acr_{name}.npz") as archive:
        return {key: archive[key] for key in archive.files}


@functools.cache
def whole_maps():
    """net.npz as it came, where it is there."""
    path = SHARED / "acr" / "net.npz"
    if not path.is_file():
        return {}
    with np.load(path) as archive:
        return {key: archive[key] for key in archive.files}


def kept(key, value):
    return value[:, ::2, ::2] if key.endswith(_THINNED) else value


def map_error(key, value):
    """How far a map (1,C,H,W) is from the golden's `key`, out of what was sampled of it."""
    value = value[0].detach().numpy()
    if key.startswith("mid."):
        step = max(1, value.shape[-1] // 8)
        value = value[:8]
    else:
        step = {"out.segms": 8, "out.backbone": 8, "out.l_center_map": 1, "out.r_center_map": 1}.get(key, 4)
    value = value[:, step // 2 :: step, step // 2 :: step]
    worst = error(kept(key, value), golden("network")[key])
    return max(worst, error(value, whole_maps()[key])) if whole_maps() else worst


def new_network():
    """Filled by the formula."""
    network = Acr()
    own = network.state_dict()
    network.load_state_dict({name: value for name, value in formula_weights("acr").items() if name in own})
    return network.eval().requires_grad_(False)


def picture():
    """(1,512,512,3) float32 RGB."""
    return torch.from_numpy(acr_picture())[None].float()


def outputs(maps, parts):
    """{the goldens' key: map} of what the network answers."""
    named = {"out.segms": parts}
    for side, found in maps.items():
        named |= {f"out.{side}_params_maps": found.parameters, f"out.{side}_center_map": found.centre, f"out.{side}_prior_maps": found.prior}
    return named


def _cut():
    for name in _WHOLE:
        with np.load(SHARED / "acr" / f"{name}.npz") as archive:
            np.savez_compressed(GOLDENS / f"acr_{name}.npz", **archive)
    np.savez_compressed(GOLDENS / "acr_network.npz", **{key: kept(key, value) for key, value in whole_maps().items()})


if __name__ == "__main__":
    _cut()
