# SPDX-License-Identifier: GPL-3.0-or-later
"""A person whom the smplx package posed, what detectors see of them, and what a network without perspective makes of their hands."""

import functools
from pathlib import Path

import numpy as np
import smplx
import torch
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation

from smplit.body.model import BodyModel
from smplit.mocap.observations import CameraMotion, PersonLandmarks

BODY = Path(__file__).resolve().parents[3] / "model_files" / "body" / "OPEN_NEUTRAL.npz"
FRAMES, FPS, FOCAL, SIZE = 40, 30.0, 1000.0, (1280, 720)
K = np.array([[FOCAL, 0, 640], [0, FOCAL, 360], [0, 0, 1]])
_BLAZEPOSE = {11: 16, 12: 17, 13: 18, 14: 19, 15: 20, 16: 21, 17: 31, 18: 46, 19: 25, 20: 40, 23: 1, 24: 2, 25: 4, 26: 5, 27: 7, 28: 8}
_ARM = ((0, 3, 6, 9, 13, 16, 18, 20), (0, 3, 6, 9, 14, 17, 19, 21))  # joints down to the wrist
_FINGERS = (12, 0, 3, 9, 6)  # first rows, among a hand's 15 joints, of MediaPipe's thumb, index, middle, ring and little finger


@functools.cache
def _models():
    """Read once."""
    return BodyModel.load(BODY), smplx.SMPLX(BODY, use_pca=False, flat_hand_mean=True, batch_size=FRAMES, num_betas=10, num_expression_coeffs=10)


class SeenPerson:
    """`where` (3,) m: the pelvis, camera axes; `bend` rad of the elbows: hands are apart, or together from 1.8 on. Side 0 is the LEFT."""

    def __init__(self, where=(-1.0, 0.3, 3.2), bend=1.0, seed=0):
        random = np.random.default_rng(seed)
        self.body, self.times = _models()[0], np.arange(FRAMES) / FPS
        wave = np.sin(2 * np.pi * 0.5 * self.times)[:, None]
        pose = np.zeros((FRAMES, 22, 3))
        pose[:, 0] = [np.pi, 0, 0]  # faces the camera
        pose[:, 16], pose[:, 17] = [0, 0, -1.0], [0, 0, 1.0]  # arms down
        pose[:, 18], pose[:, 19] = [0.2, -bend, 0], [0.2, bend, 0]
        pose[:, 20], pose[:, 21] = np.array([0.5, 0.2, 0.3]) * wave, np.array([-0.4, 0.3, -0.2]) * wave
        self.pose = pose
        still = random.normal(0, 0.2, (2, 15, 3))
        self.fingers = still + 0.15 * random.normal(0, 1.0, (2, 15, 3)) * wave[..., None, None]  # (N,2,15,3)
        joints = self._posed()
        self.joints = joints + np.asarray(where) - joints[:1, :1]
        turns = [Rotation.from_rotvec(pose[:, joint]) for joint in range(22)]
        self.forearms = np.stack([_product(turns, chain[:-1]) for chain in _ARM], 1)  # (N,2,3,3) of the elbow, in camera axes
        self.wrists = np.stack([_product(turns, chain) for chain in _ARM], 1)

    def _posed(self):
        given = lambda values: torch.as_tensor(values.reshape(FRAMES, -1), dtype=torch.float32)
        with torch.no_grad():
            out = _models()[1](
                global_orient=given(self.pose[:, 0]), body_pose=given(self.pose[:, 1:]), left_hand_pose=given(self.fingers[:, 0]),
                right_hand_pose=given(self.fingers[:, 1]),
            )
        return out.joints.numpy()[:, :55].astype(np.float64)

    def landmarks(self, person=1, first=0):
        pixels = project(self.joints)
        body, world, sure = np.zeros((FRAMES, 33, 2)), np.zeros((FRAMES, 33, 3)), np.zeros((FRAMES, 33))
        for row, joint in _BLAZEPOSE.items():
            body[:, row], world[:, row], sure[:, row] = pixels[:, joint], self.joints[:, joint] - self.joints[:, 0], 0.95
        hands = np.stack([_hand_21(pixels, side) for side in (0, 1)], 1)
        hands_world = np.stack([_hand_21(self.joints, side) for side in (0, 1)], 1)
        boxes = np.concatenate([pixels.min(1), pixels.max(1)], 1)
        return PersonLandmarks(
            person, first, np.ones(FRAMES, bool), boxes, body, sure, world, hands, np.full((FRAMES, 2), 0.9),
            hands_world - hands_world.mean(2, keepdims=True), np.zeros((FRAMES, 468, 3)), np.zeros(FRAMES),
        )

    def answers(self, plan, mean_hands, score=0.8):
        """What a weak-perspective network says of the squares of a plan: of each hand, the rotation, scale and shift that draw it best."""
        given = {"found": (), "scores": (), "parameters": (109,)}
        said = {name: np.full((FRAMES, 2, 2, *shape), np.nan) for name, shape in given.items()}
        for row in range(FRAMES):
            for slot in [0] if plan.shared(row) else np.flatnonzero(plan.squares[row, :, 2]):
                said["found"][row, slot] = 0
                for side in (0, 1):
                    parameters = self.parameters(row, side, plan.squares[row, slot], mean_hands)
                    if np.abs(parameters[1:3]).max() < 1:
                        said["found"][row, slot, side], said["scores"][row, slot, side] = 1, score
                        said["parameters"][row, slot, side] = parameters
        return said

    def parameters(self, row, side, square, mean_hands):
        hand = self.joints[row, [20 + side, *range(25 + 15 * side, 40 + 15 * side)]]
        picture = (project(hand) - square[:2]) / square[2] * 2.0 - 1.0
        shape = (hand - hand[4]) @ self.wrists[row, side]  # about the middle knuckle, in rest axes
        draw = lambda v: v[3] * (shape @ Rotation.from_rotvec(v[:3]).as_matrix().T)[:, :2] + v[4:]
        start = np.concatenate([Rotation.from_matrix(self.wrists[row, side]).as_rotvec(), [FOCAL / hand[4, 2] / square[2] * 2.0], picture[4]])
        best = least_squares(lambda v: (draw(v) - picture).ravel(), start).x
        local = Rotation.from_rotvec(self.fingers[row, side] - mean_hands[side]).as_matrix()
        rotations = np.concatenate([Rotation.from_rotvec(best[:3]).as_matrix()[None], local])
        return np.concatenate([[best[3]], best[4:], rotations[:, :, :2].reshape(-1), np.full(10, 3.0)])


def camera(size=None):
    return CameraMotion(np.broadcast_to(np.eye(3), (FRAMES, 3, 3)), "static", K, "guess", np.zeros(FRAMES), size=size)


def project(points):
    """(...,3) m, camera axes -> (...,2) px."""
    return points[..., :2] / points[..., 2:] * FOCAL + K[:2, 2]


def angles(first, second):
    """(...) degrees between rotations (...,3,3)."""
    turn = np.swapaxes(first, -1, -2) @ second
    return np.degrees(Rotation.from_matrix(turn.reshape(-1, 3, 3)).magnitude()).reshape(turn.shape[:-2])


def _product(turns, chain):
    total = turns[chain[0]]
    for joint in chain[1:]:
        total = total * turns[joint]
    return total.as_matrix()


def _hand_21(points, side):
    """Tips go on as their last bones do."""
    hand = np.zeros((FRAMES, 21, points.shape[-1]))
    hand[:, 0] = points[:, 20 + side]
    for row, first in enumerate(_FINGERS):
        three = points[:, 25 + 15 * side + first :][:, :3]
        hand[:, 1 + 4 * row : 4 + 4 * row], hand[:, 4 + 4 * row] = three, 2.0 * three[:, 2] - three[:, 1]
    return hand
