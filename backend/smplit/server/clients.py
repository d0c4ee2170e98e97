# SPDX-License-Identifier: GPL-3.0-or-later
"""Messages on their way to clients. A slow client costs bounded memory and delays nobody.

What does not fit into its socket waits here; progress is thinned to the latest, chunks beyond a
budget are left out (the client learns it from `complete` of `done` and fetches), the rest is small.
"""

from __future__ import annotations

import contextlib
from collections import deque
from dataclasses import dataclass, field

import zmq

from smplit.protocol import Message, encode
from smplit.server.chunks import Replay

_CHUNK_BUDGET = 32 << 20  # bytes of chunks that may wait for one client
_MOST_WAITING = 2000  # messages; a client that takes none of so many is gone
_MOST_CLIENTS = 64
_MOST_REPLAYS = 32


@dataclass
class _Waiting:
    type: str
    job: str
    frames: list
    size: int


@dataclass
class _Client:
    waiting: deque[_Waiting] = field(default_factory=deque)
    chunk_bytes: int = 0
    left_out: set[str] = field(default_factory=set)  # jobs of which chunks were left out
    replays: deque[Replay] = field(default_factory=deque)


class Clients:
    """Those who have spoken, by the identity that the ROUTER gave them."""

    def __init__(self, router: zmq.Socket):
        self._router = router
        self._clients: dict[bytes, _Client] = {}

    def __contains__(self, identity: bytes) -> bool:
        return identity in self._clients

    def seen(self, identity: bytes) -> None:
        """Remembers a client; the one that has been silent longest is forgotten when there are too many."""
        self._clients[identity] = self._clients.pop(identity, None) or _Client()
        while len(self._clients) > _MOST_CLIENTS:
            self._forget(next(iter(self._clients)))

    def left_out(self, identity: bytes, job: str) -> bool:
        """Whether chunks of the job were left out for this client; asking clears it."""
        client = self._clients.get(identity)
        if client is None or job not in client.left_out:
            return False
        client.left_out.remove(job)
        return True

    def leave_out(self, identity: bytes, job: str) -> None:
        """Leaves the job's chunks out for this client, which has missed some already."""
        if identity in self._clients:
            self._clients[identity].left_out.add(job)

    def send(self, identity: bytes, message: Message) -> None:
        """Sends, or keeps for later, or leaves out; never blocks and never fails."""
        client = self._clients.get(identity)
        if client is None:
            return
        frames = encode(message)
        size = sum(memoryview(frame).nbytes for frame in frames)
        item = _Waiting(message.type, str(message.get("job", "")), frames, size)
        if item.type == "chunk" and (item.job in client.left_out or client.chunk_bytes + size > _CHUNK_BUDGET):
            client.left_out.add(item.job)
            return
        if item.type == "progress":
            for old in [w for w in client.waiting if w.type == "progress" and w.job == item.job]:
                client.waiting.remove(old)
        client.waiting.append(item)
        client.chunk_bytes += size if item.type == "chunk" else 0
        if len(client.waiting) > _MOST_WAITING:
            self._forget(identity)
            return
        self._flush(identity, client)

    def broadcast(self, message: Message) -> None:
        for identity in list(self._clients):
            self.send(identity, message)

    def replay(self, identity: bytes, replay: Replay) -> bool:
        """Sends an ended job's messages as the client takes them; False when too many of its requests wait already."""
        client = self._clients.get(identity)
        if client is None or len(client.replays) >= _MOST_REPLAYS:
            return False
        client.replays.append(replay)
        return True

    @property
    def busy(self) -> bool:
        """Whether something waits, so that `flush` is worth calling again soon."""
        return any(client.waiting or client.replays for client in self._clients.values())

    def flush(self) -> None:
        for identity, client in list(self._clients.items()):
            self._flush(identity, client)
            while client.replays and not client.waiting and identity in self._clients:
                message = client.replays[0].take()
                if message is None:
                    break
                if client.replays[0].ended:
                    client.replays.popleft()
                self.send(identity, message)

    def close(self) -> None:
        for identity in list(self._clients):
            self._forget(identity)

    def _flush(self, identity: bytes, client: _Client) -> None:
        while client.waiting:
            item = client.waiting[0]
            try:
                self._router.send_multipart([identity, *item.frames], zmq.NOBLOCK)
            except zmq.Again:
                return
            except zmq.ZMQError:  # the peer has gone (ROUTER_MANDATORY tells)
                self._forget(identity)
                return
            client.waiting.popleft()
            client.chunk_bytes -= item.size if item.type == "chunk" else 0

    def _forget(self, identity: bytes) -> None:
        with contextlib.suppress(KeyError):
            for replay in self._clients.pop(identity).replays:
                replay.stop()
