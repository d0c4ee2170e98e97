# SPDX-License-Identifier: GPL-3.0-or-later
"""What ACR said of one person's hands, frame by frame, becomes hands of an SMPL-X body: theirs, turned to where they are seen, over time.

MANO's hands and SMPL-X's share their rest pose, so a hand's rotation is its wrist's. MANO's shape is not SMPL-X's: it is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from smplit.axes import axis_angle_from_matrix
from smplit.body.model import BodyModel
from smplit.mocap.acr.decode import LEAST_SCORE, rotations_of
from smplit.mocap.acr.identity import belonging, wrists_of_others
from smplit.mocap.acr.picture import pixels_of, pixels_per_metre
from smplit.mocap.acr.regions import HandSquares
from smplit.mocap.alignment import sight_rotations
from smplit.mocap.gaps import smooth_at_ease
from smplit.mocap.hands.landmark_fit import HandFit
from smplit.mocap.hands.skeleton import RELAXED, finger_tips, hand_skeleton
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.smoothing import outlier_weights, smooth_curves, smooth_rotations

_ARMS = (13, 15), (14, 16)  # BlazePose elbow and wrist
_AGREED, _OPPOSED = np.radians(70.0), np.radians(100.0)  # between two estimates of a wrist: believed below, refused above
_HEARD = 0.2, 0.5  # confidence of the other estimate: does not count below, counts in full above
_JUST_FOUND = 0.5  # confidence of a hand that the network only just takes for one
_LEAST = 0.2  # confidence below which a hand counts as unseen
_FINGER_CUTOFF, _WRIST_CUTOFF = 7.0, 6.0  # Hz, as for the landmarks' hands
_OUTLIER_ANGLE, _OUTLIER_TURN = np.radians(20.0), np.radians(40.0)
_OUTLIER_ROUNDS = 4


def hands_of_answers(
    answers: dict[str, np.ndarray], squares: HandSquares, landmarks: PersonLandmarks, camera: CameraMotion, times: np.ndarray,
    body: BodyModel, mean_hands: np.ndarray, people: Sequence[PersonLandmarks] = (), other_fit: HandFit | None = None,
) -> HandFit:
    """One person's hands over N frames.

    Args:
        answers: what `AcrLook` said of this person: `found` (N,2,2), `scores` (N,2,2) and `parameters` (N,2,2,109) by frame, slot
            and side; NaN where not asked.
        squares: its plan; landmarks, camera, times: those that it planned with.
        mean_hands: (2,15,3) rad, what the fingers are relative to (`flat_hand.mean_hands`).
        people: everyone in the shot; a hand at another's wrist is not this person's.
        other_fit: another estimate of the same wrists; where it contradicts, a hand is not believed.

    Returns:
        A `HandFit`. Unseen hands ease to a relaxed curl, and their wrists hold the neighbouring ones, at confidence 0.
    """
    others = wrists_of_others(landmarks, people)
    rest = body.rest_joints().cpu().numpy().astype(np.float64)
    knuckles = np.stack([rest[28] - rest[20], rest[43] - rest[21]])  # (2,3) m wrist to the middle finger
    fingers, wrists, pixels, confidence = _best_look(answers, squares, others, knuckles, mean_hands)
    # The network answers as if a hand stood straight ahead: its camera is a weak-perspective one.
    wrists = sight_rotations(pixels[:, :, None], camera.K) @ wrists
    confidence *= _along_forearms(wrists, knuckles, landmarks)
    if other_fit is not None:
        confidence *= agreement(wrists, other_fit.wrist_rotations, other_fit.confidence)
    confidence[confidence < _LEAST] = 0.0
    surface = finger_tips(body.rest_surface_points().cpu().numpy())
    relaxed = hand_skeleton(rest, surface).axis_angles(RELAXED[None, None].repeat(2, 1))[0]
    return _over_time(fingers, wrists, confidence, np.asarray(times, np.float64), relaxed)


def agreement(rotations: np.ndarray, others: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    """How far another estimate of the wrists lets them be believed: (N,2) 0..1, 0 where they are more than 100 degrees apart.

    Args: rotations, others (N,2,3,3), rest axes to camera axes; confidence (N,2) of the other estimate.
    """
    turn = np.swapaxes(np.asarray(others, np.float64), -1, -2) @ rotations
    return _believed(np.linalg.norm(axis_angle_from_matrix(turn), axis=-1), confidence)


def _along_forearms(wrists: np.ndarray, knuckles: np.ndarray, landmarks: PersonLandmarks) -> np.ndarray:
    """(N,2) 0..1: a hand does not point back along its forearm. How it is turned about it, a forearm does not tell."""
    hands = (wrists @ knuckles[..., None])[..., 0]
    trust = np.nan_to_num(landmarks.body_confidence)
    forearms = np.stack([landmarks.body_world[:, wrist] - landmarks.body_world[:, elbow] for elbow, wrist in _ARMS], 1)
    seen = np.stack([np.minimum(trust[:, elbow], trust[:, wrist]) for elbow, wrist in _ARMS], 1)
    forearms = np.nan_to_num(forearms.astype(np.float64))
    length = np.linalg.norm(forearms, axis=-1)
    cosine = (hands * forearms).sum(-1) / np.maximum(np.linalg.norm(hands, axis=-1) * length, 1e-9)
    return _believed(np.arccos(np.clip(cosine, -1.0, 1.0)), np.where(length > 0.05, seen, 0.0))


def _believed(angles: np.ndarray, confidence: np.ndarray) -> np.ndarray:
    fits = np.clip((_OPPOSED - angles) / (_OPPOSED - _AGREED), 0.0, 1.0)
    say = np.clip((np.nan_to_num(confidence) - _HEARD[0]) / (_HEARD[1] - _HEARD[0]), 0.0, 1.0)
    return 1.0 - say * (1.0 - fits)


def _best_look(
    answers: dict[str, np.ndarray], squares: HandSquares, others: np.ndarray, knuckles: np.ndarray, mean_hands: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Of the looks at a hand the surest: fingers (N,2,15,3) rad, flat hand 0; wrists (N,2,3,3) as answered; the middle finger's knuckles
    (N,2,2) px; confidence (N,2)."""
    parameters = np.nan_to_num(np.asarray(answers["parameters"], np.float64))  # (N,S,2,109)
    cameras, looked = parameters[..., :3], squares.squares[:, :, None].astype(np.float64)  # (N,S,1,3)
    rotations = rotations_of(parameters).numpy()
    scale = pixels_per_metre(cameras, looked)
    pixels = pixels_of(cameras[..., 1:], looked)
    towards = (rotations[..., 0, :, :] @ knuckles[..., None])[..., :2, 0]
    trust = belonging(pixels - scale[..., None] * towards, scale, squares, others)
    found = np.nan_to_num(answers["found"]) > 0.5
    scores = np.clip(np.nan_to_num(answers["scores"]) - LEAST_SCORE + _JUST_FOUND, 0.0, 1.0)
    sure = np.where(found & (scale > 0), scores * trust, 0.0)  # (N,S,2)
    best = sure.argmax(1)[:, None]  # (N,1,2)
    chosen = lambda values: np.take_along_axis(values, best.reshape(best.shape + (1,) * (values.ndim - 3)), 1)[:, 0]
    rotations = chosen(rotations)
    fingers = axis_angle_from_matrix(rotations[:, :, 1:]) + mean_hands
    return fingers, rotations[:, :, 0], chosen(pixels), chosen(sure)


def _over_time(fingers: np.ndarray, wrists: np.ndarray, confidence: np.ndarray, times: np.ndarray, relaxed: np.ndarray) -> HandFit:
    """Smooths both hands; single frames that leap away from their neighbours lose their say."""
    count = len(fingers)
    poses, turned, trust = np.empty_like(fingers), np.empty_like(wrists), confidence.copy()
    for side in (0, 1):
        seen = confidence[:, side] > 0
        curves = np.where(seen[:, None, None], fingers[:, side], relaxed[side]).reshape(count, 45)
        raw = np.where(seen[:, None, None], wrists[:, side], np.eye(3))
        for _ in range(_OUTLIER_ROUNDS):
            smooth = smooth_curves(curves, trust[:, side] ** 2, times, _FINGER_CUTOFF / 2)
            calm = smooth_rotations(raw, trust[:, side] ** 2, times, _WRIST_CUTOFF / 2)
            leap = np.linalg.norm(axis_angle_from_matrix(np.swapaxes(calm, -1, -2) @ raw), axis=-1)
            trust[:, side] = confidence[:, side] * outlier_weights(curves, smooth, _OUTLIER_ANGLE) / (1.0 + (leap / _OUTLIER_TURN) ** 2)
        poses[:, side] = smooth_at_ease(curves, trust[:, side], times, _FINGER_CUTOFF, relaxed[side].ravel()).reshape(count, 15, 3)
        turned[:, side] = smooth_rotations(raw, trust[:, side] ** 2, times, _WRIST_CUTOFF)
    return HandFit(poses.astype(np.float32), turned.astype(np.float32), trust.astype(np.float32))
