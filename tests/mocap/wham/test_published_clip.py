# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole clip through the published WHAM, from keypoints to the numbers its demo writes (goldens/wham, wham_full)."""

import functools
from dataclasses import replace

import numpy as np
import pytest
import roma
import torch
from wham_goldens import TOLERANCE, assert_golden, golden, network, toy_body

from smplit.axes import matrix_from_axis_angle
from smplit.mocap.wham.camera import intrinsics
from smplit.mocap.wham.lift import Path, lift, to_world
from smplit.mocap.wham.network import has_every_feature
from smplit.mocap.wham.preprocessing import Start, Track, mirrored_start, network_inputs
from smplit.mocap.wham.rotations import Y_DOWN_TO_Y_UP, matrix_from_rows

FRAMES = 20


def start(side=""):
    known = golden("full")
    rotations = torch.cat([known[f"raw_trk_{side}init_global_orient"], known[f"raw_trk_{side}init_body_pose"]], 1)
    return Start(rotations[0], known[f"raw_trk_{side}init_betas"][0])


def track(features=True):
    known = golden("full")
    width, height = int(known["raw_width"]), int(known["raw_height"])
    camera = roma.unitquat_to_rotmat(known["raw_slam_xyz_qxyzw"][:, 3:]).transpose(-1, -2)
    keypoints = known["raw_trk_keypoints"]
    return Track(
        keypoints[..., :2], keypoints[..., 2], known["raw_trk_bbox"], torch.tensor([width, height]).float(), intrinsics(width, height), start(),
        camera, known["raw_trk_features"] if features else None,
    )


def mirrored():
    return track().mirrored(start("flipped_"), golden("full")["raw_trk_flipped_features"])


@functools.cache
def lifted(features=True, mirror=False, piece=256):
    inputs, scene = network_inputs(track(features), toy_body())
    return lift(network(), toy_body(), inputs, scene, network_inputs(mirrored(), toy_body())[0] if mirror else None, piece)


def outputs(prefix, found):
    """By the goldens' names; its world is y up."""
    roots = torch.cat([golden("full")["in_init_root"], found.refined_root], 1)
    named = {
        "feet": found.feet, "contact": found.contact, "pose": found.pose, "betas": found.betas, "cam": found.cam, "vel_root": found.velocity,
        "poses_root_r6d": torch.cat([golden("full")["in_init_root"], found.root], 1), "trans_cam": found.place[0], "offset": found.offset[0],
        "poses_root_r6d_refined": roots, "vel_root_refined": found.refined_velocity,
        "poses_root_world": Y_DOWN_TO_Y_UP @ matrix_from_rows(found.refined_root), "trans_world": found.refined_place @ Y_DOWN_TO_Y_UP,
        "poses_root_cam": matrix_from_rows(found.pose[0, :, None, :6]), "poses_body": matrix_from_rows(found.pose[0].view(FRAMES, 24, 6))[:, 1:],
    }
    return {prefix + name: value for name, value in named.items() if prefix + name in golden("full")}


def test_a_tracks_numbers_become_the_networks_inputs():
    for prefix, one in (("in_", track()), ("flipin_", mirrored())):
        inputs, scene = network_inputs(one, toy_body())
        named = {
            "x": inputs.x, "mask": inputs.mask, "init_kp": inputs.init_kp[:, None], "init_smpl": inputs.init_pose[:, None],
            "init_root": inputs.init_root[:, None], "cam_angvel": inputs.cam_angvel, "bbox": scene.bbox, "res": scene.size,
        }
        assert_golden("full", {prefix + name: value for name, value in named.items()})
        assert_golden("full", {prefix + "cam_intrinsics": scene.K[:, None]}, 1e-4)  # px


def test_the_mirrored_picture_as_the_original_sees_it():
    known, other = golden("full"), mirrored()
    seen = torch.cat([other.keypoints, other.confidence[..., None]], -1)
    assert_golden("full", {"raw_trk_flipped_keypoints": seen, "raw_trk_flipped_bbox": other.boxes}, 1e-4)  # px
    assert known["raw_fps"] == 30.0 and torch.equal(known["raw_trk_frame_id"], torch.arange(FRAMES))  # nothing to resample, no gap


def test_stages_of_the_clip():
    """What happens between input and output, one by one."""
    inputs, scene = network_inputs(track(), toy_body())
    answer, _ = network()(inputs)
    found, _ = to_world(network(), toy_body(), answer, scene, Path(inputs.init_root), vertices=True)
    posed = toy_body()(matrix_from_rows(answer.pose.view(FRAMES, 24, 6)), answer.betas[0])
    integrated = network().integrator(answer.context, inputs.features, has_every_feature(inputs.features))
    assert_golden("full", {"plain_verts_cam": found.vertices[0]})
    assert_golden("modules", {
        "stage_preprocessed_x": network().masked(inputs.x, inputs.mask), "stage_integrated": integrated, "stage_feet_body": posed.feet,
        "stage_kp3d_nn": answer.kp3d, "stage_motion_context": answer.context, "stage_pred_root": answer.root, "stage_pred_vel": answer.velocity,
        "stage_pose": answer.pose, "stage_shape": answer.betas, "stage_cam": answer.cam, "stage_contact": answer.contact,
        "stage_reset_vel": found.steady, "stage_offset": found.offset[0], "stage_full_cam": found.place[0],
    })


def test_a_clip_with_image_features():
    assert_golden("full", outputs("plain_", lifted()))


def test_a_clip_without():
    assert_golden("full", outputs("nofeat_", lifted(features=False)))


def test_the_unrefined_path():
    found = lifted()
    roots = matrix_from_rows(found.root)
    assert_golden("full", {"norefine_ydown_poses_root_world": roots, "norefine_ydown_trans_world": found.first_place})


def test_a_clip_looked_at_in_the_mirror_too():
    assert_golden("full", outputs("flipavg_", lifted(mirror=True)))


def test_the_mirrored_clip_alone():
    found, _ = network()(network_inputs(mirrored(), toy_body())[0])
    assert_golden("full", {f"flippass_{name}": getattr(found, name) for name in ("contact", "pose", "betas", "cam")})


def test_the_averaged_bodys_vertices():
    found = lifted(mirror=True)
    posed = toy_body()(matrix_from_rows(found.pose.view(FRAMES, 24, 6)), found.betas[0], vertices=True)
    assert_golden("full", {"flipavg_verts_cam": posed.vertices})


def test_a_mirror_without_its_sides_swapped_is_noticed():
    wrong = mirrored()
    wrong = replace(wrong, keypoints=torch.cat([1280 - track().keypoints[..., :1], track().keypoints[..., 1:]], -1))
    inputs, scene = network_inputs(track(), toy_body())
    found = lift(network(), toy_body(), inputs, scene, network_inputs(wrong, toy_body())[0])
    assert (found.pose - golden("full")["flipavg_pose"]).abs().max() > 1000 * TOLERANCE


def test_a_mask_that_is_not_looked_at_is_noticed():
    inputs, scene = network_inputs(track(), toy_body())
    assert inputs.mask.any()
    found = lift(network(), toy_body(), replace(inputs, mask=torch.zeros_like(inputs.mask)), scene)
    assert (found.pose - golden("full")["plain_pose"]).abs().max() > 1000 * TOLERANCE


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("piece", [1, 7])
def test_pieces_with_carried_state_are_the_clip(mirror, piece):
    """Nothing depends on where a long clip is cut: state, shortcut of the integrator, feet, path."""
    whole, pieces = lifted(mirror=mirror), lifted(mirror=mirror, piece=piece)
    for name in ("kp3d", "pose", "contact", "place", "feet", "steady", "refined_root", "refined_place", "refined_feet"):
        assert (getattr(whole, name) - getattr(pieces, name)).abs().max() < TOLERANCE / 5, name


def test_pieces_keep_the_shortcut_off_when_one_frame_of_the_clip_has_no_image():
    found = []
    for piece in (256, 5):
        one = track()
        one.features[FRAMES - 1] = 0  # in the last piece
        inputs, scene = network_inputs(one, toy_body())
        found.append(lift(network(), toy_body(), inputs, scene, piece=piece).pose)
    assert (found[0] - found[1]).abs().max() < TOLERANCE / 5


def test_the_demos_numbers():
    found, known = lifted(mirror=True), golden("full")
    assert_golden("full", {
        "demo_trans": (found.place - found.offset)[0], "demo_trans_world": (found.refined_place @ Y_DOWN_TO_Y_UP)[0], "demo_betas": found.betas[0],
    })
    pose = matrix_from_rows(found.pose[0].view(FRAMES, 24, 6))
    world = torch.cat([Y_DOWN_TO_Y_UP @ matrix_from_rows(found.refined_root[0, :, None]), pose[:, 1:]], 1)
    for name, matrices in (("demo_pose", pose), ("demo_pose_world", world)):  # axis-angle has two ways to say half a turn
        expected = matrix_from_axis_angle(known[name].view(FRAMES, 24, 3).numpy())
        assert np.abs(matrices.numpy() - expected).max() < TOLERANCE


def test_the_mirror_image_of_a_mirror_image_is_the_start():
    one = start()
    one.keypoints = toy_body()(one.rotations[None], one.betas[None]).keypoints[0, :17]
    again = mirrored_start(mirrored_start(one))
    assert torch.equal(again.rotations, one.rotations) and torch.equal(again.keypoints, one.keypoints)
