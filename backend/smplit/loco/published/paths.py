# SPDX-License-Identifier: GPL-3.0-or-later
"""The published LOCO's named paths and the 4 numbers a frame that its network is told of them.

A path is made to start at the origin, facing X: numbers tell steps and turns, not places. Two things differ from
the original by intent, and `original` brings them back, for goldens: where a path ends, its facing is held (the
original's snaps to world X within a frame), and the way goes on long enough for the last window to be made.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from scipy.signal import savgol_filter

from smplit.difftraj.original_features import encode_path
from smplit.errors import BadInput
from smplit.loco.paths import circle, line, square

FPS = 30.0
_ROUNDED_OVER, _ROUNDED_ORDER = 25, 3  # frames and degree of the smoothing (Savitzky and Golay 1964)
_MOST_TURN = 0.4  # rad a frame, of the random walk
ALONG_PATH, FIXED = 0, 1  # the original's --traj_face_type: where the path leads, or always X (strafing)


def random_walk(points: int, step: float, seed: int) -> np.ndarray:
    """(T,2) m: a heading that changes by up to 0.4 rad at each point, drawn as the original draws it."""
    drawn = random.Random(seed)
    heading = np.cumsum([drawn.uniform(-_MOST_TURN, _MOST_TURN) for _ in range(points)])
    return step * np.cumsum(np.stack([np.cos(heading), np.sin(heading)], -1), 0)


PATHS: dict[str, Callable[[int, float, int], np.ndarray]] = {  # by the original's names, --difine_traj
    "line": lambda points, step, seed: line(points, step),
    "rec": lambda points, step, seed: square(points, step),
    "circle": lambda points, step, seed: circle(points, step),
    "spline": random_walk,
}


def named_path(name: str, frames: int, speed: float = 1.0, reverse: bool = False, seed: int = 10) -> np.ndarray:
    """(T,2) m at 30 points a second, corners rounded.

    Args:
        name: of `PATHS`; speed: m/s; reverse: mirrored across X, so that what turned left turns right.

    Raises:
        BadInput: no such path, a speed that is none, or no frames.
    """
    if name not in PATHS:
        raise BadInput(f"There is no path '{name}'.", f"Choose one of {', '.join(PATHS)}.", "unknown_path")
    if not 0 < speed < np.inf:
        raise BadInput(f"A speed of {speed} m/s leads nowhere.", "Choose a speed above 0.", "bad_speed")
    if frames < 1:
        raise BadInput(f"A path of {frames} frames holds nothing.", "Choose a time above 0 seconds.", "bad_time")
    path = PATHS[name](frames, speed / FPS, seed) * [1, -1 if reverse else 1]
    return savgol_filter(path, _ROUNDED_OVER, _ROUNDED_ORDER, axis=0) if frames > _ROUNDED_OVER else path


def path_control(path: np.ndarray, rest: int, face: int = ALONG_PATH, original: bool = False) -> np.ndarray:
    """The network's 4 numbers (T+rest,4) of a path (T,2) m, at whose end they stand still for `rest` frames.

    Args:
        face: `ALONG_PATH` or `FIXED`.

    Raises:
        BadInput: another `face`.
    """
    if face not in (ALONG_PATH, FIXED):
        raise BadInput(f"There is no facing {face}.", f"{ALONG_PATH} faces along the path, {FIXED} always the same way.", "bad_facing")
    path = np.concatenate([path, np.repeat(path[-1:], rest, 0)])
    if face == FIXED:
        facing = np.tile([1.0, 0.0], (len(path), 1))
    else:
        facing = np.diff(path, axis=0, append=path[-1:])
        if not original:
            facing = _held(facing)
    control = encode_path(path, facing)
    control[0] = (0, 0, 1, 0)
    return control


def _held(directions: np.ndarray) -> np.ndarray:
    """(T,2) with each direction of no length replaced by the last one before it; X where there is none."""
    lengths = np.linalg.norm(directions, axis=-1)
    last = np.maximum.accumulate(np.where(lengths > 1e-9, np.arange(len(lengths)), -1))
    return np.where(last[:, None] >= 0, directions[last], [1.0, 0.0])
