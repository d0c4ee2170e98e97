# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend as the add-on sees it: off, starting, ready, restarting or failed. No bpy.

Joins `process` and `client`: starts both, hands messages on, restarts with growing delays when the
process ends by itself, and keeps the job list true meanwhile. Everything here is called from
Blender's main thread and returns at once, except `stop`.
"""

from __future__ import annotations

import time
from pathlib import Path

from ..shared import errors, protocol
from .client import Client, new_keys
from .jobs import WAITING, Job, JobList
from .process import HOPELESS_EXITS, BackendProcess, Backoff, Launch, log_tail, meaning_of_exit

OFF, STARTING, READY, RESTARTING, FAILED = "off", "starting", "ready", "restarting", "failed"
LISTENS_WITHIN = 60.0  # s from the start to the connection file
MOST_FRUITLESS = 4  # starts in a row that never got ready, then it stays failed


class Backend:
    """One per Blender. `problem` and `remedy` explain the states restarting and failed."""

    def __init__(self) -> None:
        self.jobs = JobList()
        self.state = OFF
        self.problem = self.remedy = ""
        self.welcome: protocol.Message | None = None
        self._models: list[dict] | None = None
        self._target: Launch | Path | None = None
        self._process: BackendProcess | None = None
        self._client: Client | None = None
        self._keys: tuple[bytes, bytes] | None = None
        self._backoff = Backoff()
        self._restart_at = 0.0
        self._fruitless = 0

    # What panels ask

    @property
    def running(self) -> bool:
        return self.state in (STARTING, READY, RESTARTING)

    @property
    def log(self) -> Path | None:
        """The log of the process that we started."""
        return self._target.log if isinstance(self._target, Launch) else None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def models(self) -> list[dict]:
        """What is known of model files (rows of `smplit models list`): what a command said last, else what the backend found when it began."""
        if self._models is not None:
            return self._models
        return self.welcome["models"] if self.welcome is not None else []

    def learn_models(self, rows: list[dict]) -> None:
        """Takes the rows that a command printed, after files were added or removed."""
        self._models = rows

    def details(self) -> str:
        """State, problem and the log's end, for the clipboard."""
        lines = [f"SMPLit backend: {self.state}", self.problem, self.remedy]
        if self.log is not None:
            lines += [f"Log: {self.log}", log_tail(self.log)]
        return "\n".join(line for line in lines if line)

    # Start and stop

    def start(self, target: Launch | Path) -> None:
        """Starts a backend of our own (`Launch`), or connects to one that runs (its connection file)."""
        self.stop()
        self._target, self._fruitless, self._backoff = target, 0, Backoff()
        self._begin()

    def stop(self) -> None:
        """Ends client and process and waits for them, a few seconds at most. Open jobs fail."""
        self._close()
        self.jobs.backend_ended("you stopped it", self._log_text())
        self.state, self.problem, self.remedy = OFF, "", ""

    def _begin(self) -> None:
        self.state, self._began = STARTING, time.monotonic()
        try:
            if isinstance(self._target, Launch):
                self._keys = new_keys()
                self._process = BackendProcess(self._target, self._keys[0].decode())
            else:
                connection = protocol.read_connection(self._target)
                if not connection.client_secret:
                    raise errors.BadInput(
                        f"'{self._target}' belongs to a backend that another program started.",
                        "Start one by hand with 'smplit serve --connection-file FILE' and use its file.", "not_ours",
                    )
                self._client = Client(connection, (connection.client_key.encode(), connection.client_secret.encode()))
        except errors.SmplitError as error:
            self._fail(error.message, error.remedy)
        except OSError as error:
            self._fail(f"The backend cannot be started ({error}).", "Set it up again, or choose another Python in the preferences.")
        except ImportError as error:
            self._fail(f"A part of the extension is missing ({error}).", "Install the extension from its zip file again.")

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
        if self._process is not None:
            self._process.stop()
        self._client = self._process = self.welcome = None

    # The clockwork, called by the pump

    def next_message(self) -> protocol.Message | None:
        """The next message, already applied to the job list; None when there is none now."""
        message = self._client.receive() if self._client is not None else None
        if message is None:
            return None
        if message.type == "welcome":
            self._on_welcome(message)
        again = message.type == "done" and not message["complete"] and not message.re
        job = self.jobs.apply(message)
        if job is not None and again:
            self.fetch(job)  # some chunks were left out while Blender was busy
        if job is not None and job.cancelling and message.re == job.request:
            self._client.send(protocol.cancel(job.id))  # cancelled before the backend had named it
        return message

    def tick(self) -> None:
        """Looks after process and connection; never blocks."""
        if self.state == RESTARTING and time.monotonic() >= self._restart_at:
            self._begin()
        if self.state not in (STARTING, READY):
            return
        code = self._process.exit_code() if self._process is not None else None
        if code is not None:
            self._process_ended(code)
        elif self._client is not None and self._client.problem is not None:
            self._connection_lost(self._client.problem)
        elif self._client is None:
            self._connect_when_listening()
        elif self.state == READY:
            self._send_waiting()

    def _connect_when_listening(self) -> None:
        if self._process.connection_file.exists():
            try:
                self._client = Client(protocol.read_connection(self._process.connection_file), self._keys)
            except errors.SmplitError as error:
                self._close()
                self._fail(error.message, error.remedy)
        elif self._process.age > LISTENS_WITHIN:
            self._close()
            self._fail(f"The backend did not start within {LISTENS_WITHIN:.0f} s.", f"See its log: {self._log_text()}")

    def _on_welcome(self, message: protocol.Message) -> None:
        self.state, self.welcome, self._models = READY, message, None
        self.problem = self.remedy = ""
        self._fruitless = 0
        self.jobs.adopt(message["jobs"])
        self._send_waiting()

    def _process_ended(self, code: int) -> None:
        ran_for, was_ready = self._process.age, self.state == READY
        reason = meaning_of_exit(code)
        self._close()
        self.jobs.backend_ended(reason, self._log_text())
        self._fruitless = 0 if was_ready else self._fruitless + 1
        if code in HOPELESS_EXITS or self._fruitless >= MOST_FRUITLESS:
            self._fail(f"The backend does not start: {reason}{self._last_words()}.", f"See its log: {self._log_text()}")
        else:
            self._restart_later(reason, ran_for)

    def _restart_later(self, reason: str, ran_for: float) -> None:
        delay = self._backoff.next_delay(ran_for)
        self.state, self._restart_at = RESTARTING, time.monotonic() + delay
        self.problem, self.remedy = f"The backend stopped: {reason}.", f"It starts again by itself. Log: {self._log_text()}"

    def _connection_lost(self, error: errors.SmplitError) -> None:
        ran_for, was_ready = (self._process.age if self._process else 0.0), self.state == READY
        self._close()
        reason = error.message.rstrip(".")
        self.jobs.backend_ended(reason, self._log_text())
        if isinstance(self._target, Launch) and was_ready:
            self._restart_later(reason, ran_for)  # it hung, and has been ended
        else:
            self._fail(error.message, f"{error.remedy} {'Log: ' + self._log_text() if self.log else ''}".strip())

    def _fail(self, problem: str, remedy: str) -> None:
        self.state, self.problem, self.remedy = FAILED, problem, remedy
        for job in self.jobs.open_jobs():
            job.fail("no_backend", problem, remedy, self._log_text())

    def _log_text(self) -> str:
        return str(self.log) if self.log is not None else ""

    def _last_words(self) -> str:
        lines = log_tail(self.log, 1) if self.log is not None else ""
        return f" ({lines.strip()[-160:]})" if lines.strip() and not lines.startswith("---") else ""

    # Requests

    def submit(self, job: Job) -> None:
        """Sends a job now, or as soon as the backend is ready."""
        job.state = WAITING
        if self.state == READY:
            self._send_waiting()

    def _send_waiting(self) -> None:
        for job in self.jobs:
            if job.state == WAITING and job.submit is not None:
                job.state = "queued"
                self._client.send(job.submit)

    def cancel(self, job: Job) -> None:
        """Asks the backend to stop a job; one that was not sent yet ends at once."""
        if job.state == WAITING or self._client is None:
            job.fail("cancelled", "Cancelled before it began.", "")
        elif job.open:
            job.cancelling = True
            if job.id:
                self._client.send(protocol.cancel(job.id))

    def fetch(self, job: Job) -> bool:
        """Asks for a job's results again; False when the backend is not there."""
        if self.state != READY or not job.id:
            return False
        job.fetching = job.shown = True
        self._client.send(protocol.fetch(job.id))
        return True

    def retry(self, job: Job) -> Job:
        """The same job once more, as a new one."""
        asked = job.submit
        request = protocol.submit(asked["kind"], asked["params"], asked["paths"], asked["roots"], asked.arrays)
        again = self.jobs.add(request, job.title)
        again.replaces = job.replaces
        self.submit(again)
        return again
