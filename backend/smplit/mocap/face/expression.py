# SPDX-License-Identifier: GPL-3.0-or-later
"""Expression coefficients from moved mesh points: bounded least squares on the body's own expression directions."""

from __future__ import annotations

import numpy as np

from smplit.mocap.face.evidence import Evidence, as_shown, face_shapes, rigid_directions
from smplit.mocap.face.surface import FaceSurface

JAW_LIMITS = (-0.02, 0.5)  # rad
# Not fitted to the mesh. Opening is the jaw joint's, gaze the eye joints'; `mouthClose` means something only
# together with an open jaw, where the lip rolls and shrugs explain it; the mesh sees neither tongue nor puffed cheeks.
_LEFT_OUT = ("jawOpen", "mouthClose", "tongueOut", "cheekPuff", "eyeLook")
_POINT_SIGMA = 0.0015  # m: what a mesh point errs
_TOGETHER = 4.0  # neighbouring points err alike: so many count as one
_SHAPE_SIGMA, _SHAPE_TOGETHER = 0.0025, 8.0  # the same of how one face differs from another
# m, of lip gap, left and right corner height, width and chin: how a frame's mesh errs, and how faces at rest differ.
_MOUTH_SIGMA = np.array([0.0007, 0.0008, 0.0008, 0.001, 0.001])
_MOUTH_SHAPE_SIGMA = np.array([0.0007, 0.0015, 0.0015, 0.004, 0.003])
_SURE_SIGMA = 0.0005  # m: what is left over between two models' faces that do the same
_PROPORTION_SIGMA = 0.002  # m: how much faces differ in length and breadth, at their rim
_FLAME_SIGMA, _JAW_SIGMA = 1.0, 0.12
# How strong an action usually gets. Rare ones must not stand in for the errors of the common ones.
_ARKIT_SIGMA = {
    "mouthSmile": 0.7, "mouthUpperUp": 0.5, "mouthLowerDown": 0.6, "mouthPucker": 0.5, "mouthFunnel": 0.5, "brow": 0.5, "eye": 0.6,
    "mouthRoll": 0.3, "mouthStretch": 0.15, "mouthFrown": 0.25, "mouthDimple": 0.1, "mouthPress": 0.1, "mouthShrug": 0.25,
    "mouthLeft": 0.15, "mouthRight": 0.15, "cheekSquint": 0.25, "noseSneer": 0.3, "jaw": 0.08,
}
# How much the left and right action of a pair differ; a single outer brow goes up easily.
_SIDES_SIGMA, _OUTER_BROW_SIGMA = 0.15, 0.4
# How strong these are for a smile of 1. A smile with parted lips bares teeth with the lips, not with the jaw.
_WITH_A_SMILE, _HABIT_SIGMA = {"cheekSquint": 0.4}, 0.3
_WITH_A_GRIN, _GRIN_SIGMA = {"mouthUpperUp": 0.9, "mouthLowerDown": 0.9}, 0.2
# Lips that grin over shut teeth were seen 12 to 14 mm apart (one person of one film), with a smile that would draw the open
# body's 2 to 3 mm together. These actions, at 1, part the body's by 9: people's reach about twice as far.
_LIPS, _LIPS_REACH = ("mouthUpperUp", "mouthLowerDown"), 2.0
# Pull of a one-sided action to zero (an exponential prior): few actions explain a face. Brows, which the network moves by a
# third of what they do, are never seen without it.
_COST, _BROW_COST = 1.0, 0.3
_FLAME_LIMIT = 3.0  # standard deviations


def arkit_actions(names: tuple[str, ...]) -> list[int]:
    """Columns of the ARKit actions that are fitted to the mesh; empty for a body without them (real SMPL-X)."""
    # The open body's composite expressions (snake_case) repeat the actions and stay zero.
    is_action = [any(letter.isupper() for letter in name) and not name.startswith(_LEFT_OUT) for name in names]
    return [column for column, action in enumerate(is_action) if action]


class ExpressionSolver:
    """`solve(moved)`: K coefficients, those of the chosen expression `columns` and last the jaw's opening in rad.

    `basis` (K,468,3) m, as the mesh shows them; `sigma` (K,) how strong each usually gets; `is_upper` (K,) bool: brows and eyes.
    The rigid motion and the size that an alignment leaves over are solved along and thrown away.
    """

    def __init__(self, surface: FaceSurface, names: tuple[str, ...]):
        actions = arkit_actions(names)
        self.names, self.named = names, bool(actions)
        self.columns = actions or list(range(len(names)))
        count = len(self.columns)
        own = surface.expression[self.columns]
        reach = np.array([_LIPS_REACH if names[column].startswith(_LIPS) else 1.0 for column in self.columns])
        self.basis = np.concatenate([reach[:, None, None] * own, as_shown(surface.jaw[0])[None]])  # (K,468,3)
        self.low = np.array([0.0 if self.named else -_FLAME_LIMIT] * count + [JAW_LIMITS[0]])
        self.high = np.array([1.0 if self.named else _FLAME_LIMIT] * count + [JAW_LIMITS[1]])
        chosen = [names[c] for c in self.columns]
        usual = [next(s for start, s in _ARKIT_SIGMA.items() if n.startswith(start)) if self.named else _FLAME_SIGMA for n in chosen]
        self.sigma = np.array([*usual, _JAW_SIGMA])
        self.is_upper = np.array([*(name.startswith(("brow", "eye")) for name in chosen), False])
        cost = [_BROW_COST if name.startswith("brow") else _COST for name in chosen] if self.named else [0.0] * count
        self._cost = np.array([*cost, 0.0])

        habits, when_parted = _habits(chosen, len(self.sigma))
        known = np.diag(self.sigma**-2.0) + habits, when_parted
        rigid, shapes = rigid_directions(surface.rest), face_shapes(surface.rest)
        free = np.full(len(rigid), np.inf)
        usual = np.concatenate([free, np.full(len(shapes), _PROPORTION_SIGMA)])
        self._moved = Evidence(self.basis, rigid, free, _POINT_SIGMA, _TOGETHER, _MOUTH_SIGMA, *known)
        both = np.concatenate([rigid, shapes])
        self._sure = Evidence(np.concatenate([own, surface.jaw[:1]]), rigid, free, _SURE_SIGMA, 1.0, np.full(5, _SURE_SIGMA), *known)
        self._unlike = Evidence(self.basis, both, usual, _SHAPE_SIGMA, _SHAPE_TOGETHER, _MOUTH_SHAPE_SIGMA, *known)

    def solve(self, moved: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
        """(n,468,3) m moved from the person's neutral face, head axes -> (n,K) coefficients within their bounds; `start`
        (n,K): nearly those, where they are known."""
        return self._moved.solve(moved, self._cost, self.low, self.high, start)

    def solve_sure(self, moved: np.ndarray) -> np.ndarray:
        """(n,468,3) m that another model's expressions move the face by: nothing trembles, and the jaw (the last) stays at 0."""
        jaw_at_rest = np.append(np.ones(len(self.columns)), 0.0)
        return self._sure.solve(moved, 0.0 * self._cost, self.low * jaw_at_rest, self.high * jaw_at_rest)

    def solve_unknown(self, unlike: np.ndarray) -> np.ndarray:
        """(n,468,3) m unlike the mean face -> (n,K) coefficients, whosoever's face it is: smooth differences and
        small ones are taken for the shape of the face."""
        return self._unlike.solve(unlike, self._cost, self.low, self.high)

    def shape(self, coefficients: np.ndarray) -> np.ndarray:
        """(n,K) -> (n,468,3) m: how far the coefficients move the mesh points."""
        return np.tensordot(coefficients, self.basis, axes=1)


def _habits(names: list[str], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Two curvatures (K,K): what keeps the sides of a face alike and brings what comes along with a smile, and what else comes
    along with it where the lips are parted."""
    always, parted = np.zeros((count, count)), np.zeros((count, count))

    def expect(habits: np.ndarray, action: str, share: float, other: str, sigma: float) -> None:  # action ~ share * other
        row = np.zeros(count)
        row[[names.index(action), names.index(other)]] = 1.0, -share
        habits += np.outer(row, row) / sigma**2

    for name in names:
        partner = name.removesuffix("Left") + "Right"
        if name.endswith("Left") and name not in ("jawLeft", "mouthLeft") and partner in names:
            expect(always, name, 1.0, partner, _OUTER_BROW_SIGMA if name.startswith("browOuterUp") else _SIDES_SIGMA)
        for habits, shares, sigma in ((always, _WITH_A_SMILE, _HABIT_SIGMA), (parted, _WITH_A_GRIN, _GRIN_SIGMA)):
            for action, share in shares.items():
                if name.startswith(action):
                    expect(habits, name, share, name.replace(action, "mouthSmile"), sigma)
    return always, parted
