# SPDX-License-Identifier: GPL-3.0-or-later
"""The features of the published DiffTraj and LOCO: 203 numbers a frame, and the 4 of a path. World Z up, metres.

Written afresh from the description of each channel:

| channels | what |
|---|---|
| 0:2 | step of `trans` since the frame before, in that frame's heading frame |
| 2 | height of `trans` |
| 3:9 | root rotation without heading, first COLUMN then second COLUMN |
| 9:11 | cosine and sine of the heading's step |
| 11:137 | 21 body joints, local rotations, first ROW then second ROW |
| 137:203 | 22 joint positions, root not rotated, mean shape, body frame (Y up); the first 12 numbers never change |

Frame 0 holds x, y and the heading themselves instead of steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation

from smplit.body.kinematics import joint_transforms

# Turns the standing body (Y up, facing Z) into one that stands in the world facing X.
STANDING = Rotation.from_quat([0.5, 0.5, 0.5, 0.5])
ROOT_CHANNELS, HEADING_STEP, JOINT_POSITIONS = slice(0, 11), slice(9, 11), slice(137, 203)
CONSTANT_POSITIONS = 4  # pelvis, both hips and the first spine joint do not move where the root does not turn
_NEVER_CHANGES = 1e-5  # standard deviations below are rounding errors of a constant
_HIPS, _SHOULDERS = (1, 2), (16, 17)  # left, right


def columns_6d(matrices: np.ndarray) -> np.ndarray:
    """(...,3,3) -> (...,6): first column, then second column. The order of the ROOT's rotation."""
    return np.concatenate([matrices[..., :, 0], matrices[..., :, 1]], -1)


def rows_6d(matrices: np.ndarray) -> np.ndarray:
    """(...,3,3) -> (...,6): first row, then second row. The order of the BODY's rotations."""
    return np.concatenate([matrices[..., 0, :], matrices[..., 1, :]], -1)


def matrix_from_columns_6d(values: np.ndarray) -> np.ndarray:
    """(...,6) first and second column, not quite a rotation's -> (...,3,3) rotation by Gram-Schmidt."""
    x = _unit(values[..., :3])
    y = _unit(values[..., 3:] - (x * values[..., 3:]).sum(-1, keepdims=True) * x)
    return np.stack([x, y, np.cross(x, y)], -1)


def heading(level: Rotation) -> np.ndarray:
    """(T,) rad: twist about Z of rotations that are relative to standing, `root * STANDING.inv()`."""
    quaternions = level.as_quat()
    return 2 * np.arctan2(quaternions[:, 2], quaternions[:, 3])


def root_heading(root: Rotation) -> np.ndarray:
    """(T,) rad of root rotations in the world."""
    return heading(root * STANDING.inv())


def heading_steps(root: Rotation) -> np.ndarray:
    """(T,2) cosine and sine of the heading's step; (1, 0) in frame 0."""
    step = np.diff(root_heading(root), prepend=root_heading(root[:1]))
    return np.stack([np.cos(step), np.sin(step)], -1)


def encode_root(trans: np.ndarray, root: Rotation) -> np.ndarray:
    """Channels 0:11 (T,11) of a root's way, (T,3) m and T rotations; frame 0 holds place and heading themselves."""
    level = root * STANDING.inv()
    angle = heading(level)
    tilt = (_about_z(angle).inv() * level).as_matrix()
    return np.concatenate([path_steps(trans[:, :2], angle), trans[:, 2:3], columns_6d(tilt), _directions(np.diff(angle, prepend=0))], -1)


def decode_root(values: np.ndarray) -> tuple[np.ndarray, Rotation]:
    """Channels 0:11 (T,11) -> (T,3) m and T root rotations, steps summed up."""
    values = np.asarray(values, np.float64)
    angle = np.cumsum(np.arctan2(values[:, 10], values[:, 9]))
    root = _about_z(angle) * Rotation.from_matrix(matrix_from_columns_6d(values[:, 3:9])) * STANDING
    return np.concatenate([path_from_steps(values[:, :2], angle), values[:, 2:3]], -1), root


def from_origin(values: np.ndarray) -> np.ndarray:
    """Channels 0:11 (T,11) moved and turned so that they start at x = y = 0, facing X; heights stay."""
    values = np.array(values)
    values[0, :2], values[0, HEADING_STEP] = 0, (1, 0)
    return values


def path_steps(xy: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """(T,2) m and (T,) rad -> (T,2) steps, each in the frame of the angle before it; frame 0 holds its place."""
    return np.concatenate([xy[:1], _turned(np.diff(xy, axis=0), -angle[:-1])])


def path_from_steps(steps: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """The inverse of `path_steps`."""
    return np.cumsum(np.concatenate([steps[:1], _turned(steps[1:], angle[:-1])]), 0)


def encode_path(xy: np.ndarray, facing: np.ndarray) -> np.ndarray:
    """LOCO's control signal (T,4) of a path (T,2) m and facing directions (T,2): steps, then cosine and sine of the turn."""
    angle = np.arctan2(facing[:, 1], facing[:, 0])
    return np.concatenate([path_steps(xy, angle), _directions(np.diff(angle, prepend=0))], -1)


def decode_path(control: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T,4) -> path (T,2) m and facing directions (T,2)."""
    angle = np.cumsum(np.arctan2(control[:, 3], control[:, 2]))
    return path_from_steps(control[:, :2], angle), _directions(angle)


def facing(joints: np.ndarray) -> np.ndarray:
    """(T,22,3) m joints in the world -> (T,2) directions at right angles to hips and shoulders.

    Another heading than channels 9:11, which go by the pelvis alone: each where the original has it.
    """
    across = joints[:, _HIPS[1]] - joints[:, _HIPS[0]] + joints[:, _SHOULDERS[1]] - joints[:, _SHOULDERS[0]]
    return _unit(np.cross([0.0, 0.0, 1.0], _unit(across))[:, :2])


def joint_positions(root: Rotation | None, body: np.ndarray, rest_joints: np.ndarray) -> np.ndarray:
    """(T,22,3) m of local rotations `body` (T,21,3,3) on `rest_joints` (22,3); without a root rotation it is not turned."""
    first = np.broadcast_to(np.eye(3), (len(body), 3, 3)) if root is None else root.as_matrix()
    local = torch.as_tensor(np.concatenate([first[:, None], body], 1))
    return joint_transforms(local, torch.as_tensor(np.asarray(rest_joints, np.float64)))[1].numpy()


def on_known_pelvis(rest_joints: np.ndarray, mean_positions: np.ndarray) -> np.ndarray:
    """(22,3) m: a body's bones on the pelvis that a network knows, whose mean joint positions are (66,).

    Pelvis, hips and first spine joint never moved in training, so each body but those of the training
    lies many standard deviations off there; the mean of the training is the nearest thing to it.
    """
    fitted = np.array(rest_joints, np.float64)
    fixed = mean_positions.reshape(-1, 3)[:CONSTANT_POSITIONS]
    legs_and_spine = ((1, (4, 7, 10)), (2, (5, 8, 11)), (3, (6, 9, *range(12, len(fitted)))))
    for joint, hanging in legs_and_spine:
        fitted[list(hanging)] += fixed[joint] - fitted[joint]
    fitted[:CONSTANT_POSITIONS] = fixed
    return fitted


def motion_features(trans: np.ndarray, root: Rotation, body: np.ndarray, rest_joints: np.ndarray) -> np.ndarray:
    """The 203 numbers (T,203) of a motion that is made to start at the origin.

    Args: trans (T,3) m; root T rotations in the world; body (T,21,3,3) local; rest_joints (22,3) m.
    """
    positions = joint_positions(None, body, rest_joints)
    return np.concatenate([from_origin(encode_root(trans, root)), rows_6d(body).reshape(len(body), -1), positions.reshape(len(body), -1)], -1)


def control_signal(trans: np.ndarray, root: Rotation, body: np.ndarray, rest_joints: np.ndarray) -> np.ndarray:
    """LOCO's 4 numbers (T,4) of the same motion, started at the origin by the root's heading."""
    trans, root = decode_root(from_origin(encode_root(trans, root)))
    return encode_path(trans[:, :2], facing(joint_positions(root, body, rest_joints)))


@dataclass(frozen=True)
class Statistics:
    """Mean and standard deviation (C,) of each channel."""

    mean: np.ndarray
    std: np.ndarray

    @classmethod
    def of(cls, clips: Sequence[np.ndarray]) -> Statistics:
        """Over all frames of all clips [(T,C)...]."""
        frames = np.concatenate(clips)
        return cls(frames.mean(0), frames.std(0))

    def __getitem__(self, channels: slice | np.ndarray) -> Statistics:
        return Statistics(self.mean[channels], self.std[channels])

    @property
    def scale(self) -> np.ndarray:
        """(C,) what a channel is divided by: 1 where it never changes, so that another body's constants stay near 0."""
        return np.where(self.std < _NEVER_CHANGES, 1.0, self.std)

    def normalised(self, values: np.ndarray) -> np.ndarray:
        return (values - self.mean) / self.scale

    def restored(self, values: np.ndarray) -> np.ndarray:
        return values * self.scale + self.mean


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)


def _about_z(angle: np.ndarray) -> Rotation:
    return Rotation.from_rotvec(angle[:, None] * [0.0, 0.0, 1.0])


def _turned(vectors: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """(N,2) vectors turned by (N,) rad."""
    cosine, sine = np.cos(angle), np.sin(angle)
    x, y = vectors[:, 0], vectors[:, 1]
    return np.stack([x * cosine - y * sine, x * sine + y * cosine], -1)


def _directions(angle: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(angle), np.sin(angle)], -1)
