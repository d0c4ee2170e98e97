# SPDX-License-Identifier: GPL-3.0-or-later
"""A face that performs: mesh points of an open body that the smplx package moved, as a camera near by sees them."""

from pathlib import Path

import numpy as np
import smplx
import torch
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from smplit.body.model import BodyModel
from smplit.mocap.face.surface import face_surface
from smplit.mocap.observations import PersonLandmarks

BODY = Path(__file__).resolve().parents[3] / "model_files" / "body" / "OPEN_NEUTRAL.npz"
FRAMES, FPS, FOCAL, DISTANCE = 90, 30.0, 900.0, 0.8
K = np.array([[FOCAL, 0, 320], [0, FOCAL, 180], [0, 0, 1]])
TIMES = np.arange(FRAMES) / FPS


def pulse(start, stop):
    """(T,) 0..1: rises and falls between two frames."""
    t = np.clip((np.arange(FRAMES) - start) / (stop - start), 0, 1)
    return np.sin(np.pi * t) ** 2


class FaceWorld:
    """Rest, then the jaw, then a smile, then the brows, then a blink, while the head turns a little."""

    def __init__(self):
        self.body = BodyModel.load(BODY)
        self.surface = face_surface(self.body)
        self.perform(0.2 * pulse(10, 30), {"mouthSmile": pulse(30, 52), "browInnerUp": pulse(50, 70), "eyeBlink": pulse(72, 82)})

    def perform(self, jaw_opening, actions):
        """Moves the face: jaw (T,) rad, and strengths (T,) of actions, both sides alike."""
        names = self.body.expression_names
        self.jaw, self.actions = jaw_opening, actions
        expression = np.zeros((FRAMES, len(names)), np.float32)
        for action, strength in actions.items():
            for column, name in enumerate(names):
                if name.startswith(action):
                    expression[:, column] = strength
        jaw = np.zeros((FRAMES, 3), np.float32)
        jaw[:, 0] = self.jaw
        model = smplx.SMPLX(BODY, use_pca=False, flat_hand_mean=True, batch_size=FRAMES, num_betas=10, num_expression_coeffs=len(names))
        with torch.no_grad():
            out = model(jaw_pose=torch.as_tensor(jaw), expression=torch.as_tensor(expression))
        head = out.joints[0, 15].numpy()
        # Each mesh point is the vertex of the body at rest that is nearest to it: nothing linear, nothing of the fit.
        nearest = cKDTree(self.body.v_template).query(self.surface.rest + head)[1]
        self.points = out.vertices[:, nearest].numpy().astype(np.float64) - head
        swing = np.sin(2 * np.pi * 0.4 * TIMES)
        self.head = Rotation.from_rotvec([np.pi, 0, 0]) * Rotation.from_rotvec(np.stack([0.15 * swing, 0.4 * swing, 0.1 * swing], 1))

    def seen(self, noise_px=1.0):
        """Mesh seen from near by, a little off the middle; depth errs twice as much."""
        random = np.random.default_rng(0)
        placed = np.einsum("tij,tpj->tpi", self.head.as_matrix(), self.points) + [0.1, 0.0, DISTANCE]
        face = np.empty((FRAMES, 468, 3))
        ray = np.array([0.1, 0, DISTANCE]) / np.hypot(0.1, DISTANCE)
        crop = Rotation.from_rotvec(np.cross([0, 0, 1], ray) / np.linalg.norm(np.cross([0, 0, 1], ray)) * np.arccos(ray[2])).inv().as_matrix()
        middle = placed.mean(1, keepdims=True)
        straight = (placed - middle) @ crop.T * FOCAL / middle[..., 2:]  # the network takes it to stand straight ahead
        face[..., :2] = placed[..., :2] / placed[..., 2:] * FOCAL + [320, 180]
        face[..., 2] = straight[..., 2]
        face += random.normal(0, noise_px, face.shape) * [1, 1, 2]
        return PersonLandmarks(
            1, 0, np.ones(FRAMES, bool), np.zeros((FRAMES, 4)), np.zeros((FRAMES, 33, 2)), np.zeros((FRAMES, 33)),
            np.zeros((FRAMES, 33, 3)), np.zeros((FRAMES, 2, 21, 2)), np.zeros((FRAMES, 2)), np.zeros((FRAMES, 2, 21, 3)),
            face, np.ones(FRAMES),
        )

    def of(self, fitted, action):
        """(T,) mean strength of an action's columns."""
        columns = [i for i, name in enumerate(self.body.expression_names) if name.startswith(action)]
        return fitted.expression[:, columns].mean(1)
