# SPDX-License-Identifier: GPL-3.0-or-later
"""Which job runs where: the queue, the workers, and what becomes of a job. Never blocks, no sockets."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from smplit.errors import NoSpace, SmplitError
from smplit.protocol import Message, failed
from smplit.server.inbox import Inbox
from smplit.server.journal import INTERRUPTED, Job, Journal
from smplit.server.worker_process import WorkerProcess

_log = logging.getLogger(__name__)
_RETRY_SECONDS = 5.0  # between attempts to journal what a full disk refused
_MOST_SOURCES, _LONGEST_TEXT = 8, 500  # of a row of `pong`: hundreds of rows must fit into one header


@dataclass(frozen=True)
class Settings:
    """How much at once, and for how long."""

    workers: int = 1  # jobs that run at the same time
    queue: int = 100  # jobs that may wait
    cancel_grace: float = 1.5  # s for a job to stop by itself before its worker is killed
    idle: float = 600.0  # s after which a warm worker is sent home, giving its memory back
    device: str = "auto"
    registry: str = "smplit.server.kinds"  # module with KINDS, models and warm_up


class Scheduler:
    """Owns all jobs and workers. `tell(job, message)` passes a message on to those who follow the job."""

    def __init__(self, journal: Journal, settings: Settings, inbox: Inbox, tell: Callable[[Job, Message], None]):
        self._journal, self._settings, self._inbox, self._tell = journal, settings, inbox, tell
        self.jobs: dict[str, Job] = {}
        self.device = ""
        self._queue: deque[Job] = deque()
        self._workers: dict[WorkerProcess, Job | None] = {}
        self._last_progress: dict[str, Message] = {}
        self._cancelled: dict[str, float] = {}  # running jobs asked to stop -> when to kill
        self._unsaved: dict[str, Job] = {}
        self._retry_at = 0.0

    # Asked by clients

    def recover(self) -> None:
        """Takes over the journal of earlier runs."""
        self.jobs = {job.id: job for job in self._journal.recover()}
        self._prune()

    def submit(self, kind: str, params: dict, paths: list[Path], arrays: Mapping[str, np.ndarray]) -> Job:
        """Queues a checked request.

        Raises:
            SmplitError: the queue is full. NoSpace: the journal cannot be written.
        """
        if len(self._queue) >= self._settings.queue:
            raise SmplitError(f"{len(self._queue)} jobs wait already.", "Wait until some have ended, or cancel them.", "queue_full")
        try:
            job = self._journal.create(kind, params, paths, arrays)
        except OSError as error:
            raise NoSpace(
                f"The job cannot be written to '{self._journal.folder}' ({error.strerror}).", "Free some space and submit again.",
            ) from error
        self.jobs[job.id] = job
        self._queue.append(job)
        return job

    def position(self, job: Job) -> int:
        """How many jobs come before it."""
        return self._queue.index(job) + self.running if job in self._queue else 0

    @property
    def running(self) -> int:
        return sum(job is not None for job in self._workers.values())

    def cancel(self, job: Job) -> None:
        """A queued job ends at once; a running one is asked, and its worker killed after the grace."""
        if job.state == "queued":
            self._queue.remove(job)
            self._end(job, "cancelled", _cancelled())
        elif job.state == "running" and job.id not in self._cancelled:
            self._cancelled[job.id] = time.monotonic() + self._settings.cancel_grace
            worker = self._worker_of(job)
            if worker is not None:
                worker.cancel(job.id)

    def warm_up(self) -> None:
        """Starts a worker ahead of the first job, which also finds out about the device."""
        if not self._workers:
            self._start_worker()

    def summary(self, job: Job) -> dict:
        """A row of `pong`."""
        progress = self._last_progress.get(job.id)
        error = job.error or {}
        return {
            "job": job.id, "kind": job.kind, "state": job.state, "created": job.created, "seconds": job.seconds,
            "sources": _sources(job), "results": len(job.results),
            **{name: progress[name] if progress else None for name in ("stage", "fraction", "eta")},
            **{name: error.get(name, "")[:_LONGEST_TEXT] for name in ("code", "message", "remedy")},
        }

    def end_message(self, job: Job, request: str = "") -> Message:
        """`done` or `failed` of an ended job; `request` goes into `re`."""
        return self._done_message(job, request) if job.state == "done" else self._failed_message(job, request)

    def _done_message(self, job: Job, request: str) -> Message:
        results = [{**result, "path": str(self._journal.path(job) / result["path"])} for result in job.results]
        fields = {"job": job.id, "seconds": job.seconds, "results": results, "failures": job.failures, "complete": True}
        return Message("done", fields, re=request)

    # Driven by the loop

    def step(self) -> None:
        """Starts what can start, kills what does not stop, sends idle workers home."""
        now = time.monotonic()
        for worker, job in list(self._workers.items()):
            overdue = job is not None and self._cancelled.get(job.id, now) < now
            if worker.gone(now) or overdue:
                self._bury(worker)
            elif job is None and now - worker.idle_since > self._settings.idle:
                self._dismiss(worker)
        while self._queue and self._assign(self._queue[0]):
            self._queue.popleft()
        if self._unsaved and now > self._retry_at:
            self._retry_at = now + _RETRY_SECONDS
            for job in list(self._unsaved.values()):
                self._save(job)

    def hear(self, worker: WorkerProcess, message: Message | None) -> None:
        """Something from a worker; None is its end."""
        if worker not in self._workers:
            return
        job = self._workers[worker]
        if message is None:
            self._bury(worker)
        elif message.type == "ready":
            worker.ready, self.device = True, message["device"]
        elif message.type == "failed" and not worker.ready:
            worker.refusal = SmplitError(message["message"], message["remedy"], message["code"])
            _log.error("a worker cannot start: %s", worker.refusal)
            self._bury(worker)
        elif job is not None:
            getattr(self, f"_on_{message.type}")(worker, job, message)

    def close(self) -> None:
        """Kills every worker; unfinished jobs are journalled as interrupted."""
        unfinished = [job for job in self._workers.values() if job is not None] + list(self._queue)
        for worker in list(self._workers):
            self._dismiss(worker)
        self._queue.clear()
        for job in unfinished:
            self._end(job, "failed", dict(INTERRUPTED))

    # What workers say about a job

    def _on_began(self, worker: WorkerProcess, job: Job, message: Message) -> None:
        worker.began = True

    def _on_progress(self, worker: WorkerProcess, job: Job, message: Message) -> None:
        message = Message("progress", {"job": job.id, **message.fields})
        self._last_progress[job.id] = message
        self._tell(job, message)

    def _on_chunk(self, worker: WorkerProcess, job: Job, message: Message) -> None:
        self._tell(job, Message("chunk", {"job": job.id, **message.fields}, message.arrays))

    def _on_log(self, worker: WorkerProcess, job: Job, message: Message) -> None:
        self._tell(job, Message("log", {"job": job.id, **message.fields}))

    def _on_result(self, worker: WorkerProcess, job: Job, message: Message) -> None:
        folder = self._journal.path(job)
        path = Path(message["path"])
        if not path.is_relative_to(folder / "results"):
            _log.error("job %s: result '%s' lies outside its folder and is left out", job.id, path)
            return
        job.results.append({**message.fields, "path": path.relative_to(folder).as_posix()})
        self._save(job)

    def _on_failure(self, worker: WorkerProcess, job: Job, message: Message) -> None:
        job.failures.append(dict(message.fields))
        self._save(job)

    def _on_done(self, worker: WorkerProcess, job: Job, message: Message) -> None:
        self._release(worker)
        self._end(job, "done", None)

    def _on_failed(self, worker: WorkerProcess, job: Job, message: Message) -> None:
        if message["leaving"]:
            self._dismiss(worker)
        else:
            self._release(worker)
        error = {name: message[name] for name in ("code", "message", "remedy")}
        self._end(job, "cancelled" if error["code"] == "cancelled" else "failed", error)

    # Workers

    def _assign(self, job: Job) -> bool:
        """Gives a queued job to an idle or new worker; False when all are busy."""
        worker = next((worker for worker, doing in self._workers.items() if doing is None), None)
        if worker is None and len(self._workers) < self._settings.workers:
            worker = self._start_worker()
        if worker is None:
            if self._workers:
                return False
            remedy = "Close other programs and start the job again."
            self._end(job, "failed", _error(SmplitError("No worker process could be started.", remedy, "worker_died")))
            return True
        try:
            worker.run(self._journal.path(job))
        except OSError:  # it died while idle; a fresh one takes the job in the next step
            self._dismiss(worker)
            return False
        self._workers[worker] = job
        job.state, job.started = "running", time.time()
        self._save(job)
        self._tell(job, Message("accepted", {"job": job.id, "state": job.state, "position": 0}))
        return True

    def _start_worker(self) -> WorkerProcess | None:
        try:
            worker = WorkerProcess(self._settings.registry, self._settings.device, self._journal.folder / "worker.log", self._inbox)
        except OSError as error:
            _log.error("no worker can be started: %s", error)
            return None
        self._workers[worker] = None
        return worker

    def _worker_of(self, job: Job) -> WorkerProcess | None:
        return next((worker for worker, doing in self._workers.items() if doing is job), None)

    def _release(self, worker: WorkerProcess) -> None:
        self._workers[worker] = None
        worker.idle_since = time.monotonic()

    def _dismiss(self, worker: WorkerProcess) -> None:
        self._workers.pop(worker, None)
        worker.kill()

    def _bury(self, worker: WorkerProcess) -> None:
        """A worker has died, or has to because its job does not stop."""
        job = self._workers.get(worker)
        self._dismiss(worker)
        if job is None:
            return
        if job.id in self._cancelled:
            self._end(job, "cancelled", _cancelled())
            return
        if worker.ready and not worker.began:  # it was dying when it got the job
            job.state, job.started = "queued", None
            self._queue.appendleft(job)
            return
        if worker.ready:
            worker.log = self._journal.log(job)
        self._end(job, "failed", _error(worker.why_it_died()))

    # Jobs

    def _end(self, job: Job, state: str, error: dict | None) -> None:
        job.state, job.ended, job.error = state, time.time(), error
        self._cancelled.pop(job.id, None)
        self._last_progress.pop(job.id, None)
        if state != "done":
            self._journal.clean(job)
        self._save(job)
        self._tell(job, self.end_message(job))
        self._prune()

    def _failed_message(self, job: Job, request: str) -> Message:
        error = job.error or {}
        log = self._journal.log(job)
        return failed(
            SmplitError(error.get("message", ""), error.get("remedy", ""), error.get("code")), job=job.id,
            log=str(log) if log.exists() else "", re=request,
        )

    def _save(self, job: Job) -> None:
        try:
            self._journal.save(job)
            self._unsaved.pop(job.id, None)
        except OSError as error:
            if job.id not in self._unsaved:
                _log.warning("job %s cannot be journalled now: %s", job.id, error)
            self._unsaved[job.id] = job

    def _prune(self) -> None:
        for job in self._journal.prune(self.jobs):
            self._unsaved.pop(job.id, None)
            del self.jobs[job.id]

    def follow(self, job: Job) -> Iterable[Message]:
        """What somebody who starts to follow an unfinished job should know at once."""
        yield Message("accepted", {"job": job.id, "state": job.state, "position": self.position(job)})
        if job.id in self._last_progress:
            yield self._last_progress[job.id]


def _sources(job: Job) -> list[str]:
    """What a job is made from: its files' names; the name that it was given where there are none."""
    named = [str(job.params["name"])] if "name" in job.params else []
    return [Path(path).name for path in job.paths[:_MOST_SOURCES]] or named


def _error(error: SmplitError) -> dict:
    return {"code": error.code, "message": error.message, "remedy": error.remedy}


def _cancelled() -> dict:
    return {"code": "cancelled", "message": "The job was cancelled.", "remedy": "Start it again when you like."}
