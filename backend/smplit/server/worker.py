# SPDX-License-Identifier: GPL-3.0-or-later
"""The worker process: `python -m smplit.server.worker REGISTRY DEVICE`, started by the server alone.

It does one job at a time and stays warm in between. It dies with the server (its standard input ends)
and takes its own children along. Standard output is the pipe to the server; whatever libraries
print goes into the log of the job.
"""

from __future__ import annotations

import errno
import faulthandler
import importlib
import logging
import os
import queue
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import BinaryIO

import numpy as np
import psutil

from smplit.errors import NoSpace, SmplitError
from smplit.protocol import Message, ProtocolError
from smplit.server import journal, pipe
from smplit.server.job_run import JobInput, JobReporter

_log = logging.getLogger("smplit.worker")
EXIT_OUT_OF_MEMORY = 3
EXIT_DEFECT = 4
_NICER = 5


class Channel:
    """Both directions of the pipe to the server, and the death that follows when it breaks."""

    def __init__(self):
        self._in, self._out = _take_over_pipes()
        self._lock = threading.Lock()
        self.jobs: queue.SimpleQueue[Path] = queue.SimpleQueue()
        self.cancelled: set[str] = set()  # jobs, one of which may still be in the queue

    def listen(self) -> None:
        """Hears the server in a thread."""
        threading.Thread(target=self._listen, name="server", daemon=True).start()

    def send(self, message: Message) -> None:
        with self._lock:
            try:
                pipe.write(self._out, message)
            except OSError:
                _die()

    def _listen(self) -> None:
        try:
            while (message := pipe.read(self._in, pipe.TO_WORKER)) is not None:
                if message.type == "run":
                    self.jobs.put(Path(message["folder"]))
                else:
                    self.cancelled.add(message["job"])
        finally:
            _die()


def _take_over_pipes() -> tuple[BinaryIO, BinaryIO]:
    """Private copies of standard input and output; anything printed from now on goes to standard error."""
    streams = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    if sys.platform == "win32":
        import msvcrt

        for stream in streams:
            msvcrt.setmode(stream.fileno(), os.O_BINARY)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return streams


def _give_way() -> None:
    """The interface of Blender, often on the same machine, goes first when both want the processor."""
    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(_NICER)


def _die() -> None:
    """The server is gone: nobody wants the rest. Children go too."""
    if os.name == "posix" and os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)
    for child in psutil.Process().children(recursive=True):
        child.kill()
    os._exit(0)


@contextmanager
def _logging_to(file: Path) -> Iterator[None]:
    """Standard output and error, of C code too, go to the job's log meanwhile."""
    sys.stdout.flush()
    before = os.dup(2)
    try:
        log = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    except OSError:  # a full disk; the job itself will say so
        log = os.dup(2)
    for target in (1, 2):
        os.dup2(log, target)
    os.close(log)
    try:
        yield
    finally:
        sys.stdout.flush()
        for target in (1, 2):
            os.dup2(before, target)
        os.close(before)


def _perform(folder: Path, kinds: ModuleType, device: str, channel: Channel) -> int:
    """Does one job and tells how it ended; returns an exit code when this process should not be used again."""
    try:
        job = journal.read(folder / "job.json")
        kind = kinds.KINDS[job.kind]
        reporter = JobReporter(channel.send, kind.stages, len(job.paths), lambda: job.id in channel.cancelled)
        module, _, function = kind.run.partition(":")
        getattr(importlib.import_module(module), function)(_job_input(job, folder, device), reporter)
        channel.send(Message("done"))
        return 0
    except Exception as error:
        failure, code = _explain(error)
        if code:
            _log.exception("the job failed")
        channel.send(_failed(failure, leaving=code != 0))
        return code


def _job_input(job: journal.Job, folder: Path, device: str) -> JobInput:
    arrays = {}
    if (folder / "input.npz").is_file():
        with np.load(folder / "input.npz", allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    (folder / "results").mkdir(exist_ok=True)
    return JobInput(job.params, [Path(p) for p in job.paths], arrays, folder / "results", device)


def _failed(error: SmplitError, leaving: bool) -> Message:
    return Message("failed", {"code": error.code, "message": error.message, "remedy": error.remedy, "leaving": leaving})


def _explain(error: Exception) -> tuple[SmplitError, int]:
    """An error as the user should see it, and this process's exit code (0: it can go on)."""
    if isinstance(error, ProtocolError):
        return SmplitError(f"A result could not be sent ({error.message}).", "Report this with the log.", "internal"), EXIT_DEFECT
    if isinstance(error, SmplitError):
        return error, 0
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace("The disk is full.", "Free some space and start the job again."), 0
    # torch names its own classes so, and its CPU allocator raises a bare RuntimeError.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error):
        remedy = "Close other programs, or use a shorter part or a smaller copy of the video, and start the job again."
        return SmplitError("The job needed more memory than there is.", remedy, "out_of_memory"), EXIT_OUT_OF_MEMORY
    return SmplitError(f"The job failed unexpectedly ({type(error).__name__}: {error}).", "Report this with the log.", "internal"), EXIT_DEFECT


def main(registry: str, device: str) -> int:
    _give_way()
    channel = Channel()
    channel.listen()
    faulthandler.enable()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    kinds = importlib.import_module(registry)
    try:
        channel.send(Message("ready", {"device": kinds.warm_up(device)}))
    except Exception as error:  # no such device, a broken installation, no memory
        failure, code = _explain(error)
        _log.exception("the worker cannot start")
        channel.send(_failed(failure, leaving=True))
        return code or 1
    while True:
        folder = channel.jobs.get()
        channel.send(Message("began"))
        with _logging_to(folder / "log.txt"):
            code = _perform(folder, kinds, device, channel)
        if code:
            return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
