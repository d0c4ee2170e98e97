# SPDX-License-Identifier: GPL-3.0-or-later
"""How far along its curve a walker is at every frame: speeding up, slowing down for turns, stopping at the end.

The mean speed is the requested one. What is lost at the ends and in the turns is made up for by haste: a
faster cruise, of at most 1.25 times the request, and speeding up, braking and leaning into turns harder, at most
twice as hard as comfortable, both in the same measure. A path too short or too bent even for that takes
longer than requested.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import uniform_filter1d

_NODE = 0.01  # m between the points where the speed is limited
_ACCELERATION = 2.0  # m/s2: 1.2 m/s within one step of 0.6 s
_LATERAL = 3.0  # m/s2: 1.2 m/s round a bend of half a metre
_TURN = 4.0  # rad/s, about a vertical axis
_TURNED_OVER = 0.15  # m before and after: the body does not turn as abruptly as the way does
_ABOUT = 50.0  # rad/m: sharper than this the way is not followed, but a halt is made and the body turned on the spot
_FASTEST_CRUISE, _MOST_EFFORT = 1.25, 2.0
_EASING = np.hanning(9)[1:-1] / np.hanning(9).sum()  # frames over which a change of acceleration spreads
_REACH = len(_EASING) // 2


@dataclass(frozen=True)
class SpeedLimits:
    """What K stretches of a curve, `node` m each, ask of the walker.

    Attributes:
        bend: (K,) rad/m, at least zero: how much the way turns per metre.
        node: m.
        rests: (at the start, at the end): the walker stands there.
        turns: the body turns as the way does, so turns take their time.
        lap: the last stretch leads to the first.
    """

    bend: np.ndarray
    node: float
    rests: tuple[bool, bool]
    turns: bool
    lap: bool

    def ride(self, cruise: float, effort: float) -> Ride:
        """As fast as `cruise` m/s, and accelerations of `effort` times the comfortable, allow."""
        bend = np.maximum(self.bend, 1e-9)
        stretch = np.minimum(cruise, np.sqrt(effort * _LATERAL / bend))
        stretch = np.where(bend > _ABOUT, np.minimum(stretch, _TURN / bend), stretch)
        if self.turns:
            reach = max(round(_TURNED_OVER / self.node), 1)
            stretch = np.minimum(stretch, _TURN / uniform_filter1d(bend, 2 * reach + 1, mode="wrap" if self.lap else "nearest"))
        if self.lap:
            stretch = np.tile(stretch, 3)
        limit = np.minimum(np.append(stretch, stretch[-1]), np.insert(stretch, 0, stretch[0])) ** 2
        limit[0] *= not self.rests[0]
        limit[-1] *= not self.rests[1]
        # v^2 grows by at most `gain` a stretch, so every limit casts a cone over its neighbours.
        gain = 2 * effort * _ACCELERATION * self.node * np.arange(len(limit))
        limit = np.minimum.accumulate(limit - gain) + gain
        limit = (np.minimum.accumulate((limit + gain)[::-1]) - gain[::-1])[::-1]
        speed = np.sqrt(limit)
        if self.lap:
            count = len(self.bend)
            speed = speed[count : 2 * count + 1]
        return Ride(speed, np.concatenate([[0.0], np.cumsum(2 * self.node / (speed[:-1] + speed[1:]))]), self.node, self.lap)


@dataclass(frozen=True)
class Ride:
    """K + 1 nodes, evenly accelerated in between.

    Attributes:
        speed: (K+1,) m/s.
        time: (K+1,) s.
        node: m between nodes.
        lap: the end is the start.
    """

    speed: np.ndarray
    time: np.ndarray
    node: float
    lap: bool

    def at(self, time: np.ndarray) -> np.ndarray:
        """(T,) s -> (T,) m. Before the start and after the end it goes on as fast as there, or round and round."""
        whole, length = self.time[-1], self.node * (len(self.time) - 1)
        rounds = np.floor(time / whole) if self.lap else np.zeros_like(time)
        time = time - rounds * whole
        within = np.clip(time, 0.0, whole)
        k = np.clip(np.searchsorted(self.time, within, side="right") - 1, 0, len(self.time) - 2)
        since = within - self.time[k]
        gained = (self.speed[k + 1] ** 2 - self.speed[k] ** 2) / (2 * self.node)
        along = k * self.node + self.speed[k] * since + gained * since**2 / 2
        outside = np.minimum(time, 0.0) * self.speed[0] + np.maximum(time - whole, 0.0) * self.speed[-1]
        return rounds * length + along + outside


def travel(
    yaw_at, length: float, speed: float, fps: float, *, rests: tuple[bool, bool] = (True, True), lap: bool = False, turns: bool = True
) -> np.ndarray:
    """Metres walked at every frame of a walk of `length` m.

    Args:
        yaw_at: m walked (K,) -> direction of travel (K,) rad, unwrapped.
        speed: m/s, mean.
        rests: the walker stands at the start, at the end.
        lap: the walk is one lap of a closed curve, repeated for ever; it rests nowhere.
        turns: the body turns as the way does, so turns take their time.

    Returns:
        (T,) m from 0 to `length`; a lap leaves out its last frame, which is the first of the next.
    """
    stretches = max(int(np.ceil(length / _NODE)), 16)
    bend = np.abs(np.diff(yaw_at(np.linspace(0.0, length, stretches + 1)))) * (stretches / length)
    limits = SpeedLimits(bend, length / stretches, rests, turns, lap)
    before, after = (_REACH * rest for rest in rests)  # frames that easing adds
    frames = max(int(np.round(length / speed * fps)), 1)
    ride = _in_time(limits, speed, (frames - before - after) / fps)
    moving = max(frames - before - after, int(np.ceil(ride.time[-1] * fps)))
    index = np.arange(-_REACH, before + moving + after + (not lap) + _REACH) - before
    index = np.clip(index, 0 if rests[0] else None, moving if rests[1] else None)
    walked = np.convolve(ride.at(index * (ride.time[-1] / moving)), _EASING, "valid")
    return walked if lap else np.clip(walked, 0.0, length)


def _in_time(limits: SpeedLimits, speed: float, seconds: float) -> Ride:
    """The calmest ride that takes no longer than `seconds`, or the fastest there is."""

    def ride(haste: float) -> Ride:
        return limits.ride(speed * (1 + (_FASTEST_CRUISE - 1) * haste), 1 + (_MOST_EFFORT - 1) * haste)

    late, early = 0.0, 1.0
    if ride(late).time[-1] <= seconds:
        return ride(late)
    for _ in range(12):
        middle = (late + early) / 2
        if ride(middle).time[-1] > seconds:
            late = middle
        else:
            early = middle
    return ride(early)
