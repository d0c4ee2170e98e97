# SPDX-License-Identifier: GPL-3.0-or-later
"""A drawn line and the curve that somebody walks along it, both by arc length.

A walker does not pivot on a corner: the curve walked is the drawn line averaged over a short window
that slides along it, triangular so that the curvature is continuous, and applied so that bends do not
shrink (what the average took away is averaged and given back: Tukey's twicing). The window reaches 0.3 s
of walking to either side and is narrowed until the walked curve lies, at equal arc length of the drawn
line, nowhere more than 8 cm and on average no more than 1 cm beside it. Straight stretches, gentle bends
and the ends of an open line stay where they are; a right angle taken at 1.2 m/s is cut by 5 cm.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from smplit.errors import BadInput

_SAMPLE = 0.01  # m of drawn line between samples
_MOST_SAMPLES = 400_000
_SAME_PLACE = 1e-6  # m: points closer together are one
_WINDOW_SECONDS, _WINDOW = 0.3, (0.2, 0.6)  # m to either side
_MOST_BESIDE, _MEAN_BESIDE = 0.08, 0.01  # m
_LEVEL = 1e-3  # of a step, seen from above: below it the way goes straight up or turns on the spot


def path_points(points) -> np.ndarray:
    """(N,2 or 3) m, whatever holds them -> (N,3) float64; z is 0 where none is given.

    Raises:
        BadInput: fewer than two points, not two or three numbers each, or NaN and infinity among them.
    """
    try:
        points = np.asarray(points, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadInput(f"The path's points are not numbers ({error}).", "Give x, y and perhaps z in metres for every point.") from error
    if points.ndim != 2 or points.shape[1] not in (2, 3):
        raise BadInput(f"The path's points have the shape {points.shape}.", "Give two or three coordinates for every point: (N,2) or (N,3).")
    if len(points) < 2:
        raise BadInput(f"The path has {len(points)} point(s).", "Draw at least two points.", "path_too_short")
    wrong = np.flatnonzero(~np.isfinite(points).all(1))
    if len(wrong):
        where = f"Point {wrong[0] + 1} of the path is not finite: {points[wrong[0]].tolist()}."
        raise BadInput(where, "Move or delete that point.", "path_not_finite")
    return np.column_stack([points, np.zeros(len(points))]) if points.shape[1] == 2 else points


def lengths_along(points: np.ndarray, closed: bool = False) -> np.ndarray:
    """Arc length at every point of a polyline (N,3) -> (N,) m; closed: (N+1,), the last being once round."""
    if closed:
        points = np.concatenate([points, points[:1]])
    return np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])


@dataclass(frozen=True)
class Curve:
    """A drawn line of N corners and M samples of the curve walked along it. Closed curves go on for ever, round by round.

    Attributes:
        corners: (N,3) m, the drawn line; the first again at the end if it is closed.
        corner_arc: (N,) m: arc length of the drawn line there. All arcs below are lengths of the *drawn* line.
        arc: (M,) m, evenly from 0 to the line's length.
        walked: (M,) m walked on the way there.
        yaw: (M,) rad, unwrapped: the way's direction seen from above, 0 along x, counter-clockwise; evenly from 0 to
            `walked_length`, so that a way that reverses turns within one sample, not within none.
        closed: the end is the start.
    """

    corners: np.ndarray
    corner_arc: np.ndarray
    arc: np.ndarray
    walked: np.ndarray
    yaw: np.ndarray
    closed: bool
    _place: CubicSpline

    @classmethod
    def of(cls, points, closed: bool = False, speed: float = 1.2) -> Curve:
        """The curve that somebody walks at `speed` m/s along `points` (N,2 or 3) m.

        Raises:
            BadInput: see `path_points`; also a line of no length or one that only goes up or down.
        """
        corners = path_points(points)
        corners = corners[np.concatenate([[True], np.linalg.norm(np.diff(corners, axis=0), axis=1) > _SAME_PLACE])]
        if closed:
            if len(corners) > 1 and np.linalg.norm(corners[-1] - corners[0]) <= _SAME_PLACE:
                corners = corners[:-1]
            corners = np.concatenate([corners, corners[:1]])
        corner_arc = lengths_along(corners)
        length = corner_arc[-1]
        if length <= _SAME_PLACE:
            raise BadInput("The path has no length: all its points lie in one place.", "Move them apart.", "path_no_length")
        arc = np.linspace(0.0, length, int(np.clip(np.ceil(length / _SAMPLE), 32, _MOST_SAMPLES)) + 1)
        place = _rounded(_along(corners, corner_arc, arc), arc[1], closed, speed)
        spline = CubicSpline(arc, place, bc_type="periodic" if closed else "not-a-knot")
        walked = lengths_along(place)
        yaw = np.interp(np.linspace(0.0, walked[-1], len(walked)), walked, _directions(spline(arc, 1)))
        return cls(corners, corner_arc, arc, walked, yaw, closed, spline)

    @property
    def length(self) -> float:
        """m, of the drawn line."""
        return float(self.arc[-1])

    @property
    def walked_length(self) -> float:
        """m, of the curve that is walked: shorter by what the corners save."""
        return float(self.walked[-1])

    @property
    def turn(self) -> float:
        """rad: how far a closed curve turns in one round, a multiple of 2 pi; of an open one, from start to end."""
        turn = float(self.yaw[-1] - self.yaw[0])
        return 2 * np.pi * round(turn / (2 * np.pi)) if self.closed else turn

    @property
    def side(self) -> float:
        """1 where the line bends round what is on its left, -1 on its right; straight lines and eights count as left."""
        x, y = self.corners[:, 0], self.corners[:, 1]
        area = float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) / 2  # an open line is closed by its chord
        return -1.0 if area < -0.02 * self.length**2 / (4 * np.pi) else 1.0

    def _round(self, along: np.ndarray, once: float) -> tuple[np.ndarray, np.ndarray]:
        """Lengths -> rounds done before, and the length within the round."""
        if not self.closed:
            return np.zeros_like(along), np.clip(along, 0.0, once)
        rounds = np.floor(along / once)
        return rounds, along - rounds * once

    def arc_at(self, walked: np.ndarray) -> np.ndarray:
        """m walked (T,) -> m of the drawn line."""
        rounds, within = self._round(np.asarray(walked, dtype=np.float64), self.walked_length)
        return rounds * self.length + np.interp(within, self.walked, self.arc)

    def place(self, arc: np.ndarray) -> np.ndarray:
        """(T,) m -> (T,3) m on the walked curve."""
        return self._place(self._round(np.asarray(arc, dtype=np.float64), self.length)[1])

    def drawn_place(self, arc: np.ndarray) -> np.ndarray:
        """(T,) m -> (T,3) m on the drawn line."""
        return _along(self.corners, self.corner_arc, self._round(np.asarray(arc, dtype=np.float64), self.length)[1])

    def direction(self, walked: np.ndarray) -> np.ndarray:
        """m walked (T,) -> (T,) rad, unwrapped over rounds."""
        rounds, within = self._round(np.asarray(walked, dtype=np.float64), self.walked_length)
        sample = within / self.walked_length * (len(self.yaw) - 1)
        return np.interp(sample, np.arange(len(self.yaw)), self.yaw) + rounds * self.turn


def _along(corners: np.ndarray, corner_arc: np.ndarray, arc: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(arc, corner_arc, axis) for axis in corners.T], -1)


def _rounded(place: np.ndarray, sample: float, closed: bool, speed: float) -> np.ndarray:
    """Evenly spaced places (M,3) of a drawn line, `sample` m apart -> places of the walked curve."""
    half = min(float(np.clip(_WINDOW_SECONDS * speed, *_WINDOW)), sample * len(place) / 8)
    while (reach := round(half / sample)) > 1:
        rounded = _averaged(place, reach, closed)
        rounded += _averaged(place - rounded, reach, closed)
        beside = np.linalg.norm(rounded - place, axis=1)
        if beside.max() <= _MOST_BESIDE and beside.mean() <= _MEAN_BESIDE:
            return rounded
        half *= 0.8
    return place


def _averaged(place: np.ndarray, reach: int, closed: bool) -> np.ndarray:
    """Weights fall to nothing `reach` samples to either side. An open line goes on beyond its ends as their point reflection."""
    weights = np.convolve(np.ones(reach), np.ones(reach)) / reach**2
    beyond = ((reach - 1, reach - 1), (0, 0))
    if closed:
        around = np.pad(place[:-1], beyond, mode="wrap")
    else:
        around = np.pad(place, beyond, mode="reflect", reflect_type="odd")
    rounded = np.stack([np.convolve(axis, weights, "valid") for axis in around.T], -1)
    return np.concatenate([rounded, rounded[:1]]) if closed else rounded


def _directions(steps: np.ndarray) -> np.ndarray:
    """Steps (M,3) -> yaw (M,) rad, unwrapped; where a step is not level, between its neighbours' directions."""
    level = np.linalg.norm(steps[:, :2], axis=1) > _LEVEL
    if not level.any():
        raise BadInput("The path goes straight up or down.", "Draw it along the ground.", "path_no_length")
    index = np.arange(len(steps))
    return np.interp(index, index[level], np.unwrap(np.arctan2(steps[level, 1], steps[level, 0])))
