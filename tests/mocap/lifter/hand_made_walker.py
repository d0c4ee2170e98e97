# SPDX-License-Identifier: GPL-3.0-or-later
"""A walker made by hand, and what a perfect detector says of it."""

import numpy as np
import torch
from roma import rotvec_to_rotmat

from smplit.body.kinematics import joint_transforms
from smplit.body.model import BodyModel
from smplit.mocap.fit.points import body_points
from smplit.mocap.observations import CameraMotion, PersonLandmarks

K = np.array([[1000.0, 0, 480], [0, 1000.0, 270], [0, 0, 1]])


def walk(body: BodyModel, frames: int, fps: float) -> tuple[PersonLandmarks, CameraMotion, np.ndarray]:
    """Landmarks, camera and times of somebody who crosses the picture 4 m away, swinging arms and legs."""
    times = np.arange(frames) / fps
    swing = torch.as_tensor(np.sin(2 * np.pi * times), dtype=torch.float32)
    poses = torch.zeros(frames, 22, 3)
    poses[:, 0, 0] = np.pi  # upright in a camera whose y points down, facing it
    poses[:, 1, 0], poses[:, 2, 0] = 0.5 * swing, -0.5 * swing
    poses[:, 16, 2], poses[:, 17, 2] = -1.1 + 0.3 * swing, 1.1 + 0.3 * swing
    rest = body.rest_joints(torch.zeros(10))[:22]
    rotations, joints = joint_transforms(rotvec_to_rotmat(poses), rest)
    points = body_points(body, torch.zeros(10))
    place = torch.as_tensor(np.stack([times - 0.5, 0 * times, 4 + 0 * times], 1), dtype=torch.float32) - rest[0]
    marks = (points.positions(rotations, joints) + place[:, None]).numpy()
    pixels, world = np.zeros((frames, 33, 2), np.float32), np.zeros((frames, 33, 3), np.float32)
    pixels[:, points.landmarks] = marks[..., :2] / marks[..., 2:] * 1000 + K[:2, 2]
    hips = [points.landmarks.index(23), points.landmarks.index(24)]
    world[:, points.landmarks] = marks - marks[:, hips].mean(1, keepdims=True)
    none = np.zeros((frames, 2, 21, 3), np.float32)
    seen = np.ones(frames, bool)
    boxes = np.concatenate([pixels[:, points.landmarks].min(1), pixels[:, points.landmarks].max(1)], 1)
    landmarks = PersonLandmarks(
        1, 0, seen, boxes, pixels, np.ones((frames, 33), np.float32), world, none[..., :2], np.zeros((frames, 2)), none,
        np.zeros((frames, 468, 3), np.float32), np.zeros(frames),
    )
    still = np.broadcast_to(np.eye(3), (frames, 3, 3)).copy()
    return landmarks, CameraMotion(still, "static", K, "given", np.zeros(frames)), times
