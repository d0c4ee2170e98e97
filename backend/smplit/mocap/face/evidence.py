# SPDX-License-Identifier: GPL-3.0-or-later
"""What moved mesh points say about expression coefficients: which points are to be believed, and what else moves them."""

from __future__ import annotations

import numpy as np

INNER_LIPS = np.array([[82, 87], [13, 14], [312, 317]])  # upper and lower
_MOUTH_CORNERS = np.array([[291, 308], [61, 78]])  # left, right: outer and inner
_CHIN, _UNDER_THE_NOSE = 152, 2
_GAP = 3 * 468  # column of the lips' gap in what `with_mouth` gives
# The network learned lips, lids and brows from contours that people drew; cheeks and chin it fills in: a smile hardly moves them.
_CONTOURS = (
    [61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 185, 40, 39, 37, 0, 267, 269, 270, 409]  # outer lips
    + [78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 191, 80, 81, 82, 13, 312, 311, 310, 415]  # inner lips
    + [33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246]  # right eye
    + [263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466]  # left eye
    + [46, 53, 52, 65, 55, 70, 63, 105, 66, 107, 276, 283, 282, 295, 285, 300, 293, 334, 296, 336]  # brows
)
_ELSEWHERE = 0.1  # weight of a point that is on none of them
# How far an opening jaw takes the points elsewhere, against how far it takes those lips: the chin of rendered open mouths goes
# 20 mm where the lips part by 70, and should go 50.
_FILLED_IN = 0.4
_DEPTH_WEIGHT = 0.06  # the mesh's depth follows expressions poorly: a chin that drops stays where it is in depth
_SHUT, _PARTED = 0.002, 0.006  # m: lips that are this much farther apart than at rest are shut, and parted
_SWEEPS, _SETTLED = 60, 1e-3  # at most; done when no coefficient changes more


class Evidence:
    """What moved mesh points say about the coefficients, whatever else moved them.

    `nuisance` (M,468,3) m: other moves, each of standard deviation `usual` (M,) (infinite: any amount). `curvature` (K,K):
    what is known of the coefficients beforehand, and `parted` (K,K) what more is known where the lips are parted.
    """

    def __init__(
        self, basis: np.ndarray, nuisance: np.ndarray, usual: np.ndarray, point_sigma: float, together: float, mouth_sigma: np.ndarray,
        curvature: np.ndarray, parted: np.ndarray,
    ):
        trust = np.full(basis.shape[1], _ELSEWHERE)
        trust[_CONTOURS] = 1.0
        precision = (trust[:, None] * np.array([1.0, 1.0, _DEPTH_WEIGHT])).ravel() / together / point_sigma**2  # (1404,)
        precision = np.concatenate([precision, mouth_sigma**-2.0])
        basis, nuisance = with_mouth(basis), with_mouth(nuisance)
        weighted, other = basis * precision, nuisance * precision
        explained = np.linalg.solve(other @ nuisance.T + np.diag(usual**-2.0), nuisance @ weighted.T)  # (M,K)
        self._right = weighted - explained.T @ other  # (K,1409)
        self._gram, self._parted = self._right @ basis.T + curvature, parted

    def solve(self, moved: np.ndarray, cost: np.ndarray, low: np.ndarray, high: np.ndarray, start: np.ndarray | None = None) -> np.ndarray:
        """(n,468,3) m -> (n,K) within `low` and `high` (K,). `start` (n,K): a guess, which saves time."""
        read = with_mouth(moved)
        parted = np.clip((read[:, _GAP, None] - _SHUT) / (_PARTED - _SHUT), 0.0, 1.0)  # (n,1)
        gradient = read @ self._right.T - cost  # (n,K)
        x = np.zeros_like(gradient) if start is None else start.copy()
        gradient -= x @ self._gram + parted * (x @ self._parted)
        stiffness = np.diag(self._gram) + parted * np.diag(self._parted)
        along = np.flatnonzero(np.diag(self._parted))
        for _ in range(_SWEEPS):
            before = x.copy()
            for k in range(x.shape[1]):  # exact minimum along each coefficient in turn
                new = np.clip(x[:, k] + gradient[:, k] / stiffness[:, k], low[k], high[k])
                change = (new - x[:, k])[:, None]
                gradient -= change * self._gram[k]
                if self._parted[k, k]:
                    gradient[:, along] -= change * parted * self._parted[k, along]
                x[:, k] = new
            if np.abs(x - before).max(initial=0.0) < _SETTLED:
                break
        return x


def with_mouth(moved: np.ndarray) -> np.ndarray:
    """(n,468,3) m -> (n,1409): all coordinates, then what a mouth is read by: the gap of the lips, the height of the
    left and right corner over the middle of that gap, the width, and the chin's height below the nose."""
    inner = moved[:, INNER_LIPS]  # (n,3,2,3)
    gap = (inner[:, :, 0, 1] - inner[:, :, 1, 1]).mean(1)
    left, right = moved[:, _MOUTH_CORNERS[0]].mean(1), moved[:, _MOUTH_CORNERS[1]].mean(1)  # (n,3)
    middle = inner[..., 1].mean((1, 2))
    chin = moved[:, _CHIN, 1] - moved[:, _UNDER_THE_NOSE, 1]
    read = np.stack([gap, left[:, 1] - middle, right[:, 1] - middle, left[:, 0] - right[:, 0], chin], axis=1)
    return np.concatenate([moved.reshape(len(moved), -1), read], axis=1)


def as_shown(opening: np.ndarray) -> np.ndarray:
    """(468,3) m, how an opening jaw moves a face -> how the network shows it."""
    share = np.full(len(opening), _FILLED_IN)
    share[_CONTOURS] = 1.0
    return share[:, None] * opening


def rigid_directions(points: np.ndarray) -> np.ndarray:
    """(468,3) -> (7,468,3): small turns, shifts and growth."""
    centred = points - points.mean(0)
    turns = [np.cross(axis, centred) for axis in np.eye(3)]
    shifts = [np.broadcast_to(axis, points.shape) for axis in np.eye(3)]
    return np.stack([*turns, *shifts, centred])


def face_shapes(points: np.ndarray) -> np.ndarray:
    """(468,3) -> (M,468,3), about 1 at the rim: how faces differ as a whole: broader, longer, rounder, another profile."""
    centred = (points - points.mean(0)) / np.abs(points - points.mean(0)).max()
    (x, y), across, up, ahead = centred[:, :2].T, *np.eye(3)
    fields = [(x, across), (x * y, across), (y, up), (y * y, up), (y, ahead), (y * y, ahead), (x * x, ahead)]
    return np.stack([field[:, None] * axis for field, axis in fields])
