# SPDX-License-Identifier: GPL-3.0-or-later
"""The half-body clip, captured as a user does: fingers must lie on the fingers that were seen."""

from pathlib import Path

import numpy as np
import pytest
import torch

from smplit.axes import matrix_from_axis_angle
from smplit.body.kinematics import joint_transforms
from smplit.body.model import BodyModel
from smplit.mocap.observe import observe
from smplit.mocap.options import CaptureOptions
from smplit.mocap.pipeline import capture_observed
from smplit.progress import Reporter

_VIDEO = Path(__file__).parents[3] / "shared" / "videos" / "halfbody_sign_hands.mp4"
# Joints of SMPL-X's index, middle, little finger, ring finger and thumb as MediaPipe numbers them.
_LANDMARKS = [5, 6, 7, 9, 10, 11, 17, 18, 19, 13, 14, 15, 1, 2, 3]


def test_finger_joints_lie_within_six_pixels_of_the_hands_that_were_seen(tmp_path):
    if not _VIDEO.exists():
        pytest.skip(f"needs {_VIDEO.name} of ../shared/videos")
    options = CaptureOptions()
    shots = observe(_VIDEO, options, Reporter())
    motion = capture_observed(_VIDEO, shots, tmp_path, options)[0].motion
    seen, body = shots[0].people[0], BodyModel.load()
    turns = torch.as_tensor(matrix_from_axis_angle(motion.poses.reshape(len(motion), 55, 3)), dtype=torch.float32)
    joints = joint_transforms(turns, body.rest_joints(torch.as_tensor(motion.betas[:10])))[1].numpy() + motion.trans[:, None]
    before_camera = np.einsum("tij,tkj->tki", motion.camera_R, joints) + motion.camera_t[:, None]
    flat = before_camera @ motion.camera_K.T
    pixels = (flat[..., :2] / flat[..., 2:])[:, 25:].reshape(len(motion), 2, 15, 2)
    for side, name in enumerate(("left", "right")):
        trusted = seen.hand_confidence[:, side] > 0.5
        assert trusted.sum() > 20
        away = np.linalg.norm(pixels[trusted, side] - seen.hands[trusted, side][:, _LANDMARKS], axis=-1)
        assert np.median(away) < 6.0, name
