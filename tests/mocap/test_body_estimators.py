# SPDX-License-Identifier: GPL-3.0-or-later
"""Every body estimator answers alike, and those that are not there are named."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from smplit.body.model import BodyModel
from smplit.mocap.body_estimators import load_body_estimator

sys.path.insert(0, str(Path(__file__).parent / "lifter"))


@pytest.fixture(scope="module")
def body():
    return BodyModel.load()


@pytest.fixture(scope="module")
def film(body):
    from hand_made_walker import walk

    return walk(body, 40, 25.0)


def _check(lifted, frames):
    assert lifted.rotations.shape == (frames, 22, 3, 3) and lifted.spread.shape == (frames, 22, 2) and lifted.betas.shape == (10,)
    np.testing.assert_allclose(np.linalg.det(lifted.rotations), 1.0, atol=1e-4)
    assert all(np.isfinite(getattr(lifted, name)).all() for name in lifted.__dataclass_fields__)


def test_auto_is_the_shipped_lifter_and_knows_the_way_a_walker_stands(body, film):
    lifted = load_body_estimator("lifter", body)(*film, {})
    _check(lifted, 40)
    up = lifted.rotations[:, 0, :, 1]  # of the pelvis, in a camera whose y points down
    assert np.degrees(np.arccos(np.clip(-up[:, 1], -1, 1))).mean() < 15
    assert np.abs(lifted.pelvis[:, 2] - 4.0).mean() < 0.4  # m: the walker crosses the picture at 4 m


def test_landmarks_need_no_estimator(body):
    assert load_body_estimator("landmarks", body) is None


def test_the_published_wham_takes_our_landmarks(body, film, monkeypatch):
    from smplit.mocap.wham.body import SmplBody
    from smplit.mocap.wham.estimate import WhamEstimator
    from smplit.mocap.wham.network import Wham
    from smplit.mocap.wham.smpl_files import find_body

    torch.manual_seed(0)
    arrays, real = find_body()
    monkeypatch.setattr(WhamEstimator, "load", classmethod(lambda cls, **_: cls(Wham(64), SmplBody(arrays, "cpu"), real)))
    lifted = load_body_estimator("wham", body)(*film, {})
    _check(lifted, 40)
    assert (lifted.betas == 0).all()  # SMPL's shape says nothing on this body
