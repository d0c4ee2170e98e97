# SPDX-License-Identifier: GPL-3.0-or-later
"""Head orientation, jaw, eyes and expression from the 468-point face mesh, all frames at once.

Each frame's mesh is brought into the head's axes; what is left against the person's own neutral face
is explained by the body's expressions and jaw. The neutral face is estimated over the clip, so that
the shape of somebody's face is not taken for an expression. In clear faces the network of actions has a say in both.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smplit.body.model import BodyModel
from smplit.mocap.alignment import sight_rotations
from smplit.mocap.face.expression import JAW_LIMITS, ExpressionSolver
from smplit.mocap.face.gaze import gaze
from smplit.mocap.face.lids import blinks, lid_gaps
from smplit.mocap.face.neutral_face import into_head, neutral_face, steadiness
from smplit.mocap.face.occlusion import covered
from smplit.mocap.face.perspective import MIDDLE, seen_from_afar
from smplit.mocap.face.surface_cache import kept_surface
from smplit.mocap.face.told_actions import how_much_is_heard, told_actions
from smplit.mocap.gaps import smooth_at_ease
from smplit.mocap.keypoints.face import sharpness
from smplit.mocap.observations import PersonLandmarks
from smplit.mocap.smoothing import smooth_curves, smooth_rotations

_CHUNK = 256  # frames brought into head axes at once: 256 x 468 x 3 numbers are 3 MB
_LEAST_CONFIDENCE = 0.2  # below, a frame counts as unseen
_MISFIT = 0.006  # m: root mean square of what no expression explains at which confidence has fallen to 37 %
_SMALL_FACE = 24.0  # px between the outer eye corners at which the mesh gets coarse
_UNREADABLE, _READABLE = 8.0, 40.0  # the same, for expressions: none can be read, and all
_HEAD_CUTOFF, _BROW_CUTOFF, EYE_CUTOFF, MOUTH_CUTOFF = 6.0, 5.0, 12.0, 8.0  # Hz: a blink lasts 0.15 s or more
_DEPTH_CUTOFF = 3.0  # Hz: heads come nearer slowly, and the mesh's size trembles


@dataclass
class FaceFit:
    """Face of one person over N frames.

    `head_rotation` (N,3,3): SMPL-X's rest axes to camera axes (OpenCV); `head_place` (N,3) m of the head joint in camera
    axes, its depth from the face's size in the picture as if it were the mean body's (faces differ by about 6 %);
    `confidence` (N,) 0..1, 0 where unseen; `jaw` (N,3) and `eyes` (N,2,3) (left, right) rad axis-angle; `expression`
    (N,E) in `body.expression_names`, 0..1 for named actions, standard deviations for FLAME components; `eyelids` (N,2)
    0..1, left and right, 1 shut: what FLAME's components cannot say. None where the lids were not looked at. `told` (N,)
    0..1: how much the network of actions was heard; None where nobody asked it.
    """

    head_rotation: np.ndarray
    head_place: np.ndarray
    confidence: np.ndarray
    jaw: np.ndarray
    eyes: np.ndarray
    expression: np.ndarray
    eyelids: np.ndarray | None = None
    told: np.ndarray | None = None


@dataclass
class _Raw:
    """What each frame says by itself: rotations (N,3,3), middles (N,2) px, scales (N,) px per m of the mean body's
    face, coefficients (N,K), lid gaps (N,2) as a share of the eye's width, RMS misfit (N,) m."""

    rotations: np.ndarray
    middles: np.ndarray
    scales: np.ndarray
    coefficients: np.ndarray
    lids: np.ndarray
    misfit: np.ndarray


def fit_face(landmarks: PersonLandmarks, K: np.ndarray, body: BodyModel, times: np.ndarray) -> FaceFit:
    """Fits the face over the clip.

    Args:
        landmarks: N frames; uses `face`, `face_confidence`, `face_actions` and the hands (what covers the face).
        K: (3,3) px.
        body: whose expressions, jaw and face shape are used.
        times: (N,) s.

    Returns:
        A `FaceFit`. Where the face is unseen or covered, expression and jaw relax and the head's
        rotation is held. The mesh has no iris points: where no actions were told, the eyes look straight ahead
        of the head, and only the lids move.

    Raises:
        BadInput: the body file has no face landmarks.
    """
    surface = kept_surface(body)
    solver = ExpressionSolver(surface, body.expression_names)
    span = _eye_span(landmarks)
    confidence = _clean_confidence(landmarks, span)
    seen = confidence > 0
    mouth_covered, eyes_covered = covered(landmarks)
    weights = steadiness(solver)
    neutral = neutral_face(landmarks.face, K, confidence * (1.0 - mouth_covered), surface, solver, weights)
    raw = _solve(landmarks.face, K, seen, neutral, solver, weights)

    confidence = confidence * np.exp(-((raw.misfit / _MISFIT) ** 2))
    rotations = sight_rotations(landmarks.face[:, MIDDLE, :2], K) @ raw.rotations
    confidence = confidence * np.clip((-raw.rotations[:, 2, 2] - 0.1) / 0.4, 0.0, 1.0)  # turned away: half is guessed
    lids = blinks(raw.lids, seen, sharpness(span))
    expression = _expressions(raw, lids, solver, body.expression_names)
    jaw, heard, asked = raw.coefficients[:, -1:], np.zeros(len(times)), landmarks.face_actions is not None
    if asked:
        heard = how_much_is_heard(landmarks.face_actions, span, raw.rotations)
    if solver.named and asked:
        trust = confidence * (1.0 - mouth_covered)
        told = told_actions(landmarks.face_actions, heard, body.expression_names, solver.columns, jaw[:, 0], trust)
        expression = expression + told.say * (told.expression - expression)
        jaw = jaw + told.jaw_say * (told.jaw - jaw)
    readable = confidence * np.clip((span - _UNREADABLE) / (_READABLE - _UNREADABLE), 0.0, 1.0)
    lower, upper = readable * (1.0 - mouth_covered), readable * (1.0 - eyes_covered)
    count = len(times)
    eyes = gaze(landmarks.face_actions, heard, lids, upper, times) if asked else np.zeros((count, 2, 3))
    expression = _smooth_by_part(expression, body.expression_names, lower, upper, times, solver.named)
    jaw_angle = smooth_at_ease(jaw, lower, times, MOUTH_CUTOFF, np.zeros(1))
    return FaceFit(
        smooth_rotations(rotations, confidence**2, times, _HEAD_CUTOFF).astype(np.float32),
        _head_place(raw, K, rotations, weights @ neutral / weights.sum(), confidence**2, times).astype(np.float32),
        (confidence * (1.0 - 0.5 * np.maximum(mouth_covered, eyes_covered))).astype(np.float32),
        np.concatenate([np.clip(jaw_angle, *JAW_LIMITS), np.zeros((count, 2))], axis=1).astype(np.float32),
        eyes.astype(np.float32),
        expression.astype(np.float32),
        np.clip(smooth_at_ease(lids, upper, times, EYE_CUTOFF, np.zeros(2)), 0.0, 1.0).astype(np.float32),
        heard.astype(np.float32) if solver.named and asked else None,
    )


def _eye_span(landmarks: PersonLandmarks) -> np.ndarray:
    """(N,) px between the outer eye corners."""
    return np.linalg.norm(np.nan_to_num(landmarks.face[:, 33, :2] - landmarks.face[:, 263, :2]), axis=-1)


def _clean_confidence(landmarks: PersonLandmarks, span: np.ndarray) -> np.ndarray:
    confidence = np.nan_to_num(np.array(landmarks.face_confidence, np.float64))
    confidence[~np.isfinite(landmarks.face.sum((1, 2))) | (confidence < _LEAST_CONFIDENCE)] = 0.0
    return confidence * np.clip(span / _SMALL_FACE, 0.0, 1.0)


def _solve(
    mesh: np.ndarray, K: np.ndarray, seen: np.ndarray, neutral: np.ndarray, solver: ExpressionSolver, weights: np.ndarray
) -> _Raw:
    count = len(mesh)
    raw = _Raw(
        np.broadcast_to(np.diag([1.0, -1.0, -1.0]), (count, 3, 3)).copy(), np.zeros((count, 2)), np.ones(count),
        np.zeros((count, len(solver.basis))), np.zeros((count, 2)), np.zeros(count),
    )
    rows_seen = np.flatnonzero(seen)
    for first in range(0, len(rows_seen), _CHUNK):
        rows = rows_seen[first : first + _CHUNK]
        part = seen_from_afar(mesh[rows], K)
        laid = into_head(part, neutral, weights)[2]
        coefficients = solver.solve(laid - neutral)
        # Laid on the face with its expression, all points tell the head's rotation.
        face = neutral + solver.shape(coefficients)
        raw.rotations[rows], raw.scales[rows], laid = into_head(part, face, np.maximum(weights, 0.2))
        raw.coefficients[rows] = solver.solve(laid - neutral, coefficients)
        off = laid - neutral - solver.shape(raw.coefficients[rows])
        raw.misfit[rows] = np.sqrt((off[..., :2] ** 2).sum(-1).mean(-1))
        raw.middles[rows] = weights @ part[..., :2] / weights.sum()
        raw.lids[rows] = lid_gaps(laid)
    return raw


def _head_place(
    raw: _Raw, K: np.ndarray, rotations: np.ndarray, middle: np.ndarray, trust: np.ndarray, times: np.ndarray
) -> np.ndarray:
    """(N,3) m in camera axes: where the head joint is, from where the face's `middle` (3,) m, in head axes, is seen and
    how large the face is."""
    ray = np.concatenate([(raw.middles - K[:2, 2]) / K[[0, 1], [0, 1]], np.ones((len(trust), 1))], axis=1)
    place = ray * (K[0, 0] / raw.scales)[:, None] - rotations @ middle
    place[trust <= 0] = 0.0, 0.0, 1.0
    depth = smooth_curves(place[:, 2:], trust, times, _DEPTH_CUTOFF)
    aside = smooth_curves(place[:, :2] / place[:, 2:], trust, times, _HEAD_CUTOFF)
    return np.concatenate([aside * depth, depth], axis=1)


def _expressions(raw: _Raw, lids: np.ndarray, solver: ExpressionSolver, names: tuple[str, ...]) -> np.ndarray:
    """Unsmoothed expression (N,E); the lids' gap tells a blink (N,2) better than the mesh's small movement."""
    expression = np.zeros((len(lids), len(names)))
    expression[:, solver.columns] = raw.coefficients[:, :-1]
    if solver.named:
        for side, name in enumerate(("eyeBlinkLeft", "eyeBlinkRight")):
            expression[:, names.index(name)] = lids[:, side]
    return expression


def _smooth_by_part(
    expression: np.ndarray, names: tuple[str, ...], lower: np.ndarray, upper: np.ndarray, times: np.ndarray, named: bool
) -> np.ndarray:
    """Each part of the face with its own confidence and cut-off: lids are quick, and a covered mouth says nothing of brows."""
    smooth = np.zeros_like(expression)
    parts = {"eye": (upper, EYE_CUTOFF), "brow": (upper, _BROW_CUTOFF)} if named else {}
    rest = np.ones(len(names), bool)
    for start, (confidence, cutoff) in parts.items():
        columns = np.array([name.startswith(start) for name in names])
        rest &= ~columns
        smooth[:, columns] = smooth_at_ease(expression[:, columns], confidence, times, cutoff, np.zeros(columns.sum()))
    smooth[:, rest] = smooth_at_ease(expression[:, rest], lower, times, MOUTH_CUTOFF, np.zeros(rest.sum()))
    return np.clip(smooth, 0.0, 1.0) if named else smooth
