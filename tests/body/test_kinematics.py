# SPDX-License-Identifier: GPL-3.0-or-later
"""Joint kinematics agree with the smplx package, and torch with numpy."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from smplit import axes, motion
from smplit.body.kinematics import joint_transforms
from smplit.body.model import SURFACE_POINTS, BodyModel

BODY = Path(__file__).resolve().parents[2] / "model_files" / "body" / "OPEN_NEUTRAL.npz"


@pytest.fixture(scope="module")
def body():
    return BodyModel.load(BODY)


@pytest.fixture(scope="module")
def random_motion():
    rng = np.random.default_rng(0)
    return rng.normal(0, 0.4, (5, 165)), rng.normal(0, 1, (5, 3)), rng.normal(0, 1, 10)


def test_joints_without_vertices_agree_with_the_smplx_package(body, random_motion):
    poses, trans, betas = (x.astype(np.float32) for x in random_motion)
    model = body._smplx
    oracle = model(
        betas=torch.tensor(betas)[None].expand(5, -1), expression=torch.zeros(5, len(body.expression_names)),
        global_orient=torch.tensor(poses[:, :3]), body_pose=torch.tensor(poses[:, 3:66]),
        jaw_pose=torch.tensor(poses[:, 66:69]), leye_pose=torch.tensor(poses[:, 69:72]),
        reye_pose=torch.tensor(poses[:, 72:75]), left_hand_pose=torch.tensor(poses[:, 75:120]),
        right_hand_pose=torch.tensor(poses[:, 120:]), transl=torch.tensor(trans),
    ).joints[:, :55].detach().numpy()
    matrices = torch.tensor(Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix(), dtype=torch.float32).view(5, 55, 3, 3)
    ours = body.joints(matrices, torch.tensor(trans), torch.tensor(betas)).numpy()
    assert np.abs(ours - oracle).max() < 1e-5


def test_numpy_and_torch_kinematics_agree(body, random_motion):
    poses, _, betas = random_motion
    rest = body.rest_joints(betas)
    matrices = torch.tensor(axes.matrix_from_axis_angle(poses.reshape(5, 55, 3)), dtype=torch.float32)
    rotations, positions = joint_transforms(matrices, rest)
    np_rotations, np_positions = motion.joint_transforms(poses, rest.numpy())
    assert np.abs(rotations.numpy() - np_rotations).max() < 1e-5
    assert np.abs(positions.numpy() - np_positions).max() < 1e-5


def test_body_joints_alone_are_the_first_22_of_all(body, random_motion):
    poses, trans, _ = random_motion
    matrices = torch.tensor(axes.matrix_from_axis_angle(poses.reshape(5, 55, 3)), dtype=torch.float32)
    shift = torch.tensor(trans, dtype=torch.float32)
    assert torch.allclose(body.joints(matrices[:, :22], shift), body.joints(matrices, shift)[:, :22], atol=1e-6)


def test_surface_points_lie_on_the_side_their_name_says(body):
    points = dict(zip(SURFACE_POINTS, body.rest_surface_points().numpy(), strict=True))
    assert all(p[0] > 0 for name, p in points.items() if name.startswith("left"))
    assert all(p[0] < 0 for name, p in points.items() if name.startswith("right"))
    assert points["nose"][2] > points["left_ear"][2]  # the nose points forward, +Z
    assert points["left_big_toe"][2] > points["left_heel"][2]


def test_rotation_conversions_agree_with_scipy():
    rotvec = np.random.default_rng(1).normal(0, 1.5, (200, 3))
    oracle = Rotation.from_rotvec(rotvec)
    assert np.abs(axes.matrix_from_axis_angle(rotvec) - oracle.as_matrix()).max() < 1e-12
    wxyz = axes.quaternion_from_matrix(oracle.as_matrix())
    assert np.abs(np.abs((axes.xyzw_from_wxyz(wxyz) * oracle.as_quat()).sum(-1)) - 1).max() < 1e-12
    assert np.abs(Rotation.from_rotvec(axes.axis_angle_from_matrix(oracle.as_matrix())).as_matrix() - oracle.as_matrix()).max() < 1e-9
    assert np.allclose(axes.axis_angle_from_quaternion(axes.quaternion_from_axis_angle(rotvec * 1e-9)), rotvec * 1e-9, rtol=1e-6)
