# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on's threads, and how they stand still while Blender runs an operator.

An operator lets other threads run Python meanwhile; within `temp_override` Blender 4.x then reads Python's objects without Python's
lock, and crashes now and then. So no thread of ours runs during such a call: those that go on for ever end before it and begin anew
after it, those that read a file are waited for. A lock would not do: nobody can see from outside that a thread has stopped at it.
The set-up and the check of a chosen Python are left alone: they take long, and no result comes meanwhile.
"""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections.abc import Callable, Iterator

_PATIENCE = 5.0  # s; a thread that takes longer is not waited for
_looping: weakref.WeakSet[Loop] = weakref.WeakSet()
_tasks: weakref.WeakSet[threading.Thread] = weakref.WeakSet()


class Loop:
    """Calls `turn` in a thread until it answers False. Between two turns the thread may be exchanged for another: keep what
    must last in attributes; a turn is short."""

    def __init__(self, turn: Callable[[], bool], name: str):
        self._turn, self._name = turn, name
        self._paused = self._over = False
        _looping.add(self)
        self._begin()

    def join(self, timeout: float) -> None:
        """Waits for the last turn."""
        self._thread.join(timeout)

    def pause(self) -> None:
        """Returns when the thread is gone."""
        self._paused = True
        self._thread.join(_PATIENCE)

    def resume(self) -> None:
        """After `pause`."""
        self._paused = False
        if not self._over and not self._thread.is_alive():
            self._begin()

    def _begin(self) -> None:
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._paused and not self._over:
            self._over = not self._turn()


def start_task(work: Callable[[], None], name: str) -> None:
    """Runs `work`, less than a second of it, in a thread."""
    thread = threading.Thread(target=work, name=name, daemon=True)
    _tasks.add(thread)
    thread.start()


@contextlib.contextmanager
def standing_still() -> Iterator[None]:
    """Within it none of our threads runs. From Blender's main thread."""
    loops = list(_looping)
    for loop in loops:
        loop.pause()
    for thread in list(_tasks):
        thread.join(_PATIENCE)
    try:
        yield
    finally:
        for loop in loops:
            loop.resume()
