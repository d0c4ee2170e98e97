# SPDX-License-Identifier: GPL-3.0-or-later
"""The hand as a chain of hinges with limits, its axes derived from the body's rest joints.

Everything here is about a LEFT hand in the wrist's rest axes (a right hand is mirrored, x -> -x, on
the way in and out), so both sides behave alike by construction. Fingers are in SMPL-X order:
index, middle, pinky, ring, thumb. A finger has three joints and six hinges:

====== ======================= ==========================
joint  finger                  thumb
====== ======================= ==========================
1      flexion, spread, -      flexion, abduction, twist
2      flexion, -              flexion, abduction
3      flexion                 flexion
====== ======================= ==========================
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smplit.axes import axis_angle_from_matrix
from smplit.body.model import SURFACE_POINTS

FINGERS = ("index", "middle", "pinky", "ring", "thumb")
THUMB = 4
HINGE_JOINT = np.array([0, 0, 0, 1, 1, 2])  # joint of its finger that each hinge belongs to
# MediaPipe's landmarks of each finger: the three joints and the tip.
FINGER_LANDMARKS = np.array([[5, 6, 7, 8], [9, 10, 11, 12], [17, 18, 19, 20], [13, 14, 15, 16], [1, 2, 3, 4]])
MIRROR = np.array([-1.0, 1.0, 1.0])

_degrees = np.radians
_FINGER_LOW = _degrees([-20.0, -20.0, 0.0, 0.0, 0.0, 0.0])
_FINGER_HIGH = _degrees([95.0, 20.0, 0.0, 110.0, 0.0, 90.0])
LOW = np.stack([_FINGER_LOW] * 4 + [_degrees([-40.0, -45.0, -45.0, -20.0, -12.0, -25.0])])  # (5,6) rad
HIGH = np.stack([_FINGER_HIGH] * 4 + [_degrees([55.0, 50.0, 45.0, 70.0, 12.0, 85.0])])
ACTIVE = HIGH > LOW
# A hand at ease: what a hand does that nobody sees. Curl grows towards the little finger.
RELAXED = _degrees(
    np.array(
        [
            [18.0, 3.0, 0, 28.0, 0, 16.0],
            [22.0, 0.0, 0, 32.0, 0, 18.0],
            [30.0, -3.0, 0, 36.0, 0, 20.0],
            [26.0, -1.0, 0, 34.0, 0, 19.0],
            [6.0, 8.0, 6.0, 12.0, 0, 14.0],
        ]
    )
)
# The thumb bends within a plane that leans this much from the palm's plane towards the palm's inside
# (the nail of the open body's thumb, by principal axes of its tip's vertices, leans 20 degrees).
_THUMB_LEAN = _degrees(22.0)


@dataclass
class HandSkeleton:
    """Two hands, both as left hands. Lengths in m, wrist at the origin.

    `base` (2,5,3): first joint of each finger; `bones` (2,5,3,3): from each joint to the next, in
    rest axes; `axes` (2,5,6,3): unit hinge axes in rest axes.
    """

    base: np.ndarray
    bones: np.ndarray
    axes: np.ndarray

    def pose(self, angles: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Forward kinematics.

        Args:
            angles: (n,2,5,6) rad.

        Returns:
            Points (n,2,5,4,3) m of joints and tip in wrist axes, hinge axes (n,2,5,6,3) in wrist axes,
            their pivots (n,2,5,6,3) m, local rotations (n,2,5,3,3,3) of the joints.
        """
        rotation = _hinge_matrices(self.axes, angles)  # (n,2,5,6,3,3)
        local = np.stack(
            [rotation[..., 0, :, :] @ rotation[..., 1, :, :] @ rotation[..., 2, :, :],
             rotation[..., 3, :, :] @ rotation[..., 4, :, :], rotation[..., 5, :, :]], axis=-3,
        )
        first = local[..., 0, :, :]
        second = first @ local[..., 1, :, :]
        third = second @ local[..., 2, :, :]
        points = [np.broadcast_to(self.base, angles.shape[:3] + (3,))]
        for k, total in enumerate((first, second, third)):
            points.append(points[-1] + (total @ self.bones[:, :, k, :, None])[..., 0])
        identity = np.broadcast_to(np.eye(3), first.shape)
        spread = rotation[..., 0, :, :]
        before = np.stack(
            [identity, spread, spread @ rotation[..., 1, :, :], first, first @ rotation[..., 3, :, :], second], axis=-3
        )
        axes = (before @ self.axes[..., None])[..., 0]
        points = np.stack(points, axis=-2)
        return points, axes, points[..., HINGE_JOINT, :], local

    def axis_angles(self, angles: np.ndarray) -> np.ndarray:
        """(n,2,5,6) hinge angles, rad -> (n,2,15,3) axis-angle of SMPL-X's hand joints, right hand mirrored back."""
        local = self.pose(angles)[3]
        poses = axis_angle_from_matrix(local).reshape(len(angles), 2, 15, 3)
        poses[:, 1] *= -MIRROR  # a rotation vector is a pseudo-vector: x stays, y and z turn
        return poses

    def resized(self, base: np.ndarray, lengths: np.ndarray) -> HandSkeleton:
        """The same axes with measured first joints (2,5,3) m and bone lengths (5,3) m."""
        unit = self.bones / np.linalg.norm(self.bones, axis=-1, keepdims=True)
        return HandSkeleton(base, unit * lengths[..., None], self.axes)


def hand_skeleton(rest_joints: np.ndarray, tips: np.ndarray) -> HandSkeleton:
    """Hinges of both hands of a body.

    Args:
        rest_joints: (55,3) m, body frame, flat hands.
        tips: (2,5,3) m finger tips in `FINGERS` order, see `finger_tips`.
    """
    rest = np.asarray(rest_joints, np.float64)
    base, bones, axes = [], [], []
    for side in range(2):
        mirror = MIRROR if side else 1.0
        wrist = rest[20 + side]
        joints = (rest[25 + 15 * side : 40 + 15 * side].reshape(5, 3, 3) - wrist) * mirror
        chain = np.concatenate([joints, ((np.asarray(tips, np.float64)[side] - wrist) * mirror)[:, None]], axis=1)
        bones.append(np.diff(chain, axis=1))
        base.append(joints[:, 0])
        axes.append(_hinge_axes(chain))
    return HandSkeleton(np.stack(base), np.stack(bones), np.stack(axes))


def finger_tips(surface_points: np.ndarray) -> np.ndarray:
    """(21,3) m in the order of `body.model.SURFACE_POINTS` -> (2,5,3) m finger tips, left then right."""
    order = list(SURFACE_POINTS)
    points = np.asarray(surface_points, np.float64)
    return np.stack([[points[order.index(f"{side}_{finger}")] for finger in FINGERS] for side in ("left", "right")])


def _hinge_axes(chain: np.ndarray) -> np.ndarray:
    """(5,4,3) joints and tips of a flat left hand, wrist at the origin -> (5,6,3) unit axes."""
    axes = np.zeros((5, 6, 3))
    dorsal = _unit(np.cross(chain[0, 0], chain[2, 0]))  # out of the back of the hand
    for finger in range(4):
        along = _unit(chain[finger, 3] - chain[finger, 0])
        flexion = _unit(np.cross(along, -dorsal))
        axes[finger] = [flexion, np.cross(flexion, along), along, flexion, dorsal, flexion]
        # Positive spread goes to the thumb's side: about the normal that points out of the palm.
        axes[finger, 1] = -dorsal if _towards_thumb(-dorsal, along, chain) else dorsal
    along = _unit(chain[THUMB, 3] - chain[THUMB, 1])
    palmar = _unit(-dorsal + (dorsal @ along) * along)
    inward = np.cross(palmar, along)
    inward = inward if inward @ (chain[1, 0] - chain[THUMB, 0]) > 0 else -inward  # towards the fingers
    bend = np.cos(_THUMB_LEAN) * inward + np.sin(_THUMB_LEAN) * palmar
    flexion = np.cross(along, bend)
    # Abduction lifts the thumb out of the palm's plane, about the direction it bends to.
    abduction = bend if np.cross(bend, along) @ palmar > 0 else -bend
    axes[THUMB] = [flexion, abduction, along, flexion, abduction, flexion]
    return axes


def _towards_thumb(axis: np.ndarray, along: np.ndarray, chain: np.ndarray) -> bool:
    return bool(np.cross(axis, along) @ (chain[0, 0] - chain[2, 0]) > 0)


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _hinge_matrices(axes: np.ndarray, angles: np.ndarray) -> np.ndarray:
    """(2,5,6,3) unit axes, (n,2,5,6) rad -> (n,2,5,6,3,3), Rodrigues with the axes' matrices made once."""
    x, y, z = np.moveaxis(axes, -1, 0)
    zero = np.zeros_like(x)
    skew = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], axis=-1).reshape(*axes.shape, 3)
    sine, cosine = np.sin(angles)[..., None, None], np.cos(angles)[..., None, None]
    return np.eye(3) + sine * skew + (1.0 - cosine) * (skew @ skew)
