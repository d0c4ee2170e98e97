# SPDX-License-Identifier: GPL-3.0-or-later
"""Losses and gradients of the published WHAM's training, of both stages (goldens/wham, wham_train)."""

from dataclasses import fields, replace

import pytest
import torch
from wham_goldens import assert_golden, golden, published_weights, toy_body

from smplit.mocap.wham.lift import Lifted, Path, Scene, to_world
from smplit.mocap.wham.network import Inputs, Wham
from smplit.mocap.wham.rotations import matrix_from_rows
from smplit.mocap.wham.world import feet_about_hips
from smplit.training.wham_losses import STAGE_1, STAGE_2, STAGE_2_BEDLAM, Targets, Views, losses, views
from smplit.training.wham_windows import contacts

STAGES = {"stage1": STAGE_1, "stage2": STAGE_2, "stage2_b": STAGE_2_BEDLAM}
LOSS, GRADIENT = 1e-5, 1e-4  # relative; README of the goldens
TINY = 2e-6  # sliding is a small difference of large numbers


def targets(prefix, known, **more):
    names = ("pose", "betas", "kp3d", "full_kp2d", "weak_kp2d", "contact", "pose_root", "vel_root", "R", "cam_angvel", "has_smpl", "has_traj")
    return Targets(*(known[prefix + name] for name in names), **more)


def test_the_batch_is_as_the_original_describes_it():
    """What a batch has that the product makes in `wham_windows.film`: places before the camera, velocities, contacts, flags."""
    known = golden("train")
    R, world = known["batch_R"], known["batch_transl"]
    assert_golden("train", {"batch_transl_cam": (R @ world[..., None])[..., 0] + known["batch_T"], "batch_cam": world[:, 1:]})
    roots = matrix_from_rows(known["batch_pose_root"])
    assert_golden("train", {"batch_vel_root": (roots[:, :-1].transpose(-1, -2) @ (world[:, 1:] - world[:, :-1])[..., None])[..., 0]})
    camera_root = matrix_from_rows(known["batch_pose"][:, :, 0])
    assert_golden("train", {"batch_R": torch.cat([R[:, :1], camera_root @ roots[:, 1:].transpose(-1, -2)], 1)})
    feet = toy_body()(matrix_from_rows(known["batch_pose"].flatten(0, 1)), known["batch_betas"].flatten(0, 1)).feet.unflatten(0, (2, 16))
    feet = feet_about_hips(feet, camera_root, roots[:, 1:]) + world[:, 1:, None]
    assert_golden("train", {"batch_feet": feet, "batch_contact": contacts(feet)})
    assert known["batch_features"].abs().max() == 0 and known["batch_has_full_screen"].all() and known["rl_gt_has_full_screen"].all()
    assert not known["batch_has_verts"].any()  # motion alone has no pictures and no surface


def random_case():
    known = golden("train")
    of = lambda name: known[f"rl_pred_{name}"]
    named = dict.fromkeys((entry.name for entry in fields(Lifted)), None) | {
        "kp3d": of("kp3d_nn"), "pose": of("pose"), "betas": of("betas"), "contact": of("contact"), "keypoints": of("kp3d").view(10, 12, 31, 3),
        "velocity": of("vel_root"), "refined_velocity": of("vel_root_refined"), "feet": of("feet"), "refined_feet": of("feet_refined"),
        "root": of("poses_root_r6d")[:, 1:], "refined_root": of("poses_root_r6d_refined")[:, 1:],
        "vertices": of("verts_cam").view(10, 12, 120, 3),
    }
    truth = targets("rl_gt_", known, vertices=known["rl_gt_verts"], has_vertices=known["rl_gt_has_verts"])
    return Lifted(**named), Views(of("full_kp2d"), of("weak_kp2d"), of("R")), truth, known["rl_gt_bbox"]


@pytest.mark.parametrize("stage", STAGES)
def test_every_part_of_the_loss_on_random_numbers(stage):
    found, known = losses(*random_case(), STAGES[stage]), golden("train")
    for name, value in found.items():
        assert value.item() == pytest.approx(known[f"rl_{stage}_{name}"].item(), rel=LOSS), name
    assert sum(found.values()).item() == pytest.approx(known[f"rl_{stage}_total"].item(), rel=LOSS)


def test_what_is_not_known_costs_nothing_and_is_no_nan():
    found, seen, truth, bbox = random_case()
    nobody = torch.zeros(10, dtype=torch.bool)
    unknown = replace(
        truth, has_smpl=nobody, has_path=nobody, has_vertices=nobody, contact=torch.full_like(truth.contact, -1.0), root=torch.zeros_like(truth.root),
        velocity=torch.zeros_like(truth.velocity),
    )
    parts = losses(found, seen, unknown, bbox, STAGE_1)
    assert all(parts[name] == 0 for name in ("pose", "betas", "contact", "root", "root_ref", "camera", "sliding", "v3d"))
    assert all(torch.isfinite(value) for value in parts.values()) and parts["3d"] > 0


def step(stage):
    """One training step's parts of the loss and the network with its gradients; nothing is dropped out."""
    known = golden("train")
    network = Wham()
    network.load_state_dict(published_weights())
    for module in network.train().modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
        if isinstance(module, torch.nn.LSTM):
            module.dropout = 0.0
    start = torch.cat([known["batch_init_kp3d"], known["batch_init_kp2d"]], -1)[:, 0]
    inputs = Inputs(
        known["batch_kp2d"], known["batch_mask"], start, known["batch_init_pose"][:, 0], known["batch_init_root"][:, 0],
        known["batch_cam_angvel"], None if stage == "stage1" else known["features_stage2"],
    )
    scene = Scene(known["batch_cam_intrinsics"][:, 0], known["batch_bbox"], known["batch_res"])
    answer, _ = network(inputs)
    lifted, _ = to_world(network, toy_body(), answer, scene, Path(inputs.init_root))
    seen = views(lifted, scene)
    parts = losses(lifted, seen, targets("batch_", known), scene.bbox, STAGES[stage], with_camera=stage != "stage1")
    sum(parts.values()).backward()
    return parts, network, lifted, seen


@pytest.mark.parametrize("stage", STAGES)
def test_a_training_step_has_the_published_losses_and_gradients(stage):
    known = golden("train")
    parts, network, lifted, seen = step(stage)
    for name, value in parts.items():
        assert value.item() == pytest.approx(known[f"{stage}_loss_{name}"].item(), rel=LOSS, abs=TINY), name
    assert sum(parts.values()).item() == pytest.approx(known[f"{stage}_loss"].item(), rel=LOSS)
    expected = dict(zip(map(str, known["param_names"]), known[f"{stage}_grad_norms"].tolist(), strict=True))
    own = {name: -1.0 if value.grad is None else value.grad.norm().item() for name, value in network.named_parameters()}
    for name, norm in own.items():
        assert norm == pytest.approx(expected.pop(name), rel=GRADIENT), name
    assert set(expected.values()) == {-1.0} and all(name.startswith("smpl.") for name in expected)
    total = torch.tensor([norm for norm in own.values() if norm >= 0]).norm().item()
    assert total == pytest.approx(known[f"{stage}_total_grad_norm"].item(), rel=GRADIENT)
    if stage == "stage1":
        assert_golden("train", {
            "pred_kp3d": lifted.keypoints.flatten(0, 1), "pred_kp3d_nn": lifted.kp3d, "pred_weak_kp2d": seen.crop, "pred_R": seen.camera,
            "pred_feet": lifted.feet, "pred_feet_refined": lifted.refined_feet, "pred_contact": lifted.contact,
            "pred_vel_root": lifted.velocity, "pred_vel_root_refined": lifted.refined_velocity,
            "pred_pose_root": torch.cat([known["batch_init_root"], lifted.root], 1),
            "pred_poses_root_r6d_refined": torch.cat([known["batch_init_root"], lifted.refined_root], 1),
        })
        assert_golden("train", {"pred_full_kp2d": seen.pixels}, 1e-3)
        assert torch.allclose(matrix_from_rows(known["batch_pose_root"]).det(), torch.ones(2, 17), atol=1e-5)
