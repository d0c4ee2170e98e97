# SPDX-License-Identifier: GPL-3.0-or-later
"""SMPLify-X's goldens, read where they lie: their licence keeps them out of the repository (SPEC, "Files")."""

import json
import zlib
from pathlib import Path

import numpy as np
import pytest
import roma
import torch

from smplit.mocap.fit.smplifyx.camera import Pinhole
from smplit.mocap.fit.smplifyx.energy import MixturePrior

FOLDER = Path(__file__).parents[4] / "shared" / "goldens" / "smplifyx"


def golden(name):
    """Arrays of one file; the test is skipped where ../shared is not there."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"needs {path.name} of ../shared/goldens/smplifyx")
    if path.suffix == ".json":
        return json.loads(path.read_text())
    with np.load(path) as arrays:
        return {key: arrays[key] for key in arrays.files}


def doubles(arrays):
    return {name: torch.as_tensor(values).double() for name, values in arrays.items() if values.dtype.kind == "f"}


def mixture_arrays():
    """The made-up mixture's means (4,63), covariances and weights, by the SPEC's formula."""
    normal = np.random.default_rng(zlib.crc32(b"sx.gmm.means")).standard_normal((4, 63)).astype(np.float32)
    spread = 0.25 * np.random.default_rng(zlib.crc32(b"sx.gmm.cov")).standard_normal((4, 63, 63))
    covariances = np.einsum("kij,klj->kil", spread, spread) * 4 / 63 + 0.02 * np.eye(63)
    return 0.3 * normal.astype(np.float64), covariances, np.array([0.4, 0.3, 0.2, 0.1])


def mixture():
    return MixturePrior(*(torch.as_tensor(values) for values in mixture_arrays()))


def pinhole(width=1280.0, height=720.0):
    return Pinhole(torch.tensor([5000.0, 5000.0]).double(), torch.tensor([width / 2, height / 2]).double(), height)


SIZES = {"global_orient": 3, "body_pose": 63, "betas": 10, "left_hand_pose": 12, "right_hand_pose": 12, "expression": 10, "jaw_pose": 3}


class ToyBody:
    """Points that depend linearly on the parameters, then turn (SPEC, `toyfit.npz`)."""

    def __init__(self, toy):
        self.sizes = dict(SIZES)
        values = doubles(toy)
        self._rest = values["T0"]
        self._moves = {name: values[f"W.{name}"] for name in self.sizes if name != "global_orient"}

    def points(self, parameters):
        moved = self._rest + sum(torch.einsum("jck,fk->fjc", moves, parameters[name]) for name, moves in self._moves.items())
        return moved @ roma.rotvec_to_rotmat(parameters["global_orient"]).transpose(1, 2)

    def hands(self, parameters):
        return parameters["left_hand_pose"], parameters["right_hand_pose"]
