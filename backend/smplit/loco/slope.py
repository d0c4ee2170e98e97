# SPDX-License-Identifier: GPL-3.0-or-later
"""A walk on level ground carried onto a path that goes up and down: the body with the path, each foot onto the ground below it."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from smplit.loco.legs import ANKLE, SIDES, TOE, about_their_parents, around_the_world, joints_at
from smplit.loco.plan import Plan
from smplit.mocap.world.foot_lock import move_feet

_LEVEL = 1e-4  # m: paths that rise less are level
_LONGEST_STEP = 1.0  # m ahead and behind that the ground is looked at
_SOLE = 0.1  # m: over how long a piece a foot feels how steep the ground is


def on_ground(
    poses: np.ndarray, pelvis: np.ndarray, plan: Plan, frames: np.ndarray, rest: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Local rotations (T,22,3,3), root in the world, and pelvis (T,3) m over level ground at z = 0, at the plan's `frames` (T,)
    -> the same over the plan's ground. `rest` (J,3) m: the body's joints at rest."""
    rows = plan.rows(frames)
    if np.ptp(plan.place[:, 2]) < _LEVEL:
        return poses, pelvis + [0, 0, 1] * rows.place[:, 2:]
    around = around_the_world(poses)
    joints = pelvis[:, None] + joints_at(around, rest)
    ahead = np.stack([np.cos(rows.tangent), np.sin(rows.tangent)], 1)
    ground = _Ground(plan, rows)
    shifts = {}
    for side in SIDES:
        ankle, toe = ANKLE[side], TOE[side]
        foot = (joints[:, ankle] + joints[:, toe])[:, :2] / 2
        way = ((foot - rows.place[:, :2]) * ahead).sum(1)
        steep = np.arctan2(ground(way + _SOLE / 2) - ground(way - _SOLE / 2), _SOLE)
        across = np.stack([ahead[:, 1], -ahead[:, 0], np.zeros(len(ahead))], 1)
        tip = Rotation.from_rotvec(across * steep[:, None]).as_matrix()
        shifts[side] = np.stack([0 * way, 0 * way, ground(way) - rows.place[:, 2]], 1)
        around[:, [ankle, toe]] = tip[:, None] @ around[:, [ankle, toe]]
    turned, drop = move_feet(around, joints, shifts, np.arange(len(pelvis)) / plan.fps)
    return about_their_parents(turned), pelvis + drop + [0, 0, 1] * rows.place[:, 2:]


class _Ground:
    """Height in m of the path `way` (T,) m ahead of each row's place."""

    def __init__(self, plan: Plan, rows: Plan):
        last = len(plan) - 1
        around = plan.rows(np.arange(-last, 2 * last + 1)) if plan.laps else plan
        steps = np.linalg.norm(np.diff(around.place[:, :2], axis=0), axis=1)
        self._along = np.concatenate([[0.0], np.cumsum(steps)])
        self._height = around.place[:, 2]
        here = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(rows.place[:, :2], axis=0), axis=1))])
        distance = np.linalg.norm(around.place[:, :2] - rows.place[:1, :2], axis=1)
        near = np.abs(around.arc - rows.arc[0])
        self._here = self._along[np.argmin(near + 1e-3 * distance)] + here

    def __call__(self, way: np.ndarray) -> np.ndarray:
        return np.interp(self._here + np.clip(way, -_LONGEST_STEP, _LONGEST_STEP), self._along, self._height)
