# SPDX-License-Identifier: GPL-3.0-or-later
"""A person made by hand who walks a known path with flat, planted feet: the oracle of the trajectory tests.

Built from leg geometry alone (scipy's rotations); nothing of `smplit.difftraj` is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.spatial.transform import Rotation

from smplit.body.model import BodyModel
from smplit.motion import BODY_JOINTS, Motion

_J = {name: i for i, name in enumerate(BODY_JOINTS)}
_STEP = 0.55  # s: a foot swings for this long while the other stands
_Y_UP_TO_Z_UP = Rotation.from_euler("x", 90, degrees=True)


@dataclass
class Walk:
    """`motion` with its true `trans`; `planted` (T,2) left, right; `pelvis` (T,3) m."""

    motion: Motion
    planted: np.ndarray
    pelvis: np.ndarray


def walk(body: BodyModel, seconds: float = 6.0, fps: float = 30.0, speed: float = 1.0, turn_rate: float = 0.3, betas=None) -> Walk:
    """Walks a circle of radius speed / turn_rate (m/s, rad/s) that starts along -y, where SMPL-X's standing body faces."""
    betas = np.zeros(10, np.float32) if betas is None else np.asarray(betas, np.float32)
    rest = body.rest_joints(betas).cpu().numpy().astype(np.float64)[:22]
    times = np.arange(round(seconds * fps) + 1) / fps
    yaw = turn_rate * times
    radius = speed / turn_rate
    place = lambda t: radius * np.stack([1 - np.cos(turn_rate * t), -np.sin(turn_rate * t)], -1)
    leg = np.linalg.norm(rest[_J["left_knee"]] - rest[_J["left_hip"]]) + np.linalg.norm(rest[_J["left_ankle"]] - rest[_J["left_knee"]])
    sole = rest[_J["left_ankle"], 1] - (body.v_template[:, 1] + body.shapedirs[:, 1, :10] @ betas[:10]).min()
    hips = rest[[_J["left_hip"], _J["right_hip"]], 1].mean() - rest[0, 1]
    pelvis = np.concatenate([place(times), np.full((len(times), 1), sole + 0.9 * leg - hips)], 1)
    root = _turned(yaw)
    poses = np.zeros((len(times), 55, 3))
    poses[:, 0] = root.as_rotvec()
    planted = np.zeros((len(times), 2), bool)
    for number, side in enumerate(("left", "right")):
        ankle, foot_yaw, planted[:, number] = _feet(times, number, place, turn_rate, rest[_J[f"{side}_ankle"], 0], sole)
        _bend(poses, rest, root, pelvis, ankle, _turned(foot_yaw), side)
    return Walk(Motion(poses.reshape(len(times), -1).astype(np.float32), (pelvis - rest[0]).astype(np.float32), fps, betas), planted, pelvis)


def _turned(yaw):
    """Standing upright, turned by yaw (T,)."""
    return Rotation.from_rotvec(np.stack([0 * yaw, 0 * yaw, yaw], -1)) * _Y_UP_TO_Z_UP


def _feet(times, number, place, turn_rate, sideways, sole):
    """World ankle (T,3), the foot's yaw (T,) and whether it stands (T,): below the path's middle of a stance, then swings to the next."""
    phase = times / _STEP + number
    index = np.floor(phase / 2)
    middle = (2 * index + 0.5 - number) * _STEP  # of the stance, s
    beside = lambda t: place(t) + sideways * np.stack([np.cos(turn_rate * t), np.sin(turn_rate * t)], -1)
    part = np.clip(phase - 2 * index - 1, 0, 1)
    ease = part**2 * (3 - 2 * part)
    here, there = beside(middle), beside(middle + 2 * _STEP)
    level = here + (there - here) * ease[:, None]
    yaw = turn_rate * (middle + 2 * _STEP * ease)
    return np.concatenate([level, (sole + 0.08 * np.sin(np.pi * part))[:, None]], 1), yaw, phase - 2 * index < 1


def _bend(poses, rest, root, pelvis, ankle, foot, side):
    hip_at = pelvis + root.apply(rest[_J[f"{side}_hip"]] - rest[0])
    to_body = root.inv()
    line = to_body.apply(ankle - hip_at)
    thigh, shin = (rest[_J[f"{side}_{b}"]] - rest[_J[f"{side}_{a}"]] for a, b in (("hip", "knee"), ("knee", "ankle")))
    upper, lower, length = np.linalg.norm(thigh), np.linalg.norm(shin), np.linalg.norm(line, axis=-1)
    assert (length < upper + lower).all(), "the walk's steps are longer than its legs"
    bend = np.arccos((upper**2 + length**2 - lower**2) / (2 * upper * length))
    along = line / length[:, None]
    ahead = np.array([0.0, 0.0, 1.0]) - along * along[:, 2:]
    ahead /= np.linalg.norm(ahead, axis=-1, keepdims=True)
    knee = upper * (np.cos(bend)[:, None] * along + np.sin(bend)[:, None] * ahead)
    hip_turn = _onto(thigh, knee)
    knee_turn = _onto(shin, line - knee)
    poses[:, _J[f"{side}_hip"]] = hip_turn.as_rotvec()
    poses[:, _J[f"{side}_knee"]] = (hip_turn.inv() * knee_turn).as_rotvec()
    poses[:, _J[f"{side}_ankle"]] = ((root * knee_turn).inv() * foot).as_rotvec()


def _onto(source, targets):
    a, b = source / np.linalg.norm(source), targets / np.linalg.norm(targets, axis=-1, keepdims=True)
    axis = np.cross(np.broadcast_to(a, b.shape), b)
    sine = np.linalg.norm(axis, axis=-1)
    return Rotation.from_rotvec(axis / np.maximum(sine, 1e-12)[:, None] * np.arctan2(sine, b @ a)[:, None])
