# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands of the open body, posed by the smplx package, seen by a detector of known noise."""

from pathlib import Path

import numpy as np
import pytest
import smplx
import torch
from scipy.spatial.transform import Rotation

from smplit.body.model import SURFACE_POINTS, BodyModel
from smplit.mocap.observations import PersonLandmarks

BODY = Path(__file__).resolve().parents[3] / "model_files" / "body" / "OPEN_NEUTRAL.npz"
FRAMES, FPS, FOCAL = 60, 30.0, 900.0
K = np.array([[FOCAL, 0, 640], [0, FOCAL, 360], [0, 0, 1]])
_FINGERS = ("index", "middle", "pinky", "ring", "thumb")  # SMPL-X
_MEDIAPIPE = ("thumb", "index", "middle", "ring", "pinky")
_FACING = Rotation.from_rotvec([np.pi, 0, 0])  # rest axes to a camera in front of the person


class HandWorld:
    """Truth and what is seen of it; side 0 is the left."""

    def __init__(self):
        self.body = BodyModel.load(BODY)
        self.times = np.arange(FRAMES) / FPS
        phase = 2 * np.pi * 0.8 * self.times
        curl = np.stack([0.5 - 0.5 * np.cos(phase + shift) for shift in (0, 0.5, 1.5, 1.0)], 1)  # index, middle, pinky, ring
        self.poses = np.zeros((FRAMES, 2, 15, 3))
        for side, sign in ((0, -1.0), (1, 1.0)):
            for finger in range(4):
                axis = self.bending_axis(side, finger)
                angles = curl[:, finger, None] * np.radians([65.0, 80.0, 45.0])
                self.poses[:, side, 3 * finger : 3 * finger + 3] = angles[..., None] * axis
            self.poses[:, side, 12] = np.array([0.25, sign * 0.3, sign * 0.15]) * curl[:, :1]
        wrist = np.stack([1.3 + 0.4 * np.sin(phase), 0.2 * np.cos(phase), 0.3 * np.sin(2 * phase)], 1)
        self.wrist = np.stack([wrist, wrist * [1.0, -1.0, -1.0]], 1)

    def bending_axis(self, side, finger):
        """(3,) about which a finger bends: across it, palms being down at rest."""
        rest = self.body.rest_joints().numpy()[25 + 15 * side + 3 * finger :][:3].astype(np.float64)
        axis = np.cross(rest[2] - rest[0], [0, -1.0, 0])
        return axis / np.linalg.norm(axis)

    def joints(self, poses=None, wrist=None):
        """(n,2,21,3) m in MediaPipe's order, from smplx: body at rest that faces the camera, 1 m before it."""
        poses = self.poses if poses is None else poses
        wrist = self.wrist if wrist is None else wrist
        count = len(poses)
        model = smplx.SMPLX(BODY, use_pca=False, flat_hand_mean=True, batch_size=count, num_betas=10, num_expression_coeffs=10)
        body_pose = np.zeros((count, 21, 3), np.float32)
        body_pose[:, 19:21] = wrist
        hands = torch.as_tensor(poses.reshape(count, 2, 45), dtype=torch.float32)
        with torch.no_grad():
            out = model(global_orient=torch.tensor([[np.pi, 0, 0]]).float().expand(count, 3), body_pose=torch.as_tensor(body_pose.reshape(count, -1)),
                        left_hand_pose=hands[:, 0], right_hand_pose=hands[:, 1])
        joints, vertices = out.joints.numpy().astype(np.float64), out.vertices.numpy().astype(np.float64)
        points = np.zeros((count, 2, 21, 3))
        for side, name in enumerate(("left", "right")):
            points[:, side, 0] = joints[:, 20 + side]
            for row, finger in enumerate(_MEDIAPIPE):
                first = 25 + 15 * side + 3 * _FINGERS.index(finger)
                points[:, side, 1 + 4 * row : 4 + 4 * row] = joints[:, first : first + 3]
                points[:, side, 4 + 4 * row] = vertices[:, SURFACE_POINTS[f"{name}_{finger}"][0]]
        return points

    def wrist_rotations(self):
        """(n,2,3,3) true ones, rest axes to camera axes."""
        return (_FACING * Rotation.from_rotvec(self.wrist.reshape(-1, 3))).as_matrix().reshape(FRAMES, 2, 3, 3)

    def seen(self, points=None, distance=1.5, noise_px=1.5, seed=0):
        """A detector's landmarks: noise in the picture, the same in the 3D ones, twice it in depth."""
        points = self.joints() if points is None else points
        random = np.random.default_rng(seed)
        count = len(points)
        placed = points + [0.0, 0.0, distance]
        pixels = placed[..., :2] / placed[..., 2:] * FOCAL + K[:2, 2] + random.normal(0, noise_px, (count, 2, 21, 2))
        # The network reports 3D as if the hand stood straight ahead.
        ray = placed.mean(2)
        ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
        axis = np.cross([0, 0, 1.0], ray)
        turn = axis / np.maximum(np.linalg.norm(axis, axis=-1, keepdims=True), 1e-12) * np.arccos(ray[..., 2:])
        sight = Rotation.from_rotvec(turn.reshape(-1, 3)).as_matrix().reshape(count, 2, 3, 3)
        world = (points - points.mean(2, keepdims=True)) @ sight
        metre = noise_px * distance / FOCAL
        world += random.normal(0, 1.0, world.shape) * [metre, metre, 2 * metre]
        return PersonLandmarks(
            1, 0, np.ones(count, bool), np.zeros((count, 4)), np.zeros((count, 33, 2)), np.zeros((count, 33)), np.zeros((count, 33, 3)),
            pixels, np.ones((count, 2)), world, np.zeros((count, 468, 3)), np.zeros(count),
        )

    def bones(self, poses):
        """(n,2,20,3) unit bone directions with the wrists at rest: what the fingers alone do."""
        points = self.joints(poses, np.zeros((len(poses), 2, 3)))
        starts = np.array([0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19])
        bones = points[:, :, 1:] - points[:, :, starts]
        return bones / np.linalg.norm(bones, axis=-1, keepdims=True)

    def finger_errors(self, poses):
        """(n,2,15) degrees between the directions of the fitted and the true finger bones; thumb's three first."""
        moving = [i for i in range(20) if i % 4]
        cosine = (self.bones(poses) * self.bones(self.poses)).sum(-1)[:, :, moving]
        return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


@pytest.fixture(scope="session")
def hands():
    return HandWorld()
