# SPDX-License-Identifier: GPL-3.0-or-later
"""One person's bodies of single frames -> a motion, with how sure it is of every joint.

HMR2 knows no time: it trembles, and now and then takes the left side for the right one or the front for the back. Rotations
are smoothed as rotations, frames that contradict their neighbours count little, and what the 2D landmarks do not
show, or show somewhere else, is said to be unsure.
"""

from __future__ import annotations

import numpy as np

from smplit.body.model import BodyModel
from smplit.errors import BadInput
from smplit.mocap.fit.initial import towards_person
from smplit.mocap.fit.landmark_trust import landmark_trust
from smplit.mocap.hmr2.camera import REST_PELVIS, place_in_picture
from smplit.mocap.hmr2.estimate import Hmr2Output
from smplit.mocap.hmr2.visibility import misfit, resting_legs, seen_joints, seen_rotations, spread_of
from smplit.mocap.lifter.estimate import LiftedBody
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.smoothing import outlier_weights, smooth_curves, smooth_rotations
from smplit.motion import BODY_JOINTS

_JOINTS = len(BODY_JOINTS)
_POSE_CUTOFF, _RAY_CUTOFF, _DISTANCE_CUTOFF = 5.0, 5.0, 1.5  # Hz; the distance comes from the apparent size, which trembles most
_NEIGHBOURS = 0.12  # s before and after, whose most typical pose a frame is compared with
_OFF, _WRONG = 0.35, 1.2  # rad from it: a frame counts half; it is another body and does not count
_OFF_SIZE = 0.08  # of the distance, likewise
_TO_REST = 0.5  # s that a leg which nobody sees takes to hang down
_BRIDGED = 0.05  # s, for curves that go on instead: gaps longer than about twice that are crossed on straight lines
_PIECE = 500  # frames that are compared with their neighbours at once


def steady_body(
    output: Hmr2Output, boxes: np.ndarray, landmarks: PersonLandmarks, camera: CameraMotion, times: np.ndarray, body: BodyModel
) -> LiftedBody:
    """N frames of one person.

    Args:
        output: of N frames, NaN where the network was not asked.
        boxes: (N,3) centre px and side by 200, that were cropped, in either way; of a picture without lens distortion, as the landmarks.
        landmarks, camera: of the same frames; times: (N,) s, increasing; body: the body that is fitted afterwards.

    Returns:
        The shape is left out: SMPL's numbers mean another person on another body. Legs that nobody sees hang at rest.

    Raises:
        BadInput: the network was asked in no frame, or never gave an answer.
    """
    asked = np.isfinite(output.rotations).all((1, 2, 3)) & np.isfinite(output.cam).all(1) & np.isfinite(boxes).all(1) & (output.cam[:, 0] > 0)
    if not asked.any():
        raise BadInput("HMR2 has no body in any frame of the person.", "Choose another person or another part of the video.", "no_body")
    times = np.asarray(times, np.float64)
    rotations = _in_steady_axes(output.rotations[:, :_JOINTS], boxes, camera, asked)
    trust = landmark_trust(landmarks, camera.K)
    sure = _consistency(rotations, asked, times)
    smooth = _smoothed(rotations, sure * (0.15 + 0.85 * seen_rotations(trust)), times, resting_legs(trust, times))
    smooth[:, 0] = camera.rotation @ smooth[:, 0]
    pelvis = _smoothed_place(output.cam, boxes, camera, asked, times)
    spread = spread_of(misfit(smooth, landmarks, trust, camera, body), seen_joints(trust), asked, times)
    return LiftedBody(smooth, pelvis, np.zeros(10, np.float32), spread)


def _in_steady_axes(rotations: np.ndarray, boxes: np.ndarray, camera: CameraMotion, asked: np.ndarray) -> np.ndarray:
    """(N,22,3,3) with the root in the axes of the shot's first camera; identity where nothing was asked.

    A crop shows everybody as if straight ahead. Somebody at the picture's edge is seen along a slanting ray, and turned with it.
    """
    found = np.broadcast_to(np.eye(3), rotations.shape).copy()
    found[asked] = rotations[asked]
    centres = np.where(asked[:, None], boxes[:, :2], camera.K[:2, 2])
    to_first = camera.rotation.transpose(0, 2, 1) @ towards_person(np.concatenate([centres, centres], 1), camera.K)
    found[:, 0] = to_first @ found[:, 0]
    return found


def _consistency(rotations: np.ndarray, asked: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(N,22) 0..1: how near every rotation is to the most typical one of its neighbours in time; 0 where it was not asked, or is another one.

    A limb that moves on is its neighbours' middle, however fast. When the root is another one, so is the rest of that body.
    """
    rows = np.flatnonzero(asked)
    known = rotations[rows]
    step = np.median(np.diff(times[rows])) if len(rows) > 1 else 1.0
    reach = int(np.clip(round(_NEIGHBOURS / max(step, 1e-4)), 2, 12))
    pieces = range(0, len(rows), _PIECE)
    off = np.concatenate([_from_typical(known, np.arange(first, min(first + _PIECE, len(rows))), reach) for first in pieces])  # (M,22) rad
    weights = np.stack([outlier_weights(off[:, [joint]], np.zeros((len(off), 1)), _OFF) for joint in range(_JOINTS)], 1)
    weights[off > _WRONG] = 0.0
    weights[off[:, 0] > _WRONG] = 0.0
    found = np.zeros((len(rotations), _JOINTS))
    found[rows] = weights
    return found


def _from_typical(rotations: np.ndarray, rows: np.ndarray, reach: int) -> np.ndarray:
    """Of some rows of (M,22,3,3): the angle to the one of `reach` neighbours on either side that is nearest to them all, (rows,22) rad."""
    last = len(rotations) - 1
    near = np.abs(rows[:, None] + np.arange(-reach, reach + 1))  # beyond the ends, frames count again in the mirror
    near = np.clip(last - np.abs(last - near), 0, last)
    window = rotations[near]  # (rows,W,22,3,3)
    traces = np.einsum("mwjab,mvjab->mwvj", window, window, optimize=True)
    angles = np.arccos(np.clip((traces - 1.0) / 2.0, -1.0, 1.0))
    typical = angles.sum(2).argmin(1)  # (rows,22)
    return np.take_along_axis(angles[:, reach], typical[:, None], 1)[:, 0]


def _smoothed(rotations: np.ndarray, confidence: np.ndarray, times: np.ndarray, resting: np.ndarray) -> np.ndarray:
    """(N,22,3,3); joints of `resting` (N,22) bool go to rest in those frames."""
    rest = np.broadcast_to(np.eye(3), (len(times), 3, 3))
    smooth = np.empty(rotations.shape)
    for joint in range(_JOINTS):
        free = ~resting[:, joint]
        weights = np.where(free, confidence[:, joint], 0.0)
        easing = (rest, _TO_REST) if resting[:, joint].any() else (None, _BRIDGED)
        smooth[:, joint] = smooth_rotations(rotations[:, joint], weights, times, _POSE_CUTOFF, *easing)
    return smooth


def _smoothed_place(cam: np.ndarray, boxes: np.ndarray, camera: CameraMotion, asked: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(N,3) m of the pelvis in the camera's axes: where it is seen is well known and may move fast, how far away it is is not."""
    place = np.tile([0.0, 0.0, 1.0], (len(cam), 1))
    place[asked] = place_in_picture(cam[asked].astype(np.float64), boxes[asked].astype(np.float64), camera.K) + REST_PELVIS
    steady = np.einsum("nji,nj->ni", camera.rotation, place)  # in the first camera's axes, in which a turning camera does not shake
    distance = np.linalg.norm(steady, axis=1, keepdims=True)
    log = np.log(distance)
    first = smooth_curves(log, asked, times, _DISTANCE_CUTOFF)
    sure = asked * outlier_weights(log, first, _OFF_SIZE)
    far = np.exp(smooth_curves(log, sure, times, _DISTANCE_CUTOFF))
    ray = smooth_curves(steady / distance, sure, times, _RAY_CUTOFF)
    return np.einsum("nij,nj->ni", camera.rotation, ray / np.linalg.norm(ray, axis=1, keepdims=True) * far)
