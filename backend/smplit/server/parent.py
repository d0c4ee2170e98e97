# SPDX-License-Identifier: GPL-3.0-or-later
"""Notices that whoever started the backend is gone, so that no backend is left without its Blender."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Callable

import psutil

from smplit.errors import BadInput

_POLL_SECONDS = 0.25


def watch_stdin(leave: Callable[[str], None]) -> bool:
    """Calls `leave` when standard input, a pipe held by the parent, ends.

    A terminal, /dev/null or a closed stream is not watched (False): a server started by hand or by a
    service manager has no parent to follow.
    """
    try:
        mode = os.fstat(0).st_mode
    except OSError:
        return False
    if not (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode)):
        return False
    threading.Thread(target=_read_to_end, args=(leave,), name="watch-stdin", daemon=True).start()
    return True


def _read_to_end(leave: Callable[[str], None]) -> None:
    try:
        while os.read(0, 4096):
            pass
    except OSError:  # Windows reports a broken pipe as an error
        pass
    leave("standard input ended")


def watch_process(pid: int, leave: Callable[[str], None]) -> None:
    """Calls `leave` when process `pid` is gone (or only waits to be reaped); a later process with the same number does not fool it.

    Raises:
        BadInput: there is no such process now.
    """
    try:
        parent = psutil.Process(pid)
    except (psutil.NoSuchProcess, ValueError, OverflowError) as error:
        problem = f"--parent-pid {pid} is not a running process."
        raise BadInput(problem, "Pass the number of the process that the backend belongs to.", "no_parent") from error

    def poll() -> None:
        while alive(parent):
            time.sleep(_POLL_SECONDS)
        leave(f"parent process {pid} is gone")

    threading.Thread(target=poll, name="watch-parent", daemon=True).start()


def alive(process: psutil.Process) -> bool:
    """Whether the process still runs; a zombie does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return True
