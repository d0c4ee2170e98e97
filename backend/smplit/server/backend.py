# SPDX-License-Identifier: GPL-3.0-or-later
"""The socket loop: hears clients and workers, answers, and leaves when told to."""

from __future__ import annotations

import importlib
import logging
import platform
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import zmq

import smplit
from smplit.errors import SmplitError
from smplit.protocol import ENDED, FROM_CLIENT, PROTOCOL_VERSION, Message, ProtocolError, decode, failed
from smplit.server import submission
from smplit.server.chunks import Replay
from smplit.server.clients import Clients
from smplit.server.inbox import Inbox
from smplit.server.journal import Job, Journal
from smplit.server.scheduler import Scheduler, Settings

_log = logging.getLogger(__name__)
_TICK_MS = 100  # how late the scheduler may notice that a time is up
_BUSY_TICK_MS = 10  # while a client's messages wait for room in its socket
_MOST_AT_ONCE = 64  # messages of clients before workers have their turn


class Backend:
    """One run of the server over a bound socket. `fence` are the resolved folders of `serve --root`."""

    def __init__(self, router: zmq.Socket, journal: Journal, settings: Settings, fence: Sequence[Path]):
        self._router, self._journal, self._fence = router, journal, fence
        self._registry = importlib.import_module(settings.registry)
        self._inbox = Inbox()
        self._clients = Clients(router)
        self._scheduler = Scheduler(journal, settings, self._inbox, self._tell)
        self._followers: dict[str, list[bytes]] = {}  # job -> clients that receive its messages
        self._streamed: set[str] = set()  # unfinished jobs that have sent chunks
        self._device = ""  # as last told to everybody
        self._leaving = ""

    def leave(self, reason: str) -> None:
        """Ends `run` soon. May be called from any thread and from signal handlers."""
        self._leaving = self._leaving or reason
        self._inbox.wake_up()

    def run(self) -> str:
        """Serves until `leave`; every worker is gone then. Returns the reason."""
        poller = zmq.Poller()
        poller.register(self._router, zmq.POLLIN)
        poller.register(self._inbox.wake, zmq.POLLIN)
        try:
            self._scheduler.recover()
            while not self._leaving:
                poller.poll(_BUSY_TICK_MS if self._clients.busy else _TICK_MS)
                self._hear_clients()
                for worker, message in self._inbox.take():
                    self._scheduler.hear(worker, message)
                self._scheduler.step()
                self._tell_device()
                self._clients.flush()
        finally:
            self._scheduler.close()
            self._clients.flush()
            self._clients.close()
            self._inbox.close()
        return self._leaving

    def _hear_clients(self) -> None:
        for _ in range(_MOST_AT_ONCE):
            try:
                identity, *frames = self._router.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return
            self._clients.seen(identity)
            for answer in self._answers(identity, frames):
                self._clients.send(identity, answer)

    def _answers(self, identity: bytes, frames: list[bytes]) -> Iterable[Message]:
        """What to say to one message of a client; whatever is wrong with it ends here."""
        request = ""
        try:
            message = decode(frames, FROM_CLIENT)
            request = message.id
            return [replace(answer, re=request) for answer in getattr(self, f"_on_{message.type}")(identity, message)]
        except ProtocolError as error:
            _log.warning("refused a message: %s", error.message)
            return [failed(error, re=error.re)]
        except submission.Refused as error:
            return [failed(error, problems=error.problems, re=request)]
        except SmplitError as error:
            return [failed(error, re=request)]
        except Exception as error:  # a defect must cost one answer, not everybody's jobs
            _log.exception("a request failed")
            trouble = SmplitError(f"The backend could not answer ({type(error).__name__}: {error}).", "Report this with the log.", "internal")
            return [failed(trouble, re=request)]

    # Requests

    def _on_hello(self, identity: bytes, message: Message) -> list[Message]:
        _log.info("client: %.200s", message["client"])
        self._scheduler.warm_up()
        return [Message("welcome", {
            "smplit": smplit.__version__, "protocol": PROTOCOL_VERSION, "pid": self._journal.pid, "python": platform.python_version(),
            "platform": sys.platform, "device": self._scheduler.device, "kinds": sorted(self._registry.KINDS),
            "models": self._registry.models(), "jobs": self._rows(), "jobs_dir": str(self._journal.folder),
        })]

    def _on_submit(self, identity: bytes, message: Message) -> list[Message]:
        paths = submission.check(message, self._registry.KINDS, self._fence)
        job = self._scheduler.submit(message["kind"], message["params"], paths, message.arrays)
        self._followers[job.id] = [identity]
        return list(self._scheduler.follow(job))

    def _on_cancel(self, identity: bytes, message: Message) -> list[Message]:
        job = self._job(message["job"])
        answer = list(self._scheduler.follow(job))[:1]
        self._scheduler.cancel(job)
        return answer

    def _on_status(self, identity: bytes, message: Message) -> list[Message]:
        return [self._pong([self._scheduler.summary(self._job(message["job"]))] if message.get("job") is not None else self._rows())]

    def _on_fetch(self, identity: bytes, message: Message) -> list[Message]:
        job = self._job(message["job"])
        if job.state in ENDED:
            end = self._scheduler.end_message(job, message.id)
            if not self._clients.replay(identity, Replay(job, self._journal.path(job), end, message.id)):
                raise SmplitError("Too many results are being fetched at once.", "Fetch them one after the other.", "busy")
            return []
        followers = self._followers.setdefault(job.id, [])
        if identity not in followers:
            followers.append(identity)
            if job.id in self._streamed:  # it came late: `done` must tell it to fetch
                self._clients.leave_out(identity, job.id)
        return list(self._scheduler.follow(job))

    def _on_shutdown(self, identity: bytes, message: Message) -> list[Message]:
        self.leave("a client asked for it")
        return [self._pong(self._rows())]

    def _job(self, name: str) -> Job:
        try:
            return self._scheduler.jobs[name]
        except KeyError:
            raise SmplitError(f"There is no job '{name[:80]}'.", "Ask for the status of all jobs to see their names.", "unknown_job") from None

    def _rows(self) -> list[dict]:
        return [self._scheduler.summary(job) for job in self._scheduler.jobs.values()]

    def _pong(self, rows: list[dict]) -> Message:
        return Message("pong", {"jobs": rows, "device": self._scheduler.device, "busy": self._scheduler.running})

    # News for clients

    def _tell(self, job: Job, message: Message) -> None:
        """Passes a job's message on to those who follow it."""
        for identity in self._followers.get(job.id, ()):
            ends = message.type in ("done", "failed")
            missed = ends and self._clients.left_out(identity, job.id)
            late = missed and message.type == "done"
            self._clients.send(identity, replace(message, fields={**message.fields, "complete": False}) if late else message)
        if message.type == "chunk":
            self._streamed.add(job.id)
        if message.type in ("done", "failed"):
            self._followers.pop(job.id, None)
            self._streamed.discard(job.id)

    def _tell_device(self) -> None:
        if self._scheduler.device != self._device:
            self._device = self._scheduler.device
            self._clients.broadcast(self._pong(self._rows()))
