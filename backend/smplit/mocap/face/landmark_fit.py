# SPDX-License-Identifier: GPL-3.0-or-later
"""Head orientation, jaw, eyes and expression from the 468-point face mesh, all frames at once.

Each frame's mesh is brought into the head's axes; what is left against the person's own neutral face
is explained by the body's expressions and jaw. The neutral face is estimated over the clip, so that
the shape of somebody's face is not taken for an expression.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smplit.body.model import BodyModel
from smplit.mocap.alignment import procrustes, sight_rotations
from smplit.mocap.face.expression import INNER_LIPS, JAW_LIMITS, ExpressionSolver
from smplit.mocap.face.occlusion import covered
from smplit.mocap.face.surface import FaceSurface
from smplit.mocap.face.surface_cache import kept_surface
from smplit.mocap.gaps import smooth_at_ease
from smplit.mocap.observations import PersonLandmarks
from smplit.mocap.smoothing import smooth_curves, smooth_rotations

_CHUNK = 256  # frames brought into head axes at once: 256 x 468 x 3 numbers are 3 MB
_NEUTRAL_FRAMES = 300  # frames, spread over the clip, that decide the neutral face
_LEAST_CONFIDENCE = 0.2  # below, a frame counts as unseen
_MOBILITY = 0.0015  # m: points that expressions move more than this say less about the head
_MISFIT = 0.006  # m: root mean square of what no expression explains at which confidence has fallen to 37 %
_SMALL_FACE = 24.0  # px between the outer eye corners at which the mesh gets coarse
_CALM = 0.25  # of the frames decide the neutral face
_LIP_GAP = 0.0027  # m between the inner lips' mesh points when the mouth is shut (measured on the network's output)
_HEAD_CUTOFF, _BROW_CUTOFF, _EYE_CUTOFF, _MOUTH_CUTOFF = 6.0, 5.0, 12.0, 8.0  # Hz: a blink lasts 0.15 s or more
_DEPTH_CUTOFF = 3.0  # Hz: heads come nearer slowly, and the mesh's size trembles
_LIDS = np.array([[[385, 380], [386, 374], [387, 373]], [[158, 153], [159, 145], [160, 144]]])  # left, right eye
_MIDDLE = [33, 263, 61, 291]  # eyes and mouth: their middle is the face's
_EYE_CORNERS = np.array([[362, 263], [133, 33]])
_SHUT = 0.56  # of the open eye's lid gap is what the mesh (without attention) still shows when the eye is shut
_OPEN = 85.0  # percentile of the lid gaps that counts as an open eye
_SQUINT = 0.3  # of the way to shut is no blink yet: smiling and looking down narrow the eyes


@dataclass
class FaceFit:
    """Face of one person over N frames.

    `head_rotation` (N,3,3): SMPL-X's rest axes to camera axes (OpenCV); `head_place` (N,3) m of the head
    joint in camera axes, its depth from the face's size in the picture as if it were as large as the mean body's (faces
    differ by about 6 %); `confidence` (N,) 0..1, 0 where unseen; `jaw` (N,3) and `eyes` (N,2,3) (left, right) rad axis-angle; `expression` (N,E) in
    `body.expression_names`, 0..1 for named actions, standard deviations for FLAME components.
    """

    head_rotation: np.ndarray
    head_place: np.ndarray
    confidence: np.ndarray
    jaw: np.ndarray
    eyes: np.ndarray
    expression: np.ndarray


@dataclass
class _Raw:
    """What each frame says by itself: rotations (N,3,3), scales (N,) px per m of the mean body's face, coefficients
    (N,K), lid gaps (N,2) as a share of the eye's width, RMS misfit (N,) m."""

    rotations: np.ndarray
    scales: np.ndarray
    coefficients: np.ndarray
    lids: np.ndarray
    misfit: np.ndarray


def fit_face(landmarks: PersonLandmarks, K: np.ndarray, body: BodyModel, times: np.ndarray) -> FaceFit:
    """Fits the face over the clip.

    Args:
        landmarks: N frames; uses `face`, `face_confidence` and the hands (what covers the face).
        K: (3,3) px.
        body: whose expressions, jaw and face shape are used.
        times: (N,) s.

    Returns:
        A `FaceFit`. Where the face is unseen or covered, expression and jaw relax and the head's
        rotation is held. The mesh has no iris points: the eyes look straight ahead of the head, and
        only the lids move.

    Raises:
        BadInput: the body file has no face landmarks.
    """
    surface = kept_surface(body)
    solver = ExpressionSolver(surface, body.expression_names)
    confidence = _clean_confidence(landmarks)
    seen = confidence > 0
    mouth_covered, eyes_covered = covered(landmarks)
    weights = 1.0 / (1.0 + (_mobility(solver) / _MOBILITY) ** 2)
    neutral = _neutral_face(landmarks.face, confidence * (1.0 - mouth_covered), surface, solver, weights)
    raw = _solve(landmarks.face, seen, neutral, solver, weights)

    confidence = confidence * np.exp(-((raw.misfit / _MISFIT) ** 2))
    rotations = sight_rotations(landmarks.face[:, _MIDDLE, :2], K) @ raw.rotations
    confidence = confidence * np.clip((-raw.rotations[:, 2, 2] - 0.1) / 0.4, 0.0, 1.0)  # turned away: half is guessed
    expression = _expressions(raw, solver, seen, body.expression_names)
    jaw = raw.coefficients[:, -1:]
    lower, upper = confidence * (1.0 - mouth_covered), confidence * (1.0 - eyes_covered)
    count = len(times)
    expression = _smooth_by_part(expression, body.expression_names, lower, upper, times, solver.named)
    jaw_angle = smooth_at_ease(jaw, lower, times, _MOUTH_CUTOFF, np.zeros(1))
    return FaceFit(
        smooth_rotations(rotations, confidence**2, times, _HEAD_CUTOFF).astype(np.float32),
        _head_place(landmarks.face, K, raw, rotations, neutral, weights, confidence**2, times).astype(np.float32),
        (confidence * (1.0 - 0.5 * np.maximum(mouth_covered, eyes_covered))).astype(np.float32),
        np.concatenate([np.clip(jaw_angle, *JAW_LIMITS), np.zeros((count, 2))], axis=1).astype(np.float32),
        np.zeros((count, 2, 3), np.float32),
        expression.astype(np.float32),
    )


def _clean_confidence(landmarks: PersonLandmarks) -> np.ndarray:
    confidence = np.nan_to_num(np.array(landmarks.face_confidence, np.float64))
    confidence[~np.isfinite(landmarks.face.sum((1, 2))) | (confidence < _LEAST_CONFIDENCE)] = 0.0
    size = np.linalg.norm(np.nan_to_num(landmarks.face[:, 33, :2] - landmarks.face[:, 263, :2]), axis=-1)
    return confidence * np.clip(size / _SMALL_FACE, 0.0, 1.0)


def _mobility(solver: ExpressionSolver) -> np.ndarray:
    """(468,) m: how far usual expressions move each point."""
    return np.sqrt(((0.5 * solver.sigma[:, None, None] * solver.basis) ** 2).sum((0, 2)))


def _into_head(mesh: np.ndarray, model: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,468,3) px -> rotations (n,3,3) of head axes to the picture's, scales (n,) px per m, and the mesh in head
    axes (n,468,3) m.

    `model`: (468,3) or (n,468,3) m, what the mesh is laid on.
    """
    rotation, scale = procrustes(np.broadcast_to(model, mesh.shape), mesh, weights)
    share = (weights / weights.sum())[:, None]
    centred = (mesh - (share * mesh).sum(1, keepdims=True)) / np.maximum(scale, 1e-6)[:, None, None]
    return rotation, scale, centred @ rotation + (share * model).sum(-2, keepdims=True)


def _neutral_face(
    mesh: np.ndarray, confidence: np.ndarray, surface: FaceSurface, solver: ExpressionSolver, weights: np.ndarray
) -> np.ndarray:
    """(468,3) m in head axes: the person's face at rest.

    Upper and lower face are each taken from the calmest quarter of the clip's frames, calm meaning like the
    canonical face. A clip may show no calm frame at all: part of what these still differ by is an expression.
    """
    rows = np.flatnonzero(confidence > 0.5 * confidence.max(initial=0.0))
    if len(rows) == 0:
        return surface.canonical
    rows = rows[:: -(-len(rows) // _NEUTRAL_FRAMES)]
    sample = mesh[rows].astype(np.float64)
    neutral = surface.canonical
    for _ in range(2):
        # Kept where the canonical face is, or the head's rotation would drift off the body's axes.
        neutral = _laid_on(np.median(_into_head(sample, neutral, weights)[2], axis=0), surface.canonical, weights)
    laid = _into_head(sample, neutral, weights)[2]
    mean_face = _mouth_shut(surface.canonical, solver)
    strength = solver.solve_unknown(laid - mean_face) / solver.sigma
    upper = solver.is_upper
    for part in (upper, ~upper):
        energy = (strength[:, part] ** 2).sum(1)
        calm = np.median(laid[energy <= np.quantile(energy, _CALM)], axis=0)
        share = (solver.basis[part] ** 2).sum((0, 2)) / np.maximum((solver.basis**2).sum((0, 2)), 1e-12)  # (468,)
        neutral = neutral + share[:, None] * (calm - neutral)
    left_over = solver.solve_unknown((neutral - mean_face)[None])
    return _mouth_shut(neutral - solver.shape(left_over)[0], solver)


def _mouth_shut(face: np.ndarray, solver: ExpressionSolver) -> np.ndarray:
    """(468,3) m: a mouth at rest is shut; what gap remains is the jaw's."""
    opening = solver.basis[-1]
    per_radian, gap = ((points[INNER_LIPS[:, 0]] - points[INNER_LIPS[:, 1]])[:, 1].mean() for points in (opening, face))
    return face - np.clip((gap - _LIP_GAP) / per_radian, -0.1, 0.3) * opening


def _laid_on(points: np.ndarray, target: np.ndarray, weights: np.ndarray) -> np.ndarray:
    rotation, scale = procrustes(points, target, weights)
    share = (weights / weights.sum())[:, None]
    return scale * (points - (share * points).sum(0)) @ rotation.T + (share * target).sum(0)


def _solve(
    mesh: np.ndarray, seen: np.ndarray, neutral: np.ndarray, solver: ExpressionSolver, weights: np.ndarray
) -> _Raw:
    count = len(mesh)
    raw = _Raw(
        np.broadcast_to(np.diag([1.0, -1.0, -1.0]), (count, 3, 3)).copy(), np.ones(count), np.zeros((count, len(solver.basis))),
        np.zeros((count, 2)), np.zeros(count),
    )
    rows_seen = np.flatnonzero(seen)
    for first in range(0, len(rows_seen), _CHUNK):
        rows = rows_seen[first : first + _CHUNK]
        part = mesh[rows].astype(np.float64)
        laid = _into_head(part, neutral, weights)[2]
        coefficients = solver.solve(laid - neutral)
        # Laid on the face with its expression, all points tell the head's rotation.
        face = neutral + solver.shape(coefficients)
        raw.rotations[rows], raw.scales[rows], laid = _into_head(part, face, np.maximum(weights, 0.2))
        raw.coefficients[rows] = solver.solve(laid - neutral)
        off = laid - neutral - solver.shape(raw.coefficients[rows])
        raw.misfit[rows] = np.sqrt((off[..., :2] ** 2).sum(-1).mean(-1))
        raw.lids[rows] = _lid_gaps(laid)
    return raw


def _head_place(
    mesh: np.ndarray, K: np.ndarray, raw: _Raw, rotations: np.ndarray, neutral: np.ndarray, weights: np.ndarray, trust: np.ndarray,
    times: np.ndarray,
) -> np.ndarray:
    """(N,3) m in camera axes: where the head joint is, from where the face is seen and how large."""
    share = weights / weights.sum()
    seen = np.einsum("p,npd->nd", share, np.nan_to_num(mesh[..., :2]))  # (N,2) px
    ray = np.concatenate([(seen - K[:2, 2]) / K[[0, 1], [0, 1]], np.ones((len(seen), 1))], axis=1)
    place = ray * (K[0, 0] / raw.scales)[:, None] - rotations @ (share @ neutral)
    place[trust <= 0] = 0.0, 0.0, 1.0
    depth = smooth_curves(place[:, 2:], trust, times, _DEPTH_CUTOFF)
    return np.concatenate([smooth_curves(place[:, :2] / place[:, 2:], trust, times, _HEAD_CUTOFF), np.ones_like(depth)], axis=1) * depth


def _lid_gaps(face: np.ndarray) -> np.ndarray:
    """(n,468,3) m -> (n,2): mean distance of the lids of each eye as a share of the eye's width."""
    gap = np.linalg.norm(face[:, _LIDS[..., 0]] - face[:, _LIDS[..., 1]], axis=-1).mean(-1)
    return gap / np.linalg.norm(face[:, _EYE_CORNERS[:, 0]] - face[:, _EYE_CORNERS[:, 1]], axis=-1)


def _blinks(lids: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(N,2) lid gaps -> (N,2) 0..1: how far each eye is shut, against how far this person's eyes open."""
    if not seen.any():
        return np.zeros_like(lids)
    opened = np.maximum(np.percentile(lids[seen], _OPEN, axis=0), 0.18)
    closing = (1.0 - lids / opened) / (1.0 - _SHUT)
    return np.clip((closing - _SQUINT) / (1.0 - _SQUINT - 0.1), 0.0, 1.0)


def _expressions(raw: _Raw, solver: ExpressionSolver, seen: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    """Unsmoothed expression (N,E); the lids' gap tells a blink better than the mesh's small movement."""
    expression = np.zeros((len(seen), len(names)))
    expression[:, solver.columns] = raw.coefficients[:, :-1]
    if solver.named:
        blinks = _blinks(raw.lids, seen)
        for side, name in enumerate(("eyeBlinkLeft", "eyeBlinkRight")):
            expression[:, names.index(name)] = blinks[:, side]
    return expression


def _smooth_by_part(
    expression: np.ndarray, names: tuple[str, ...], lower: np.ndarray, upper: np.ndarray, times: np.ndarray, named: bool
) -> np.ndarray:
    """Each part of the face with its own confidence and cut-off: lids are quick, and a covered mouth says nothing of brows."""
    smooth = np.zeros_like(expression)
    parts = {"eye": (upper, _EYE_CUTOFF), "brow": (upper, _BROW_CUTOFF)} if named else {}
    rest = np.ones(len(names), bool)
    for start, (confidence, cutoff) in parts.items():
        columns = np.array([name.startswith(start) for name in names])
        rest &= ~columns
        smooth[:, columns] = smooth_at_ease(expression[:, columns], confidence, times, cutoff, np.zeros(columns.sum()))
    smooth[:, rest] = smooth_at_ease(expression[:, rest], lower, times, _MOUTH_CUTOFF, np.zeros(rest.sum()))
    return np.clip(smooth, 0.0, 1.0) if named else smooth
