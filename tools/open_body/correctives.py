# SPDX-License-Identifier: GPL-3.0-or-later
"""Pose correctives (`posedirs`): what linear blend skinning gets wrong at a bent or twisted joint, as a linear
function of the joint's rotation matrix, fitted joint by joint."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from open_body.skeleton import joint_index, smooth_step
from smplit.motion import JOINT_NAMES, PARENTS

_TOWARDS = 0.7  # of the way from linear to rotation-blended skinning
_RIDGE, _JAW_RIDGE = 0.3, 1e-4
_LEAST = 2e-5  # m: smaller correctives are dropped
# Joints whose twist spreads along the bone that follows them.
_TWISTS_ALONG = {"left_shoulder": "left_elbow", "right_shoulder": "right_elbow", "left_hip": "left_knee", "right_hip": "right_knee"}


def pose_directions(template: np.ndarray, weights: np.ndarray, joints: np.ndarray, jaw_open: np.ndarray) -> tuple[np.ndarray, float]:
    """(V,3,486) float32 m per unit of (R - 1), joints 1..54; and the jaw's pitch (rad) that equals `jaw_open` (V,3)."""
    rng = np.random.default_rng(1)
    directions = np.zeros((len(template), 3, 9 * (len(JOINT_NAMES) - 1)), np.float32)
    for joint in range(1, len(JOINT_NAMES)):
        name = JOINT_NAMES[joint]
        if name in ("head", "jaw") or "eye" in name:
            continue
        fitted = _fit_joint(joint, template, weights, joints, rng)
        if fitted is not None:
            rows, block = fitted
            directions[rows, :, 9 * (joint - 1) : 9 * joint] = block
    rows, block, pitch = _fit_jaw(template, weights[:, joint_index("jaw")], joints[joint_index("jaw")], jaw_open)
    at = 9 * (joint_index("jaw") - 1)
    directions[rows, :, at : at + 9] = block
    directions[np.abs(directions) < _LEAST] = 0
    return directions, pitch


def _subtree(joint: int) -> list[int]:
    below = {joint}
    for other in range(joint + 1, len(PARENTS)):
        if PARENTS[other] in below:
            below.add(other)
    return sorted(below)


def _fit_joint(joint: int, template: np.ndarray, weights: np.ndarray, joints: np.ndarray, rng: np.random.Generator):
    name = JOINT_NAMES[joint]
    swing = weights[:, _subtree(joint)].sum(1)
    twist, axis = swing.copy(), None
    blended = (swing > 1e-3) & (swing < 0.999)
    if name.endswith("wrist"):
        elbow = joints[PARENTS[joint]]
        axis, along = _along(elbow, joints[joint], template, elbow)
        forearm = weights[:, PARENTS[joint]] + swing
        twist = np.maximum(swing, forearm * smooth_step((along - 0.1) / 0.95))
        blended = (twist > 1e-3) & (swing < 0.999)
    elif name in _TWISTS_ALONG:
        axis, along = _along(joints[joint], joints[joint_index(_TWISTS_ALONG[name])], template, joints[joint])
        twist = swing * smooth_step((along + 0.1) / 0.75)
        blended = (swing > 1e-3) & ((twist < 0.999) | (swing < 0.999))
    rows = np.where(blended)[0]
    if not len(rows):
        return None
    turns = np.concatenate([rng.normal(size=(60, 3)) * 0.55] + [np.eye(3) * angle for angle in (-1.5, -1, -0.5, 0.5, 1, 1.5)])
    turns = turns * np.minimum(1, 1.7 / np.linalg.norm(turns, axis=1, keepdims=True))
    from_joint = template[rows] - joints[joint]
    inputs, outputs = [], []
    for turn in turns:
        rotation = Rotation.from_rotvec(turn)
        skinning = _skinning(swing[rows], rotation.as_matrix())
        linear = np.einsum("vij,vj->vi", skinning, from_joint)
        wanted = linear + _TOWARDS * (_rotation_blended(rotation, turn, axis, swing[rows], twist[rows], from_joint) - linear)
        inputs.append((rotation.as_matrix() - np.eye(3)).reshape(-1))
        outputs.append((np.linalg.solve(skinning, wanted[:, :, None])[:, :, 0] - from_joint).reshape(-1))
    return rows, _ridge(inputs, outputs, _RIDGE)


def _along(start: np.ndarray, end: np.ndarray, points: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Direction of a bone (3,) and where points lie along it (V,), 0 at its start and 1 at its end."""
    length = np.linalg.norm(end - start)
    axis = (end - start) / length
    return axis, ((points - origin) @ axis) / length


def _skinning(weights: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    share = weights[:, None, None]
    return (1 - share) * np.eye(3) + share * rotation


def _rotation_blended(rotation: Rotation, turn: np.ndarray, axis, swing: np.ndarray, twist: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Each point turned by its own share of the angle; with an axis, swing and twist have shares of their own."""
    if axis is None:
        return Rotation.from_rotvec(swing[:, None] * turn).apply(points)
    quaternion = rotation.as_quat()
    about = np.r_[axis * (quaternion[:3] @ axis), quaternion[3]]
    about = Rotation.from_quat(about / max(np.linalg.norm(about), 1e-9))
    points = Rotation.from_rotvec(twist[:, None] * about.as_rotvec()).apply(points)
    return Rotation.from_rotvec(swing[:, None] * (rotation * about.inv()).as_rotvec()).apply(points)


def _ridge(inputs: list, outputs: list, strength: float) -> np.ndarray:
    """(n,3,9) least-squares map from the nine numbers of (R - 1)."""
    x, y = np.array(inputs), np.array(outputs)
    solution = np.linalg.solve(x.T @ x + strength * np.eye(9), x.T @ y)
    return solution.reshape(9, -1, 3).transpose(1, 2, 0)


def _fit_jaw(template: np.ndarray, weights: np.ndarray, jaw: np.ndarray, jaw_open: np.ndarray) -> tuple[np.ndarray, np.ndarray, float]:
    """Correctives that make the jaw's pitch look like the facial action jawOpen."""
    from_jaw = template - jaw
    swung = np.cross([1, 0, 0], from_jaw)
    pitch = float((weights * (swung * jaw_open).sum(1)).sum() / (weights * (swung**2).sum(1)).sum())
    rows = np.where((np.linalg.norm(jaw_open, axis=1) > 1e-5) | (weights > 1e-3))[0]
    inputs, outputs = [], []
    for angle in np.linspace(-0.1, 1.2 * pitch, 24):
        rotation = Rotation.from_rotvec([angle, 0, 0]).as_matrix()
        skinning = _skinning(weights[rows], rotation)
        if angle > 0:
            wanted = from_jaw[rows] + angle / pitch * jaw_open[rows]
        else:
            wanted = np.einsum("vij,vj->vi", skinning, from_jaw[rows])
        inputs.append((rotation - np.eye(3)).reshape(-1))
        outputs.append((np.linalg.solve(skinning, wanted[:, :, None])[:, :, 0] - from_jaw[rows]).reshape(-1))
    return rows, _ridge(inputs, outputs, _JAW_RIDGE), pitch
