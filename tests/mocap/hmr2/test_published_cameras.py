# SPDX-License-Identifier: GPL-3.0-or-later
"""4D-Humans' body, keypoints and cameras from the network's answer (goldens/hmr2, hmr2_4dhumans)."""

import functools

import numpy as np
import pytest
import torch
import wham_goldens
from hmr2_goldens import TOLERANCE, assert_golden, crops, difference, golden, network
from scipy.spatial.transform import Rotation

from smplit.body.kinematics import joint_transforms
from smplit.mocap.hmr2.camera import FOCAL, REST_PELVIS, place_in_crop, place_in_picture, project_in_crop
from smplit.mocap.hmr2.estimate import Hmr2
from smplit.mocap.hmr2.keypoints import PELVIS, keypoints_of
from smplit.mocap.wham.body import PARENTS, SmplBody
from smplit.mocap.wham.crop import SIDE
from smplit.mocap.wham.smpl_files import stand_in

# What the invented body of the goldens has in the place of SMPL's surface vertices: `fourdh_pred_keypoints_3d` holds these of
# `fourdh_pred_vertices` exactly.
_SURFACE = (75, 76, 77, 78, 79, 50, 51, 35, 55, 56, 40)


@functools.cache
def answer():
    return Hmr2(network())(crops())


@functools.cache
def posed():
    """Joints (2,24,3) m and vertices (2,120,3) m of the two pictures' bodies, in SMPL's own place."""
    body, found = wham_goldens.toy_body(), answer()
    rotations, betas = torch.from_numpy(found.rotations), torch.from_numpy(found.betas)
    surface = body(rotations, betas, vertices=True)
    joints = [joint_transforms(one[None], rest, PARENTS)[1][0] for one, rest in zip(rotations, body.rest_joints(betas), strict=True)]
    return torch.stack(joints).numpy(), (surface.vertices + surface.offset[:, None]).numpy()


def keypoints():
    joints, vertices = posed()
    return keypoints_of(joints, vertices, golden("4dhumans")["J19_regressor_toy"], _SURFACE)


def test_the_crops_camera():
    found = answer()
    assert_golden("4dhumans", {"fourdh_pred_cam": found.cam})
    assert_golden("4dhumans", {"fourdh_pred_cam_t": place_in_crop(found.cam.astype(np.float64))}, 40 * TOLERANCE)  # of numbers near 40
    assert_golden("4dhumans", {"fourdh_focal_length": np.full((2, 2), FOCAL)})


def test_the_body_and_its_44_keypoints():
    assert_golden("4dhumans", {"fourdh_pred_vertices": posed()[1], "fourdh_pred_keypoints_3d": keypoints()})


def test_left_and_right_of_the_keypoints_are_not_swapped():
    joints, vertices = posed()
    swapped = joints[:, [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]]
    wrong = keypoints_of(swapped, vertices, golden("4dhumans")["J19_regressor_toy"], _SURFACE)
    assert difference("4dhumans", "fourdh_pred_keypoints_3d", wrong) > 1000 * TOLERANCE


def test_keypoints_in_the_crop():
    found = project_in_crop(keypoints(), place_in_crop(answer().cam.astype(np.float64)))
    assert_golden("4dhumans", {"fourdh_pred_keypoints_2d": found})


def published_camera(width, height):
    """4D-Humans knows no camera: a focal length of 5000 px for a picture of 256 px."""
    focal = FOCAL / SIDE * max(width, height)
    return np.array([[focal, 0.0, width / 2.0], [0.0, focal, height / 2.0], [0.0, 0.0, 1.0]])


def golden_boxes():
    known = golden("4dhumans")
    return np.concatenate([known["full_box_center"], known["full_box_size"][:, None] / 200.0], 1).astype(np.float64)


def test_the_place_before_the_camera_of_the_whole_picture():
    known = golden("4dhumans")
    width, height = known["full_img_size"][0]
    assert (known["full_img_size"] == [width, height]).all()
    K = published_camera(width, height)
    assert_golden("4dhumans", {"full_focal": K[0, 0]})
    found = place_in_picture(answer().cam.astype(np.float64), golden_boxes(), K)
    assert_golden("4dhumans", {"full_cam_t": found}, 70 * TOLERANCE)  # of numbers near 70


@pytest.mark.parametrize("focal", [300.0, 1200.0, 9000.0])
def test_the_true_focal_length_changes_the_distance_and_not_where_the_picture_shows_it(focal):
    K = np.array([[focal, 0.0, 150.0], [0.0, focal, 130.0], [0.0, 0.0, 1.0]])
    cam, boxes = answer().cam.astype(np.float64), golden_boxes()
    place = place_in_picture(cam, boxes, K)
    shown = place[:, :2] / place[:, 2:] * focal + K[:2, 2]
    in_crop = project_in_crop(np.zeros((2, 1, 3)), place_in_crop(cam))[:, 0]
    assert np.allclose(shown, boxes[:, :2] + in_crop * boxes[:, 2:] * 200.0, atol=1e-5)
    side = 200.0 * boxes[:, 2]
    one_metre = focal / place[:, 2]  # px, at the person
    assert np.allclose(one_metre, side * cam[:, 0] / 2.0, rtol=1e-6)


def test_what_is_placed_is_smpls_origin_and_the_pelvis_is_above_it_however_the_body_turns():
    """The root turns about the pelvis joint, so that the joint never moves from its rest place."""
    rest = SmplBody(stand_in()).rest_joints(torch.zeros(1, 10))[0]
    rotations = torch.eye(3).repeat(5, 24, 1, 1)
    rotations[:, 0] = torch.from_numpy(Rotation.random(5, rng=0).as_matrix()).float()
    pelvis = joint_transforms(rotations, rest, PARENTS)[1][:, 0]
    assert torch.allclose(pelvis, rest[:1].expand(5, 3)) and rest[0].norm() > 0.05
    assert REST_PELVIS[1] < -0.2  # y points down


def weighted(off, trust):
    return float((np.abs(off) * trust[..., None]).sum(dtype=np.float64))


def test_the_losses_that_the_original_was_trained_with():
    """Sums of absolute differences, each keypoint by its confidence; in 3D about keypoint 39. Training HMR2 is no part of SMPLit."""
    known = golden("4dhumans")
    flat = weighted(known["loss_p2"] - known["loss_g2"][..., :2], known["loss_g2"][..., 2])
    about_pelvis = lambda points: points - points[:, PELVIS : PELVIS + 1]
    deep = weighted(about_pelvis(known["loss_p3"]) - about_pelvis(known["loss_g3"][..., :3]), known["loss_g3"][..., 3])
    assert flat == pytest.approx(known["loss_kp2d"], rel=1e-5) and deep == pytest.approx(known["loss_kp3d_pelvis39"], rel=1e-5)
    assert weighted(known["loss_p3"] - known["loss_g3"][..., :3], known["loss_g3"][..., 3]) != pytest.approx(known["loss_kp3d_pelvis39"], rel=1e-3)
