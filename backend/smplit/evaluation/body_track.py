# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a moving body's joints and soles are: what the figures of locomotion are taken from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from smplit.axes import matrix_from_axis_angle
from smplit.body.model import BodyModel
from smplit.difftraj.features import FOOT_JOINTS, JOINTS, BodyShape, heading, posed
from smplit.mocap.fit.points import sole_points
from smplit.motion import Motion


@dataclass(frozen=True)
class BodyTrack:
    """T frames in the world, Z up.

    Attributes:
        joints: (T,22,3) m. soles: (T,4,3) m: left heel and toe, right heel and toe, what touches the floor of flat feet.
        heading: (T,) rad, wrapped. contacts: (T,4) 0..1, zero where a motion has none. fps: frames a second.
    """

    joints: np.ndarray
    soles: np.ndarray
    heading: np.ndarray
    contacts: np.ndarray
    fps: float

    @classmethod
    def of(cls, motion: Motion, body: BodyModel) -> BodyTrack:
        """Of a motion, with its own shape."""
        betas = torch.as_tensor(np.asarray(motion.betas, np.float32))
        shape = BodyShape.of(body, betas)
        shape = BodyShape(shape.bones.double().cpu(), sole_points(body, betas).offsets.double().cpu())
        poses = np.asarray(motion.poses, np.float64).reshape(len(motion), -1, 3)[:, :JOINTS]
        rotations = torch.from_numpy(matrix_from_axis_angle(poses))
        joints, points = posed(rotations, shape)
        pelvis = torch.as_tensor(np.asarray(motion.trans, np.float64)) + body.rest_joints(betas)[0].double().cpu()
        contacts = np.zeros((len(motion), 4)) if motion.contacts is None else np.asarray(motion.contacts)
        return cls(
            (joints + pelvis[:, None]).numpy(), (points[:, len(FOOT_JOINTS) :] + pelvis[:, None]).numpy(), heading(rotations[:, 0]).numpy(),
            contacts, float(motion.fps),
        )
