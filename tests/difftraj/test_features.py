# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trajectory network is shown must tell how a person moves, and nothing of where or how large they are."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from smplit.difftraj.features import INPUTS, BodyShape, heading, posed, see
from smplit.motion import joint_transforms


@pytest.fixture(scope="module")
def poses():
    """(1,20,22,3,3): joints that turn smoothly, an upright root."""
    random = np.random.default_rng(3)
    swing = np.sin(np.linspace(0, 3, 20))[:, None, None] * random.normal(0, 0.4, (1, 22, 3))
    turned = Rotation.from_rotvec(swing.reshape(-1, 3)).as_matrix().reshape(20, 22, 3, 3)
    turned[:, 0] = Rotation.from_euler("x", 90, degrees=True).as_matrix() @ turned[:, 0]
    return torch.as_tensor(turned, dtype=torch.float32)[None]


def test_joints_are_where_the_motion_modules_own_kinematics_puts_them(body, poses):
    rest = body.rest_joints().numpy()
    vectors = np.zeros((20, 55, 3))
    vectors[:, :22] = Rotation.from_matrix(poses.numpy().reshape(-1, 3, 3)).as_rotvec().reshape(20, 22, 3)
    expected = joint_transforms(vectors, rest)[1][:, :22]
    joints, _ = posed(poses, BodyShape.of(body)[None])
    np.testing.assert_allclose(joints[0].numpy(), expected - expected[:, :1], atol=1e-5)


def test_at_rest_the_soles_lie_below_the_feet_close_to_the_lowest_vertex(body):
    rest = body.rest_joints().numpy()
    _, points = posed(torch.eye(3).expand(1, 1, 22, 3, 3), BodyShape.of(body)[None])
    ground = body.v_template[:, 1].min() - rest[0, 1]
    heights = points[0, 0, 4:, 1].numpy()  # the body frame is Y up
    assert (heights - ground < 0.04).all() and (heights >= ground - 1e-4).all()


@pytest.mark.parametrize("degrees", [-150.0, 10.0, 90.0])
def test_turning_the_person_about_the_vertical_turns_the_heading_and_changes_nothing_that_is_seen(body, poses, degrees):
    turn = torch.as_tensor(Rotation.from_euler("z", degrees, degrees=True).as_matrix(), dtype=torch.float32)
    turned = poses.clone()
    turned[:, :, 0] = turn @ poses[:, :, 0]
    change = heading(turned[0, :, 0]) - heading(poses[0, :, 0])
    np.testing.assert_allclose(np.cos(change.numpy()), np.cos(np.radians(degrees)), atol=1e-5)
    np.testing.assert_allclose(np.sin(change.numpy()), np.sin(np.radians(degrees)), atol=1e-5)
    shape = BodyShape.of(body)[None]
    np.testing.assert_allclose(see(turned, shape, 1 / 30).inputs, see(poses, shape, 1 / 30).inputs, atol=2e-4)


def test_a_giant_is_seen_as_a_person(body, poses):
    shape = BodyShape.of(body)
    giant = BodyShape(shape.bones * 3, shape.soles * 3)
    np.testing.assert_allclose(see(poses, giant[None], 1 / 30).inputs, see(poses, shape[None], 1 / 30).inputs, atol=2e-4)


def test_a_standing_person_faces_where_the_body_frames_z_axis_points():
    facing_y = Rotation.from_euler("z", 90, degrees=True) * Rotation.from_matrix([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    ahead = facing_y.apply([0.0, 0.0, 1.0])
    angle = heading(torch.as_tensor(facing_y.as_matrix()))
    assert float(angle) == pytest.approx(np.arctan2(ahead[1], ahead[0]), abs=1e-6)


def test_a_missing_frame_shows_nothing_but_that_it_is_missing(body, poses):
    valid = torch.ones(1, 20, dtype=torch.bool)
    valid[0, 7] = False
    inputs = see(poses, BodyShape.of(body)[None], 1 / 30, valid).inputs
    assert inputs.shape == (1, 20, INPUTS)
    assert not inputs[0, 7].any()
    assert inputs[0, 8, -1] == 1.0


def test_a_camera_without_confidence_is_no_camera(body, poses):
    shape = BodyShape.of(body)[None]
    camera = torch.full((1, 20, 3), 2.0)
    camera[..., 2] = 0.0
    assert torch.equal(see(poses, shape, 1 / 30, None, camera).inputs, see(poses, shape, 1 / 30).inputs)
