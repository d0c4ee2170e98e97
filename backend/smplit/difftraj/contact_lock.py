# SPDX-License-Identifier: GPL-3.0-or-later
"""From velocities and contacts to a path on which planted feet stay where they are.

Integrated velocities drift with every step. Here the whole path is one least-squares problem: the
pelvis moves as predicted, and each foot point, for as long as it is planted, stays at one place that is
found along with the path. Noise of single frames then averages out over a stance instead of adding up.
The problem is sparse; a 30-minute clip takes about a second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.linalg import solveh_banded
from scipy.sparse.linalg import splu

_ROUNDS = 4  # of reweighting: a foot that slides after all loses its say
_PLANTED = 0.5


@dataclass(frozen=True)
class Trust:
    """Standard deviations of what the path is made from.

    Attributes:
        velocity: m/s, of a predicted velocity.
        foothold: m, of a planted point about its place.
        slide: m, at which a point counts half (Cauchy).
        jerk: m/s2, of the change of velocity against the predicted change.
        height: m, of a predicted pelvis height; floor: m, of a planted sole over the floor.
    """

    velocity: float = 0.4
    foothold: float = 0.015
    slide: float = 0.05
    jerk: float = 3.0
    height: float = 0.02
    floor: float = 0.01


def footholds(contacts: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(T,P) 0..1 -> frames (M,), points (M,) and foothold numbers (M,) of every planted point: a foothold per stance."""
    planted = contacts > _PLANTED
    starts = planted & ~np.concatenate([np.zeros((1, planted.shape[1]), bool), planted[:-1]])
    number = np.cumsum(starts.T.ravel()).reshape(starts.T.shape).T - 1
    frames, points = np.nonzero(planted)
    return frames, points, number[frames, points]


def level_path(
    velocity: np.ndarray, points: np.ndarray, contacts: np.ndarray, seconds: float, trust: Trust | None = None
) -> np.ndarray:
    """The pelvis' level path.

    Args:
        velocity: (T,2) m/s over the step to the next frame, world axes; the last is not used.
        points: (T,P,2) m foot points from the pelvis, world axes.
        contacts: (T,P) 0..1.
        seconds: s between frames.

    Returns:
        (T,2) m; starts at zero.
    """
    trust = trust or Trust()
    frames = len(velocity)
    if frames < 2:
        return np.zeros((frames, 2))
    at, point, stance = footholds(contacts)
    places = int(stance.max()) + 1 if len(stance) else 0
    size = frames + places
    step = _differences(frames, size)
    moved = velocity[:-1] * seconds
    hold = sparse.csr_matrix(
        (np.r_[np.ones(len(at)), -np.ones(len(at))], (np.r_[: len(at), : len(at)], np.r_[at, frames + stance])), (len(at), size)
    )
    foot = -points[at, point]
    bend = _differences(frames - 1, frames - 1) @ step
    start = sparse.csr_matrix(([1.0], ([0], [0])), (1, size))
    steady = 1 / (trust.velocity * seconds) ** 2
    smooth = 1 / (trust.jerk * seconds**2) ** 2
    fixed = steady * step.T @ step + smooth * bend.T @ bend + steady * start.T @ start
    right = steady * step.T @ moved + smooth * bend.T @ np.diff(moved, axis=0)
    weight = contacts[at, point] / trust.foothold**2
    doubt = np.ones(len(at))
    for _ in range(_ROUNDS if places else 1):
        held = sparse.diags_array(weight * doubt)
        solution = splu((fixed + hold.T @ held @ hold).tocsc()).solve(right + hold.T @ (held @ foot))
        off = np.linalg.norm(hold @ solution - foot, axis=1)
        doubt = 1 / (1 + (off / trust.slide) ** 2)
    return solution[:frames] - solution[0]


def _differences(rows: int, size: int) -> sparse.csr_matrix:
    """(rows - 1, size): each of the first `rows` unknowns taken from the next."""
    count = rows - 1
    return sparse.csr_matrix(sparse.diags_array([-np.ones(count), np.ones(count)], offsets=[0, 1], shape=(count, size)))


def pelvis_height(
    height: np.ndarray, soles: np.ndarray, contacts: np.ndarray, seconds: float, trust: Trust | None = None
) -> np.ndarray:
    """The pelvis' height over the floor: as predicted, with planted soles on the floor, without jerks.

    Args:
        height: (T,) m, predicted. soles: (T,4) m heights of the sole points from the pelvis. contacts: (T,4) 0..1.

    Returns:
        (T,) m.
    """
    trust = trust or Trust()
    weight = np.full(len(height), 1 / trust.height**2)
    right = weight * height
    on_floor = np.where(contacts > _PLANTED, contacts, 0.0) / trust.floor**2
    weight = weight + on_floor.sum(1)
    right = right - (on_floor * soles).sum(1)
    if len(height) < 3:
        return right / weight
    smooth = 1 / (trust.jerk * seconds**2) ** 2
    bands = np.zeros((3, len(height)))  # upper form of D'D of second differences, and the weights
    for first, factor in enumerate((1.0, -2.0, 1.0)):
        for second, other in enumerate((1.0, -2.0, 1.0)):
            if second >= first:
                bands[2 - (second - first), second : len(height) - 2 + second] += smooth * factor * other
    bands[2] += weight
    curve = height[2:] - 2 * height[1:-1] + height[:-2]  # the predicted bend is not smoothed away
    for offset, factor in enumerate((1.0, -2.0, 1.0)):
        right[offset : len(height) - 2 + offset] += smooth * factor * curve
    return solveh_banded(bands, right)
