# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody's face at rest, from a clip that may never show it: meshes brought into the head's axes, and what of them
is the shape of the face."""

from __future__ import annotations

import numpy as np

from smplit.mocap.alignment import procrustes
from smplit.mocap.face.evidence import INNER_LIPS
from smplit.mocap.face.expression import ExpressionSolver
from smplit.mocap.face.perspective import seen_from_afar
from smplit.mocap.face.surface import FaceSurface
from smplit.mocap.keypoints.face import sharpness

_MOBILITY = 0.0015  # m: points that expressions move more than this say less about the head
_NEUTRAL_FRAMES = 300  # frames, spread over the clip, that decide the neutral face
_CALM = 0.25  # of the frames decide the neutral face
# m between the inner lips' mesh points when the mouth is shut: at a first look, and where the network looked closer (measured).
_LIP_GAP, _LIP_GAP_CLOSER = 0.0027, 0.0005


def steadiness(solver: ExpressionSolver) -> np.ndarray:
    """(468,) 0..1: what usual expressions move little says where the head is."""
    mobility = np.sqrt(((0.5 * solver.sigma[:, None, None] * solver.basis) ** 2).sum((0, 2)))  # m
    return 1.0 / (1.0 + (mobility / _MOBILITY) ** 2)


def into_head(mesh: np.ndarray, model: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(n,468,3) px -> rotations (n,3,3) of head axes to the picture's, scales (n,) px per m, and the mesh in head
    axes (n,468,3) m.

    `model`: (468,3) or (n,468,3) m, what the mesh is laid on.
    """
    rotation, scale = procrustes(np.broadcast_to(model, mesh.shape), mesh, weights)
    share = (weights / weights.sum())[:, None]
    centred = (mesh - (share * mesh).sum(1, keepdims=True)) / np.maximum(scale, 1e-6)[:, None, None]
    return rotation, scale, centred @ rotation + (share * model).sum(-2, keepdims=True)


def neutral_face(
    mesh: np.ndarray, K: np.ndarray, confidence: np.ndarray, surface: FaceSurface, solver: ExpressionSolver, weights: np.ndarray
) -> np.ndarray:
    """(468,3) m in head axes: the person's face at rest.

    Upper and lower face are each taken from the calmest quarter of the clip's frames, calm meaning like the
    canonical face. A clip may show no calm frame at all: part of what these still differ by is an expression.
    """
    rows = np.flatnonzero(confidence > 0.5 * confidence.max(initial=0.0))
    if len(rows) == 0:
        return surface.canonical
    rows = rows[:: -(-len(rows) // _NEUTRAL_FRAMES)]
    sample = seen_from_afar(mesh[rows], K)
    neutral = surface.canonical
    for _ in range(2):
        # Kept where the canonical face is, or the head's rotation would drift off the body's axes.
        neutral = _laid_on(np.median(into_head(sample, neutral, weights)[2], axis=0), surface.canonical, weights)
    laid = into_head(sample, neutral, weights)[2]
    sharp = sharpness(np.median(np.linalg.norm(sample[:, 33, :2] - sample[:, 263, :2], axis=-1)))
    lip_gap = _LIP_GAP + sharp * (_LIP_GAP_CLOSER - _LIP_GAP)
    mean_face = _mouth_shut(surface.canonical, solver, lip_gap)
    strength = solver.solve_unknown(laid - mean_face) / solver.sigma
    upper = solver.is_upper
    for part in (upper, ~upper):
        energy = (strength[:, part] ** 2).sum(1)
        calm = np.median(laid[energy <= np.quantile(energy, _CALM)], axis=0)
        share = (solver.basis[part] ** 2).sum((0, 2)) / np.maximum((solver.basis**2).sum((0, 2)), 1e-12)  # (468,)
        neutral = neutral + share[:, None] * (calm - neutral)
    left_over = solver.solve_unknown((neutral - mean_face)[None])
    return _mouth_shut(neutral - solver.shape(left_over)[0], solver, lip_gap)


def _mouth_shut(face: np.ndarray, solver: ExpressionSolver, lip_gap: float) -> np.ndarray:
    """(468,3) m: a mouth at rest is shut; what gap remains is the jaw's."""
    opening = solver.basis[-1]
    per_radian, gap = ((points[INNER_LIPS[:, 0]] - points[INNER_LIPS[:, 1]])[:, 1].mean() for points in (opening, face))
    return face - np.clip((gap - lip_gap) / per_radian, -0.1, 0.3) * opening


def _laid_on(points: np.ndarray, target: np.ndarray, weights: np.ndarray) -> np.ndarray:
    rotation, scale = procrustes(points, target, weights)
    share = (weights / weights.sum())[:, None]
    return scale * (points - (share * points).sum(0)) @ rotation.T + (share * target).sum(0)
