# SPDX-License-Identifier: GPL-3.0-or-later
"""Feet that stand: held still by bending the legs, and no longer trembling when the input does."""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from smplit.axes import axis_angle_from_matrix, axis_angle_from_quaternion, matrix_from_axis_angle, quaternion_from_matrix
from smplit.body.model import BodyModel
from smplit.difftraj.features import FOOT_JOINTS, JOINTS
from smplit.mocap.fit.points import sole_points
from smplit.mocap.world import foot_lock
from smplit.motion import BODY_JOINTS, PARENTS, joint_transforms

_LEGS = [i for i, name in enumerate(BODY_JOINTS) if any(part in name for part in ("hip", "knee", "ankle"))]
_STEADY = 0.08  # s: a standing foot's direction is averaged over about this time
_TREMBLE = 0.04  # rad: change of turn from frame to frame from which on a foot trembles
_SOFT = 0.04  # s: how fast that sets in
_PLANTED = 0.5


def plant_feet(
    poses: np.ndarray, pelvis: np.ndarray, contacts: np.ndarray, times: np.ndarray, body: BodyModel, betas: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Holds planted feet.

    Args:
        poses: (T,55,3) rad local, the root in the world. pelvis: (T,3) m, world. contacts: (T,4) 0..1. times: (T,) s.

    Returns:
        (T,22,3) rad, changed from the hips to the ankles only, and the pelvis (T,3) m, lowered where a leg is too short.
    """
    rest = body.rest_joints(betas).cpu().numpy().astype(np.float64)
    rotations, joints = joint_transforms(poses, rest)
    given, joints = rotations[:, :JOINTS], joints[:, :JOINTS] - rest[0] + pelvis[:, None]
    rotations = given.copy()
    for side in (0, 2):
        ankle, toe = FOOT_JOINTS[side : side + 2]
        stands = contacts[:, side : side + 2].max(1)
        steady = _steadied(rotations[:, ankle], stands, times)
        rotations[:, toe] = steady @ np.swapaxes(rotations[:, ankle], -1, -2) @ rotations[:, toe]
        joints[:, toe] = joints[:, ankle] + steady @ (rest[toe] - rest[ankle])
        rotations[:, ankle] = steady
    points = sole_points(body, torch.as_tensor(betas))
    offsets = points.offsets.cpu().numpy().astype(np.float64)
    soles = joints[:, points.joints] + np.einsum("tpij,pj->tpi", rotations[:, points.joints], offsets)
    turned, shift = foot_lock.lock_feet(rotations, joints, soles, contacts, times)
    legs = poses[:, :JOINTS].copy()
    for joint in _LEGS:
        if not np.array_equal(turned[:, joint], given[:, joint]) or not np.array_equal(turned[:, PARENTS[joint]], given[:, PARENTS[joint]]):
            legs[:, joint] = axis_angle_from_matrix(np.swapaxes(turned[:, PARENTS[joint]], -1, -2) @ turned[:, joint])
    return legs, pelvis + shift


def _steadied(rotations: np.ndarray, stands: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T,3,3), averaged over time while the foot stands (T,) 0..1, only over frames in which it does, and the more it trembles."""
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    weight = np.where(stands > _PLANTED, stands, 0.0)
    if not weight.any() or step <= 0:
        return rotations
    quaternions = quaternion_from_matrix(rotations)
    for t in range(1, len(quaternions)):  # neighbours on one side of the sphere
        if quaternions[t] @ quaternions[t - 1] < 0:
            quaternions[t] *= -1
    blur = lambda values, seconds: gaussian_filter1d(values, seconds / step, axis=0, mode="nearest")
    mean = blur(quaternions * weight[:, None], _STEADY) / np.maximum(blur(weight, _STEADY), 1e-6)[:, None]
    bend = np.zeros(len(quaternions))
    bend[1:-1] = ((2 * np.diff(quaternions, 2, axis=0)) ** 2).sum(-1)  # rad2: of rolling feet small, of noise large
    trembling = np.median(bend[weight > 0])  # a roll passes, noise stays
    share = (blur(weight, _SOFT) * (weight > 0) * trembling / (trembling + _TREMBLE**2))[:, None]
    return matrix_from_axis_angle(axis_angle_from_quaternion(quaternions + share * (mean - quaternions)))
