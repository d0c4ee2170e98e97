# SPDX-License-Identifier: GPL-3.0-or-later
"""Forward kinematics of the 55 joints alone, in torch, batched over frames.

The numpy twin for Blender is `smplit.motion.joint_transforms`; a test holds them together.
"""

from __future__ import annotations

import torch
from torch import Tensor

from smplit.motion import NUM_JOINTS, PARENTS


def _levels(parents: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """Joints grouped by depth: one batched product per level instead of one per joint."""
    depth = [0] * len(parents)
    for joint, parent in enumerate(parents):
        depth[joint] = 0 if parent < 0 else depth[parent] + 1
    return [
        ([j for j in range(len(parents)) if depth[j] == d], [parents[j] for j in range(len(parents)) if depth[j] == d])
        for d in range(1, max(depth) + 1)
    ]


def joint_transforms(
    rotations: Tensor, rest_joints: Tensor, parents: tuple[int, ...] = PARENTS
) -> tuple[Tensor, Tensor]:
    """Global rotations and positions of the joints.

    Args:
        rotations: (T,J,3,3) local rotations, J = 55, or 22 for the body's joints alone.
        rest_joints: (J,3) m, body frame; one shape for all frames.
        parents: parent of each of the 55 joints; its first J entries are used.

    Returns:
        (T,J,3,3) global rotations and (T,J,3) m positions, root at its rest position
        (Loper et al. 2015, SMPL, eq. 2-4).
    """
    count = rotations.shape[1]
    levels = _LEVELS if parents is PARENTS and count == NUM_JOINTS else _levels(parents[:count])
    root_rotation = rotations[:, :1]
    root_position = rest_joints[None, :1].expand(len(rotations), 1, 3)
    order, globals_, positions = [0], [root_rotation], [root_position]
    previous, previous_rotation, previous_position = [0], root_rotation, root_position
    for joints, parent_joints in levels:
        slots = [previous.index(parent) for parent in parent_joints]
        parent_rotation = previous_rotation[:, slots]
        offsets = (rest_joints[joints] - rest_joints[parent_joints])[None, :, :, None]
        previous_position = previous_position[:, slots] + (parent_rotation @ offsets)[..., 0]
        previous_rotation = parent_rotation @ rotations[:, joints]
        previous = joints
        order += joints
        globals_.append(previous_rotation)
        positions.append(previous_position)
    inverse = sorted(range(count), key=order.__getitem__)
    return torch.cat(globals_, 1)[:, inverse], torch.cat(positions, 1)[:, inverse]


_LEVELS = _levels(PARENTS)
