# SPDX-License-Identifier: GPL-3.0-or-later
"""The one place where axes, handedness, quaternion order and units change.

Frames used in SMPLit, all right-handed, metres:

- **world**: Z up, floor at z = 0, as AMASS and Blender. Motion files are in it.
- **body**: SMPL-X's rest frame, Y up, facing +Z, left is +X.
- **camera**: OpenCV: X right, Y down, Z forward.
- **glTF**: Y up, like the body frame. **BVH** (as we write it): Y up, centimetres.

Rotations are axis-angle (rad) in files, matrices inside, and quaternions are **w, x, y, z**
(Blender's order) wherever one leaves this package; scipy and glTF use x, y, z, w.

Only numpy is imported: Blender's Python loads this module.
"""

from __future__ import annotations

import numpy as np

# Turns a Y-up vector into a Z-up one: (x, y, z) -> (x, -z, y).
Y_UP_TO_Z_UP = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -1.0], [0.0, 1.0, 0.0]])
Z_UP_TO_Y_UP = Y_UP_TO_Z_UP.T

# Turns an OpenCV camera vector into Blender/OpenGL camera axes (X right, Y up, Z backward).
CAMERA_TO_BLENDER_CAMERA = np.diag([1.0, -1.0, -1.0])

METRES_TO_CENTIMETRES = 100.0


def y_up_to_z_up(points: np.ndarray) -> np.ndarray:
    """(..., 3) Y-up -> (..., 3) Z-up, same unit."""
    points = np.asarray(points)
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], axis=-1)


def z_up_to_y_up(points: np.ndarray) -> np.ndarray:
    """(..., 3) Z-up -> (..., 3) Y-up, same unit."""
    points = np.asarray(points)
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], axis=-1)


def xyzw_from_wxyz(quaternions: np.ndarray) -> np.ndarray:
    """(..., 4) w, x, y, z (Blender) -> x, y, z, w (scipy, glTF)."""
    return np.roll(np.asarray(quaternions), -1, axis=-1)


def matrix_from_axis_angle(axis_angle: np.ndarray) -> np.ndarray:
    """(..., 3) rad -> (..., 3, 3), by Rodrigues' formula (scipy is absent inside Blender)."""
    rotvec = np.asarray(axis_angle, dtype=np.float64)
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    axis = rotvec / np.maximum(angle, 1e-12)
    x, y, z = axis[..., 0], axis[..., 1], axis[..., 2]
    zero = np.zeros_like(x)
    skew = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*x.shape, 3, 3)
    sine, cosine = np.sin(angle)[..., None], np.cos(angle)[..., None]
    return np.eye(3) + sine * skew + (1.0 - cosine) * (skew @ skew)


def quaternion_from_axis_angle(axis_angle: np.ndarray) -> np.ndarray:
    """(..., 3) rad -> (..., 4) unit quaternion w, x, y, z."""
    rotvec = np.asarray(axis_angle, dtype=np.float64)
    angle = np.linalg.norm(rotvec, axis=-1, keepdims=True)
    # sin(a/2)/a tends to 1/2: the series keeps tiny angles exact.
    scale = np.where(angle < 1e-6, 0.5 - angle**2 / 48.0, np.sin(angle / 2.0) / np.maximum(angle, 1e-12))
    return np.concatenate([np.cos(angle / 2.0), rotvec * scale], axis=-1)


def axis_angle_from_quaternion(quaternions: np.ndarray) -> np.ndarray:
    """(..., 4) w, x, y, z -> (..., 3) rad, angle in [0, pi]."""
    quaternions = np.asarray(quaternions, dtype=np.float64)
    quaternions = quaternions / np.maximum(np.linalg.norm(quaternions, axis=-1, keepdims=True), 1e-12)
    quaternions = np.where(quaternions[..., :1] < 0, -quaternions, quaternions)
    vector = quaternions[..., 1:]
    sine = np.linalg.norm(vector, axis=-1, keepdims=True)
    angle = 2.0 * np.arctan2(sine, quaternions[..., :1])
    return vector * np.where(sine < 1e-9, 2.0, angle / np.maximum(sine, 1e-12))


def axis_angle_from_matrix(matrices: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotations -> (..., 3) rad, angle in [0, pi]."""
    return axis_angle_from_quaternion(quaternion_from_matrix(matrices))


def quaternion_from_matrix(matrices: np.ndarray) -> np.ndarray:
    """(..., 3, 3) rotations -> (..., 4) w, x, y, z with w >= 0 (Bar-Itzhack's eigenvector is not
    needed: the largest of the four squared components is picked, as in Shepperd 1978)."""
    m = np.asarray(matrices, dtype=np.float64)
    trace = m[..., 0, 0] + m[..., 1, 1] + m[..., 2, 2]
    squares = np.stack(
        [
            1.0 + trace,
            1.0 + 2.0 * m[..., 0, 0] - trace,
            1.0 + 2.0 * m[..., 1, 1] - trace,
            1.0 + 2.0 * m[..., 2, 2] - trace,
        ],
        axis=-1,
    )
    wx, wy, wz = m[..., 2, 1] - m[..., 1, 2], m[..., 0, 2] - m[..., 2, 0], m[..., 1, 0] - m[..., 0, 1]
    xy, xz, yz = m[..., 0, 1] + m[..., 1, 0], m[..., 0, 2] + m[..., 2, 0], m[..., 1, 2] + m[..., 2, 1]
    candidates = np.stack(
        [
            np.stack([squares[..., 0], wx, wy, wz], axis=-1),
            np.stack([wx, squares[..., 1], xy, xz], axis=-1),
            np.stack([wy, xy, squares[..., 2], yz], axis=-1),
            np.stack([wz, xz, yz, squares[..., 3]], axis=-1),
        ],
        axis=-2,
    )
    best = np.argmax(squares, axis=-1)[..., None, None]
    quaternion = np.take_along_axis(candidates, np.broadcast_to(best, (*best.shape[:-1], 4)), axis=-2)[..., 0, :]
    quaternion = quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True)
    return np.where(quaternion[..., :1] < 0, -quaternion, quaternion)
