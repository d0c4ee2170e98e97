# SPDX-License-Identifier: GPL-3.0-or-later
"""Which clips can teach how a body travels; every refusal has a reason that a person understands.

What poses alone cannot tell stays in: sitting on a chair, walking up a ramp that was levelled, a
held weight. A list of such recordings belongs to the data set, not here.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import label
from scipy.spatial.transform import Rotation

REASONS = {
    "too_short": "shorter than the window",
    "unreadable": "the file cannot be read as its kind",
    "unknown_skeleton": "its joints belong to no known skeleton",
    "no_rest_pose": "no T-pose of its skeleton was given",
    "not_finite": "holds NaN or infinity",
    "jump": "a body part moves faster between two frames than people can: a capture glitch",
    "off_floor": "nothing of the body is near the floor for longer than a jump lasts: climbing, hanging",
    "uneven_floor": "feet stand at several heights: stairs, a hill, furniture",
    "sliding_feet": "low feet keep sliding: a treadmill, skating, or a path that is not this body's",
}
_FASTEST_ROOT = 12.0  # m/s: the world's best sprinters
_FASTEST_TURN = 35.0  # rad/s of the root: figure skaters reach 35
_FASTEST_LIMB = 70.0  # rad/s of a joint: 134 degrees within 1/30 s
_FLIGHT = 0.9  # s: the longest jump, with a margin
_NEAR = 0.25  # m over the floor: within reach of some part of the body
_FLESH = 0.10  # m: joints lie so deep in the body; of the feet the soles are known
_ABOVE_FEET = [joint for joint in range(22) if joint not in (7, 8, 10, 11)]
_STEP = 0.12  # m over the floor where feet have no business to stand
_STANDING_SPEED = 0.2  # m/s
_UNEVEN_SHARE = 0.12  # of the standing time
_LOWEST = -0.12  # m: feet this deep under the floor stand on another
_SLIDE, _SLIDE_SHARE = 0.45, 0.25  # m/s of the slower low foot, in the median; share of the pelvis's own speed (sprints)


def fault(poses: np.ndarray, joints: np.ndarray, soles: np.ndarray, fps: float) -> str:
    """The name in `REASONS` of what is wrong with a clip on its floor, or "".

    Args:
        poses: (T,22,3) rad.
        joints: (T,22,3) m, world, floor at z = 0.
        soles: (T,6,3) m, sole points.
        fps: frames per second.
    """
    if not (np.isfinite(poses).all() and np.isfinite(joints).all()):
        return "not_finite"
    if len(poses) < 2:
        return "too_short"
    low = np.minimum(soles[..., 2].min(1), joints[:, _ABOVE_FEET, 2].min(1) - _FLESH)
    if _longest(low > _NEAR) / fps > _FLIGHT:
        return "off_floor"
    if glitches(poses, joints, fps):
        return "jump"
    speed = np.linalg.norm(np.gradient(soles, 1.0 / fps, axis=0), axis=-1)
    rows = np.arange(len(soles))
    lowest = soles[..., 2].argmin(1)
    standing = speed[rows, lowest] < _STANDING_SPEED
    heights = low[standing]
    if len(heights) > 5 and np.mean((heights > _STEP) | (heights < _LOWEST)) > _UNEVEN_SHARE:
        return "uneven_floor"
    sliding = np.where(soles[..., 2] < 0.05, np.linalg.norm(np.gradient(soles[..., :2], 1.0 / fps, axis=0), axis=-1), np.nan)
    touching = np.isfinite(sliding).any(1)
    travel = np.linalg.norm(np.gradient(joints[:, 0, :2], 1.0 / fps, axis=0), axis=1)
    if touching.sum() > fps and np.median(np.nanmin(sliding[touching], 1)) > max(_SLIDE, _SLIDE_SHARE * np.median(travel)):
        return "sliding_feet"
    return ""


def glitches(poses: np.ndarray, joints: np.ndarray, fps: float) -> bool:
    """Whether root or joints move faster than people do anywhere in the clip.

    Wrists are not asked: optical captures of the hand's two markers flip by half a turn now and then,
    and travel does not depend on them.
    """
    if np.linalg.norm(np.diff(joints[:, 0], axis=0), axis=1).max() * fps > _FASTEST_ROOT:
        return True
    turns = Rotation.from_rotvec(poses[:-1].reshape(-1, 3)).inv() * Rotation.from_rotvec(poses[1:].reshape(-1, 3))
    rates = turns.magnitude().reshape(-1, poses.shape[1]) * fps
    return bool(rates[:, 0].max() > _FASTEST_TURN or rates[:, 1:20].max() > _FASTEST_LIMB)


def weight_hint(joints: np.ndarray, fps: float) -> float:
    """0.2 for a person who stands, 1 for one who walks: how much a clip teaches about travel.

    From the mean speed of the pelvis over the floor; 0.6 m/s is a slow walk.
    """
    if len(joints) < 2:
        return 0.2
    mean = np.linalg.norm(np.diff(joints[:, 0, :2], axis=0), axis=1).mean() * fps
    return float(np.clip(mean / 0.6, 0.2, 1.0))


def _longest(flags: np.ndarray) -> int:
    """Length of the longest run of True."""
    groups, count = label(flags)
    return int(np.bincount(groups.ravel())[1:].max()) if count else 0
