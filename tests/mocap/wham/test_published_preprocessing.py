# SPDX-License-Identifier: GPL-3.0-or-later
"""Boxes, numbers of keypoints, camera turn, mirror and crops as the published WHAM makes them (goldens/wham, wham_preproc)."""

import numpy as np
import pytest
import roma
import torch
from wham_goldens import TOLERANCE, assert_golden, difference, golden

from smplit.axes import matrix_from_axis_angle
from smplit.body.rotations import matrix_from_6d
from smplit.mocap.wham.boxes import SEEN, box_of_corners, boxes_of_enough, boxes_of_keypoints, evenly_smoothed_boxes, normalised, smoothed_boxes
from smplit.mocap.wham.camera import intrinsics
from smplit.mocap.wham.camera_turn import angular_velocity, unturned
from smplit.mocap.wham.crop import person_crop
from smplit.mocap.wham.mirror import average_with_mirrored, mirrored_boxes, mirrored_keypoints, mirrored_rotations
from smplit.mocap.wham.network import Prediction
from smplit.mocap.wham.rotations import matrix_from_rows, mean_rotation, rows_from_matrix

BOX = 1e-4  # px


def test_boxes_around_what_is_seen():
    known = golden("preproc")
    seen = known["det_in_keypoints"][..., 2] > SEEN
    assert not seen.all()
    assert_golden("preproc", {"det_raw_bbox": boxes_of_keypoints(known["det_in_keypoints"][..., :2], seen)}, BOX)
    everything = torch.ones(20, 17, dtype=torch.bool)
    assert_golden("preproc", {"kpbbox_noaug": boxes_of_keypoints(known["norm_kp"], everything)}, BOX)
    assert_golden("preproc", {"kpbbox_noaug_masked": boxes_of_enough(known["norm_kp"], ~known["kpbbox_mask"])}, BOX)
    assert_golden("preproc", {"det_xyxy_to_cxcys": box_of_corners(known["det_xyxy_in"][None])}, BOX)


def test_a_frame_without_a_seen_keypoint_has_no_box():
    assert boxes_of_keypoints(torch.ones(2, 17, 2), torch.zeros(2, 17, dtype=torch.bool)).isnan().all()


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_boxes_are_smoothed_by_a_median_over_half_a_second(fps):
    known = golden("preproc")
    track = known["det_in_id"] == 3  # the other one is shorter than a second, which the original drops
    frames = known["det_in_frame_id"][track]
    assert torch.equal(frames, torch.arange(len(frames)) + frames[0]) and (~track).sum() < 30
    assert_golden("preproc", {f"det_smooth_bbox_fps{fps}": smoothed_boxes(known["det_raw_bbox"][track], fps)}, BOX)


def test_our_own_smoothing_is_the_same_in_the_middle_and_has_no_zeros_beyond_the_ends():
    known = golden("preproc")
    raw = known["det_raw_bbox"][known["det_in_id"] == 3]
    even, original = evenly_smoothed_boxes(raw), smoothed_boxes(raw)
    assert torch.equal(even[7:-7], original[7:-7])
    assert (even[:7, 0] > 0.8 * raw[:7, 0].median()).all() and original[0, 0] < even[0, 0]
    assert torch.equal(evenly_smoothed_boxes(raw[:1]), raw[:1])


def test_keypoints_become_numbers_in_their_box():
    known = golden("preproc")
    assert_golden("preproc", {"norm_out": normalised(known["norm_kp"], known["norm_bbox"], known["norm_res"])})
    assert_golden("preproc", {"intrinsics": intrinsics(1280, 720)[None]}, 1e-4)


@pytest.mark.parametrize("fps", [24, 30, 60])
def test_the_cameras_turn(fps):
    camera = roma.unitquat_to_rotmat(golden("preproc")["angvel_slam"][:, 3:]).transpose(-1, -2)
    assert_golden("preproc", {f"angvel_fps{fps}": angular_velocity(camera, fps)})
    inverted = angular_velocity(camera.transpose(-1, -2), fps)
    assert (inverted - golden("preproc")[f"angvel_fps{fps}"]).abs().max() > 100 * TOLERANCE


def test_a_still_camera_turns_by_nothing():
    assert_golden("preproc", {"angvel_noslam_placeholder": unturned(6)}, 1e-9)
    assert angular_velocity(torch.eye(3).expand(5, 3, 3)).abs().max() == 0 and angular_velocity(torch.eye(3)[None]).shape == (1, 6)


def test_mirrored_keypoints_boxes_and_poses():
    known = golden("preproc")
    keypoints = torch.cat([known["norm_kp"][0], known["flip_kp_out"][:, 2:][list((0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15))]], -1)
    assert_golden("preproc", {
        "flip_kp_out": mirrored_keypoints(keypoints, 1280), "flip_bbox_out": mirrored_boxes(known["flip_bbox_in"], 1280),
        "flip_pose6d_out": rows_from_matrix(mirrored_rotations(matrix_from_rows(known["flip_pose6d_in"]))),
    })


def test_both_answers_are_averaged():
    known = golden("preproc")
    matrices = matrix_from_rows(known["avg_pose6d"]), mirrored_rotations(matrix_from_rows(known["avg_pose6d_flipped"]))
    assert_golden("preproc", {"avg_out_pose6d": rows_from_matrix(mean_rotation(*matrices))})
    said = lambda side: Prediction(
        None, None, known[f"avg_pose6d{side}"].flatten(1)[None], known[f"avg_betas{side}"][None], None, torch.zeros(1, 6, 4), None, None
    )
    found = average_with_mirrored(said(""), said("_flipped"))
    assert_golden("preproc", {"avg_out_betas": found.betas[0], "avg_out_pose6d": found.pose[0].unflatten(-1, (24, 6))})


def test_six_numbers_and_a_matrix():
    known = golden("preproc")
    matrices = matrix_from_rows(known["r6d_in"])
    assert_golden("preproc", {"r6d_matrix": matrices, "r6d_back": rows_from_matrix(matrices)})
    assert np.abs(matrix_from_axis_angle(known["matrix_to_aa"].numpy()) - matrices.numpy()).max() < TOLERANCE
    assert (matrix_from_6d(known["r6d_in"]) - known["r6d_matrix"]).abs().max() > 0.1  # columns are something else


@pytest.mark.parametrize("number", range(3))
def test_a_crop(number):
    """The second reaches beyond the picture."""
    known = golden("preproc")
    crop = person_crop(known["crop_img_bgr"].numpy()[..., ::-1], known[f"crop{number}_center_scale"].numpy())
    assert_golden("preproc", {f"crop{number}_norm_stride4": crop[:, ::4, ::4]})
    assert_golden("preproc", {f"crop{number}_norm_mean_std": torch.stack([crop.mean(), crop.std(unbiased=False)])})
    wrong = person_crop(known["crop_img_bgr"].numpy(), known[f"crop{number}_center_scale"].numpy())
    assert difference("preproc", f"crop{number}_norm_stride4", wrong[:, ::4, ::4]) > 1000 * TOLERANCE  # blue first


def test_a_crop_beside_the_picture_is_black_and_one_of_nothing_is_refused():
    image = np.full((40, 60, 3), 255, np.uint8)
    assert np.allclose(person_crop(image, np.array([500.0, 20.0, 0.2]))[:, 0, 0], [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225], atol=1e-6)
    with pytest.raises(ValueError, match="smaller than a pixel"):
        person_crop(image, np.array([30.0, 20.0, 0.0]))
