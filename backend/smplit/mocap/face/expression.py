# SPDX-License-Identifier: GPL-3.0-or-later
"""Expression coefficients from moved mesh points: bounded least squares on the body's own expression directions."""

from __future__ import annotations

import numpy as np

from smplit.mocap.face.surface import FaceSurface

JAW_LIMITS = (-0.02, 0.5)  # rad
# Not fitted to the mesh. Opening is the jaw joint's, gaze the eye joints'; `mouthClose` means something only
# together with an open jaw, where the lip rolls and shrugs explain it; the mesh sees neither tongue nor puffed cheeks.
_LEFT_OUT = ("jawOpen", "mouthClose", "tongueOut", "cheekPuff", "eyeLook")
_POINT_SIGMA = 0.0015  # m: what a mesh point errs
_TOGETHER = 8.0  # neighbouring points err alike: so many count as one
_DEPTH_WEIGHT = 0.06  # the mesh's depth follows expressions poorly: a chin that drops stays where it is in depth
_FLAME_SIGMA, _JAW_SIGMA = 1.0, 0.25
# How strong an action usually gets. Rare ones must not stand in for the errors of the common ones.
_ARKIT_SIGMA = {
    "mouthSmile": 0.7, "mouthUpperUp": 0.5, "mouthLowerDown": 0.25, "mouthPucker": 0.5, "mouthFunnel": 0.5, "brow": 0.5, "eye": 0.6,
    "mouthRoll": 0.3, "mouthStretch": 0.3, "mouthFrown": 0.4, "mouthDimple": 0.2, "mouthPress": 0.2, "mouthShrug": 0.25,
    "mouthLeft": 0.15, "mouthRight": 0.15, "cheekSquint": 0.25, "noseSneer": 0.3, "jaw": 0.08,
}
_SIDES_SIGMA = 0.15  # how much the left and right action of a pair differ
_COST = 1.0  # pull of a one-sided action to zero (an exponential prior): few actions explain a face
_FLAME_LIMIT = 3.0  # standard deviations
_SWEEPS = 60


def arkit_actions(names: tuple[str, ...]) -> list[int]:
    """Columns of the ARKit actions that are fitted to the mesh; empty for a body without them (real SMPL-X)."""
    # The open body's composite expressions (snake_case) repeat the actions and stay zero.
    is_action = [any(letter.isupper() for letter in name) and not name.startswith(_LEFT_OUT) for name in names]
    return [column for column, action in enumerate(is_action) if action]


class ExpressionSolver:
    """`solve(moved)`: K coefficients, those of the chosen expression `columns` and last the jaw's opening in rad.

    `basis` (K,468,3) m; `sigma` (K,) how strong each usually gets; `is_upper` (K,) bool: brows and eyes.
    The rigid motion and the size that an alignment leaves over are solved along and thrown away.
    """

    def __init__(self, surface: FaceSurface, names: tuple[str, ...]):
        actions = arkit_actions(names)
        self.names, self.named = names, bool(actions)
        self.columns = actions or list(range(len(names)))
        count = len(self.columns)
        self.basis = np.concatenate([surface.expression[self.columns], surface.jaw[:1]])  # (K,468,3)
        self.low = np.array([0.0 if self.named else -_FLAME_LIMIT] * count + [JAW_LIMITS[0]])
        self.high = np.array([1.0 if self.named else _FLAME_LIMIT] * count + [JAW_LIMITS[1]])
        chosen = [names[c] for c in self.columns]
        usual = [next(s for start, s in _ARKIT_SIGMA.items() if n.startswith(start)) if self.named else _FLAME_SIGMA for n in chosen]
        self.sigma = np.array([*usual, _JAW_SIGMA])
        self.is_upper = np.array([*(name.startswith(("brow", "eye")) for name in chosen), False])
        self._cost = np.array([_COST if self.named else 0.0] * count + [0.0])

        root = np.sqrt(np.array([1.0, 1.0, _DEPTH_WEIGHT]) / _TOGETHER) / _POINT_SIGMA
        self._root = np.broadcast_to(root, (surface.rest.shape[0], 3)).ravel()
        nuisance = _rigid_directions(surface.rest).reshape(7, -1) * self._root
        orthonormal = np.linalg.qr(nuisance.T)[0]  # (1404,7)
        weighted = self.basis.reshape(len(self.basis), -1) * self._root
        self._weighted = weighted - (weighted @ orthonormal) @ orthonormal.T
        self._gram = self._weighted @ self._weighted.T + np.diag(self.sigma**-2.0) + _tie_of_sides(chosen, len(self.sigma))

    def solve(self, moved: np.ndarray, one_sided: bool = True) -> np.ndarray:
        """(n,468,3) m moved from the neutral face, head axes -> (n,K) coefficients within their bounds.

        With `one_sided` False the actions may go negative: where they do, the neutral face was off.
        """
        right = (moved.reshape(len(moved), -1) * self._root) @ self._weighted.T  # (n,K)
        low = self.low if one_sided or not self.named else -self.high
        right = right - (self._cost if one_sided else 0.0)
        x = np.zeros_like(right)
        gradient = right.copy()  # right - x gram
        for _ in range(_SWEEPS if one_sided else _SWEEPS // 2):
            for k in range(x.shape[1]):  # exact minimum along each coefficient in turn
                new = np.clip(x[:, k] + gradient[:, k] / self._gram[k, k], low[k], self.high[k])
                gradient -= (new - x[:, k])[:, None] * self._gram[k]
                x[:, k] = new
        return x

    def shape(self, coefficients: np.ndarray) -> np.ndarray:
        """(n,K) -> (n,468,3) m: how far the coefficients move the mesh points."""
        return np.tensordot(coefficients, self.basis, axes=1)


def _tie_of_sides(names: list[str], count: int) -> np.ndarray:
    """(K,K) curvature that keeps the two sides of a face alike."""
    tie = np.zeros((count, count))
    for left, name in enumerate(names):
        partner = name.removesuffix("Left") + "Right"
        if name.endswith("Left") and name not in ("jawLeft", "mouthLeft") and partner in names:
            row = np.zeros(count)
            row[[left, names.index(partner)]] = 1.0, -1.0
            tie += np.outer(row, row) / _SIDES_SIGMA**2
    return tie


def _rigid_directions(points: np.ndarray) -> np.ndarray:
    """(468,3) -> (7,468,3): small turns, shifts and growth."""
    centred = points - points.mean(0)
    turns = [np.cross(axis, centred) for axis in np.eye(3)]
    shifts = [np.broadcast_to(axis, points.shape) for axis in np.eye(3)]
    return np.stack([*turns, *shifts, centred])
