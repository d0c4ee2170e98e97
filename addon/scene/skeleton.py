# SPDX-License-Identifier: GPL-3.0-or-later
"""How the 55 SMPL-X joints become bones, and how SMPL-X rotations become bone rotations and back.

Bones look like an animator expects: each points along its limb (local Y), and a positive turn about
its local X bends the limb the usual way: elbows forward, fingers into the palm, knees back, the spine
forward. Left and right rest frames are mirror images, so Blender's flipped paste works.

SMPL-X instead turns every joint about axes parallel to the body's. With D the bone's rest axes in the
body frame (columns x, y, z), a joint's local rotation L is the bone's D^T L D: the same angle about
the axis D^T a. The pelvis also takes in the turn from Y up to Z up.

numpy only.
"""

from __future__ import annotations

import numpy as np

from ..shared import axes, motion

JOINT_NAMES = motion.JOINT_NAMES
PARENTS = motion.PARENTS
_INDEX = {name: i for i, name in enumerate(JOINT_NAMES)}
_SHORTEST = 0.012  # m; bones of no length are removed by Blender

# Joint at which a bone with several children ends; every other bone ends at its only child.
_TAIL_JOINT = {"pelvis": "spine1", "spine3": "neck", "left_wrist": "left_middle1", "right_wrist": "right_middle1"}
# Body-frame direction of bones without a child; finger tips go on straight and are not listed.
_LEAF_DIRECTION = {
    "head": (0.0, 1.0, 0.0), "jaw": (0.0, -0.45, 1.0),
    "left_foot": (0.0, 0.0, 1.0), "right_foot": (0.0, 0.0, 1.0),
    "left_eye_smplhf": (0.0, 0.0, 1.0), "right_eye_smplhf": (0.0, 0.0, 1.0),
}
FACE_BONES = motion.FACE_JOINTS
HAND_BONES = tuple(name for name in JOINT_NAMES[25:])
BODY_BONES = motion.BODY_JOINTS


def bone_tails(joints: np.ndarray, vertices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(55,3) m tails, body frame, from rest joints (55,3), vertices (V,3), weights (V,55).

    Bones without a child end where the surface that follows them ends.
    """
    tails = np.empty((motion.NUM_JOINTS, 3))
    owner = weights.argmax(axis=1)
    for index, name in enumerate(JOINT_NAMES):
        children = [c for c, parent in enumerate(PARENTS) if parent == index]
        if name not in _LEAF_DIRECTION and children:
            tails[index] = joints[_INDEX[_TAIL_JOINT[name]] if name in _TAIL_JOINT else children[0]]
            continue
        direction = _LEAF_DIRECTION.get(name, joints[index] - joints[PARENTS[index]])
        direction = np.asarray(direction) / np.linalg.norm(direction)
        reach = (vertices[owner == index] - joints[index]) @ direction
        tails[index] = joints[index] + direction * max(reach.max(initial=0.0), _SHORTEST)
    return tails


def bend_direction(name: str) -> np.ndarray:
    """(3,) body-frame direction towards which a positive turn about local X moves the bone's tail."""
    if name in HAND_BONES:
        return np.array((0.0, -1.0, -1.0)) if "thumb" in name else np.array((0.0, -1.0, 0.0))
    if name.endswith(("collar", "shoulder", "elbow")):
        return np.array((0.0, 0.0, 1.0))
    if name.endswith("wrist"):  # the fingers' hinge goes on through the hand
        return np.array((0.0, -1.0, 0.0))
    if name.endswith(("hip", "knee")):
        return np.array((0.0, 0.0, -1.0))
    if name.endswith(("ankle", "foot")) or name in FACE_BONES:
        return np.array((0.0, -1.0, 0.0))
    return np.array((0.0, 0.0, 1.0))


def bone_axes(heads: np.ndarray, tails: np.ndarray) -> np.ndarray:
    """(55,3,3) rest axes D, columns x, y, z in the body frame, for heads and tails (55,3)."""
    along = tails - heads
    y = along / np.linalg.norm(along, axis=-1, keepdims=True)
    x = np.cross(y, np.stack([bend_direction(name) for name in JOINT_NAMES]))
    x /= np.linalg.norm(x, axis=-1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def bone_quaternions(poses: np.ndarray, rest_axes: np.ndarray) -> np.ndarray:
    """SMPL-X poses (T,165) rad -> (T,55,4) w,x,y,z of `pose_bone.rotation_quaternion`; signs not chained.

    Args: rest_axes (55,3,3), columns in the body frame (see `body_axes`).
    """
    local = np.asarray(poses, np.float64).reshape(-1, motion.NUM_JOINTS, 3).copy()
    upright = axes.Z_UP_TO_Y_UP @ axes.matrix_from_axis_angle(local[:, 0])
    local[:, 0] = axes.axis_angle_from_matrix(upright)
    return axes.quaternion_from_axis_angle(np.einsum("jba,tjb->tja", rest_axes, local))


def poses_from_globals(rotations: np.ndarray) -> np.ndarray:
    """World joint rotations (T,55,3,3) -> SMPL-X poses (T,165) rad; inverse of forward kinematics."""
    local = np.asarray(rotations, np.float64).copy()
    parents = np.array(PARENTS[1:])
    local[:, 1:] = np.swapaxes(rotations[:, parents], -1, -2) @ rotations[:, 1:]
    return axes.axis_angle_from_matrix(local).reshape(len(local), -1)


def body_axes(bone_matrices: np.ndarray) -> np.ndarray:
    """(55,3,3) rest axes in the body frame from Blender's `bone.matrix_local` rotations (55,3,3), Z up."""
    return axes.Z_UP_TO_Y_UP @ np.asarray(bone_matrices, np.float64)


def chain_signs(quaternions: np.ndarray, previous: np.ndarray | None = None) -> np.ndarray:
    """(T,...,4) quaternions with signs such that neighbours lie in one hemisphere, after `previous` (...,4).

    q and -q are one rotation, but keys are interpolated per component: a flip between two keys would
    swing the bone through nonsense.
    """
    quaternions = np.array(quaternions)
    before = quaternions[:1] if previous is None else previous[None]
    dots = np.sum(quaternions * np.concatenate([before, quaternions[:-1]]), axis=-1, keepdims=True)
    return quaternions * np.cumprod(np.where(dots < 0, -1.0, 1.0), axis=0)
