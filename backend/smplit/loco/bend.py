# SPDX-License-Identifier: GPL-3.0-or-later
"""A recorded walk on another path: curved, faster, with longer steps, or turned against its way. Planted feet are planted again.

A style is often recorded on a few metres of a straight line. Its steps are carried over to curves rigidly, frame by frame, with
the plan; what then slides under the standing feet is taken out by turning and bending the legs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from smplit.axes import axis_angle_from_matrix, matrix_from_axis_angle
from smplit.difftraj.features import FOOT_JOINTS, JOINTS
from smplit.difftraj.planting import plant_feet
from smplit.loco import frames as numbers
from smplit.loco.frames import as_tensor
from smplit.mocap.runs import runs
from smplit.motion import BODY_JOINTS, NUM_JOINTS, joint_transforms

_PLANTED = 0.5
_HIP_SHARE = 0.5  # of a foot's turn on the floor that the hip makes; the ankle makes the rest


@dataclass(frozen=True)
class Change:
    """What becomes of a plan.

    Attributes:
        pace: times as fast, in the same steps. stride: times as long steps, in the same time.
        curve: rad/m that the path bends to the left. crab: rad that the way is turned to the left of where the body faces.
    """

    pace: float = 1.0
    stride: float = 1.0
    curve: float = 0.0
    crab: float = 0.0


def changed(frames: torch.Tensor, place: np.ndarray, facing: np.ndarray, change: Change, body, fps: float = 30.0):
    """Frames (T,CHANNELS) on a plan, place (T,2) m and facing (T,) rad -> the same three, changed; T differs with the pace."""
    count = max(2, round(len(frames) / change.pace))
    at = np.linspace(0, len(frames) - 1, count)
    between = lambda values: np.stack([np.interp(at, np.arange(len(values)), column) for column in np.asarray(values).T], 1)
    frames, place, facing = as_tensor(between(frames)), between(place), between(facing[:, None])[:, 0]
    steps = np.diff(place, axis=0) * change.stride
    bend = np.concatenate([[0.0], np.cumsum(np.linalg.norm(steps, axis=1) * change.curve)])
    turn = bend[:-1] + change.crab
    cos, sin = np.cos(turn), np.sin(turn)
    steps = np.stack([cos * steps[:, 0] - sin * steps[:, 1], sin * steps[:, 0] + cos * steps[:, 1]], 1)
    place = np.concatenate([np.zeros((1, 2)), np.cumsum(steps, 0)])
    facing = facing + bend
    rotations, pelvis, contacts = (v.numpy().astype(np.float64) for v in numbers.decode(frames, as_tensor(place), as_tensor(facing)))
    rotations, pelvis = planted(rotations, pelvis, contacts, bend, body, fps)
    shape = numbers.shape_of(body)
    found = numbers.encode(as_tensor(rotations), as_tensor(pelvis), as_tensor(contacts), as_tensor(place), as_tensor(facing), shape)
    return found, place, facing


def planted(
    rotations: np.ndarray, pelvis: np.ndarray, contacts: np.ndarray, turned: np.ndarray, body, fps: float
) -> tuple[np.ndarray, np.ndarray]:
    """Local rotations (T,22,3,3), root in the world, and pelvis (T,3) m, with planted feet held; `turned` (T,) rad is what the plan
    was turned by, which standing feet did not turn with."""
    poses = np.zeros((len(rotations), NUM_JOINTS, 3))
    poses[:, :JOINTS] = axis_angle_from_matrix(rotations)
    rest = body.rest_joints().cpu().numpy().astype(np.float64)
    if np.ptp(turned) > 1e-3:
        _turn_feet_back(poses, contacts, turned, rest)
    legs, pelvis = plant_feet(poses, pelvis, contacts, np.arange(len(poses)) / fps, body, np.zeros(10, np.float32))
    return matrix_from_axis_angle(legs), pelvis


def _turn_feet_back(poses: np.ndarray, contacts: np.ndarray, turned: np.ndarray, rest: np.ndarray) -> None:
    frames = np.arange(len(poses))
    around, at = joint_transforms(poses, rest)
    for side, name in ((0, "left"), (2, "right")):
        stands = contacts[:, side : side + 2].max(1) > _PLANTED
        back = np.full(len(poses), np.nan)
        for first, last in runs(stands):
            back[first:last] = turned[first:last].mean() - turned[first:last]
        if np.isnan(back).all():
            continue
        known = ~np.isnan(back)
        back = np.interp(frames, frames[known], back[known])
        hip, knee, ankle = (BODY_JOINTS.index(f"{name}_{part}") for part in ("hip", "knee", "ankle"))
        line = at[:, ankle] - at[:, hip]
        line /= np.linalg.norm(line, axis=1, keepdims=True)
        leg = matrix_from_axis_angle(line * (_HIP_SHARE * back * np.sign(line[:, 2]))[:, None])  # about the leg: the foot stays
        upright = matrix_from_axis_angle(np.stack([0 * back, 0 * back, back], 1))
        pelvis = np.swapaxes(around[:, 0], -1, -2)
        new_hip, foot = leg @ around[:, hip], upright @ around[:, ankle]
        poses[:, hip] = axis_angle_from_matrix(pelvis @ new_hip)
        poses[:, ankle] = axis_angle_from_matrix(np.swapaxes(leg @ around[:, knee], -1, -2) @ foot)
        toe = FOOT_JOINTS[side + 1]
        poses[:, toe] = axis_angle_from_matrix(np.swapaxes(foot, -1, -2) @ (upright @ around[:, toe]))
