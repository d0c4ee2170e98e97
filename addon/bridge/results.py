# SPDX-License-Identifier: GPL-3.0-or-later
"""Chunks of jobs on their way into the open scene: one `ResultWriter` per input of a job.

A job that ends badly takes out again what it had brought in, so a scene never keeps half a result; only
what came before a user's cancel stays, where a part is worth having.
"""

from __future__ import annotations

import logging
import time
from pathlib import Path

import bpy
import numpy as np

from ..scene import naming
from ..scene.body_file import BODIES
from ..scene.bound import Binding
from ..scene.placement import Placement
from ..scene.result import ResultWriter, remove_halves
from ..shared import errors, protocol
from .jobs import Job

PROP_JOB = "smplit_job"  # on armatures: the backend's name of the job they come from
_ADDON = Path(__file__).resolve().parents[1]
_log = logging.getLogger(__name__)


def open_body() -> Path:
    """The open body file: in the zip, or in a source checkout."""
    bundled = _ADDON / "body" / "OPEN_NEUTRAL.npz"
    return bundled if bundled.is_file() else _ADDON.parent / "model_files" / "body" / "OPEN_NEUTRAL.npz"


def body_of(made_with: str, models: list[dict]) -> Path:
    """The body file that a motion was made with, among what the backend found; else the open body."""
    stem = Path(made_with).stem
    found = (Path(row["path"]) for row in models if row.get("path"))
    return next((path for path in found if stem and path.stem == stem and path.suffix == ".npz" and path.is_file()), open_body())


def prepare_body(models: list[dict]) -> None:
    """Begins to read the body that a motion made now will most likely be made with."""
    best = next((row["path"] for row in models if row["name"] == "body" and row.get("path")), "")
    BODIES.request(body_of(best, models))


class Results:
    """What is on its way into the scene. Everything is called from Blender's main thread."""

    def __init__(self) -> None:
        self._writers: dict[tuple[str, int], ResultWriter] = {}  # (key of the job, clip)
        self._jobs: dict[str, Job] = {}
        self._complete: set[str] = set()  # jobs of which everything has arrived

    def waiting(self, job: Job) -> bool:
        """Whether something of the job has arrived but does not stand in the scene yet."""
        return job.key in self._jobs

    def take(self, job: Job, message: protocol.Message, models: list[dict]) -> None:
        """Applies a message of a job, after the job list has."""
        if message.type == "chunk" and job.shown:
            self._take_chunk(job, message, models)
        elif message.type == "done" and not job.open and job.key in self._jobs:
            self._finish(job)

    def _finish(self, job: Job) -> None:
        self._complete.add(job.key)
        for writer in self._of(job):
            writer.finish()

    def _take_chunk(self, job: Job, message: protocol.Message, models: list[dict]) -> None:
        key = (job.key, message["clip"])
        if key not in self._writers and message["first"]:
            return  # what says shape and place was left out while Blender was busy: all of it will come again
        try:
            if key not in self._writers:
                writer = _writer(job, message, models)
                writer.begin()
                self._writers[key], self._jobs[job.key] = writer, job
            self._writers[key].add_chunk(message["person"], message["first"], message.arrays)
        except errors.SmplitError as error:
            self._give_up(job, error)

    def step(self, deadline: float) -> bool:
        """Works until `time.perf_counter()` passes `deadline`; True while something waits."""
        for job in [job for job in self._jobs.values() if not job.open and job.key not in self._complete]:
            if job.state == "cancelled" and job.keeps_pieces:
                self._finish(job)
            else:
                self.drop(job)  # it failed, was cancelled, or the backend went
        waits = False
        for (name, clip), writer in list(self._writers.items()):
            if time.perf_counter() >= deadline:
                return True
            job = self._jobs[name]
            try:
                waits |= writer.step(deadline - time.perf_counter())
                for armature in writer.armatures:
                    armature[PROP_JOB] = job.id
            except Exception as error:  # whatever goes wrong in one result, the interface and other jobs go on
                _log.exception("result of job %s", job.id)
                self._give_up(job, error)
                continue
            if writer.done:
                del self._writers[name, clip]
                if not self._of(job):
                    self._clear(job)
        return waits

    def _give_up(self, job: Job, error: Exception) -> None:
        text = str(error) if isinstance(error, errors.SmplitError) else f"The result cannot be shown ({error})."
        job.warnings.append(f"{text} The result itself is kept: bring it in again, or import its file.")
        job.shown = False
        self.drop(job)

    def drop(self, job: Job) -> None:
        """Takes out of the scene what this job has brought in so far."""
        for name, clip in [key for key in self._writers if key[0] == job.key]:
            self._writers.pop((name, clip)).discard()
        self._clear(job)

    def release(self, job: Job) -> tuple[str, ...]:
        """Lets go of a job whose successor takes over what stands in the scene; returns the ids of the results."""
        mine = [key for key in self._writers if key[0] == job.key]
        self._clear(job)
        return tuple(self._writers.pop(key).id for key in mine)

    def _clear(self, job: Job) -> None:
        self._jobs.pop(job.key, None)
        self._complete.discard(job.key)

    def _of(self, job: Job) -> list[ResultWriter]:
        return [writer for (name, _), writer in self._writers.items() if name == job.key]

    def after_undo(self) -> None:
        """Blender went to an earlier or later moment."""
        for writer in self._writers.values():
            writer.after_undo()
        remove_halves()

    def forget(self) -> None:
        """Another file is open: what was on its way belongs to the old one."""
        self._writers.clear()
        self._jobs.clear()
        self._complete.clear()


def _writer(job: Job, message: protocol.Message, models: list[dict]) -> ResultWriter:
    """The writer for a person's first chunk."""
    made_with = str(np.asarray(message.arrays.get("smplit_body", "")))
    return ResultWriter(
        message["source"], body_of(made_with, models), job.video(message["clip"]), job.origin, naming.of_kind(job.kind),
        Placement.from_entries(message.arrays), Binding.from_entries(message.arrays, job.replaces),
    )


def armatures_of(job: Job) -> list[bpy.types.Object]:
    """The characters of a job in the current view layer."""
    return [thing for thing in bpy.context.view_layer.objects if thing.type == "ARMATURE" and job.id and thing.get(PROP_JOB) == job.id]
