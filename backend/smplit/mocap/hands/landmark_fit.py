# SPDX-License-Identifier: GPL-3.0-or-later
"""Finger poses from MediaPipe's hand landmarks: damped Gauss-Newton on hinge angles, all frames at once.

The image plane comes mostly from the 2D landmarks (the detector's best output) brought to metres, the
depth from its 3D ones. Bone lengths are measured over the clip, so that the angles need not
explain a hand that is not the body's. Both hands are solved as left hands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smplit.axes import axis_angle_from_matrix, matrix_from_axis_angle
from smplit.body.model import BodyModel
from smplit.mocap.alignment import procrustes, sight_rotations
from smplit.mocap.gaps import smooth_at_ease
from smplit.mocap.hands.skeleton import (
    ACTIVE,
    FINGER_LANDMARKS,
    HIGH,
    HINGE_JOINT,
    LOW,
    MIRROR,
    RELAXED,
    THUMB,
    HandSkeleton,
    finger_tips,
    hand_skeleton,
)
from smplit.mocap.observations import PersonLandmarks
from smplit.mocap.smoothing import outlier_weights, smooth_curves, smooth_rotations

_CHUNK = 256  # frames solved at once: bounds memory to some 20 MB
_ITERATIONS = 8
_PIXEL_SHARE = 0.7  # of the 2D landmarks in the image-plane target
_DEPTH_WEIGHT = 0.3  # square of 0.55: depth errs about twice as much as the image plane
_LANDMARK_SIGMA = 0.006  # m
_PRIOR_SIGMA = np.radians(np.array([[70, 14, 1, 70, 1, 35]] * 4 + [[35, 35, 20, 40, 10, 45]], float))  # (5,6) rad
_FINGER_CUTOFF = 7.0  # Hz: signing and typing stay below
_WRIST_CUTOFF = 6.0
_OUTLIER_ANGLE = np.radians(25.0)
_OUTLIER_TURN = np.radians(40.0)  # of the wrist: a hand taken for the other one is turned by half a circle
_OUTLIER_ROUNDS = 4
_MISFIT = 0.012  # m: root mean square misfit at which confidence has fallen to 37 %
_LEAST_CONFIDENCE = 0.2  # below, a frame counts as unseen
_PALM = np.array([0, 5, 9, 13, 17])


@dataclass
class HandFit:
    """Hands of one person over N frames; side 0 is the LEFT.

    `poses` (N,2,15,3) axis-angle, rad, SMPL-X order, flat hand = 0; `wrist_rotations` (N,2,3,3):
    from SMPL-X's rest axes to camera axes; `confidence` (N,2) 0..1, 0 where nothing was seen.
    """

    poses: np.ndarray
    wrist_rotations: np.ndarray
    confidence: np.ndarray


def fit_hands(landmarks: PersonLandmarks, K: np.ndarray, body: BodyModel, times: np.ndarray) -> HandFit:
    """Fits both hands over the clip, before the body: its wrists then follow the palms seen here.

    Args:
        landmarks: N frames; uses `hands`, `hands_world` and `hand_confidence`.
        K: (3,3) px. The detector sees each hand as if it were in the picture's middle; the orientation
            is turned from there to the hand's true line of sight.
        body: gives the rest skeleton of flat hands (mean shape; its lengths are replaced by measured ones).
        times: (N,) s.

    Returns:
        A `HandFit`. Unseen hands go smoothly to a relaxed curl; their wrist rotations hold the
        neighbouring seen ones at confidence 0.
    """
    count = len(landmarks)
    body_skeleton = hand_skeleton(body.rest_joints().cpu().numpy(), finger_tips(body.rest_surface_points().cpu().numpy()))
    confidence, world, pixels = _clean_input(landmarks)
    skeleton = _measured_skeleton(body_skeleton, world, confidence)

    angles = np.broadcast_to(RELAXED, (count, 2, 5, 6)).copy()
    rotations = np.broadcast_to(np.eye(3), (count, 2, 3, 3)).copy()
    misfit = np.zeros((count, 2))
    for first in range(0, count, _CHUNK):
        rows = slice(first, first + _CHUNK)
        if confidence[rows].any():
            angles[rows], rotations[rows], misfit[rows] = _solve(skeleton, world[rows], pixels[rows])
    confidence *= np.exp(-((misfit / _MISFIT) ** 2))
    # (N,2,3,3): a mirrored hand's rotation is conjugated by the mirror.
    rotations[:, 1] = MIRROR[:, None] * rotations[:, 1] * MIRROR
    rotations = sight_rotations(landmarks.hands, K) @ rotations
    smooth_angles, smooth_wrists, confidence = _over_time(angles, rotations, confidence, times)
    poses = np.empty((count, 2, 15, 3))
    for first in range(0, count, _CHUNK):
        poses[first : first + _CHUNK] = skeleton.axis_angles(smooth_angles[first : first + _CHUNK])
    return HandFit(poses.astype(np.float32), smooth_wrists.astype(np.float32), confidence.astype(np.float32))


def _clean_input(landmarks: PersonLandmarks) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Confidence (N,2), world (N,2,21,3) m with the wrist at 0, pixels (N,2,21,2): finite, both hands as left hands."""
    confidence = np.nan_to_num(np.array(landmarks.hand_confidence, np.float64))
    confidence[confidence < _LEAST_CONFIDENCE] = 0.0
    world = np.nan_to_num(np.array(landmarks.hands_world, np.float64))
    pixels = np.nan_to_num(np.array(landmarks.hands, np.float64))
    extent = np.ptp(pixels, axis=2).max(-1)  # (N,2) px
    confidence[(extent < 2.0) | (np.ptp(world, axis=2).max(-1) < 1e-3)] = 0.0
    world[:, 1] *= MIRROR
    pixels[:, 1, :, 0] *= -1.0
    return confidence, world - world[:, :, :1], pixels


def _measured_skeleton(skeleton: HandSkeleton, world: np.ndarray, confidence: np.ndarray) -> HandSkeleton:
    """Bone lengths and knuckle places from confident frames, pooled over both (mirrored) hands.

    Args: world (N,2,21,3) m, wrist at the origin.
    """
    seen = world[confidence > 0.5]  # (M,21,3)
    seen = seen[:: max(1, len(seen) // 2000)]
    if len(seen) == 0:
        return skeleton
    rest_palm = np.concatenate([np.zeros((2, 1, 3)), skeleton.base[:, [0, 1, 3, 2]]], axis=1).mean(0)  # (5,3) as _PALM
    rotation, scale = procrustes(np.broadcast_to(rest_palm, (len(seen), 5, 3)), seen[:, _PALM])
    size = np.median(scale)
    lengths = np.median(np.linalg.norm(np.diff(seen[:, FINGER_LANDMARKS], axis=2), axis=-1), axis=0)  # (5,3)
    rest_lengths = np.linalg.norm(skeleton.bones, axis=-1).mean(0) * size
    # Few frames say little about a person: the body's own proportions fill in.
    trust = len(seen) / (len(seen) + 10.0)
    lengths = trust * np.clip(lengths, 0.6 * rest_lengths, 1.6 * rest_lengths) + (1 - trust) * rest_lengths
    # v' R turns camera vectors into wrist axes (row vectors): places of the first joints there, (M,5,3).
    places = np.median((seen[:, FINGER_LANDMARKS[:, 0]] - seen[:, :1]) @ rotation, axis=0)
    own = skeleton.base * size
    limit = 0.25 * np.linalg.norm(own, axis=-1, keepdims=True)
    shift = trust * np.clip(places - own.mean(0), -limit, limit)
    return skeleton.resized(own + shift, lengths)


def _solve(skeleton: HandSkeleton, world: np.ndarray, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,2,21,3) m, (n,2,21,2) px -> hinge angles (n,2,5,6) rad, wrist rotations (n,2,3,3), RMS misfit (n,2) m."""
    target = world - world.mean(2, keepdims=True)
    flat = pixels - pixels.mean(2, keepdims=True)
    scale = (flat * target[..., :2]).sum((2, 3)) / np.maximum((target[..., :2] ** 2).sum((2, 3)), 1e-9)  # px/m
    in_metres = flat / np.maximum(scale, 1.0)[..., None, None]
    # A 2D hand that disagrees wildly (hidden hand, wrong crop) must not bend the fingers.
    share = _PIXEL_SHARE / (1.0 + (np.sqrt(((in_metres - target[..., :2]) ** 2).sum(-1).mean(-1)) / 0.02) ** 2)
    target[..., :2] += share[..., None, None] * (in_metres - target[..., :2])
    weight = np.array([1.0, 1.0, _DEPTH_WEIGHT])

    palm = np.concatenate([np.zeros((2, 1, 3)), skeleton.base[:, [0, 1, 3, 2]]], axis=1)
    observed = target[:, :, _PALM]
    rotation, _ = procrustes(np.broadcast_to(palm, observed.shape), observed)
    angles = _first_guess(skeleton, target, rotation)
    centre = (target - _landmark_points(skeleton, angles, rotation)[0]).mean(2)
    for _ in range(_ITERATIONS):
        points, axes, pivots = _landmark_points(skeleton, angles, rotation)
        residual = target - points - centre[:, :, None]  # (n,2,21,3)
        turn, shift, change = _normal_step(points, axes, pivots, residual, weight, angles)
        rotation = matrix_from_axis_angle(turn) @ rotation
        centre = centre + shift
        angles = np.clip(angles + change, LOW, HIGH)
    residual = target - _landmark_points(skeleton, angles, rotation)[0] - centre[:, :, None]
    return angles, rotation, np.sqrt((residual**2 * weight).sum(-1).mean(-1))


def _landmark_points(
    skeleton: HandSkeleton, angles: np.ndarray, rotation: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Landmarks (n,2,21,3) m in MediaPipe's order, hinge axes and pivots (n,2,5,6,3), all in camera axes."""
    points, axes, pivots, _ = skeleton.pose(angles)
    transposed = np.swapaxes(rotation, -1, -2)[:, :, None]  # row vectors: v' = v R^T
    landmarks = np.zeros(points.shape[:2] + (21, 3))
    landmarks[:, :, FINGER_LANDMARKS] = points @ transposed
    return landmarks, axes @ transposed, pivots @ transposed


def _normal_step(
    points: np.ndarray, axes: np.ndarray, pivots: np.ndarray, residual: np.ndarray, weight: np.ndarray, angles: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """One damped Gauss-Newton step; the fingers are eliminated first (Schur complement), then turn and shift.

    Returns: turn (n,2,3) rad, shift (n,2,3) m, change (n,2,5,6) rad.
    """
    root = np.sqrt(weight) / _LANDMARK_SIGMA
    finger_points = points[:, :, FINGER_LANDMARKS]  # (n,2,5,4,3)
    # A hinge moves what lies beyond its joint: landmark m of the finger when m > joint.
    moved = (np.arange(4)[None, :] > HINGE_JOINT[:, None])[..., None] & ACTIVE[:, :, None, None]  # (5,6,4,1)
    lever = finger_points[:, :, :, None] - pivots[:, :, :, :, None]  # (n,2,5,6,4,3)
    jacobian = np.cross(axes[:, :, :, :, None], lever) * moved * root
    jacobian = jacobian.reshape(*jacobian.shape[:4], 12)  # (n,2,5,6,12): transposed Jacobian
    shared = np.zeros(points.shape[:3] + (6, 3))  # turn and shift, transposed: (n,2,21,6,3)
    shared[..., :3, :] = np.cross(np.eye(3), points[..., None, :])
    shared[..., 3:, :] = np.eye(3)
    shared *= root
    error = residual * root
    finger_shared = np.swapaxes(shared[:, :, FINGER_LANDMARKS], -3, -2)  # (n,2,5,6,4,3)
    finger_shared = finger_shared.reshape(*finger_shared.shape[:4], 12)
    finger_error = error[:, :, FINGER_LANDMARKS].reshape(*error.shape[:2], 5, 12, 1)

    hessian, gradient = _prior(angles)
    hessian = hessian + jacobian @ np.swapaxes(jacobian, -1, -2)
    gradient = gradient + (jacobian @ finger_error)[..., 0]
    # A hinge at its limit that is pushed outwards is held there, or its neighbours would step wrongly.
    held = ((angles <= LOW) & (gradient < 0)) | ((angles >= HIGH) & (gradient > 0))
    hessian = hessian + (held * 1e8)[..., None] * np.eye(6)
    cross = jacobian @ np.swapaxes(finger_shared, -1, -2)  # (n,2,5,6 hinges,6 shared)
    solved = np.linalg.solve(hessian, np.concatenate([cross, gradient[..., None]], axis=-1))
    everything = np.swapaxes(shared, 2, 3).reshape(*shared.shape[:2], 6, 63)
    reduced = everything @ np.swapaxes(everything, -1, -2) - (np.swapaxes(cross, -1, -2) @ solved[..., :6]).sum(2)
    right = (everything @ error.reshape(*error.shape[:2], 63, 1))[..., 0]
    right = right - (np.swapaxes(cross, -1, -2) @ solved[..., 6:]).sum(2)[..., 0]
    reduced = reduced + np.diag([5.0] * 3 + [1e-3] * 3)  # damping: a turn of 0.45 rad costs one sigma
    step = np.linalg.solve(reduced, right[..., None])[..., 0]
    change = solved[..., 6] - (solved[..., :6] @ step[:, :, None, :, None])[..., 0]
    return np.clip(step[..., :3], -0.5, 0.5), step[..., 3:], np.clip(change, -0.6, 0.6)


def _prior(angles: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Curvature (5,6,6) and downhill gradient (n,2,5,6) of the pull to ease and of the end joint's tie to the middle one."""
    stiffness = 1.0 / _PRIOR_SIGMA**2
    curvature = stiffness[..., None] * np.eye(6)
    gradient = stiffness * (RELAXED - angles)
    tie = 1.0 / np.radians(20.0) ** 2  # tendons bend the end joint about 0.6 of the middle one
    row = np.array([0, 0, 0, -0.6, 0, 1.0])
    curvature[:THUMB] += tie * np.outer(row, row)
    gradient[:, :, :THUMB] -= tie * (angles[:, :, :THUMB] @ row)[..., None] * row
    return curvature, gradient


def _first_guess(skeleton: HandSkeleton, target: np.ndarray, rotation: np.ndarray) -> np.ndarray:
    """Flexion of each joint read off the bones' directions in the palm's axes: (n,2,5,6) rad within limits."""
    bones = np.diff(target[:, :, FINGER_LANDMARKS], axis=3) @ rotation[:, :, None]  # (n,2,5,3,3) wrist axes
    along = skeleton.bones / np.linalg.norm(skeleton.bones, axis=-1, keepdims=True)
    inside = np.cross(skeleton.axes[:, :, :1], along)  # where flexion takes the finger
    bend = np.arctan2((bones * inside).sum(-1), (bones * along).sum(-1))  # (n,2,5,3) in the palm
    bend = np.where(bend < -1.6, bend + 2 * np.pi, bend)  # a fist reaches past 180 degrees
    angles = np.broadcast_to(RELAXED, bend.shape[:3] + (6,)).copy()
    angles[..., 0] = bend[..., 0]
    angles[..., 3] = bend[..., 1] - bend[..., 0]
    angles[..., 5] = bend[..., 2] - bend[..., 1]
    angles[:, :, THUMB] = RELAXED[THUMB]
    return np.clip(angles, LOW, HIGH)


def _over_time(
    angles: np.ndarray, rotations: np.ndarray, confidence: np.ndarray, times: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Smooths both hands; single frames that leap away from their neighbours lose their say."""
    angles, rotations, confidence = angles.copy(), rotations.copy(), confidence.copy()
    for side in range(2):
        curves = angles[:, side].reshape(len(angles), 30)
        trust = confidence[:, side]
        for _ in range(_OUTLIER_ROUNDS):
            smooth = smooth_curves(curves, trust**2, times, _FINGER_CUTOFF / 2)
            turned = smooth_rotations(rotations[:, side], trust**2, times, _WRIST_CUTOFF / 2)
            leap = np.linalg.norm(axis_angle_from_matrix(np.swapaxes(turned, -1, -2) @ rotations[:, side]), axis=-1)
            trust = confidence[:, side] * outlier_weights(curves, smooth, _OUTLIER_ANGLE) / (1.0 + (leap / _OUTLIER_TURN) ** 2)
        confidence[:, side] = trust
        angles[:, side] = np.clip(smooth_at_ease(curves, trust, times, _FINGER_CUTOFF, RELAXED.ravel()).reshape(-1, 5, 6), LOW, HIGH)
        rotations[:, side] = smooth_rotations(rotations[:, side], trust**2, times, _WRIST_CUTOFF)
    return angles, rotations, confidence
