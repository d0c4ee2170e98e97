# SPDX-License-Identifier: GPL-3.0-or-later
"""Batched bodies against the fit's own kinematics, one shape at a time."""

import roma
import torch

from smplit.body.kinematics import joint_transforms
from smplit.mocap.fit.points import body_points
from smplit.mocap.lifter.people import MIRRORED_JOINTS, People, landmarks, mirrored_landmarks, pose
from smplit.motion import BODY_JOINTS


def test_joints_and_landmarks_of_many_shapes_are_those_of_the_fit(body):
    torch.manual_seed(0)
    betas = torch.randn(3, 10)
    people = People.of(body, betas)
    rotations = roma.rotvec_to_rotmat(0.7 * torch.randn(3, 5, 22, 3))
    turned, joints = pose(rotations, people.bones)
    marks = landmarks(turned, joints, people)
    for shape in range(3):
        rest = body.rest_joints(betas[shape])[:22]
        globals_, places = joint_transforms(rotations[shape], rest)
        points = body_points(body, betas[shape]).positions(globals_, places)
        torch.testing.assert_close(joints[shape], places - places[:, :1], atol=1e-5, rtol=0)
        torch.testing.assert_close(marks[shape], points - places[:, :1], atol=1e-5, rtol=0)


def test_bones_are_linear_in_the_shape(body):
    torch.manual_seed(1)
    people = People.of(body, torch.randn(2, 10))
    torch.testing.assert_close(people.bones_of(people.betas), people.bones, atol=1e-5, rtol=0)


def test_mirrors_exchange_left_and_right(body):
    people = People.of(body, torch.zeros(1, 10))
    swap = mirrored_landmarks(people.landmarks)
    assert (swap[swap] == torch.arange(25)).all() and int((swap == torch.arange(25)).sum()) == 1  # the nose alone has no twin
    assert BODY_JOINTS[MIRRORED_JOINTS[BODY_JOINTS.index("left_knee")]] == "right_knee"
