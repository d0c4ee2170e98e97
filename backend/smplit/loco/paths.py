# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths with names, on the floor, in metres.

`named_path` draws them for a walk of a given length. `line`, `square`, `circle` and `heading_walk` are the
original's own (`--difine_traj`), which it walks at a constant speed: (T,2) m, one point a frame, `step` m apart.
"""

from __future__ import annotations

import itertools
import random

import numpy as np

from smplit.errors import BadInput

from .curve import lengths_along

PATHS = ("line", "circle", "square", "eight", "spiral", "random")
_ORIGINAL_NAMES = {"rec": "square", "rect": "square", "spline": "random"}
_SHORTEST, _LONGEST = 0.01, 100_000.0  # m
_SPIRAL = (1.5, 0.25)  # rounds, and the innermost radius as a share of the outermost
_BEND_LENGTH = 3.5  # m: what a bend of a random path is long
_TIGHTEST = 1.0  # m radius of a random path


def named_path(name: str, length: float, seed: int = 0) -> tuple[np.ndarray, bool]:
    """Points (N,2) m of a path of `length` m, and whether it is closed.

    Closed: circle and square (counter-clockwise), eight. Open: line (along x), spiral (counter-clockwise,
    inwards), random (another one for every seed, no bend tighter than 1 m). All begin along or about the origin.

    Args:
        name: one of `PATHS`, or the original's rec and spline.

    Raises:
        BadInput: unknown name, or a length that is no length.
    """
    kind = _ORIGINAL_NAMES.get(name, name)
    if kind not in PATHS:
        raise BadInput(f"There is no path '{name}'.", f"Choose one of {', '.join(PATHS)}, or give a path file.", "unknown_path")
    if not (np.isfinite(length) and _SHORTEST <= length <= _LONGEST):
        raise BadInput(f"A path cannot be {length:g} m long.", f"Give {_SHORTEST:g} to {_LONGEST:g} metres.", "path_no_length")
    samples = int(np.clip(length / 0.02, 400, 200_000))
    if kind == "line":
        return np.array([(0.0, 0.0), (length, 0.0)]), False
    if kind == "square":
        return np.array([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0)]) * (length / 4), True
    if kind == "circle":
        return _of_length(circle(samples, 1.0), length, True), True
    if kind == "eight":
        along = 2 * np.pi * np.arange(samples) / samples
        return _of_length(np.stack([np.sin(along), np.sin(along) * np.cos(along)], -1), length, True), True
    if kind == "spiral":
        rounds, inner = _SPIRAL
        angle = np.linspace(0, 2 * np.pi * rounds, samples)
        radius = np.linspace(1.0, inner, samples)
        return _of_length(np.stack([radius * np.cos(angle), radius * np.sin(angle)], -1), length, False), False
    return _of_length(_random(length, samples, seed), length, False), False


def mirrored(points: np.ndarray) -> np.ndarray:
    """(N,2|3) -> the same with y negated: the original's `--traj_rev_dir 1`."""
    return points * np.array([1.0, -1.0, 1.0])[: points.shape[1]]


def _of_length(points: np.ndarray, length: float, closed: bool) -> np.ndarray:
    return points * (length / lengths_along(points, closed)[-1])


def _random(length: float, samples: int, seed: int) -> np.ndarray:
    """A way whose curvature wanders: cubic noise with a knot every half bend, never tighter than `_TIGHTEST`."""
    from scipy.interpolate import CubicSpline

    knots = max(int(np.ceil(2 * length / _BEND_LENGTH)), 4) + 1
    bend = np.random.default_rng(seed).uniform(-1.0, 1.0, knots) / _TIGHTEST
    bend = CubicSpline(np.linspace(0, length, knots), bend)(np.linspace(0, length, samples))
    step = length / (samples - 1)
    heading = np.cumsum(np.clip(bend, -1 / _TIGHTEST, 1 / _TIGHTEST)) * step
    heading -= heading[0]
    steps = np.stack([np.cos(heading), np.sin(heading)], -1)[:-1] * step
    return np.concatenate([np.zeros((1, 2)), np.cumsum(steps, 0)])


def line(points: int, step: float) -> np.ndarray:
    """From the origin along X."""
    return np.stack([np.arange(points) * step, np.zeros(points)], -1)


def square(points: int, step: float) -> np.ndarray:
    """Once round, counter-clockwise from the origin; points that do not divide by four wait at the end."""
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]) * (points * step / 4)
    share = np.arange(points // 4)[:, None] / max(points // 4, 1)
    edges = [start + share * (end - start) for start, end in itertools.pairwise(corners)]
    return np.concatenate([*edges, np.zeros((points % 4, 2))])


def circle(points: int, step: float) -> np.ndarray:
    """Once round, counter-clockwise about the origin, from the point on X."""
    angle = 2 * np.pi * np.arange(points) / points
    return np.stack([np.cos(angle), np.sin(angle)], -1) * (points * step / (2 * np.pi))


def heading_walk(points: int, step: float, seed: int) -> np.ndarray:
    """The original's "spline": every frame the way turns by up to 0.4 rad to either side, as Python's generator says."""
    turns = random.Random(seed)
    heading = np.cumsum([turns.uniform(-0.4, 0.4) for _ in range(points)])
    return np.cumsum(np.stack([np.cos(heading), np.sin(heading)], -1) * step, 0)


def original_path(name: str, points: int, step: float, seed: int = 10, rev_dir: bool = False) -> np.ndarray:
    """(T,2) m as the original feeds it to its network: `--difine_traj` line, rec, circle or spline, more than 25 points smoothed.

    Raises:
        BadInput: unknown name.
    """
    from scipy.signal import savgol_filter

    drawn = {"line": line, "rec": square, "circle": circle, "spline": lambda points, step: heading_walk(points, step, seed)}
    if name not in drawn:
        raise BadInput(f"The original has no path '{name}'.", f"Choose one of {', '.join(drawn)}.", "unknown_path")
    path = drawn[name](points, step)
    path = mirrored(path) if rev_dir else path
    return savgol_filter(path, 25, 3, axis=0) if points > 25 else path
