# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames in which the body network mistook front for back, and so left for right, of somebody it knew before and after.

A silhouette against the light is the same from front and back. For some frames BlazePose then gives
left and right the other way round: every limb leaps across the body and soon leaps back. The cheapest
path through "as given" and "exchanged" (Viterbi) exchanges such frames: exchanging costs by the second,
leaping by the distance. Real turns do not leap, and stay.
"""

from __future__ import annotations

import numpy as np

from smplit.mocap.observations import PersonLandmarks

# BlazePose landmarks 0-32 with left and right exchanged.
MIRRORED = np.array([0, 4, 5, 6, 1, 2, 3, 8, 7, 10, 9, *(i + 1 if i % 2 else i - 1 for i in range(11, 33))])
# The network may mistake the legs alone, or all but the legs.
UPPER, LOWER = np.arange(0, 23), np.arange(23, 33)
_PER_SECOND = 0.5  # body sizes of leaping that one second of exchanged sides costs
_GAP = 0.25  # s: over longer gaps nothing can be compared


def mistaken_sides(points: np.ndarray, confidence: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Frames to exchange: (N,) bool of head, trunk and arms, (N,) bool of hips and legs.

    points (N,33,2) px, confidence (N,33) 0..1, times (N,) s, of the frames that show the person.
    """
    size = float(np.median(np.ptp(points, axis=1).max(-1)))
    return tuple(_exchanged(points[:, part], points[:, MIRRORED[part]], confidence[:, part], times, size) for part in (UPPER, LOWER))


def _exchanged(given: np.ndarray, other: np.ndarray, confidence: np.ndarray, times: np.ndarray, size: float) -> np.ndarray:
    count = len(times)
    steps = np.diff(times, append=times[-1] + (times[-1] - times[-2] if count > 1 else 1.0))
    views = np.stack([given, other])  # state 0: as given, 1: exchanged
    total = np.array([0.0, steps[0] * _PER_SECOND])
    came_from = np.zeros((count, 2), int)
    for n in range(1, count):
        leap = np.zeros((2, 2))  # before, now
        if times[n] - times[n - 1] <= _GAP:
            weight = np.minimum(confidence[n - 1], confidence[n]) + 1e-6
            distance = np.linalg.norm(views[:, None, n - 1] - views[None, :, n], axis=-1)
            leap = (distance * weight).sum(-1) / weight.sum() / size
        cost = total[:, None] + leap
        came_from[n] = cost.argmin(0)
        total = cost.min(0) + np.array([0.0, min(steps[n], _GAP) * _PER_SECOND])
    state = np.zeros(count, bool)
    last = int(total.argmin())
    for n in range(count - 1, -1, -1):
        state[n] = last
        last = came_from[n, last]
    return state


def right_mistaken_sides(person: PersonLandmarks, times: np.ndarray) -> None:
    """Exchanges, in place, left and right of body and hands where they were mistaken; times (N,) s of the person's frames.

    Taking the front for the back mirrors depth, so it is mirrored back.
    """
    seen = np.flatnonzero(person.seen)
    upper, lower = mistaken_sides(person.body[seen], person.body_confidence[seen], times[seen])
    for part, frames in ((UPPER, seen[upper]), (LOWER, seen[lower])):
        here, there = np.ix_(frames, part), np.ix_(frames, MIRRORED[part])
        for values in (person.body, person.body_confidence, person.body_world):
            values[here] = values[there]
        person.body_world[(*here, 2)] *= -1.0
    for values in (person.hands, person.hand_confidence, person.hands_world):
        values[seen[upper]] = values[seen[upper], ::-1]
