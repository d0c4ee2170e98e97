# SPDX-License-Identifier: GPL-3.0-or-later
"""The second look at a video: the crops that image networks take of every person, in batches.

It comes after the landmarks: only then is known who is who, and steady boxes can be drawn over a whole clip. A second
decoding costs little beside such networks, and pictures need not be kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from smplit.errors import BadInput
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.observe import ShotObservations
from smplit.progress import Reporter
from smplit.video.decode import VideoReader, parse_range
from smplit.video.read_ahead import read_ahead

STAGE = "closer look"
_LONG = 60.0  # s from which a user is told beforehand


@dataclass
class Looked:
    """What one network says of one person. `plan`: where it cut; `answers`: arrays (N,slots,...) of N frames, NaN where it was not asked."""

    plan: Any
    answers: dict[str, np.ndarray] = field(default_factory=dict)


class ImageNetwork(Protocol):
    """What looks at crops.

    Attributes:
        slots: how many crops it may take of a person in one frame; batch: how many it is given at once.
        seconds: about how long it takes for one on this machine; 0 where that need not be said.
    """

    name: str
    slots: int
    batch: int
    seconds: float

    def plan(self, landmarks: PersonLandmarks, camera: CameraMotion, times: np.ndarray) -> Any | None:
        """Where to cut in every frame of a person, (N,) or (N,slots) boxes of any kind; None: this person is not its business."""

    def crops(self, image: np.ndarray, plan: Any, row: int) -> list[tuple[int, Tensor]]:
        """Slot and crop, of one frame (H,W,3) uint8 RGB; empty where there is nothing to see."""

    def look(self, crops: Tensor) -> dict[str, np.ndarray]:
        """(B,...) crops -> arrays (B,...) by name."""


def look_again(
    video: str | Path, shots: Sequence[ShotObservations], networks: Sequence[ImageNetwork], part: str | None, reporter: Reporter
) -> list[list[dict[str, Looked]]]:
    """What every network says of every person that is its business: by shot, by person in the order of `shots`, by the network's name.

    Args:
        shots: what `observe` found in the same part of the same video.
        part: the part, as `--range` takes it.

    Raises:
        BadInput: the video changed since it was observed.
        Cancelled: through `reporter`.
    """
    people = [_Person(shot, number, landmarks, networks) for number, shot in enumerate(shots) for landmarks in shot.people]
    if any(person.looked for person in people):
        _look(Path(video), people, networks, part, reporter)
    return [[person.looked for person in people if person.shot == number] for number in range(len(shots))]


class _Person:
    """One person's plans and, as they come in, the networks' answers."""

    def __init__(self, shot: ShotObservations, number: int, landmarks: PersonLandmarks, networks: Sequence[ImageNetwork]):
        self.shot, self.first, self.frames = number, landmarks.first, len(landmarks)
        rows = slice(landmarks.first - shot.start, landmarks.first - shot.start + len(landmarks))
        if shot.lens is not None and not shot.lens.straight:
            landmarks = landmarks.as_filmed(shot.lens)  # pictures are not straightened
        plans = {network.name: network.plan(landmarks, shot.camera.part(rows), shot.frame_times[rows]) for network in networks}
        self.looked = {name: Looked(plan) for name, plan in plans.items() if plan is not None}

    def keep(self, network: ImageNetwork, row: int, slot: int, answer: dict[str, np.ndarray]) -> None:
        known = self.looked[network.name].answers
        for name, value in answer.items():
            if name not in known:
                known[name] = np.full((self.frames, network.slots, *value.shape), np.nan, np.float32)
            known[name][row, slot] = value


class _Batch:
    """Crops of one network that wait for each other."""

    def __init__(self, network: ImageNetwork):
        self.network = network
        self._crops: list[Tensor] = []
        self._whose: list[tuple[_Person, int, int]] = []

    def add(self, image: np.ndarray, person: _Person, row: int) -> None:
        for slot, crop in self.network.crops(image, person.looked[self.network.name].plan, row):
            self._crops.append(crop)
            self._whose.append((person, row, slot))
            if len(self._crops) >= self.network.batch:
                self.look()

    @torch.no_grad()
    def look(self) -> None:
        if not self._crops:
            return
        answers = self.network.look(torch.stack(self._crops))
        for index, (person, row, slot) in enumerate(self._whose):
            person.keep(self.network, row, slot, {name: values[index] for name, values in answers.items()})
        self._crops, self._whose = [], []


def _look(video: Path, people: list[_Person], networks: Sequence[ImageNetwork], part: str | None, reporter: Reporter) -> None:
    _tell_time(people, networks, reporter)
    batches = [_Batch(network) for network in networks]
    begin, end = min(person.first for person in people), max(person.first + person.frames for person in people)
    seen = begin
    with VideoReader(video, *parse_range(part)) as reader, read_ahead(reader, ahead=3) as frames:
        for frame in frames:
            reporter.check()
            if frame.index >= end:
                break
            for batch in batches:
                for person in people:
                    row = frame.index - person.first
                    if batch.network.name in person.looked and 0 <= row < person.frames:
                        batch.add(frame.image, person, row)
            seen = max(seen, frame.index + 1)
            reporter.stage(STAGE, max(0, seen - begin), end - begin)
    for batch in batches:
        batch.look()
    if seen < end:
        raise BadInput(
            f"'{video}' gave {seen} frames at the second look, and {end} at the first.", "Leave the file alone while it is captured.", "changed",
        )


def _tell_time(people: list[_Person], networks: Sequence[ImageNetwork], reporter: Reporter) -> None:
    counts = {network.name: sum(person.frames for person in people if network.name in person.looked) for network in networks}
    seconds = sum(network.seconds * counts[network.name] for network in networks)
    if seconds > _LONG:
        reporter.warn(
            f"{' and '.join(network.name for network in networks if network.seconds and counts[network.name])} will look at "
            f"{max(counts.values())} pictures, which takes about {round(seconds / 60) or 1} min without a graphics card; --range A:B captures a part."
        )
