# SPDX-License-Identifier: GPL-3.0-or-later
"""What a runner gets in the worker: its input, and a reporter that talks to the server."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from smplit.errors import Cancelled, SmplitError
from smplit.progress import Reporter
from smplit.protocol import Message
from smplit.server.eta import Eta, StagePlan

_PROGRESS_SECONDS = 0.1


@dataclass(frozen=True)
class JobInput:
    """A job to do. A runner writes below `results` only, input number n into `results/n`; `device` is the backend's."""

    params: Mapping
    paths: list[Path]
    arrays: Mapping[str, np.ndarray]
    results: Path
    device: str


class JobReporter(Reporter):
    """Streams a runner's progress, chunks, warnings and results to the server."""

    def __init__(self, send: Callable[[Message], None], stages: Mapping[str, float], clips: int, cancelled: Callable[[], bool]):
        self._send = send
        self._stages = stages
        self.expect(clips)
        self._eta = Eta(time.monotonic())
        self._cancelled = cancelled
        self._clip, self._source = 0, ""
        self._stage, self._sent = "", 0.0

    def expect(self, clips: int, stages: Mapping[str, float] | None = None) -> None:
        """So many inputs will be begun: not every path of a job need be one. `stages`: shares of time that are unlike the kind's usual ones."""
        self._clips = max(clips, 1)
        self._plan = StagePlan(stages or self._stages, clips)

    def begin(self, clip: int, source: str) -> None:
        """What follows is about input number `clip`, named `source`."""
        self.check()
        self._clip, self._source, self._stage = clip, source, ""

    def stage(self, name: str, done: int, total: int | None) -> None:
        now = time.monotonic()
        fraction = self._plan.update(self._clip, name, done, total)
        left = self._eta.update(fraction, now)
        if name == self._stage and done != total and now - self._sent < _PROGRESS_SECONDS:
            return
        self._stage, self._sent = name, now
        self._send(Message("progress", {
            "clip": self._clip, "clips": self._clips, "stage": name, "done": int(done), "total": None if total is None else int(total),
            "fraction": round(fraction, 4), "eta": None if left is None else round(left, 1),
        }))

    def chunk(self, person: int, first_frame: int, arrays: Mapping[str, np.ndarray]) -> None:
        frames = len(arrays["poses"])
        fields = {"clip": self._clip, "source": self._source, "person": int(person), "first": int(first_frame), "frames": frames}
        self._send(Message("chunk", fields, arrays))

    def warn(self, text: str) -> None:
        self._send(Message("log", {"level": "warning", "text": text}))

    def check(self) -> None:
        if self._cancelled():
            raise Cancelled("The job was cancelled.", "Start it again when you like.")

    def result(self, path: Path, person: int, frames: int, figures: Mapping[str, object]) -> None:
        """A finished file, to be kept whatever happens to the rest of the job."""
        self._send(Message("result", {
            "clip": self._clip, "source": self._source, "person": int(person), "path": str(path), "frames": int(frames),
            "figures": plain(figures),
        }))

    def failure(self, error: SmplitError) -> None:
        """The current input cannot be used; the job goes on with the others."""
        fields = {"code": error.code, "message": error.message, "remedy": error.remedy}
        self._send(Message("failure", {"clip": self._clip, "source": self._source, **fields}))


def plain(value: object) -> object:
    """numpy numbers and arrays as JSON values; what is not finite becomes null."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    return value if isinstance(value, str | int | bool | None) else str(value)
