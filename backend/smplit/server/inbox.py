# SPDX-License-Identifier: GPL-3.0-or-later
"""Where threads leave things for the socket loop, and wake it."""

from __future__ import annotations

import contextlib
import queue
import socket


class Inbox:
    """A bounded queue with a socket that a poller can watch.

    Bounded, so that a worker that talks faster than the loop listens waits in its own pipe. A
    socket pair rather than a pipe, because Windows polls sockets only.
    """

    def __init__(self, size: int = 32):
        self._items: queue.Queue = queue.Queue(size)
        self.wake, self._waker = socket.socketpair()
        self.wake.setblocking(False)
        self._waker.setblocking(False)

    def put(self, item: object) -> None:
        """Called by any thread; blocks while the queue is full."""
        self._items.put(item)
        self.wake_up()

    def wake_up(self) -> None:
        """Wakes the loop without leaving anything; never blocks, so that signal handlers may call it."""
        with contextlib.suppress(OSError):  # full: the loop is awake anyway; closed: the server is leaving
            self._waker.send(b"!")

    def take(self) -> list:
        """All items there are now; called by the loop."""
        with contextlib.suppress(BlockingIOError):
            while self.wake.recv(4096):
                pass
        items = []
        with contextlib.suppress(queue.Empty):
            for _ in range(self._items.maxsize):
                items.append(self._items.get_nowait())
        if not self._items.empty():
            self.wake_up()
        return items

    def close(self) -> None:
        self.wake.close()
        self._waker.close()
