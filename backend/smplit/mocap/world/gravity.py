# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way is up, seen from the people themselves.

A standing or walking body is balanced: over a stride its centre of mass stays above its feet. That
direction, averaged robustly over the clip, is vertical whatever the camera's roll or pitch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import least_squares

from smplit.body.balance import centre_of_mass, standing, standing_point
from smplit.mocap.runs import runs
from smplit.video.verticals import Verticals

CAMERA_UP = np.array([0.0, -1.0, 0.0])
# Habits of holding cameras (rad). Roll is nearly always small and now and then anything: a Cauchy
# density of this width. Pitch varies about looking slightly down.
_LEVEL_ROLL = 0.05
_USUAL_PITCH, _PITCH_SPREAD = -0.09, 0.21
# Scatter of one stride's balance direction (rad), and how many independent strides a second holds;
# what does not average out over strides: the detector's own lean.
_BALANCE_SCATTER, _STRIDES_PER_SECOND, _BALANCE_BIAS = 0.06, 0.7, 0.04
_FOOTHOLD_HEIGHT = 0.04  # m, scatter of a foothold's height in the fit before the world stage
_SHORTEST_STAND = 0.1  # s


@dataclass
class Balance:
    """A person's own evidence of up: unit `direction` (3,) and its standard deviation (rad)."""

    direction: np.ndarray
    spread: float


def balance(joints: np.ndarray, weight: np.ndarray, seconds: float) -> Balance | None:
    """Up direction of one balanced person; None when nobody stands.

    Args:
        joints: (T,22,3) m, in axes that do not turn with the camera.
        weight: (T,) 0..1: trust in the legs of each frame.
        seconds: length of the track.
    """
    rise = centre_of_mass(joints) - standing_point(joints)
    height = np.linalg.norm(rise, axis=-1)
    trust = weight * standing(joints, height)
    if trust.sum() < 1e-3:
        return None
    direction = rise / np.maximum(height, 1e-6)[:, None]
    up = np.average(direction, axis=0, weights=trust)
    up /= np.linalg.norm(up)
    for _ in range(8):  # robust mean: leaning frames count less
        angle = np.arccos(np.clip(direction @ up, -1, 1))
        robust = trust / (1.0 + (angle / 0.12) ** 2)
        up = np.average(direction, axis=0, weights=robust)
        up /= np.linalg.norm(up)
    strides = max(float(trust.mean()) * max(seconds, 0.2) * _STRIDES_PER_SECOND, 0.3)
    return Balance(up, float(np.hypot(_BALANCE_SCATTER / np.sqrt(strides), _BALANCE_BIAS)))


def footholds(soles: np.ndarray, contacts: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(M,3) m: mean place of each planted stretch of at least a tenth of a second; soles (T,4,3), contacts (T,4)."""
    places = []
    for point in range(soles.shape[1]):
        for first, last in runs(contacts[:, point] > 0.5):
            if times[last - 1] - times[first] >= _SHORTEST_STAND:
                places.append(soles[first:last, point].mean(0))
    return np.array(places).reshape(-1, 3)


def estimate_up(
    balances: list[Balance], stood: list[np.ndarray] | None = None, verticals: Verticals | None = None, ground: Balance | None = None
) -> np.ndarray:
    """The most likely up direction (3,) in the first camera's axes.

    Balanced bodies, footholds that must lie in one level plane (the horizon of a walk), and the
    habit of holding cameras level are weighed by how sure each is.

    Args:
        balances: evidence of each person, from `balance`.
        stood: footholds (M,3) m of each person, heel and toe points alike; the camera stands still.
        verticals: upright edges of the background.
        ground: normal of the ground, where a travelling camera saw it.
    """
    alone = ground is None and verticals is None

    def residuals(angles: np.ndarray) -> np.ndarray:
        up = _up(angles)
        parts = [_cauchy(angles[:1] / _LEVEL_ROLL), (angles[1:] - _USUAL_PITCH) / _PITCH_SPREAD]
        for evidence in balances:
            off = np.cross(up, evidence.direction) / evidence.spread
            # The detector can lean a whole body, seen from behind above all: where the scene itself tells up, it is believed.
            parts.append(off if alone else _cauchy(np.linalg.norm(off, keepdims=True)))
        if ground is not None:
            parts.append(np.cross(up, ground.direction) / ground.spread)
        for places in stood or []:
            if len(places) >= 2:
                # A foothold on a step or a false contact must not tilt the world.
                parts.append(_cauchy((places - places.mean(0)) @ up / _FOOTHOLD_HEIGHT))
        if verticals is not None:  # doubtful as a whole: what leans may not be a wall
            parts.append(_cauchy(verticals.whitening @ up))
        return np.concatenate(parts)

    # A level camera and a rolled one may both be likely: begin at either, and take the likelier end.
    starts = [np.array([0.0, _USUAL_PITCH])] + [_angles(evidence.direction) for evidence in balances]
    starts += [_angles(evidence.direction) for evidence in (verticals, ground) if evidence is not None]
    return _up(min((least_squares(residuals, start) for start in starts), key=lambda found: found.cost).x)


def _cauchy(residuals: np.ndarray) -> np.ndarray:
    """Residuals whose squares sum to twice the negative log-likelihood of a Cauchy density."""
    return np.sqrt(2.0 * np.log1p(residuals**2)) * np.sign(residuals)


def _angles(up: np.ndarray) -> np.ndarray:
    """Roll and pitch (rad) of the camera that sees `up` (3,); the inverse of `_up`."""
    return np.array([np.arctan2(up[0], -up[1]), np.arcsin(np.clip(up[2], -1, 1))])


def _up(angles: np.ndarray) -> np.ndarray:
    """Roll and pitch (rad) of the camera -> up in its axes; a level camera's up is -y."""
    roll, pitch = angles
    return np.array([np.sin(roll) * np.cos(pitch), -np.cos(roll) * np.cos(pitch), np.sin(pitch)])


def world_rotation(up: np.ndarray) -> np.ndarray:
    """Rotation (3,3) from the first camera's axes to the world (Z up), the view's forward along +Y."""
    forward = np.array([0.0, 0.0, 1.0])
    forward = forward - (forward @ up) * up
    if np.linalg.norm(forward) < 1e-3:  # looking straight up or down: the picture's top is ahead
        forward = np.array([0.0, -1.0, 0.0]) - (CAMERA_UP @ up) * up
    forward /= np.linalg.norm(forward)
    right = np.cross(forward, up)
    return np.stack([right, forward, up])
