# SPDX-License-Identifier: GPL-3.0-or-later
"""Starts, watches and ends the backend's process. Plain Python: no bpy, no sockets.

The backend dies with Blender: it holds the reading end of a pipe whose writing end is ours, and it
watches our process id. We end it in three steps: close the pipe, terminate, kill.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ..shared import protocol

FIRST_DELAY = 0.1  # s before the first restart
LONGEST_DELAY = 30.0  # s
SETTLED = 60.0  # s of running after which a crash counts as the first again
_LARGEST_LOG = 2_000_000  # bytes; then the log starts anew and the old one is kept beside it

# What an exit code means to a user. Negative codes are signals (POSIX).
EXIT_MEANINGS = {
    0: "it was asked to end",
    1: "it failed while starting",
    2: "it did not accept its options",
    -2: "it was interrupted",
    -9: "it was killed, perhaps because memory ran out",
    -11: "it crashed",
    -15: "it was told to end by another program",
}
# Starting again cannot help after these.
HOPELESS_EXITS = frozenset({2})


def meaning_of_exit(code: int) -> str:
    """One clause about why the backend ended."""
    return EXIT_MEANINGS.get(code, f"exit code {code}")


def clean_environment() -> dict[str, str]:
    """The environment without Blender's PYTHON* variables, which would break another Python."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}


def hidden_window() -> dict[str, int]:
    """Arguments of Popen that keep Windows from opening a console."""
    return {"creationflags": subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" else {}


class Backoff:
    """Delays between restarts: 0.1 s, doubling up to 30 s; a long quiet run starts over."""

    def __init__(self) -> None:
        self._delay = FIRST_DELAY

    def next_delay(self, ran_for: float) -> float:
        """Seconds to wait before the next start of a backend that ran for `ran_for` seconds."""
        if ran_for >= SETTLED:
            self._delay = FIRST_DELAY
        delay, self._delay = self._delay, min(self._delay * 2.0, LONGEST_DELAY)
        return delay


@dataclass(frozen=True)
class Launch:
    """How to start a backend: `python` has smplit installed; `folder` is ours to write to."""

    python: Path
    folder: Path
    device: str = "auto"

    @property
    def log(self) -> Path:
        return self.folder / "backend.log"


class BackendProcess:
    """One run of the backend.

    Args:
        launch: what to start and where.
        client_key: our public key (Z85); the backend accepts no other client.

    Raises:
        OSError: the interpreter cannot be started, or the folder cannot be written.
    """

    def __init__(self, launch: Launch, client_key: str):
        self.launch = launch
        launch.folder.mkdir(parents=True, exist_ok=True)
        # One name per Blender process: several may run at once.
        self.connection_file = launch.folder / f"connection-{os.getpid()}.json"
        self.connection_file.unlink(missing_ok=True)
        self.started = time.monotonic()
        command = [
            str(launch.python), "-P", "-m", "smplit.cli", "serve",  # -P: what lies in our folder is no module
            "--connection-file", str(self.connection_file), "--parent-pid", str(os.getpid()),
            "--jobs-dir", str(launch.folder / "jobs"), "--device", launch.device,
        ]
        with self._open_log() as log:
            log.write(f"--- {time.strftime('%Y-%m-%d %H:%M:%S')} start\n".encode())
            log.flush()
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
                env={**clean_environment(), protocol.CLIENT_KEY_VARIABLE: client_key}, cwd=launch.folder, **hidden_window(),
            )

    def _open_log(self):
        log = self.launch.log
        if log.exists() and log.stat().st_size > _LARGEST_LOG:
            log.replace(log.with_suffix(".old.log"))
        return log.open("ab")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def age(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def stop(self, grace: float = 3.0) -> None:
        """Ends it and waits until it is gone: pipe closed, after `grace` s terminated, then killed."""
        for end in (self._process.stdin.close, self._process.terminate, self._process.kill):
            with contextlib.suppress(OSError):  # it went by itself meanwhile
                end()
            try:
                self._process.wait(grace)
                break
            except subprocess.TimeoutExpired:
                continue
        self.connection_file.unlink(missing_ok=True)


def log_tail(log: Path, lines: int = 40) -> str:
    """The last lines of a log, for the clipboard; empty when there is none."""
    try:
        return "\n".join(log.read_text("utf-8", "replace").splitlines()[-lines:])
    except OSError:
        return ""
