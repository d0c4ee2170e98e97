# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way is up, seen from the people themselves.

A standing or walking body is balanced: over a stride its centre of mass stays above its feet. That
direction, averaged robustly over the clip, is vertical whatever the camera's roll or pitch.
"""

from __future__ import annotations

import numpy as np

from smplit.motion import BODY_JOINTS

_J = {name: i for i, name in enumerate(BODY_JOINTS)}
# Share of the body's mass near each joint (after Winter 2009, Biomechanics, table 4.1, segment
# masses split over their two ends).
MASSES = {
    "pelvis": 0.142, "spine1": 0.07, "spine2": 0.07, "spine3": 0.10, "neck": 0.05, "head": 0.075,
    "left_hip": 0.05, "right_hip": 0.05, "left_knee": 0.0735, "right_knee": 0.0735, "left_ankle": 0.034,
    "right_ankle": 0.034, "left_foot": 0.005, "right_foot": 0.005, "left_shoulder": 0.03, "right_shoulder": 0.03,
    "left_elbow": 0.025, "right_elbow": 0.025, "left_wrist": 0.014, "right_wrist": 0.014,
}
CAMERA_UP = np.array([0.0, -1.0, 0.0])
# Trust in the camera being held level, in standard deviations (rad): cameras roll less than they pitch.
_LEVEL_ROLL, _LEVEL_PITCH = 0.20, 0.25
# The centre of mass of a standing person lies 4-5 cm ahead of the ankles (Winter 1995, Human balance
# and posture control); as a share of the way from ankle to ball joint:
_BALANCE_POINT = 0.35
# Scatter of one stride's balance direction (rad), and how many independent strides a second holds.
_BALANCE_SCATTER, _STRIDES_PER_SECOND = 0.06, 0.7


def centre_of_mass(joints: np.ndarray) -> np.ndarray:
    """(T,22,3) m -> (T,3) m."""
    weights = np.zeros(len(BODY_JOINTS))
    for name, mass in MASSES.items():
        weights[_J[name]] = mass
    return np.einsum("tjc,j->tc", joints[:, :22], weights / weights.sum())


def estimate_up(
    people: list[np.ndarray], weights: list[np.ndarray], seconds: list[float]
) -> tuple[np.ndarray, float]:
    """The up direction in the first camera's axes.

    Args:
        people: joints (T,22,3) m of every person, in the first camera's axes.
        weights: (T,) 0..1 per person: trust in the legs of each frame.
        seconds: length of each person's track.

    Returns:
        Unit vector (3,), and its standard deviation in rad.
    """
    directions, trusts = [], []
    evidence = 0.0
    for joints, weight, length in zip(people, weights, seconds, strict=True):
        ankles = joints[:, [_J["left_ankle"], _J["right_ankle"]]].mean(1)
        balls = joints[:, [_J["left_foot"], _J["right_foot"]]].mean(1)
        feet = ankles + _BALANCE_POINT * (balls - ankles)
        rise = centre_of_mass(joints) - feet
        height = np.linalg.norm(rise, axis=-1)
        thigh = np.linalg.norm(joints[:, _J["left_hip"]] - joints[:, _J["left_knee"]], axis=-1)
        # Standing: the centre of mass is high above the feet. Sitting or lying tells nothing.
        standing = np.clip((height / np.maximum(thigh, 1e-3) - 1.7) / 0.4, 0.0, 1.0)
        trust = weight * standing
        directions.append(rise / np.maximum(height, 1e-6)[:, None])
        trusts.append(trust)
        evidence += float(trust.mean()) * max(length, 0.2) * _STRIDES_PER_SECOND
    direction, trust = np.concatenate(directions), np.concatenate(trusts)
    if trust.sum() < 1e-3:
        return CAMERA_UP.copy(), float(np.hypot(_LEVEL_ROLL, _LEVEL_PITCH))
    up = np.average(direction, axis=0, weights=trust)
    up /= np.linalg.norm(up)
    for _ in range(8):  # robust mean: leaning frames count less
        angle = np.arccos(np.clip(direction @ up, -1, 1))
        robust = trust / (1.0 + (angle / 0.12) ** 2)
        up = np.average(direction, axis=0, weights=robust)
        up /= np.linalg.norm(up)
    spread = _BALANCE_SCATTER / np.sqrt(max(evidence, 0.3))
    # Bring in the level-camera prior as angles about the camera's z (roll) and x (pitch) axes.
    roll, pitch = np.arctan2(up[0], -up[1]), np.arcsin(np.clip(up[2], -1, 1))
    roll *= _LEVEL_ROLL**2 / (_LEVEL_ROLL**2 + spread**2)
    pitch *= _LEVEL_PITCH**2 / (_LEVEL_PITCH**2 + spread**2)
    combined = np.array([np.sin(roll) * np.cos(pitch), -np.cos(roll) * np.cos(pitch), np.sin(pitch)])
    return combined, float(spread)


def world_rotation(up: np.ndarray) -> np.ndarray:
    """Rotation (3,3) from the first camera's axes to the world (Z up), the view's forward along +Y."""
    forward = np.array([0.0, 0.0, 1.0])
    forward = forward - (forward @ up) * up
    if np.linalg.norm(forward) < 1e-3:  # looking straight up or down: the picture's top is ahead
        forward = np.array([0.0, -1.0, 0.0]) - (CAMERA_UP @ up) * up
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, up)
    return np.stack([right, forward, up])
