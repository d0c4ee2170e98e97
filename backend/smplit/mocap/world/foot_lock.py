# SPDX-License-Identifier: GPL-3.0-or-later
"""Planted feet stay planted: two-bone leg inverse kinematics towards held foot positions.

The needed shift of each foot is a smooth curve (constant target while planted, eased between
contacts), so the correction itself never pops.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from smplit.mocap.runs import runs
from smplit.mocap.world.contacts import smooth
from smplit.motion import BODY_JOINTS

_J = {name: i for i, name in enumerate(BODY_JOINTS)}
_REACH = 0.9985  # of the leg's full length: a fully straight knee snaps
_FLOOR_REACH = 0.12  # m from the floor within which a planted foot stands on it
_EASE = 0.06  # s: smoothing of the shift curve
_SINK = 0.2  # s: how slowly the root gives way to a foot out of reach; quicker, and the body would bob


def lock_feet(
    rotations: np.ndarray, joints: np.ndarray, soles: np.ndarray, contacts: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Holds planted feet.

    Args:
        rotations: (T,22,3,3) global rotations, world.
        joints: (T,22,3) m, world, Z up, floor at z = 0.
        soles: (T,4,3) m: sole points below left ankle, left toe, right ankle, right toe.
        contacts: (T,4) 0..1 in the order of `motion.CONTACT_NAMES`.
        times: (T,) s.

    Returns:
        New global rotations (T,22,3,3) and the root's shift (T,3) m (only where a leg would
        have to stretch beyond its length).
    """
    shifts = {side: _foot_shift(soles[:, i : i + 2], contacts[:, i : i + 2], times) for i, side in ((0, "left"), (2, "right"))}
    return move_feet(rotations, joints, shifts, times)


def move_feet(
    rotations: np.ndarray, joints: np.ndarray, shifts: dict[str, np.ndarray], times: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Bends the legs so that the ankles move by `shifts`, "left" and "right" (T,3) m; the rest as `lock_feet`."""
    drop = np.zeros(len(joints))
    for side, shift in shifts.items():
        hip, knee, ankle = (joints[:, _J[f"{side}_{n}"]] for n in ("hip", "knee", "ankle"))
        longest = (np.linalg.norm(knee - hip, axis=-1) + np.linalg.norm(ankle - knee, axis=-1)) * _REACH
        target = ankle + shift
        flat = np.linalg.norm((target - hip)[:, :2], axis=-1)
        lowest_hip = target[:, 2] + np.sqrt(np.maximum(longest**2 - flat**2, 0.0))
        drop = np.maximum(drop, np.clip(hip[:, 2] - lowest_hip, 0.0, 0.12))
    # The running maximum keeps the drop sufficient everywhere; the smoothing keeps it from popping.
    root = np.zeros((len(joints), 3))
    root[:, 2] = -smooth(_running_max(drop, times, _SINK), times, _SINK)
    rotations = rotations.copy()
    for side, shift in shifts.items():
        _bend_leg(rotations, joints, root, shift, side)
    return rotations, root


def _running_max(values: np.ndarray, times: np.ndarray, seconds: float) -> np.ndarray:
    step = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    reach = int(np.ceil(seconds / max(step, 1e-3)))
    padded = np.pad(values, reach, mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1).max(-1)


def _foot_shift(soles: np.ndarray, contacts: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(T,2,3) heel and toe points, (T,2) contacts -> (T,3) m: how far the foot must move."""
    frames = len(soles)
    needed = np.zeros((frames, 3))
    weight = np.zeros(frames)
    for point in range(2):
        planted = contacts[:, point] > 0.5
        for first, last in runs(planted):
            piece = slice(first, last)
            inside = contacts[piece, point][:, None]
            target = (soles[piece, point] * inside).sum(0) / inside.sum()
            if abs(target[2]) < _FLOOR_REACH:  # higher or lower, the foot stands on something else
                target[2] = 0.0
            needed[piece] += inside * (target - soles[piece, point])
            weight[piece] += inside[:, 0]
    known = weight > 0
    if not known.any():
        return needed
    needed[known] /= weight[known, None]
    index = np.arange(frames)
    for axis in range(3):
        needed[:, axis] = np.interp(index, index[known], needed[known, axis])
    eased = smooth(needed, times, _EASE)
    # Inside a contact the exact shift counts, outside the eased one: blend by a smoothed mask.
    mask = np.clip(smooth(known.astype(float), times, _EASE / 2), 0, 1)[:, None]
    shift = mask * needed + (1 - mask) * eased
    # A swinging foot must not go through the floor either.
    lowest = (soles + shift[:, None])[..., 2].min(1)
    shift[:, 2] += smooth(np.maximum(-lowest, 0.0), times, 0.03)
    return shift


def _between(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Smallest rotations (T,3,3) from directions `source` to `target` (T,3)."""
    source = source / np.linalg.norm(source, axis=-1, keepdims=True)
    target = target / np.linalg.norm(target, axis=-1, keepdims=True)
    axis = np.cross(source, target)
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    angle = np.arctan2(sine, (source * target).sum(-1, keepdims=True))
    return Rotation.from_rotvec(axis / np.maximum(sine, 1e-9) * angle).as_matrix()


def _bend_leg(rotations: np.ndarray, joints: np.ndarray, root: np.ndarray, shift: np.ndarray, side: str) -> None:
    """Turns thigh and shin so that the ankle moves by `shift` while the root moves by `root`."""
    hip, knee, ankle = (joints[:, _J[f"{side}_{n}"]] for n in ("hip", "knee", "ankle"))
    upper, lower = np.linalg.norm(knee - hip, axis=-1), np.linalg.norm(ankle - knee, axis=-1)
    new_hip, target = hip + root, ankle + shift
    line = target - new_hip
    length = np.linalg.norm(line, axis=-1)
    reach = np.clip(length, np.abs(upper - lower) + 1e-4, (upper + lower) * _REACH)
    along = line / np.maximum(length, 1e-6)[:, None]
    # Keep the knee's side: its offset from the old hip-ankle line, made square to the new one.
    pole = knee - hip
    pole = pole - (pole * along).sum(-1, keepdims=True) * along
    size = np.linalg.norm(pole, axis=-1, keepdims=True)
    forward = rotations[:, _J[f"{side}_hip"], :, 2]
    forward = forward - (forward * along).sum(-1, keepdims=True) * along
    forward /= np.maximum(np.linalg.norm(forward, axis=-1, keepdims=True), 1e-6)
    pole = np.where(size > 0.02, pole, pole + (0.02 - size) * forward)  # straight leg: the knee points ahead
    # A knee that was bent backwards a little must not bend so by more.
    pole += np.maximum(0.01 - (pole * forward).sum(-1, keepdims=True), 0.0) * forward
    pole /= np.maximum(np.linalg.norm(pole, axis=-1, keepdims=True), 1e-6)
    cosine = np.clip((upper**2 + reach**2 - lower**2) / (2 * upper * reach), -1, 1)
    new_knee = new_hip + upper[:, None] * (cosine[:, None] * along + np.sqrt(1 - cosine**2)[:, None] * pole)
    new_ankle = new_hip + reach[:, None] * along
    for name, old, new in (("hip", knee - hip, new_knee - new_hip), ("knee", ankle - knee, new_ankle - new_knee)):
        index = _J[f"{side}_{name}"]
        rotations[:, index] = _between(old, new) @ rotations[:, index]
