# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is who from frame to frame: motion, colours and pose decide, all people at once.

Every frame's measurements (a detector's people, and bodies found again where they were last) are
assigned to tracks by the Hungarian method (scipy). A track without a measurement coasts on its
velocity and can be found again; tracks that ended are joined afterwards (`join_tracks`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from smplit.video.appearance import Appearance

COAST = 1.5  # s a track waits for its person to reappear
_JOIN_GAP = 4.0  # s: longest gap that `join_tracks` bridges
_MOST_COST = 0.62
_SAME_PERSON = 0.13  # of the box diagonal: two measurements closer than this are one person


@dataclass
class Measurement:
    """A person in one picture: `box` (4,) px x0, y0, x1, y1; `points` (17,3) px, px, 0..1 in COCO order.

    `source` is the id of the track whose last place was looked at, None for a detector's person.
    `starts` tells whether the measurement alone is enough to begin a track.
    """

    box: np.ndarray
    points: np.ndarray
    score: float
    appearance: Appearance
    source: int | None = None
    starts: bool = True

    @property
    def centre(self) -> np.ndarray:
        """(2,) px: middle of the sure points of shoulders and hips, else of the box."""
        trunk = self.points[[5, 6, 11, 12]]
        if (trunk[:, 2] > 0.2).all():
            return trunk[:, :2].mean(0)
        return (self.box[:2] + self.box[2:]) / 2.0

    @property
    def size(self) -> float:
        """px: the box's diagonal."""
        return float(max(np.linalg.norm(self.box[2:] - self.box[:2]), 1.0))


@dataclass
class Track:
    """One person's motion (constant velocity Kalman filter of the centre), size, pose and colours."""

    id: int
    centre: np.ndarray  # (2,) px
    velocity: np.ndarray  # (2,) px/s
    size: float  # px
    points: np.ndarray  # (17,3)
    box: np.ndarray  # (4,) px
    appearance: Appearance
    time: float  # s, of the state
    last_seen: float
    first_seen: float
    covariance: np.ndarray = field(default_factory=lambda: np.eye(2))  # of (position, velocity), each axis the same
    coasting: float = 0.0  # s: length of the last step, when it began without a measurement

    def __post_init__(self) -> None:
        self.first_centre, self.last_centre, self.first_size = self.centre, self.centre, self.size

    def predict(self, time: float) -> None:
        """Moves the state to `time`; people accelerate by about three body sizes a second each second."""
        step = max(time - self.time, 0.0)
        self.coasting = step if self.last_seen < self.time else 0.0
        gain = np.array([[1.0, step], [0.0, 1.0]])
        jerkiness = (3.0 * self.size) ** 2
        noise = jerkiness * np.array([[step**4 / 4, step**3 / 2], [step**3 / 2, step**2]])
        self.centre = self.centre + step * self.velocity
        self.box = self.box + np.tile(step * self.velocity, 2)
        self.points = self.points + np.append(step * self.velocity, 0.0)
        self.covariance = gain @ self.covariance @ gain.T + noise
        self.time = time
        if time - self.last_seen > 0.3:  # nobody keeps a guessed speed for long
            self.velocity = self.velocity * np.exp(-2.0 * step)

    def spread(self) -> float:
        """px: standard deviation of where the person may be measured."""
        return float(np.sqrt(self.covariance[0, 0] + (0.04 * self.size) ** 2))

    def correct(self, measured: Measurement, learn: float) -> None:
        """Takes a measurement in; `learn` 0..1 is how far the colours follow it."""
        noise = (0.04 * self.size) ** 2
        gain = self.covariance[:, 0] / (self.covariance[0, 0] + noise)
        surprise = measured.centre - self.centre
        self.centre = self.last_centre = self.centre + gain[0] * surprise
        self.velocity = self.velocity + gain[1] * surprise
        self.covariance = self.covariance - np.outer(gain, self.covariance[0])
        self.size += 0.3 * (measured.size - self.size)
        self.points, self.box = measured.points.copy(), measured.box.copy()
        self.appearance = self.appearance.follow(measured.appearance, learn)
        self.last_seen = self.time


class Tracker:
    """`predict(time)`, then `update(measurements)` -> one track id (or None) per measurement."""

    def __init__(self) -> None:
        self.live: list[Track] = []
        self.ended: list[Track] = []
        self._next = 0

    def predict(self, time: float) -> list[Track]:
        """Moves live tracks to `time` s; those that coasted too long end. Returns the live ones."""
        kept = []
        for track in self.live:
            track.predict(time)
            (kept if time - track.last_seen <= COAST else self.ended).append(track)
        self.live = kept
        self._time = time
        return kept

    def update(self, measurements: list[Measurement]) -> list[int | None]:
        """Assigns measurements of the time of the last `predict`; starts tracks for new people."""
        ids: list[int | None] = [None] * len(measurements)
        chosen = _without_duplicates(measurements, self.live)
        if self.live and chosen:
            cost = np.array([[self._cost(track, measurements[i]) for i in chosen] for track in self.live])
            for row, column in zip(*linear_sum_assignment(cost), strict=True):
                if cost[row, column] <= _MOST_COST:
                    index = chosen[column]
                    ids[index] = self.live[row].id
                    alone = _alone(measurements[index], [measurements[j] for j in chosen if j != index])
                    self.live[row].correct(measurements[index], 0.1 if alone else 0.0)
        for index in chosen:
            if ids[index] is None and measurements[index].starts and measurements[index].source is None:
                ids[index] = self._start(measurements[index])
        return ids

    def all_tracks(self) -> list[Track]:
        """Every track of the shot, ended ones too."""
        return [*self.ended, *self.live]

    def _cost(self, track: Track, measured: Measurement) -> float:
        """0 (surely the same person) ... 1 and more (cannot be)."""
        surprise = float(np.linalg.norm(measured.centre - track.centre)) / track.spread()
        if surprise > 4.5:
            return 10.0
        growth = abs(np.log(measured.size / track.size))
        colours = track.appearance.distance(measured.appearance)
        pose = min(pose_distance(track.points, measured.points, max(track.size, measured.size)) / 0.3, 1.0)
        lost = min((track.time - track.last_seen) / 0.5, 1.0)  # after a while the last pose says little
        bonus = 0.08 if measured.source == track.id else 0.0
        return 0.35 * surprise / 4.5 + 0.4 * colours + (0.2 - 0.1 * lost) * pose + 0.1 * min(growth, 1.0) - bonus

    def _start(self, measured: Measurement) -> int:
        size = measured.size
        track = Track(
            self._next, measured.centre, np.zeros(2), size, measured.points.copy(), measured.box.copy(), measured.appearance,
            self._time, self._time, self._time, np.diag([(0.05 * size) ** 2, (0.8 * size) ** 2]),
        )
        self._next += 1
        self.live.append(track)
        return track.id


def pose_distance(first: np.ndarray, second: np.ndarray, size: float) -> float:
    """Mean distance of points that both see, in units of `size` px; 0.3 when they share fewer than 3."""
    both = (first[:, 2] > 0.2) & (second[:, 2] > 0.2)
    if both.sum() < 3:
        return 0.3
    return float(np.linalg.norm(first[both, :2] - second[both, :2], axis=-1).mean() / size)


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Common area of two boxes (4,) px, in units of the smaller one's."""
    sides = np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2])
    areas = [max(float(np.prod(b[2:] - b[:2])), 1.0) for b in (first, second)]
    return float(np.prod(np.maximum(sides, 0.0)) / min(areas))


def _alone(measured: Measurement, others: list[Measurement]) -> bool:
    return all(overlap(measured.box, other.box) < 0.1 for other in others)


def _without_duplicates(measurements: list[Measurement], tracks: list[Track]) -> list[int]:
    """Indices of different people. Of two measurements of one person the one that comes from a track
    stays (it carries landmarks); of two tracks' the one whose colours fit its own track better."""
    colours = {track.id: track.appearance for track in tracks}

    def rank(index: int) -> tuple:
        measured = measurements[index]
        if measured.source is None:
            return 1, -measured.score
        return 0, colours[measured.source].distance(measured.appearance)

    chosen: list[int] = []
    for index in sorted(range(len(measurements)), key=rank):
        measured = measurements[index]
        if all(_differ(measured, measurements[other]) for other in chosen):
            chosen.append(index)
    return chosen


def _differ(first: Measurement, second: Measurement) -> bool:
    size = max(first.size, second.size)
    limit = _SAME_PERSON if first.source is not None and second.source is not None else 2.0 * _SAME_PERSON
    both = (first.points[:, 2] > 0.2) & (second.points[:, 2] > 0.2)
    if both.sum() < 3:
        return overlap(first.box, second.box) < 0.7
    return pose_distance(first.points, second.points, size) > limit


def join_tracks(tracks: list[Track]) -> dict[int, int]:
    """Joins tracks of one person that were cut by a long gap: {track id: id of the person's first track}.

    Pairs that overlap in time never join; the others by colours and by whether a person could get
    from one place to the other (at most three body sizes a second, and one more for the unsure start).
    """
    person = {track.id: track.id for track in tracks}
    pairs = []
    for before in tracks:
        for after in tracks:
            gap = after.first_seen - before.last_seen
            if before is after or not 0.0 < gap <= _JOIN_GAP:
                continue
            size = max(before.size, after.size)
            distance = float(np.linalg.norm(after.first_centre - before.last_centre)) / size
            growth = abs(np.log(after.first_size / before.size))
            colours = before.appearance.distance(after.appearance)
            if distance <= 1.0 + 3.0 * gap and growth < 0.7 and colours < 0.6:
                pairs.append((colours + 0.1 * distance / (1.0 + gap) + 0.05 * gap, before.id, after.id))
    taken_before, taken_after = set(), set()
    for _, before, after in sorted(pairs):
        if before not in taken_before and after not in taken_after:
            taken_before.add(before)
            taken_after.add(after)
            person[after] = before
    for track in sorted(tracks, key=lambda t: t.first_seen):  # follow chains to their first track
        person[track.id] = person[person[track.id]]
    return person
