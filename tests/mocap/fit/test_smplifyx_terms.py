# SPDX-License-Identifier: GPL-3.0-or-later
"""Every term, order and number of SMPLify-X against its goldens, and mistakes that these catch."""

import dataclasses

import numpy as np
import pytest
import torch
from smplifyx_goldens import doubles, golden, mixture, pinhole

from smplit.mocap.fit.smplifyx import camera, energy, joints
from smplit.mocap.fit.smplifyx.energy import Terms
from smplit.mocap.fit.smplifyx.stages import STAGES, StageWeights

FP32 = 2e-5  # the reference's sums are single precision (SPEC)


@pytest.fixture
def terms():
    return doubles(golden("terms.npz"))


def detections(terms):
    return torch.cat([terms["loss.in.gt"], terms["loss.in.conf"][..., None]], -1)[:, : joints.COUNT]


def stage_terms(terms, kind, weights):
    """All terms of one stage and the gradient of their sum by the joints."""
    points = terms["camera.j3d"][:, : joints.COUNT].clone().requires_grad_()
    pixels = pinhole().project(points, terms["camera.translation"])
    landmarks = energy.data(pixels, detections(terms), weights.joint_weights(), 720.0)
    (gradient,) = torch.autograd.grad(landmarks.sum(), points)
    pose = terms["loss.in.full_pose"][:, 3:66]
    prior = mixture()(pose) if kind == "gmm" else energy.squares(terms["loss.in.vposer_z"])
    values = Terms(pose, *(terms[f"loss.in.{name}"] for name in ("betas", "expression", "left_hand", "right_hand", "jaw")))
    parts = {"data": landmarks, **energy.weighed(values, prior, weights)}
    return {name: part.sum().item() for name, part in parts.items()}, gradient


def assert_stage(terms, kind, stage):
    parts, gradient = stage_terms(terms, kind, STAGES[stage])
    known = f"loss.{kind}.stage{stage}"
    for name, value in parts.items():
        assert value == pytest.approx(terms[f"{known}.term.{name}"].item(), rel=FP32), name
    assert sum(parts.values()) == pytest.approx(terms[f"{known}.total"].item(), rel=FP32)
    wanted = terms[f"{known}.grad_joints"]
    assert (gradient - wanted).abs().max() < FP32 * wanted.abs().max()


@pytest.mark.parametrize("stage", range(5))
@pytest.mark.parametrize("kind", ["gmm", "vposer"])
def test_every_term_total_and_gradient_of_every_stage(terms, kind, stage):
    assert_stage(terms, kind, stage)


def test_the_robust_square(terms):
    for scale in (1, 100):
        torch.testing.assert_close(energy.robust(terms["gmof.residual"], scale), terms[f"gmof.rho{scale}"], rtol=1e-6, atol=1e-6)


def test_the_mixture_prior_and_its_mean(terms):
    prior = mixture()
    torch.testing.assert_close(prior(terms["gmm.pose"]), terms["gmm.value64"], rtol=1e-12, atol=0)
    torch.testing.assert_close(prior(terms["gmm.pose"]), terms["gmm.value"], rtol=FP32, atol=0)
    torch.testing.assert_close(prior.mean[None], terms["gmm.mean_pose"], rtol=1e-6, atol=1e-6)
    assert energy.squares(terms["gmm.pose"]).sum().item() == pytest.approx(terms["l2.value"].item(), rel=1e-6)


def test_the_made_up_mixture_is_the_goldens(terms):
    torch.testing.assert_close(torch.linalg.inv(mixture().precisions)[:, :2, :3], terms["gmm.covars_check"], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(mixture().means, terms["gmm.means"], rtol=1e-6, atol=1e-7)
    assert terms["gmm.weights"].tolist() == [0.4, 0.3, 0.2, 0.1]


def test_elbows_and_knees_bent_the_wrong_way(terms):
    torch.testing.assert_close(energy.bends(terms["gmm.pose"]), terms["angle.value_per_joint"], rtol=1e-5, atol=0)


def test_the_camera_with_and_without_a_turn(terms):
    points, shift = terms["camera.j3d"], terms["camera.translation"]
    assert pinhole().centre.tolist() == terms["camera.center"][0].tolist()
    torch.testing.assert_close(pinhole().project(points, shift), terms["camera.proj_identity"], rtol=1e-6, atol=2e-4)
    torch.testing.assert_close(pinhole().project(points, shift, terms["camera.rotation"]), terms["camera.proj_rotated"], rtol=1e-6, atol=2e-4)


def test_the_first_depth(terms):
    found = camera.first_translation(terms["camera.j3d"], terms["guess.gt"], pinhole())
    torch.testing.assert_close(found, terms["guess.init_t"], rtol=1e-6, atol=0)


def test_the_camera_steps_energy_and_gradient(terms):
    shift = terms["camera.translation"].clone().requires_grad_()
    pixels = pinhole().project(terms["camera.j3d"], shift)
    value = camera.placing(pixels, terms["guess.gt"], shift[:, 2], terms["guess.init_t"][:, 2], 720.0)
    assert value.item() == pytest.approx(terms["caminit.value"].item(), rel=FP32)
    (gradient,) = torch.autograd.grad(value.sum(), shift)
    torch.testing.assert_close(gradient, terms["caminit.grad_translation"], rtol=FP32, atol=0)


def test_the_order_of_points_with_and_without_hands_and_face():
    arrays = golden("terms.npz")
    orders = [name for name in arrays if name.startswith("map.smplx.")]
    assert len(orders) == 8
    for name in orders:
        hands, face, contour = (name[name.rindex(".h") + i] == "1" for i in (2, 4, 6))
        assert list(joints.smplx_indices(hands, face, contour)) == arrays[name].tolist(), name
    assert list(joints.SMPL_INDICES) == arrays["map.smpl.coco25"].tolist()
    assert len(joints.smplx_indices()) == joints.COUNT


def test_the_schedule_of_weights():
    known = golden("stages.json")
    names = {"pose": "body_pose", "shape": "shape", "expression": "expr_prior", "hands": "hand_prior", "jaw": "jaw_prior",
             "hand_points": "hand", "face_points": "face"}
    for field in dataclasses.fields(StageWeights):
        ours = [getattr(stage, field.name) for stage in STAGES]
        assert np.allclose(ours, known["stages"][f"{names[field.name]}_weight"], rtol=0, atol=0), field.name
    assert known["rho"] == energy.OUTLIER
    assert known["side_view_threshold_px"] == camera.SIDE_VIEW
    assert sorted(joints.HIPS + joints.SHOULDERS) == sorted(known["camera_init_joints_openpose25"])
    assert sorted((joints.NECK, *joints.HIPS)) == sorted(known["joints_ignored_openpose25"])


def _bending_squared(monkeypatch):
    right = energy.weighed
    wrong = lambda values, prior, weights: {n: v * weights.pose if n == "angle" else v for n, v in right(values, prior, weights).items()}
    monkeypatch.setattr(energy, "weighed", wrong)


def _half_forgotten(monkeypatch):
    right = energy.MixturePrior.__call__

    def wrong(self, pose):
        doubled = energy.MixturePrior.__new__(energy.MixturePrior)
        doubled.means, doubled.precisions, doubled.rarity = self.means, 2.0 * self.precisions, self.rarity
        return right(doubled, pose)

    monkeypatch.setattr(energy.MixturePrior, "__call__", wrong)


def _elbow_turned(monkeypatch):
    monkeypatch.setattr(energy, "BENDS", (energy.BENDS[0], (55, 1.0), *energy.BENDS[2:]))


def _hips_weighted(monkeypatch):
    right = StageWeights.joint_weights

    def wrong(self):
        weights = right(self)
        weights[list(joints.HIPS)] = 1.0
        return weights

    monkeypatch.setattr(StageWeights, "joint_weights", wrong)


def _confidence_unsquared(monkeypatch):
    right = energy.data

    def wrong(projected, detected, weights, height):
        return right(projected, torch.cat([detected[..., :2], detected[..., 2:].sqrt()], -1), weights, height)

    monkeypatch.setattr(energy, "data", wrong)


def _height_for_width(monkeypatch):
    right = energy.data
    monkeypatch.setattr(energy, "data", lambda projected, detected, weights, height: right(projected, detected, weights, 1280.0))


@pytest.mark.parametrize(
    "mistake", [_bending_squared, _half_forgotten, _elbow_turned, _hips_weighted, _confidence_unsquared, _height_for_width],
    ids=lambda mistake: mistake.__name__[1:],
)
def test_a_mistake_in_a_formula_is_caught(terms, monkeypatch, mistake):
    mistake(monkeypatch)
    with pytest.raises(AssertionError):
        assert_stage(terms, "gmm", 4)
