# SPDX-License-Identifier: GPL-3.0-or-later
"""What 50 FLAME expressions are on a body whose expressions are ARKit actions.

With a FLAME or SMPL-X file at hand, `ByShape` knows how far every FLAME expression moves the skin (a linear map), and looks for
the actions that move the open body's face alike: bounded least squares at the 468 points of the face mesh, with the landmark
fit's own beliefs of how strong actions get.

Without one, nothing tells what SMIRK's numbers look like. `steadied` learns it from the clip: its landmark curves are
regressed on SMIRK's numbers (ridge, a linear map again), so that the landmarks give the meaning and SMIRK the steadiness.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from smplit.body.model import BodyModel
from smplit.errors import BadInput
from smplit.mocap.alignment import procrustes
from smplit.mocap.face.expression import ExpressionSolver
from smplit.mocap.face.surface import FaceSurface
from smplit.mocap.smirk.network import EXPRESSIONS
from smplit.motion import JOINT_NAMES
from smplit.npz import read_npz

_HEAD, _JAW, _LEFT_EYE, _RIGHT_EYE = (JOINT_NAMES.index(name) for name in ("head", "jaw", "left_eye_smplhf", "right_eye_smplhf"))
_JOINTS = {5: (1, 2, 3, 4), 55: (_HEAD, _JAW, _LEFT_EYE, _RIGHT_EYE)}  # by their number: FLAME's (its neck turns the head), SMPL-X's
_FIRST = {400: 300, 20: 10}  # by the number of shape directions: where expressions begin
_ROUNDS = 20  # of laying one face on the other
_NEAREST = 4  # vertices that a point moves with
_ON_THE_JAW = 0.5  # share of the jaw's movement from which a point counts to the lower lip and chin
_BLOCKS = 5  # a clip's parts, each told from the others
_LEAST_ROWS = 60
_PULLS = np.geomspace(1e-3, 10.0, 9)  # of the ridge, in parts of the number of frames


class ByShape:
    """`actions(expression)`: (N,50) of FLAME -> (N,E) in the body's names, 0..1."""

    def __init__(self, path: str | Path, body: BodyModel, surface: FaceSurface):
        """`path`: FLAME or SMPL-X, npz.

        Raises:
            BadInput: the file is no such model.
        """
        self._solver = ExpressionSolver(surface, body.expression_names)
        self.field = flame_field(path, body, surface)  # (K,468,3) m a unit

    def actions(self, expression: np.ndarray) -> np.ndarray:
        count = min(expression.shape[1], len(self.field))
        moved = np.tensordot(expression[:, :count], self.field[:count], axes=1)
        found = np.zeros((len(expression), len(self._solver.names)))
        found[:, self._solver.columns] = self._solver.solve_sure(moved)[:, :-1]
        return found


def flame_field(path: str | Path, body: BodyModel, surface: FaceSurface) -> np.ndarray:
    """(K,468,3) m: how far each FLAME expression moves the body's face mesh points, head axes; K is 50, or 10 of older files.

    Raises:
        BadInput: the file is neither FLAME nor SMPL-X.
    """
    needed = ("v_template", "shapedirs", "J_regressor", "weights")
    arrays = read_npz(path, needed.__contains__)
    directions = arrays.get("shapedirs", np.zeros((0, 3, 0)))
    joints = np.shape(arrays.get("J_regressor"))[:1]
    if set(needed) - arrays.keys() or directions.shape[-1] not in _FIRST or not joints or joints[0] not in _JOINTS:
        raise BadInput(
            f"'{path}' is neither FLAME nor SMPL-X: {directions.shape[-1]} shape directions, {joints[0] if joints else 'no'} joints.",
            "Add FLAME 2020 (300 shapes, 100 expressions) with 'smplit models add', or remove the file.", "not_flame",
        )
    vertices = arrays["v_template"].astype(np.float64)
    own = (arrays["J_regressor"].astype(np.float64) @ vertices)[list(_JOINTS[joints[0]])]
    rest = body.rest_joints().cpu().numpy().astype(np.float64)
    theirs = rest[[_HEAD, _JAW, _LEFT_EYE, _RIGHT_EYE]] - rest[_HEAD]
    follows = arrays["weights"][:, _JOINTS[joints[0]][1]] > _ON_THE_JAW
    turn = np.linalg.norm(surface.jaw[0], axis=-1)
    below = turn > _ON_THE_JAW * np.percentile(turn, 98)
    rotation, scale, shift = _joint_similarity(own, theirs)
    corners, weights = np.zeros((468, _NEAREST), int), np.zeros((468, _NEAREST))
    for _ in range(_ROUNDS):
        laid = scale * vertices @ rotation.T + shift
        for points, skin in ((below, follows), (~below, ~follows)):
            corners[points], weights[points] = _near(surface.rest[points], laid, np.flatnonzero(skin))
        matched = np.einsum("pk,pkd->pd", weights, vertices[corners])
        rotation, scale = procrustes(matched, surface.rest)
        shift = surface.rest.mean(0) - scale * matched.mean(0) @ rotation.T
    first = _FIRST[directions.shape[-1]]
    moves = directions[corners, :, first : first + EXPRESSIONS].astype(np.float64)  # (468,4,3,K)
    return scale * np.einsum("pk,pkde->epd", weights, moves) @ rotation.T


def _joint_similarity(own: np.ndarray, theirs: np.ndarray) -> tuple[np.ndarray, float, np.ndarray]:
    rotation, scale = procrustes(own, theirs)
    return rotation, scale, theirs.mean(0) - scale * own.mean(0) @ rotation.T


def _near(points: np.ndarray, vertices: np.ndarray, among: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest of some vertices and what share each has: (P,4) and (P,4)."""
    from scipy.spatial import cKDTree

    distance, index = cKDTree(vertices[among]).query(points, _NEAREST)
    nearness = 1.0 / (distance + 1e-4)
    return among[index], nearness / nearness.sum(1, keepdims=True)


def steadied(told: np.ndarray, curves: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """Landmark curves said again in SMIRK's numbers, as far as these can say them.

    Every curve is predicted from SMIRK's numbers, by a ridge regression that is chosen and judged on parts of the clip it
    has not seen. What it explains there (R2, 0..1) is the share of the curve's remainder that is taken for the landmarks'
    trembling and left out: a curve that SMIRK knows nothing of stays as it is.

    Args: told (N,F), finite; curves (N,K); trust (N,) 0..1, of both. Returns: (N,K).
    """
    rows = np.flatnonzero(trust > 0)
    if len(rows) < _LEAST_ROWS:
        return curves
    middle, spread = told[rows].mean(0), told[rows].std(0)
    numbers = (told - middle) / np.maximum(spread, 1e-6)
    used, level = numbers[rows], curves[rows].mean(0)
    wanted = curves[rows] - level
    error = np.zeros((len(_PULLS), curves.shape[1]))
    for block in np.array_split(np.arange(len(rows)), _BLOCKS):
        rest = np.setdiff1d(np.arange(len(rows)), block)
        maps = _ridges(used[rest], wanted[rest])
        error += ((used[block] @ maps - wanted[block]) ** 2).sum(1)
    best = error.argmin(0)
    columns = np.arange(curves.shape[1])
    explained = np.clip(1.0 - error[best, columns] / np.maximum((wanted**2).sum(0), 1e-9), 0.0, 1.0)
    said = numbers @ _ridges(used, wanted)[best, :, columns].T + level
    return said + (1.0 - explained) * (curves - said)


def _ridges(numbers: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """(n,F), (n,K) -> (L,F,K): the linear map of every pull."""
    left, strength, right = np.linalg.svd(numbers, full_matrices=False)
    shrunk = strength / (strength**2 + len(numbers) * _PULLS[:, None])  # (L,F)
    return np.einsum("fi,lf,fk->lik", right, shrunk, left.T @ wanted)
