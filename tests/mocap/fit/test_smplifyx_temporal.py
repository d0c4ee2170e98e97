# SPDX-License-Identifier: GPL-3.0-or-later
"""The temporal forms of the fit's terms (goldens/smplifyx/temporal.npz): WHAM's, and SLAHMR's smoothness of joints."""

from types import SimpleNamespace

import pytest
import torch
from smplifyx_goldens import doubles, golden

from smplit.mocap.fit import energy
from smplit.mocap.wham import temporal_smplify
from smplit.mocap.wham.temporal_smplify import Bent, objective


@pytest.fixture
def known():
    return doubles(golden("temporal.npz"))


def test_whams_objective_of_given_projections(known, monkeypatch):
    """The projections are the golden's: no body or camera of ours has a say."""
    monkeypatch.setattr(temporal_smplify, "project", lambda points, K: known["wham.in.projected"])
    monkeypatch.setattr(temporal_smplify, "place_in_camera", lambda cam, *scene: cam)
    frames = known["wham.in.pose"].shape[1]
    nobody = lambda rotations, betas: SimpleNamespace(keypoints=torch.zeros(frames, 17, 3))
    scene = SimpleNamespace(K=None, bbox=known["wham.in.bbox"], size=None)
    bent = Bent(known["wham.in.pose"], known["wham.in.shape"].clone(), known["wham.in.cam"])
    parts = objective(bent, known["wham.in.init_pose"], known["wham.in.keypoints"], scene, nobody)
    assert len(parts) == 4
    for name, value in parts.items():
        assert value.item() == pytest.approx(known[f"wham.out.{name}"].item(), rel=1e-5), name


def test_slahmrs_smoothness_of_joints(known):
    assert energy.steps(known["slahmr.in.joints3d"].flatten(2).transpose(0, 1)).item() == pytest.approx(
        known["slahmr.out.joints3d_smooth"].item(), rel=1e-6
    )
