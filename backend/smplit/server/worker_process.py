# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker as the server sees it: a process with a pipe each way, that can be killed with its children."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil

from smplit.errors import SmplitError
from smplit.protocol import CLIENT_KEY_VARIABLE, Message, ProtocolError
from smplit.server import pipe
from smplit.server.inbox import Inbox
from smplit.server.worker import EXIT_OUT_OF_MEMORY

_LAST_WORDS_SECONDS = 1.0  # a dead worker's pipe may be kept open by a forked child; wait no longer for it


class WorkerProcess:
    """One worker. What it says comes into `inbox` as (worker, message), and (worker, None) at its end.

    Raises:
        OSError: the process cannot be started.
    """

    def __init__(self, registry: str, device: str, log: Path, inbox: Inbox):
        self.log = log
        self.ready = False
        self.began = False  # the job it was last given
        self.refusal: SmplitError | None = None  # why it cannot start, in its own words
        self.idle_since = time.monotonic()
        self._died: float | None = None
        environment = {name: value for name, value in os.environ.items() if name != CLIENT_KEY_VARIABLE}
        # -P: a file called numpy.py in the current folder must not be imported.
        command = [sys.executable, "-P", "-m", "smplit.server.worker", registry, device]
        apart = {"start_new_session": True} if os.name == "posix" else {"creationflags": subprocess.CREATE_NO_WINDOW}
        with open(log, "ab") as stream:
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stream, env=environment, **apart,
            )
        self.pid = self._process.pid
        threading.Thread(target=self._listen, args=(inbox,), name=f"worker-{self.pid}", daemon=True).start()

    def _listen(self, inbox: Inbox) -> None:
        try:
            while (message := pipe.read(self._process.stdout, pipe.FROM_WORKER)) is not None:
                inbox.put((self, message))
        except (ProtocolError, OSError, ValueError):  # nonsense, or closed by `kill`
            self._kill_tree()
        inbox.put((self, None))

    def run(self, folder: Path) -> None:
        """Starts a journalled job; `OSError` when the worker has died meanwhile."""
        self.began = False
        pipe.write(self._process.stdin, Message("run", {"folder": str(folder)}))

    def cancel(self, job: str) -> None:
        with contextlib.suppress(OSError):
            pipe.write(self._process.stdin, Message("cancel", {"job": job}))

    def gone(self, now: float) -> bool:
        """Whether the process is dead and its last words had time to arrive."""
        if self._process.poll() is None:
            return False
        self._died = self._died or now
        return now - self._died > _LAST_WORDS_SECONDS

    def kill(self) -> None:
        """Ends the worker and its children at once, and waits for it."""
        self._kill_tree()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(2.0)
        with contextlib.suppress(OSError):  # what could not be written to the dead is lost
            self._process.stdin.close()

    def _kill_tree(self) -> None:
        if os.name == "posix":
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)  # its own session, so its children too
            return
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(self.pid).children(recursive=True):
                child.kill()
        self._process.kill()

    def why_it_died(self) -> SmplitError:
        """The reason for a death nobody asked for; call after `kill`."""
        if self.refusal is not None:
            return self.refusal
        code = self._process.returncode
        if code == EXIT_OUT_OF_MEMORY or code == -getattr(signal, "SIGKILL", 9):
            what = "ran out of memory" if code == EXIT_OUT_OF_MEMORY else "was killed (SIGKILL), most likely because memory ran out"
            remedy = "Close other programs, or use a shorter part of the video, and start the job again."
        else:
            what = f"crashed ({_name_of_exit(code)})"
            remedy = "Start the job again; if it happens again, report it with the log."
        return SmplitError(f"The worker process {what}. Log: {self.log}", remedy, "worker_died")


def _name_of_exit(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    try:
        return signal.Signals(-code).name
    except ValueError:
        return f"signal {-code}"
