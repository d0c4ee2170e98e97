# SPDX-License-Identifier: GPL-3.0-or-later
"""From a drawn line to what the character is asked to do at every frame: where to be, where to face.

`curve.py` rounds the line's corners, `speed.py` says how far along it the walker is at every frame, `facing.py`
where the walker faces.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from smplit.errors import BadInput

from .curve import Curve, path_points
from .facing import FACINGS, facing_along
from .speed import travel
from .turn import checked_facing, turned_on_the_spot

FPS = 30.0
_FASTEST = 13.0  # m/s: nobody runs faster
_NO_STEP = 1e-3  # m: whoever has time only for less stands
_SHORTEST, _LONGEST = 0.1, 6 * 3600.0  # s


@dataclass(frozen=True)
class Plan:
    """What is asked for, T frames. World: Z up, m; angles 0 along x, counter-clockwise, rad, unwrapped.

    Attributes:
        place: (T,3) m: the point of the walked curve on the ground below the character.
        facing: (T,) rad, as `smplit.difftraj.features.heading`.
        arc: (T,) m of the drawn line; on a closed curve it grows lap by lap.
        tangent: (T,) rad: direction of travel; standing still, the direction that the way has there.
        drawn: (T,3) m: the point of the drawn line at `arc`, which the walked curve leaves only at corners.
        fps: frames a second.
        closed: the line is closed.
        laps: the frames are whole laps: frame T would be frame 0 again, so the plan repeats without a seam.
        rests: (at the start, at the end): the character stands there.
    """

    place: np.ndarray
    facing: np.ndarray
    arc: np.ndarray
    tangent: np.ndarray
    drawn: np.ndarray
    fps: float
    closed: bool
    laps: bool
    rests: tuple[bool, bool]
    _lap: tuple[float, float, float] = (0.0, 0.0, 0.0)  # what a lap adds to facing (rad), arc (m) and tangent (rad)
    _cycle: Plan | None = None  # the lap of which these frames are some

    def __len__(self) -> int:
        return len(self.arc)

    @property
    def speed(self) -> np.ndarray:
        """(T,) m/s at every frame: the mean of the steps before and after it."""
        around = self.rows(np.arange(-1, len(self) + 1)).place
        steps = np.linalg.norm(np.diff(around, axis=0), axis=1) * self.fps
        return (steps[:-1] + steps[1:]) / 2

    @property
    def mean_speed(self) -> float:
        """m/s between the first and the last frame that moves."""
        around = self.rows(np.arange(len(self) + 1)).place if self.laps else self.place
        steps = np.linalg.norm(np.diff(around, axis=0), axis=1)
        moving = np.flatnonzero(steps > 0)
        return float(steps.sum() * self.fps / (moving[-1] - moving[0] + 1)) if len(moving) else 0.0

    def rows(self, frames) -> Plan:
        """The plan at `frames` (K,), also before the first and after the last: laps go on round, a character at rest stays,
        one that walks goes straight on.
        """
        if self._cycle is not None:
            return self._cycle.rows(frames)
        frames = np.asarray(frames)
        last = len(self) - 1
        if self.laps:
            laps, at = np.divmod(frames, len(self))
            on = np.zeros(len(frames))
        else:
            laps, at = np.zeros(len(frames)), np.clip(frames, 0, last)
            on = (frames - at) * np.where(frames > last, not self.rests[1], not self.rests[0])
        edge = np.where(frames > last, last, 1) if last else np.zeros(len(frames), dtype=int)
        step = lambda values: values[edge] - values[np.maximum(edge - 1, 0)]
        facing, arc, tangent = self._lap
        return Plan(
            self.place[at] + on[:, None] * step(self.place), self.facing[at] + laps * facing, self.arc[at] + laps * arc + on * step(self.arc),
            self.tangent[at] + laps * tangent, self.drawn[at] + on[:, None] * step(self.drawn), self.fps, self.closed, False,
            (False, False),
        )


def plan(
    points, *, speed: float, closed: bool = False, facing: str = "path", angle: float | None = None, towards=None, reverse: bool = False,
    seconds: float | None = None, start: str | None = None, stop: str | None = None, lead_in: float = 0.0, lead_out: float = 0.0,
    start_facing: float | None = None, end_facing: float | None = None, fps: float = FPS,
) -> Plan:
    """Plans a walk along a line.

    The mean speed from the first step to the last is `speed`, within half a frame of time, wherever a person
    can do it: the cruise is up to 1.25 times as fast to make up for starting, stopping and turns. An open line
    is left and reached standing, its last point exactly; a closed one is walked round and round.

    Args:
        points: (N,2 or 3) m, in order: a polyline, or a curve sampled so densely that it looks smooth. z is the ground's height.
        speed: m/s, mean.
        closed: the last point leads to the first.
        facing: "path"; "opposite" (walks backwards); "inward", "outward" (sideways: to or from the side that the line bends
            around, left if it bends nowhere); "fixed" (at `angle`); "towards" (a point).
        angle: rad, where "fixed" faces; None: as the path begins.
        towards: (2,) or (3,) m, world: where "towards" faces.
        reverse: walks the line from its end to its start; a closed one the other way round from the same point.
        seconds: time from the first frame to the last, without `lead_in` and `lead_out`. Whoever arrives earlier stands and
            waits; whoever has not arrived stops short. A closed line is walked for that time. None: to the end, or once round.
        start: "stand" or "walk" at the first frame. None: an open line begins standing, a closed one walking.
        stop: the same for the last frame.
        lead_in: s to stand before walking.
        lead_out: s to stand after it.
        start_facing: rad, where the character stands facing at first; it turns on the spot to where the walk faces. end_facing: the same
            after the walk. Turning adds its own time, to `lead_in` and `lead_out` too.

    Raises:
        BadInput: a line, speed, time or word that makes no sense.
    """
    rests = _checked(speed, closed, facing, angle, towards, seconds, (start, lead_in, start_facing), (stop, lead_out, end_facing))
    towards = None if towards is None else np.asarray(towards, dtype=np.float64)[:2]
    points = path_points(points)
    if reverse:
        points = np.roll(points[::-1], 1, axis=0) if closed else points[::-1]
    curve = Curve.of(points, closed, speed)
    go = lambda length, lap=False: travel(curve.direction, length, speed, fps, rests=rests, lap=lap, turns=facing != "fixed")
    lap = closed and not any(rests)
    walked = go(curve.walked_length, True) if lap else _once(go, curve, speed, fps, seconds, rests)
    walked = np.pad(walked, [round(lead * fps) for lead in (lead_in, lead_out)], mode="edge")
    arc = curve.arc_at(walked)
    place, tangent = curve.place(arc), curve.direction(walked)
    faces, lap_turn = facing_along(
        facing, place, tangent, side=curve.side, fps=fps, lap_turn=curve.turn if lap else None, angle=angle, towards=towards
    )
    per_lap = (lap_turn, curve.length, curve.turn) if lap else (0.0, 0.0, 0.0)
    planned = Plan(place, faces, arc, tangent, curve.drawn_place(arc), fps, closed, lap, rests, per_lap)
    if start_facing is not None or end_facing is not None:
        return _turning(planned, start_facing, end_facing)
    if not lap or seconds is None:
        return planned
    return replace(planned.rows(np.arange(max(round(seconds * fps), 2))), _cycle=planned)


def stand(place, seconds: float, start_facing: float = 0.0, end_facing: float | None = None, fps: float = FPS) -> Plan:
    """A plan of standing at `place` (2,) or (3,) m for `seconds`, and of turning before that.

    Raises:
        BadInput: a place, time or facing that makes no sense.
    """
    if not (math.isfinite(seconds) and _SHORTEST <= seconds <= _LONGEST):
        raise BadInput(f"Standing for {seconds:g} s is impossible.", f"Give {_SHORTEST:g} to {_LONGEST:g} seconds.")
    if np.shape(place) not in ((2,), (3,)) or not np.isfinite(place).all():
        raise BadInput(f"The place to stand, {place}, is not two or three finite numbers.", "Name its x and y in metres.")
    checked_facing(start_facing, "start")
    count = max(round(seconds * fps), 2)
    zeros = np.zeros(count)
    place = np.tile(np.pad(np.asarray(place, np.float64), (0, 3 - len(place))), (count, 1))
    checked_facing(end_facing, "end")
    standing = Plan(place, zeros + start_facing, zeros, zeros + start_facing, place, fps, False, False, (True, True))
    if end_facing is None:
        return standing
    turned = _turning(standing.rows(np.arange(1)), None, end_facing)
    return replace(turned.rows(np.arange(max(count, len(turned)))), rests=(True, True))


def _turning(planned: Plan, start_facing: float | None, end_facing: float | None) -> Plan:
    """The plan with turns on the spot before and after it."""
    before, after = np.zeros(0), np.zeros(0)
    if start_facing is not None:
        before = turned_on_the_spot(start_facing, planned.facing[0], planned.fps)
        before += planned.facing[0] - before[-1] if len(before) else 0.0  # not whole turns beside it
    if end_facing is not None:
        after = turned_on_the_spot(planned.facing[-1], end_facing, planned.fps)
    rows = planned.rows(np.arange(-len(before), len(planned) + len(after)))
    return replace(rows, facing=np.concatenate([before, planned.facing, after]), rests=planned.rests)


def _once(go, curve: Curve, speed: float, fps: float, seconds: float | None, rests: tuple[bool, bool]) -> np.ndarray:
    """Metres walked (T,) from a start to an end: all of the line, or what can be walked in `seconds`. `go` walks a length."""
    if seconds is None:
        return go(curve.walked_length)
    frames = max(round(seconds * fps), 2)
    reach = speed * (frames - 1) / fps
    walked = go(reach if curve.closed else min(reach, curve.walked_length))
    while len(walked) > frames:  # too little time for this speed: not so far, then
        reach = walked[-1] * min((frames - 1) / (len(walked) - 1), 0.98)
        walked = go(reach) if reach > _NO_STEP else np.zeros(frames)
    return np.pad(walked, (0, frames - len(walked) if rests[1] else 0), mode="edge")


def _checked(
    speed: float, closed: bool, facing: str, angle: float | None, towards, seconds: float | None,
    start: tuple[str | None, float, float | None], stop: tuple[str | None, float, float | None],
) -> tuple[bool, bool]:
    """Whether the character stands at the start and at the end; `start`, `stop`: the word, the s to stand and the rad to face there.

    Raises:
        BadInput: see `plan`.
    """
    if not (math.isfinite(speed) and 0 < speed <= _FASTEST):
        raise BadInput(f"A speed of {speed:g} m/s cannot be walked.", f"Give more than 0 and at most {_FASTEST:g} m/s; 1.2 is a walk.")
    if seconds is not None and not (math.isfinite(seconds) and _SHORTEST <= seconds <= _LONGEST):
        raise BadInput(f"A walk cannot last {seconds:g} s.", f"Give {_SHORTEST:g} to {_LONGEST:g} seconds, or none to walk to the path's end.")
    if facing not in FACINGS:
        raise BadInput(f"There is no facing '{facing}'.", f"Choose one of {', '.join(FACINGS)}.")
    if angle is not None and not math.isfinite(angle):
        raise BadInput(f"Facing at an angle of {angle} is impossible.", "Give a number.")
    if facing == "towards":
        if towards is None:
            raise BadInput("Facing towards a point needs the point.", "Name its x and y in metres.")
        if np.shape(towards) not in ((2,), (3,)) or not np.isfinite(np.asarray(towards, dtype=np.float64)).all():
            raise BadInput(f"The point to face, {towards}, is not two or three finite numbers.", "Name its x and y in metres.")
    for name, when, (word, lead, faces) in (("start", "before", start), ("stop", "after", stop)):
        if word not in (None, "stand", "walk"):
            raise BadInput(f"'{word}' is no way to {name}.", "Choose stand or walk.")
        if not (math.isfinite(lead) and 0 <= lead <= _LONGEST):
            raise BadInput(f"Standing for {lead:g} s {when} the walk is impossible.", f"Give 0 to {_LONGEST:g} seconds.")
        if (lead or faces is not None) and word == "walk":
            raise BadInput(f"The character cannot both walk on and stand {when} the walk.", "Leave that out, or begin and end standing.")
        checked_facing(faces, "start" if name == "start" else "end")
    stands = lambda word, lead, faces: word == "stand" or (word is None and (not closed or lead > 0 or faces is not None))
    return stands(*start), stands(*stop)
