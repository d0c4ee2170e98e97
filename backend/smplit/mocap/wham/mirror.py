# SPDX-License-Identifier: GPL-3.0-or-later
"""Mirrored evaluation: the picture's mirror image is looked at too, and both answers are averaged."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from smplit.mocap.wham.network import Prediction
from smplit.mocap.wham.rotations import matrix_from_rows, mean_rotation, rows_from_matrix

KEYPOINT_SWAP = (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)  # COCO
POSE_SWAP = (0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22)  # SMPL
CONTACT_SWAP = (2, 3, 0, 1)


def mirrored_keypoints(keypoints: Tensor, width: float) -> Tensor:
    """(...,17,2 or more) px -> of the mirrored picture; what comes after x and y goes with its keypoint."""
    swapped = keypoints[..., KEYPOINT_SWAP, :]
    return torch.cat([width - swapped[..., :1], swapped[..., 1:]], -1)


def mirrored_boxes(bbox: Tensor, width: float) -> Tensor:
    """(...,3) centre px and scale -> of the mirrored picture."""
    return torch.cat([width - bbox[..., :1], bbox[..., 1:]], -1)


def mirrored_rotations(rotations: Tensor) -> Tensor:
    """(...,24,3,3) -> of the mirrored body: left and right swapped, turned about y and z the other way."""
    sides = torch.tensor([-1.0, 1.0, 1.0], dtype=rotations.dtype, device=rotations.device)
    return rotations[..., POSE_SWAP, :, :] * sides[:, None] * sides


def average_with_mirrored(answer: Prediction, mirrored: Prediction) -> Prediction:
    """Pose, shape and contact are averaged; way, camera and context are those of the picture as it is."""
    rotations = [matrix_from_rows(one.pose.unflatten(-1, (24, 6))) for one in (answer, mirrored)]
    pose = rows_from_matrix(mean_rotation(rotations[0], mirrored_rotations(rotations[1]))).flatten(-2)
    contact = (answer.contact + mirrored.contact[..., CONTACT_SWAP]) / 2.0
    return replace(answer, pose=pose, betas=(answer.betas + mirrored.betas) / 2.0, contact=contact)
