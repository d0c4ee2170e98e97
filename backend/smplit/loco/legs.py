# SPDX-License-Identifier: GPL-3.0-or-later
"""Legs that reach to where feet are put. numpy; T frames, world axes, Z up, m."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smplit.mocap.world.foot_lock import move_feet
from smplit.motion import BODY_JOINTS, PARENTS

SIDES = ("left", "right")
_J = {name: i for i, name in enumerate(BODY_JOINTS)}
ANKLE = {side: _J[f"{side}_ankle"] for side in SIDES}
TOE = {side: _J[f"{side}_foot"] for side in SIDES}


@dataclass
class FootTrack:
    """One foot: ankle (T,3) m, the foot's rotation (T,3,3) in the world, and whether it stands, (T,) bool."""

    ankle: np.ndarray
    rotation: np.ndarray
    stands: np.ndarray

    def __getitem__(self, rows) -> FootTrack:
        return FootTrack(self.ankle[rows], self.rotation[rows], self.stands[rows])


def around_the_world(rotations: np.ndarray) -> np.ndarray:
    """Local rotations (T,22,3,3), the root's in the world -> all in the world."""
    out = rotations.copy()
    for joint in range(1, len(BODY_JOINTS)):
        out[:, joint] = out[:, PARENTS[joint]] @ rotations[:, joint]
    return out


def about_their_parents(around: np.ndarray) -> np.ndarray:
    """World rotations (T,22,3,3) -> local ones, the root's in the world."""
    out = around.copy()
    for joint in range(1, len(BODY_JOINTS)):
        out[:, joint] = np.swapaxes(around[:, PARENTS[joint]], -1, -2) @ around[:, joint]
    return out


def joints_at(around: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """World rotations (T,22,3,3) and joints at rest (J,3) m -> joints (T,22,3) m from the pelvis."""
    places = np.zeros((*around.shape[:2], 3))
    for joint in range(1, len(BODY_JOINTS)):
        parent = PARENTS[joint]
        places[:, joint] = places[:, parent] + around[:, parent] @ (rest[joint] - rest[parent])
    return places


def feet_of(rotations: np.ndarray, pelvis: np.ndarray, stands: dict[str, np.ndarray], rest: np.ndarray) -> dict[str, FootTrack]:
    """Where the feet of a body are: local rotations (T,22,3,3), pelvis (T,3) m, and whether each foot stands (T,)."""
    around = around_the_world(rotations)
    joints = joints_at(around, rest) + pelvis[:, None]
    return {side: FootTrack(joints[:, ANKLE[side]], around[:, ANKLE[side]], stands[side]) for side in SIDES}


def on_their_feet(
    rotations: np.ndarray, pelvis: np.ndarray, feet: dict[str, FootTrack], rest: np.ndarray, fps: float
) -> tuple[np.ndarray, np.ndarray]:
    """A body with its feet put elsewhere: local rotations (T,22,3,3) and pelvis (T,3) m, which comes down where a leg is too short."""
    around = around_the_world(rotations)
    joints = joints_at(around, rest) + pelvis[:, None]
    shifts = {}
    for side, foot in feet.items():
        ankle, toe = ANKLE[side], TOE[side]
        around[:, toe] = foot.rotation @ rotations[:, toe]
        around[:, ankle] = foot.rotation
        shifts[side] = foot.ankle - joints[:, ankle]
    turned, drop = move_feet(around, joints, shifts, np.arange(len(pelvis)) / fps)
    return about_their_parents(turned), pelvis + drop
