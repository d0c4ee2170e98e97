# SPDX-License-Identifier: GPL-3.0-or-later
"""Each part of the published WHAM gives what the original gave, with the same weights and inputs (goldens/wham, wham_modules)."""

import numpy as np
import pytest
import torch
from splitmix_weights import noise
from wham_goldens import PIXELS, TOLERANCE, assert_golden, golden, manifest, network, published_weights, toy_body

from smplit.mocap.wham.body import PARENTS
from smplit.mocap.wham.camera import place_in_camera, project, project_weakly
from smplit.mocap.wham.network import Wham, has_every_feature
from smplit.mocap.wham.rotations import matrix_from_rows
from smplit.mocap.wham.world import feet_about_hips, rollout, steadied_velocity, weighted_feet_velocity


def test_the_weights_are_those_of_the_goldens():
    """Numbers of the goldens' README."""
    assert np.allclose(noise("mask_embedding", 4), [-0.9055900573730469, 0.7045024633407593, -0.06399405002593994, -0.9708765745162964], atol=0)
    first = published_weights()["integrator.layer1.weight"].flatten()[:4]
    assert torch.allclose(first, torch.tensor([0.045403853, 0.044162791, 0.050414927, -0.033099074]), atol=1e-9, rtol=0)


def test_names_and_shapes_are_those_of_the_published_checkpoints():
    own = {name: list(value.shape) for name, value in Wham().state_dict().items()}
    assert own == {entry["name"]: entry["shape"] for entry in manifest()} and len(own) == 83
    assert sum(np.prod(shape) for shape in own.values()) == 42_034_668


def test_the_encoder():
    known, encoder = golden("modules"), network().motion_encoder
    keypoints, context, _ = encoder(known["enc_x"], known["enc_init"][..., :51], encoder.neural_init(known["enc_init"][:, 0]))
    assert_golden("modules", {"enc_kp3d": keypoints.unflatten(-1, (17, 3)), "enc_context": context})


def test_the_trajectory_decoder():
    known = golden("modules")
    root, velocity, _ = network().trajectory_decoder(known["trj_context"], known["trj_init_root"], known["trj_cam_angvel"], None)
    assert_golden("modules", {"trj_root": root, "trj_vel": velocity})


def test_the_integrator_adds_the_context_where_no_feature_of_a_clip_is_zero():
    known = golden("modules")
    features = {name: known["int_feat"].clone() for name in ("int_out", "int_out_item1_zero", "int_out_one_zero_in_item0")}
    features["int_out_item1_zero"][1] = 0
    features["int_out_one_zero_in_item0"][0, 3, 17] = 0  # one number of one frame
    found = {name: network().integrator(known["int_context"], given, has_every_feature(given)) for name, given in features.items()}
    assert_golden("modules", found)


def test_the_motion_decoder():
    known, decoder = golden("modules"), network().motion_decoder
    start = known["dec_init_pose6d"][:, 0]
    told = [joint for joint in range(24) if joint not in (10, 11, 22, 23)]
    found, _ = decoder(known["dec_context"], start.flatten(1)[:, None], decoder.neural_init(start[:, told].flatten(1)))
    assert_golden("modules", dict(zip(("dec_pose", "dec_shape", "dec_cam", "dec_contact"), found, strict=True)))


def test_the_rollout_turns_a_velocity_by_the_root_of_the_frame_before():
    known = golden("modules")
    roots = matrix_from_rows(known["roll_root6d"])
    assert_golden("modules", {"roll_trans_world": rollout(roots, known["roll_vel"]), "roll_root_world": roots[:, 1:]})
    wrong = rollout(torch.cat([roots[:, 1:], roots[:, -1:]], 1), known["roll_vel"])
    assert (wrong - known["roll_trans_world"]).abs().max() > 500 * TOLERANCE


def test_the_refiner():
    known = golden("modules")
    moves = weighted_feet_velocity(known["ref_feet"], None, known["ref_contact"])
    root, velocity, _ = network().trajectory_refiner(known["ref_context"], moves[:1], known["ref_root6d"][:, 1:], known["ref_vel"], None)
    assert_golden("modules", {"ref_out_root6d": torch.cat([known["ref_root6d"][:, :1], root], 1), "ref_out_vel": velocity})


@pytest.mark.parametrize("threshold, key", [(0.5, "rst_out_thr5"), (0.7, "rst_out_thr7")])
def test_standing_feet_take_their_slide_out_of_the_velocity(threshold, key):
    known = golden("modules")
    rotations = matrix_from_rows(known["rst_body_pose6d"].view(2, 9, 24, 6))
    feet = toy_body()(rotations.flatten(0, 1), known["rst_betas"].flatten(0, 1)).feet.view(2, 9, 4, 3)
    roots = matrix_from_rows(known["rst_root6d"])[:, 1:]
    feet = feet_about_hips(feet, rotations[:, :, 0], roots)
    assert_golden("modules", {key: steadied_velocity(feet, None, known["rst_contact"], roots, known["rst_vel"], threshold)})


def smpl_case():
    known = golden("modules")
    return matrix_from_rows(known["smpl_pose6d"].view(18, 24, 6)), known["smpl_betas"].flatten(0, 1)


def test_the_body():
    posed = toy_body()(*smpl_case())
    assert tuple(golden("body")["parents"].tolist()) == PARENTS
    assert_golden("modules", {"smpl_joints31": posed.keypoints, "smpl_feet": posed.feet, "smpl_offset": posed.offset})


def test_the_body_with_all_its_vertices():
    posed = toy_body()(*smpl_case(), vertices=True)
    assert_golden("modules", {"smpl_vertices": posed.vertices, "smpl_joints31": posed.keypoints, "smpl_feet": posed.feet})


def test_six_numbers_are_rows_not_columns():
    rotations, betas = smpl_case()
    wrong = toy_body()(rotations.transpose(-1, -2), betas)
    assert (wrong.keypoints - golden("modules")["smpl_joints31"]).abs().max() > 1000 * TOLERANCE


def test_the_cameras():
    known = golden("modules")
    place = place_in_camera(known["smpl_cam"], known["smpl_K"][:, 0], known["smpl_bbox"], known["smpl_res"])
    keypoints = known["smpl_joints31"].view(2, 9, 31, 3)
    assert_golden("modules", {"smpl_full_cam": place.flatten(0, 1), "smpl_weak_joints2d": project_weakly(keypoints, known["smpl_cam"])})
    assert_golden("modules", {"smpl_full_joints2d": project(keypoints + place[:, :, None], known["smpl_K"][:, 0])}, PIXELS)


def test_the_cameras_motion_is_what_takes_the_body_in_the_world_to_the_one_before_the_camera():
    """Where the camera is (`cammot_T`) nobody asks in the product: it cancels out of the feet."""
    known = golden("modules")
    before, world = matrix_from_rows(known["smpl_pose6d"][..., :6]), matrix_from_rows(known["roll_root6d"][:, 1:])
    turn = before @ world.transpose(-1, -2)
    place = place_in_camera(known["smpl_cam"], known["smpl_K"][:, 0], known["smpl_bbox"], known["smpl_res"])
    way = rollout(matrix_from_rows(known["roll_root6d"]), known["roll_vel"])
    assert_golden("modules", {"cammot_R": turn, "cammot_T": place - (turn @ way[..., None])[..., 0]})
    feet = known["smpl_feet"].view(2, 9, 4, 3)
    seen = (feet + place[:, :, None] - known["cammot_T"][:, :, None]) @ known["cammot_R"]  # back from the camera to the world
    assert (feet_about_hips(feet, before, world) + way[:, :, None] - seen).abs().max() < TOLERANCE
