# SPDX-License-Identifier: GPL-3.0-or-later
"""From velocities and contacts to a path on which planted feet stay where they are.

Integrated velocities drift with every step. Here the whole path is one least-squares problem: the
pelvis moves as predicted, and each foot point, for as long as it is planted, stays at one place that is
found along with the path. Noise of single frames then averages out over a stance instead of adding up.
The problem is sparse; a 30-minute clip takes about two seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
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
        jerk: m/s3, of the change of acceleration: what people do, so that noise and foot changes do not show.
        height: m, of a predicted pelvis height; climb: m/s, of its change.
        floor: m, of a foothold's height over the floor.
    """

    velocity: float = 0.25
    foothold: float = 0.02
    slide: float = 0.06
    jerk: float = 120.0
    height: float = 0.05
    climb: float = 0.1
    floor: float = 0.015


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
    start = sparse.diags_array(np.r_[1.0, np.zeros(frames - 1)])  # somewhere it must begin
    path = _locked(velocity[:-1] * seconds, points, contacts, seconds, trust, trust.velocity, start, np.zeros((frames, 2)), 0.0)
    return path - path[0]


def pelvis_height(
    height: np.ndarray, soles: np.ndarray, contacts: np.ndarray, seconds: float, trust: Trust | None = None
) -> np.ndarray:
    """The pelvis' height over the floor: as predicted, and every foothold near the floor.

    Args:
        height: (T,) m, predicted. soles: (T,P) m heights of the foot points from the pelvis. contacts: (T,P) 0..1.

    Returns:
        (T,) m.
    """
    trust = trust or Trust()
    near = sparse.diags_array(np.full(len(height), 1 / trust.height**2))
    height = height[:, None]
    return _locked(np.diff(height, axis=0), soles[..., None], contacts, seconds, trust, trust.climb, near, height, 1 / trust.floor**2)[:, 0]


def _locked(
    moved: np.ndarray, points: np.ndarray, contacts: np.ndarray, seconds: float, trust: Trust, speed: float,
    near: sparse.dia_array, place: np.ndarray, floor: float,
) -> np.ndarray:
    """(T,D) m: moves as `moved` (T-1,D) m within `speed` m/s, stays at `place` (T,D) m with the weights `near` (T,T), and planted
    points (T,P,D) m stay where they are, their places at zero with the weight `floor` (1/m2)."""
    frames = len(place)
    at, point, stance = footholds(contacts)
    places = int(stance.max()) + 1 if len(stance) else 0
    size = frames + places
    step = _differences(frames, size)
    jerk = _differences(frames - 2, frames - 2) @ _differences(frames - 1, frames - 1) @ step if frames > 3 else sparse.csr_matrix((0, size))
    steady, smooth = 1 / (speed * seconds) ** 2, 1 / (trust.jerk * seconds**3) ** 2
    known = sparse.block_diag([near, sparse.diags_array(np.full(places, floor))]) if places else near
    fixed = steady * step.T @ step + smooth * jerk.T @ jerk + known
    right = steady * step.T @ moved
    right[:frames] += near @ place
    hold = sparse.csr_matrix(
        (np.r_[np.ones(len(at)), -np.ones(len(at))], (np.r_[: len(at), : len(at)], np.r_[at, frames + stance])), (len(at), size)
    )
    foot = -points[at, point]
    weight = contacts[at, point] / trust.foothold**2
    doubt = np.ones(len(at))
    for _ in range(_ROUNDS if places else 1):
        held = sparse.diags_array(weight * doubt)
        solution = splu((fixed + hold.T @ held @ hold).tocsc()).solve(right + hold.T @ (held @ foot))
        off = np.linalg.norm(hold @ solution - foot, axis=1)
        doubt = 1 / (1 + (off / trust.slide) ** 2)
    return solution[:frames]


def _differences(rows: int, size: int) -> sparse.csr_matrix:
    """(rows - 1, size): each of the first `rows` unknowns taken from the next."""
    count = rows - 1
    if count < 1:
        return sparse.csr_matrix((0, size))
    return sparse.csr_matrix(sparse.diags_array([-np.ones(count), np.ones(count)], offsets=[0, 1], shape=(count, size)))
