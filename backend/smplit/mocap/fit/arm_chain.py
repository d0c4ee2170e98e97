# SPDX-License-Identifier: GPL-3.0-or-later
"""Both arms from the chest to the finger tips as one batch: what moves when hands are fitted and the trunk stays."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from smplit.body.model import BodyModel
from smplit.mocap.fit.pose_chain import products
from smplit.mocap.hands.skeleton import FINGER_LANDMARKS, finger_tips

ARM = (13, 16, 18, 20)  # left collar, shoulder, elbow, wrist; the right ones follow each by one
CHEST = 9
_FIRST_FINGER = (25, 40)
FINGER_JOINTS = 15


def arms_of(values: Tensor) -> Tensor:
    """(T,22,...) of the body's joints -> (T,2,4,...): side, then collar to wrist."""
    return torch.stack([values[:, [joint + side for joint in ARM]] for side in (0, 1)], 1)


@dataclass
class ArmChain:
    """Rest offsets in m of one shape: `arm` (2,4,3) from each joint's parent, `fingers` (2,5,4,3) likewise with the tip."""

    arm: Tensor
    fingers: Tensor

    @classmethod
    def of(cls, body: BodyModel, betas: Tensor) -> ArmChain:
        """The chain of a shape (10,)."""
        rest = body.rest_joints(betas)
        tips = torch.as_tensor(finger_tips(body.rest_surface_points(betas).cpu().numpy()), dtype=torch.float32)
        arms, fingers = [], []
        for side, first in enumerate(_FIRST_FINGER):
            arm = torch.cat([rest[[CHEST]], rest[[joint + side for joint in ARM]]])
            arms.append(arm[1:] - arm[:-1])
            chain = torch.cat([rest[first : first + FINGER_JOINTS].view(5, 3, 3), tips[side][:, None]], 1)
            fingers.append(torch.cat([chain[:, :1] - arm[-1], chain[:, 1:] - chain[:, :-1]], 1))
        return cls(torch.stack(arms), torch.stack(fingers))

    def pose(self, chest_turn: Tensor, chest: Tensor, arms: Tensor, fingers: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Forward kinematics, T frames.

        Args:
            chest_turn, chest: (T,3,3) global rotation and (T,3) m place of the chest.
            arms: (T,2,4,3,3) local rotations, collar to wrist.
            fingers: (T,2,5,3,3,3) local rotations, fingers in SMPL-X's order.

        Returns:
            Collar, shoulder, elbow, wrist (T,2,4,3) m; 21 landmarks of each hand in MediaPipe's order (T,2,21,3) m; the wrists'
            global rotations (T,2,3,3).
        """
        # Frames last, as in `pose_chain`.
        turn, place = chest_turn.movedim(0, -1)[None], chest.movedim(0, -1)[None]
        arms, fingers = arms.movedim(0, -1), fingers.movedim(0, -1)
        joints = []
        for k in range(4):
            place = place + (turn * self.arm[:, k, None, :, None]).sum(-2)
            turn = products(turn, arms[:, k])
            joints.append(place)
        wrist_turn = turn
        turn, place = turn[:, None], place[:, None]
        points = []
        for k in range(4):
            place = place + (turn * self.fingers[:, :, k, None, :, None]).sum(-2)
            points.append(place)
            if k < 3:
                turn = products(turn, fingers[:, :, k])
        landmarks = torch.cat([joints[-1][:, None], torch.stack(points, 2).flatten(1, 2)], 1)[:, _MEDIAPIPE]
        return torch.stack(joints, 1).movedim(-1, 0), landmarks.movedim(-1, 0), wrist_turn.movedim(-1, 0)


_MEDIAPIPE = [0] + [0] * 20  # place in (wrist, fingers x joints) of each MediaPipe landmark
for _finger, _row in enumerate(FINGER_LANDMARKS.tolist()):
    for _joint, _landmark in enumerate(_row):
        _MEDIAPIPE[_landmark] = 1 + 4 * _finger + _joint
