# SPDX-License-Identifier: GPL-3.0-or-later
"""The private pipe between the server and a worker: the wire's messages over a byte stream.

A message is a count (uint32), that many lengths (uint64) and the frames. Nothing is pickled: a
worker that went wrong can at worst fail its own job.

Server -> worker: `run` (folder of a journalled job), `cancel` (job). Worker -> server: `ready`,
`began` (the job; before that it can be given to another worker), `progress`, `chunk`, `log`, `result`,
`failure` (one input failed), `done`, `failed` (the job, or before `ready` the worker itself;
`leaving`: the worker ends and must not be given another job).
"""

from __future__ import annotations

import struct
from typing import BinaryIO

from smplit.protocol import LIMITS, Message, ProtocolError, Schema, decode, encode

TO_WORKER: Schema = {"run": {"folder": (str,)}, "cancel": {"job": (str,)}}
_NUMBER = (int, float)
FROM_WORKER: Schema = {
    "ready": {"device": (str,)},
    "began": {},
    "progress": {
        "clip": (int,), "clips": (int,), "stage": (str,), "done": (int,), "total?": (int,), "fraction?": _NUMBER, "eta?": _NUMBER,
    },
    "chunk": {"clip": (int,), "source": (str,), "person": (int,), "first": (int,), "frames": (int,)},
    "log": {"level": (str,), "text": (str,)},
    "result": {"clip": (int,), "source": (str,), "person": (int,), "path": (str,), "frames": (int,), "figures": (dict,)},
    "failure": {"clip": (int,), "source": (str,), "code": (str,), "message": (str,), "remedy": (str,)},
    "done": {},
    "failed": {"code": (str,), "message": (str,), "remedy": (str,), "leaving": (bool,)},
}


def write(stream: BinaryIO, message: Message) -> None:
    """Writes one message and flushes."""
    frames = encode(message)
    stream.write(struct.pack(f"<I{len(frames)}Q", len(frames), *(memoryview(f).nbytes for f in frames)))
    for frame in frames:
        stream.write(frame)
    stream.flush()


def read(stream: BinaryIO, expect: Schema) -> Message | None:
    """The next message, or None at the end of the stream (a message cut off by a crash is the end too).

    Raises:
        ProtocolError: what arrived is not a message.
    """
    head = stream.read(4)
    if len(head) < 4:
        return None
    (count,) = struct.unpack("<I", head)
    if not 1 <= count <= LIMITS.frames + 1:
        raise ProtocolError(f"A message of {count} frames is not allowed.")
    raw = stream.read(8 * count)
    if len(raw) < 8 * count:
        return None
    lengths = struct.unpack(f"<{count}Q", raw)
    if sum(lengths) > LIMITS.total_bytes:
        raise ProtocolError(f"A message of {sum(lengths)} bytes is not allowed.")
    frames = [stream.read(length) for length in lengths]
    if any(len(frame) < length for frame, length in zip(frames, lengths, strict=True)):
        return None
    return decode(frames, expect)
