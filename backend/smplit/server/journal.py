# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs on disk, so that results survive a restart of either side.

One folder per job below the jobs folder:

    20261125-101500-a1b2c3/
        job.json      what was asked, the state, results, the error; replaced whole on each change
        input.npz     arrays that came with the submit, if any
        log.txt       what the worker said, with tracebacks
        results/0/    files made from the first input, 1/ from the second ...
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np
import psutil

from smplit.protocol import ENDED, JOB_STATES
from smplit.server.parent import alive

_log = logging.getLogger(__name__)
INTERRUPTED = {
    "code": "interrupted", "message": "The backend ended before this job was finished.",
    "remedy": "Start the job again; inputs that were finished are kept and can be fetched.",
}


@dataclass
class Job:
    """One job as journalled. Times are seconds since 1970; `results` hold paths relative to the job's folder."""

    id: str
    kind: str
    params: dict
    paths: list[str]
    state: str = "queued"
    created: float = 0.0
    started: float | None = None
    ended: float | None = None
    results: list[dict] = field(default_factory=list)
    failures: list[dict] = field(default_factory=list)
    error: dict | None = None
    owner: dict = field(default_factory=dict)  # pid and start time of the backend that runs it

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return 0.0 if self.started is None else round((self.ended or time.time()) - self.started, 3)


class Journal:
    """The jobs folder. Every method that writes may raise OSError and then has changed nothing."""

    def __init__(self, folder: Path, keep_jobs: int = 200, keep_days: float = 30.0):
        self.folder = folder
        self._keep_jobs, self._keep_days = keep_jobs, keep_days
        me = psutil.Process()
        self.pid = me.pid
        self._owner = {"pid": me.pid, "started": me.create_time()}

    def path(self, job: Job) -> Path:
        return self.folder / job.id

    def log(self, job: Job) -> Path:
        return self.path(job) / "log.txt"

    def create(self, kind: str, params: dict, paths: list[Path], arrays: Mapping[str, np.ndarray]) -> Job:
        """A queued job with its folder."""
        job = Job(
            f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}", kind, params, [str(p) for p in paths],
            created=time.time(), owner=self._owner,
        )
        folder = self.path(job)
        try:
            folder.mkdir(parents=True)
            if arrays:
                with open(folder / "input.npz", "wb") as stream:
                    np.savez(stream, **arrays)
            self.save(job)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return job

    def save(self, job: Job) -> None:
        """Replaces job.json whole."""
        folder = self.path(job)
        handle, temporary = tempfile.mkstemp(dir=folder, prefix=".job-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                json.dump(asdict(job), stream, indent=1, allow_nan=False)
            os.replace(temporary, folder / "job.json")
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def recover(self) -> list[Job]:
        """The jobs of earlier runs, oldest first; what those left unfinished is marked `interrupted` and cleaned.

        Unfinished jobs of another backend that still runs are left alone. Jobs beyond what is kept are removed.
        """
        found = []
        for job in self._read_all():
            if job.state not in ENDED:
                if _owner_alive(job.owner):
                    continue
                job.state, job.ended, job.error = "failed", time.time(), dict(INTERRUPTED)
                try:
                    self.clean(job)
                    self.save(job)
                except OSError as error:
                    _log.warning("job %s: %s", job.id, error)
            found.append(job)
        return found

    def _read_all(self) -> Iterator[Job]:
        for file in sorted(self.folder.glob("*/job.json")):
            try:
                job = read(file)
            except (OSError, ValueError, TypeError, KeyError) as error:
                _log.warning("'%s' cannot be read and is left alone (%s)", file, error)
                continue
            yield job

    def clean(self, job: Job) -> None:
        """Removes files of inputs without a result, and temporary ones; of a cancelled job all results."""
        results = self.path(job) / "results"
        done = set() if job.state == "cancelled" else {(self.path(job) / r["path"]).parent for r in job.results}
        if job.state == "cancelled":
            job.results = []
        for entry in results.iterdir() if results.is_dir() else ():
            if entry not in done:
                shutil.rmtree(entry, ignore_errors=True)
        for hidden in results.glob("*/.*"):
            shutil.rmtree(hidden, ignore_errors=True) if hidden.is_dir() else hidden.unlink(missing_ok=True)

    def prune(self, jobs: Mapping[str, Job]) -> list[Job]:
        """Removes ended jobs that are too old or too many; returns them."""
        ended = sorted((j for j in jobs.values() if j.state in ENDED), key=lambda j: j.ended or j.created, reverse=True)
        oldest = time.time() - self._keep_days * 86400
        gone = [job for n, job in enumerate(ended) if n >= self._keep_jobs or (job.ended or job.created) < oldest]
        for job in gone:
            shutil.rmtree(self.path(job), ignore_errors=True)
        return gone


def read(file: Path) -> Job:
    """A job from its job.json.

    Raises:
        OSError, ValueError, TypeError, KeyError: not readable as one.
    """
    values = json.loads(file.read_text("utf-8"))
    job = Job(**{f.name: values[f.name] for f in fields(Job) if f.name in values})
    if job.id != file.parent.name or job.state not in JOB_STATES:
        raise ValueError("it names another job, or an unknown state")
    if not all(isinstance(getattr(job, name), list) for name in ("paths", "results", "failures")):
        raise ValueError("a list is missing")
    for result in job.results:
        if Path(result["path"]).is_absolute() or ".." in Path(result["path"]).parts:
            raise ValueError(f"result '{result['path']}' lies outside the job's folder")
    return job


def _owner_alive(owner: dict) -> bool:
    with contextlib.suppress(psutil.Error, KeyError, ValueError, TypeError):
        process = psutil.Process(int(owner["pid"]))
        return abs(process.create_time() - float(owner["started"])) < 1.0 and alive(process)
    return False
