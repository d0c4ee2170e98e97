# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the tracked people are real, who is number 1, and whom the user wants."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np

from smplit.errors import BadInput
from smplit.mocap.observations import PersonLandmarks
from smplit.mocap.options import CaptureOptions
from smplit.mocap.runs import runs

if TYPE_CHECKING:
    from smplit.mocap.observe import ShotObservations

_SHORTEST = 0.3  # s a real person is seen
_GLIMPSE = 0.2  # s: seen for less at either end of a track, behind a gap, is not being there
_LEAST_CONFIDENCE = 0.2  # mean of a real person's ten best landmarks
_STILL = 0.004  # of the box diagonal: a pose that changes less than this is a picture or a statue


def drop_false_people(shots: Iterable[ShotObservations]) -> None:
    """Removes short, unsure and (beside people who move) lifeless tracks from every shot."""
    for shot in shots:
        length = float(shot.frame_times[-1] - shot.frame_times[0])
        step = length / max(len(shot.frame_times) - 1, 1)
        shortest = min(_SHORTEST, 0.5 * (length + step))
        people = [_trimmed(p, step) for p in shot.people if p.seen.any()]
        real = [p for p in people if p.seen.sum() * step >= shortest and p.seen.sum() >= 2 and _sureness(p) >= _LEAST_CONFIDENCE]
        alive = [p for p in real if _liveliness(p) > _STILL]
        shot.people = alive or real


def _trimmed(person: PersonLandmarks, step: float) -> PersonLandmarks:
    """From the first to the last frame in which the person is really there.

    Somebody who leaves the picture is still glimpsed now and then, by an arm: such moments, shorter
    than the gap that sets them apart, only mislead.
    """
    islands = runs(person.seen)
    while len(islands) > 1 and _glimpse(islands[-1], islands[-1][0] - islands[-2][1], step):
        islands.pop()
    while len(islands) > 1 and _glimpse(islands[0], islands[1][0] - islands[0][1], step):
        islands.pop(0)
    rows = slice(islands[0][0], islands[-1][1])
    return person if rows == slice(0, len(person)) else person.part(rows)


def _glimpse(island: tuple[int, int], gap: int, step: float) -> bool:
    length = island[1] - island[0]
    return length * step < _GLIMPSE and length <= gap


def _sureness(person: PersonLandmarks) -> float:
    return float(np.sort(person.body_confidence[person.seen], axis=1)[:, -10:].mean())


def _liveliness(person: PersonLandmarks) -> float:
    """Spread of the landmarks through time after removing place and size, in box diagonals."""
    points = person.body[person.seen]
    weight = np.minimum.reduce(person.body_confidence[person.seen]) > 0.3
    if weight.sum() < 5 or len(points) < 5:
        return 1.0
    points = points[:, weight] - points[:, weight].mean(1, keepdims=True)
    size = np.linalg.norm(points, axis=-1).mean(1)[:, None, None]
    return float(np.linalg.norm((points / size).std(0), axis=-1).mean() / 4.0)


def choose_people(shots: list[ShotObservations], height: int, options: CaptureOptions) -> list[ShotObservations]:
    """Numbers the people and keeps those that `options.people` names; shots left empty are dropped.

    Numbers run shot by shot; inside a shot by prominence: seconds seen times mean box height.

    Raises:
        BadInput: "no_such_person", naming the numbers that exist.
    """
    prominence = {}
    number = 0
    for shot in shots:
        step = float(np.median(np.diff(shot.frame_times))) if len(shot.frame_times) > 1 else 0.0
        weights = [float((p.boxes[p.seen, 3] - p.boxes[p.seen, 1]).sum()) * step / height for p in shot.people]
        shot.people = [shot.people[i] for i in np.argsort(weights)[::-1]]
        for person, weight in zip(shot.people, sorted(weights, reverse=True), strict=True):
            number += 1
            person.person, prominence[number] = number, weight
    wanted = options.person_numbers()
    if options.people == "largest":
        wanted = {max(prominence, key=prominence.__getitem__)}
    if wanted is not None:
        missing = sorted(wanted - set(prominence))
        if missing:
            raise BadInput(
                f"--people {options.people}: there is no person {', '.join(map(str, missing))}; the video shows {_names(prominence)}.",
                "Choose from these numbers, or use --people all.", "no_such_person",
            )
        for shot in shots:
            shot.people = [person for person in shot.people if person.person in wanted]
    return [shot for shot in shots if shot.people]


def _names(numbers: Iterable[int]) -> str:
    numbers = list(numbers)
    return "person 1 only" if len(numbers) == 1 else f"persons {', '.join(map(str, numbers))}"
