# SPDX-License-Identifier: GPL-3.0-or-later
"""Temporal SMPLify's objective, its gradients and what the fit comes to (goldens/wham, wham_smplify)."""

import pytest
import torch
from wham_goldens import assert_golden, golden, network, toy_body

from smplit.mocap.wham.camera import intrinsics
from smplit.mocap.wham.lift import Scene, answers, lift, whole_answer
from smplit.mocap.wham.network import Inputs, Prediction
from smplit.mocap.wham.temporal_smplify import Bent, fit, lift_and_bend, objective, robust


def case():
    known = golden("full")
    return known["raw_trk_keypoints"][None], Scene(intrinsics(1280, 720)[None], known["in_bbox"], known["in_res"]), toy_body()


def total(parts):
    return torch.stack(list(parts.values())).sum()


def test_the_objective_and_its_gradients():
    known = golden("smplify")
    bent = Bent(*(known[name].clone().requires_grad_() for name in ("pose", "betas", "cam")))
    parts = objective(bent, known["init_pose"], *case())
    for name, value in parts.items():
        assert value.item() == pytest.approx(known[f"loss_{name}"].item(), rel=1e-5), name
    total(parts).backward()
    assert total(parts).item() == pytest.approx(known["total"].item(), rel=1e-5)
    assert_golden("smplify", {"grad_cam": bent.cam.grad, "grad_betas": bent.betas.grad}, 1e-4)
    assert bent.pose.grad.norm().item() == pytest.approx(known["grad_pose_norm"].item(), rel=1e-4)
    assert_golden("smplify", {"gmof_sigma100": robust(known["gmof_in"])}, 1e-2)  # of numbers up to 10 000


def test_the_fit_begins_where_the_original_does_and_ends_no_higher():
    """It ends lower: see the module's text. L-BFGS is chaotic here, so only the last value tells."""
    known, clip = golden("smplify"), golden("full")
    answer = Prediction(None, None, clip["plain_pose"], clip["plain_betas"], clip["plain_cam"], None, None, None)
    value = lambda one: total(objective(Bent(one.pose, one.betas, one.cam), answer.pose, *case())).item()
    assert value(answer) == pytest.approx(known["fit_loss_before"].item(), rel=1e-5)
    asked = []
    with torch.no_grad():
        bent = fit(answer, *case(), check=lambda: asked.append(1))
    assert value(bent) <= known["fit_loss_after"].item() and len(asked) == 20
    assert torch.equal(answer.pose, clip["plain_pose"])


@pytest.mark.parametrize("frames", [1, 2])
def test_clips_too_short_to_bend_are_fitted_all_the_same(frames):
    clip = golden("full")
    keypoints, scene, body = case()
    answer = Prediction(None, None, *(clip[f"plain_{name}"][:, :frames] for name in ("pose", "betas", "cam")), None, None, None)
    bent = fit(answer, keypoints[:, :frames], scene.frames(slice(frames)), body)
    assert torch.isfinite(bent.pose).all() and (bent.cam != answer.cam).any()


def test_after_the_fit_the_world_is_made_again():
    """The bent body is nearer to the keypoints; its velocity and roots are still the network's, but feet and path follow it."""
    clip, (keypoints, scene, body), frames = golden("full"), case(), 5
    inputs = Inputs(
        clip["in_x"], clip["in_mask"], clip["in_init_kp"][:, 0], clip["in_init_smpl"][:, 0], clip["in_init_root"][:, 0], clip["in_cam_angvel"],
    ).frames(slice(frames))
    keypoints, scene = keypoints[:, :frames], scene.frames(slice(frames))
    straight, bent = lift(network(), body, inputs, scene), lift_and_bend(network(), body, inputs, scene, keypoints)
    value = lambda one: total(objective(Bent(one.pose, one.betas, one.cam), straight.pose, keypoints, scene, body)).item()
    assert value(bent) < value(straight)
    assert torch.equal(bent.root, straight.root) and torch.equal(bent.velocity, straight.velocity)
    assert (bent.feet != straight.feet).any() and (bent.refined_place != straight.refined_place).any()
    pieces, whole = whole_answer(answers(network(), inputs, piece=2)), whole_answer(answers(network(), inputs))
    assert (pieces.root - whole.root).abs().max() < 1e-5 and pieces.root.shape[1] == frames + 1
