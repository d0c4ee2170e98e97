# SPDX-License-Identifier: GPL-3.0-or-later
"""The socket to the backend, alone in a thread; two queues connect it to everybody else.

Messages are encoded and checked here, so Blender's main thread only ever sees finished ones.
"""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue

from ..shared import VERSION, errors, protocol
from ..threads import Loop

POLL = 20  # ms; how long a message to send may wait
HEARTBEAT = 2.0  # s without a word from the backend until it is asked for one
SILENCE = 30.0  # s without a word until it counts as lost
GREETING = 15.0  # s for the welcome: a refused key has no other sign, CURVE just stays silent
MOST_WAITING = 256  # received messages that wait for the main thread; then the backend must hold back


class Client:
    """Connects at once, says hello, and delivers `protocol.Message` objects by `receive`.

    Args:
        connection: of the backend.
        keys: our CURVE pair (public, secret), Z85; the public one is the one the backend was given.
    """

    def __init__(self, connection: protocol.Connection, keys: tuple[bytes, bytes]):
        self._connection, self._keys = connection, keys
        self._outbox: SimpleQueue[protocol.Message] = SimpleQueue()
        self._inbox: SimpleQueue[protocol.Message] = SimpleQueue()
        self._end = threading.Event()
        self.greeted = False
        self.problem: errors.SmplitError | None = None  # set once; the thread has ended then
        self._context = self._socket = None
        self._heard = self._asked = 0.0  # s, monotonic
        self._loop = Loop(self._turn, "smplit-client")

    def send(self, message: protocol.Message) -> None:
        """Queues a message; never blocks."""
        self._outbox.put(message)

    def receive(self) -> protocol.Message | None:
        """The next message, or None when there is none now."""
        try:
            return self._inbox.get_nowait()
        except Empty:
            return None

    def close(self) -> None:
        """Ends the thread; what was queued before is still sent."""
        self._end.set()
        self._loop.join(5.0)

    def _turn(self) -> bool:
        """Connects, or sends and receives what there is; waits `POLL` at most. False when all is over."""
        import zmq

        try:
            if self._socket is None:
                self._connect()
            if not (self._end.is_set() and self._outbox.empty()):
                self._talk(zmq)
                return True
        except errors.SmplitError as error:
            self.problem = error
        except (zmq.ZMQError, ValueError) as error:
            self.problem = errors.SmplitError(f"The connection to the backend broke ({error}).", "Start the backend again.", "connection")
        self._context.destroy()
        return False

    def _connect(self) -> None:
        import zmq

        self._context = zmq.Context()
        self._socket = socket = self._context.socket(zmq.DEALER)
        socket.linger = 200
        socket.rcvhwm = MOST_WAITING
        socket.maxmsgsize = protocol.LIMITS.frame_bytes
        socket.curve_serverkey = self._connection.server_key.encode()
        socket.curve_publickey, socket.curve_secretkey = self._keys
        socket.connect(self._connection.endpoint)
        self._send(protocol.hello(f"SMPLit add-on {VERSION}"))
        self._heard = self._asked = time.monotonic()

    def _talk(self, zmq) -> None:
        while (message := self._next_to_send()) is not None:
            self._send(message)
        room = self._inbox.qsize() < MOST_WAITING
        if room and self._socket.poll(POLL):
            while room and (frames := _receive_now(self._socket, zmq)) is not None:
                self._heard = time.monotonic()
                self._accept(frames)
                room = self._inbox.qsize() < MOST_WAITING
        elif not room:
            time.sleep(POLL / 1000)
            self._heard = time.monotonic()  # it is we who do not listen
        now = time.monotonic()
        if now - self._heard > (SILENCE if self.greeted else GREETING):
            raise self._silence()
        if self.greeted and now - max(self._heard, self._asked) > HEARTBEAT:
            self._send(protocol.status())
            self._asked = now

    def _next_to_send(self) -> protocol.Message | None:
        try:
            return self._outbox.get_nowait()
        except Empty:
            return None

    def _send(self, message: protocol.Message) -> None:
        try:
            frames = protocol.encode(message)
        except errors.SmplitError as error:  # answered as the backend would have done
            self._inbox.put(protocol.failed(error, re=message.id))
            return
        self._socket.send_multipart(frames)

    def _accept(self, frames: list[bytes]) -> None:
        message = protocol.decode(frames, protocol.FROM_BACKEND)
        self.greeted = self.greeted or message.type == "welcome"
        self._inbox.put(message)

    def _silence(self) -> errors.SmplitError:
        if self.greeted:
            return errors.SmplitError(f"The backend has not answered for {SILENCE:.0f} s.", "Start the backend again.", "silent")
        return errors.SmplitError(
            f"The backend at {self._connection.endpoint} did not greet us within {GREETING:.0f} s.",
            "If it was started by hand, use its newest connection file; it accepts only the key in it.", "refused",
        )


def _receive_now(socket, zmq) -> list[bytes] | None:
    try:
        return socket.recv_multipart(zmq.NOBLOCK)
    except zmq.Again:
        return None


def new_keys() -> tuple[bytes, bytes]:
    """A fresh CURVE pair (public, secret), Z85."""
    import zmq

    return zmq.curve_keypair()
