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
_TOGETHER = 4.0  # neighbouring points err alike: so many count as one
INNER_LIPS = np.array([[82, 87], [13, 14], [312, 317]])  # upper and lower
_MOUTH_CORNERS = np.array([[291, 308], [61, 78]])  # left, right: outer and inner
_CHIN, _UNDER_THE_NOSE = 152, 2
# The network learned lips, lids and brows from contours that people drew; cheeks and chin it fills in: a smile hardly moves them.
_CONTOURS = (
    [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409]  # outer lips
    + [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415]  # inner lips
    + [33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246]  # right eye
    + [263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466]  # left eye
    + [46, 53, 52, 65, 55, 70, 63, 105, 66, 107, 276, 283, 282, 295, 285, 300, 293, 334, 296, 336]  # brows
)
_ELSEWHERE = 0.1  # weight of a point that is on none of them
_SHAPE_SIGMA, _SHAPE_TOGETHER = 0.0025, 8.0  # the same of how one face differs from another
# m, of lip gap, left and right corner height, width and chin: how a frame's mesh errs, and how faces at rest differ.
_MOUTH_SIGMA = np.array([0.0007, 0.0008, 0.0008, 0.001, 0.0015])
_MOUTH_SHAPE_SIGMA = np.array([0.0007, 0.0015, 0.0015, 0.004, 0.003])
_PROPORTION_SIGMA = 0.002  # m: how much faces differ in length and breadth, at their rim
_DEPTH_WEIGHT = 0.06  # the mesh's depth follows expressions poorly: a chin that drops stays where it is in depth
_FLAME_SIGMA, _JAW_SIGMA = 1.0, 0.12
# How strong an action usually gets. Rare ones must not stand in for the errors of the common ones.
_ARKIT_SIGMA = {
    "mouthSmile": 0.7, "mouthUpperUp": 0.5, "mouthLowerDown": 0.6, "mouthPucker": 0.5, "mouthFunnel": 0.5, "brow": 0.5, "eye": 0.6,
    "mouthRoll": 0.3, "mouthStretch": 0.15, "mouthFrown": 0.25, "mouthDimple": 0.1, "mouthPress": 0.1, "mouthShrug": 0.25,
    "mouthLeft": 0.15, "mouthRight": 0.15, "cheekSquint": 0.25, "noseSneer": 0.3, "jaw": 0.08,
}
_SIDES_SIGMA = 0.15  # how much the left and right action of a pair differ
# A grin bares teeth with the lips, not with the jaw: how strong these are for a smile of 1.
_WITH_A_SMILE = {"mouthUpperUp": 0.6, "mouthLowerDown": 0.6, "cheekSquint": 0.4}
_HABIT_SIGMA = 0.3
_COST = 1.0  # pull of a one-sided action to zero (an exponential prior): few actions explain a face
_FLAME_LIMIT = 3.0  # standard deviations
_SWEEPS, _SETTLED = 60, 5e-4  # at most; done when no coefficient changes more


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

        curvature = np.diag(self.sigma**-2.0) + _habits(chosen, len(self.sigma))
        rigid, shapes = _rigid_directions(surface.rest), _face_shapes(surface.rest)
        free = np.full(len(rigid), np.inf)
        usual = np.concatenate([free, np.full(len(shapes), _PROPORTION_SIGMA)])
        self._moved = _Evidence(self.basis, rigid, free, _POINT_SIGMA, _TOGETHER, _MOUTH_SIGMA, curvature)
        both = np.concatenate([rigid, shapes])
        self._unlike = _Evidence(self.basis, both, usual, _SHAPE_SIGMA, _SHAPE_TOGETHER, _MOUTH_SHAPE_SIGMA, curvature)

    def solve(self, moved: np.ndarray) -> np.ndarray:
        """(n,468,3) m moved from the person's neutral face, head axes -> (n,K) coefficients within their bounds."""
        return self._moved.solve(moved, self._cost, self.low, self.high)

    def solve_unknown(self, unlike: np.ndarray) -> np.ndarray:
        """(n,468,3) m unlike the mean face -> (n,K) coefficients, whosoever's face it is: smooth differences and
        small ones are taken for the shape of the face."""
        return self._unlike.solve(unlike, self._cost, self.low, self.high)

    def shape(self, coefficients: np.ndarray) -> np.ndarray:
        """(n,K) -> (n,468,3) m: how far the coefficients move the mesh points."""
        return np.tensordot(coefficients, self.basis, axes=1)


class _Evidence:
    """What moved mesh points say about the coefficients, whatever else moved them.

    `nuisance` (M,468,3) m: other moves, each of standard deviation `usual` (M,) (infinite: any amount).
    """

    def __init__(
        self, basis: np.ndarray, nuisance: np.ndarray, usual: np.ndarray, point_sigma: float, together: float, mouth_sigma: np.ndarray,
        curvature: np.ndarray,
    ):
        trust = np.full(basis.shape[1], _ELSEWHERE)
        trust[_CONTOURS] = 1.0
        precision = (trust[:, None] * np.array([1.0, 1.0, _DEPTH_WEIGHT])).ravel() / together / point_sigma**2  # (1404,)
        precision = np.concatenate([precision, mouth_sigma**-2.0])
        basis, nuisance = _with_mouth(basis), _with_mouth(nuisance)
        weighted, other = basis * precision, nuisance * precision
        explained = np.linalg.solve(other @ nuisance.T + np.diag(usual**-2.0), nuisance @ weighted.T)  # (M,K)
        self._right = weighted - explained.T @ other  # (K,1409)
        self._gram = self._right @ basis.T + curvature

    def solve(self, moved: np.ndarray, cost: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """(n,468,3) m -> (n,K) within `low` and `high` (K,)."""
        right = _with_mouth(moved) @ self._right.T - cost  # (n,K)
        x = np.zeros_like(right)
        gradient = right.copy()  # right - x gram
        for _ in range(_SWEEPS):
            before = x.copy()
            for k in range(x.shape[1]):  # exact minimum along each coefficient in turn
                new = np.clip(x[:, k] + gradient[:, k] / self._gram[k, k], low[k], high[k])
                gradient -= (new - x[:, k])[:, None] * self._gram[k]
                x[:, k] = new
            if np.abs(x - before).max(initial=0.0) < _SETTLED:
                break
        return x


def _with_mouth(moved: np.ndarray) -> np.ndarray:
    """(n,468,3) m -> (n,1409): all coordinates, then what a mouth is read by: the gap of the lips, the height of the
    left and right corner over the middle of that gap, the width, and the chin's height below the nose."""
    inner = moved[:, INNER_LIPS]  # (n,3,2,3)
    gap = (inner[:, :, 0, 1] - inner[:, :, 1, 1]).mean(1)
    left, right = moved[:, _MOUTH_CORNERS[0]].mean(1), moved[:, _MOUTH_CORNERS[1]].mean(1)  # (n,3)
    middle = inner[..., 1].mean((1, 2))
    chin = moved[:, _CHIN, 1] - moved[:, _UNDER_THE_NOSE, 1]
    read = np.stack([gap, left[:, 1] - middle, right[:, 1] - middle, left[:, 0] - right[:, 0], chin], axis=1)
    return np.concatenate([moved.reshape(len(moved), -1), read], axis=1)


def _habits(names: list[str], count: int) -> np.ndarray:
    """(K,K) curvature that keeps the two sides of a face alike, and brings what usually comes along with a smile."""
    habits = np.zeros((count, count))

    def expect(action: str, share: float, other: str, sigma: float) -> None:  # action ~ share * other
        row = np.zeros(count)
        row[[names.index(action), names.index(other)]] = 1.0, -share
        habits[:] += np.outer(row, row) / sigma**2

    for name in names:
        partner = name.removesuffix("Left") + "Right"
        if name.endswith("Left") and name not in ("jawLeft", "mouthLeft") and partner in names:
            expect(name, 1.0, partner, _SIDES_SIGMA)
        for action, share in _WITH_A_SMILE.items():
            if name.startswith(action):
                expect(name, share, name.replace(action, "mouthSmile"), _HABIT_SIGMA)
    return habits


def _rigid_directions(points: np.ndarray) -> np.ndarray:
    """(468,3) -> (7,468,3): small turns, shifts and growth."""
    centred = points - points.mean(0)
    turns = [np.cross(axis, centred) for axis in np.eye(3)]
    shifts = [np.broadcast_to(axis, points.shape) for axis in np.eye(3)]
    return np.stack([*turns, *shifts, centred])


def _face_shapes(points: np.ndarray) -> np.ndarray:
    """(468,3) -> (M,468,3), about 1 at the rim: how faces differ as a whole: broader, longer, rounder, another profile."""
    centred = (points - points.mean(0)) / np.abs(points - points.mean(0)).max()
    (x, y), across, up, ahead = centred[:, :2].T, *np.eye(3)
    fields = [(x, across), (x * y, across), (y, up), (y * y, up), (y, ahead), (y * y, ahead), (x * x, ahead)]
    return np.stack([field[:, None] * axis for field, axis in fields])
