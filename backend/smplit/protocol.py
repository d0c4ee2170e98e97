# SPDX-License-Identifier: GPL-3.0-or-later
"""The wire between a client (the Blender add-on, a script) and the backend. Standard library and numpy only.

Transport
    The backend binds a ROUTER, a client connects a DEALER, over TCP with CURVE. The connection file
    (JSON, mode 0600, `Connection`) says where: `endpoint`, `server_key`, `protocol`, `pid`. Whoever
    starts the backend makes a CURVE key pair, keeps the secret and hands the public key (40 characters,
    z85) over in the environment variable `SMPLIT_CLIENT_KEY`. Started by hand without it, the
    backend makes the client's pair too and writes `client_key` and `client_secret` into the file.
    The backend writes the file once it listens, so a file that appears means "connect now", and
    removes it when it leaves. It leaves when its standard input (a pipe) ends or `--parent-pid` is gone.

Message
    Multipart: frame 0 is a JSON object (UTF-8), the header; each further frame holds one array.
    Every header has `v` (PROTOCOL_VERSION), `type`, `arrays` (may be absent) and, as they apply,
    `id` (a request's name, chosen by the client) and `re` (the `id` this answers).
    `arrays` is a list in frame order of `{"name", "dtype", "shape"}`; the frame is C order, little
    endian, dtype one of DTYPES, and shape x itemsize is exactly its length. Arrays of strings
    have dtype "text", no frame, and their values flat under "text". 0-dimensional arrays are allowed.
    Nothing is pickled; NaN and Infinity are not JSON; unknown fields are ignored; LIMITS bound everything.

Client -> backend (FROM_CLIENT), each answered by a message whose `re` is its `id`
    hello     client (who: name and version)                     -> welcome
    submit    kind (one of `kinds` of welcome), params (the kind's options; for "capture" the fields of CaptureOptions,
              for "difftraj" and "loco" DEFAULTS of smplit.server.difftraj and .loco),
              paths (absolute input files), roots (folders the user approved, e.g. those he picked the
              files from; a path must resolve, symbolic links followed, below one of them; with
              `serve --root` the roots must lie below those, and are those when none are named; with
              neither, any file the user may read), arrays (inputs not in a file; for "loco": points (N,2) or (N,3) m, the
              line, and entries `smplit_*` that go into the results as they are)
                                                                 -> accepted | failed (nothing was queued)
    cancel    job                                                -> accepted, later failed "cancelled" of the job; its
              files are gone then, and chunks that came before are the client's to keep or to drop
    status    job (optional)                                     -> pong with that job, or all jobs
    fetch     job. Ended job: its chunks again (read from its files), then done; `re` is on each.
              Queued or running job: accepted; this client receives the job's messages from now on.
    shutdown                                                     -> pong, then the backend leaves

Backend -> client (FROM_BACKEND). Messages of a job go to the client that submitted or fetched it.
    welcome   smplit (version), protocol, pid, python, platform, device, kinds (what `submit` takes),
              models (rows of `smplit models list`), jobs (as in pong), jobs_dir
    accepted  job, state, position (jobs ahead of it)
    progress  job, clip, clips (which of how many input files), stage, done, total or null (units of the
              stage), fraction (0..1 of the whole job, or null), eta (seconds to the job's end, or null).
              May be thinned out.
    chunk     job, clip, source (file name), person, first (frame), frames, arrays: slices of the motion
              npz (DESIGN 3); the first chunk of a person also holds what does not depend on time. A later
              chunk for the same frames replaces an earlier one.
    log       job ("" when about the backend), level ("info" or "warning"), text
    done      job, seconds, results [{clip, source, person, path, frames, figures}], failures [{clip, source,
              code, message, remedy}] (inputs that could not be used while others could), complete (false: some
              chunks were left out because this client was slow or came late; `fetch` the job)
    failed    code (see ERROR_CODES; other codes come from the job itself), message, remedy, job ("" when no
              job is concerned), log (path of the job's log, or ""), problems (all that is wrong with a submit).
              Input files finished before a failure are kept: `fetch` sends them.
    pong      jobs [{job, kind, state, created, seconds, sources, stage, fraction, eta, results (count), code,
              message, remedy}] (seconds since 1970), device ("" until the first worker has looked), busy.
              Also comes unasked when the device becomes known.

Job states: queued -> running -> done | failed | cancelled (JOB_STATES). A job that was queued or
running when the backend ended is found `failed` with code "interrupted" after a restart.

Use
    frames = encode(submit("capture", {"hands": "none"}, ["/videos/a.mp4"], roots=["/videos"]))
    dealer.send_multipart(frames)
    message = decode(dealer.recv_multipart(), FROM_BACKEND)
    if message.type == "chunk": message["person"], message.arrays["poses"]
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from .errors import BadInput, SmplitError

PROTOCOL_VERSION = 1
CLIENT_KEY_VARIABLE = "SMPLIT_CLIENT_KEY"
JOB_STATES = ("queued", "running", "done", "failed", "cancelled")
ENDED = frozenset({"done", "failed", "cancelled"})
ERROR_CODES = {
    "bad_message": "the message breaks a rule of this protocol",
    "bad_version": "client and backend speak different protocol versions",
    "unknown_kind": "submit names a kind of job that this backend does not do",
    "bad_params": "params or paths of a submit; `problems` lists everything that is wrong",
    "outside_roots": "a path does not resolve below an approved folder",
    "queue_full": "too many jobs wait",
    "unknown_job": "no such job in the journal",
    "cancelled": "the user asked for it",
    "interrupted": "the backend ended while the job was queued or running",
    "worker_died": "the worker process crashed or was killed",
    "out_of_memory": "the worker ran out of memory",
    "no_space": "the disk is full",
    "internal": "a defect; the log holds the traceback",
}
DTYPES = {
    name: np.dtype(name).newbyteorder("<")
    for name in ("bool", "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16", "float32", "float64")
}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_JSON_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_BRACKET = re.compile(rb"[\[\]{}]")
_RESERVED = frozenset({"v", "type", "id", "re", "arrays"})


@dataclass(frozen=True)
class Limits:
    """What one message may hold, checked before anything is built from it."""

    header_bytes: int = 1 << 20
    depth: int = 12  # of nested JSON lists and objects
    frames: int = 64  # arrays of one message
    frame_bytes: int = 64 << 20
    total_bytes: int = 256 << 20
    dimensions: int = 8
    text_characters: int = 1 << 20  # items x longest item of a text array, as numpy stores it


LIMITS = Limits()


class ProtocolError(SmplitError):
    """A message that breaks a rule. `re` is the request it belongs to, when that much could be read."""

    default_code = "bad_message"

    def __init__(self, message: str, remedy: str = "Update the SMPLit add-on and backend to the same version.",
                 code: str | None = None, re: str = ""):
        super().__init__(message, remedy, code)
        self.re = re


@dataclass(frozen=True)
class Message:
    """One message. `fields` are the header's own entries; `arrays` are read-only views after `decode`."""

    type: str
    fields: Mapping[str, object] = field(default_factory=dict)
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    id: str = ""
    re: str = ""

    def __getitem__(self, name: str):
        return self.fields[name]

    def get(self, name: str, default=None):
        return self.fields.get(name, default)


# Fields of each message: name -> allowed JSON types; a name that ends in "?" may be absent or null.
_NUMBER = (int, float)
Schema = Mapping[str, Mapping[str, tuple[type, ...]]]
FROM_CLIENT: Schema = {
    "hello": {"client": (str,)},
    "submit": {"kind": (str,), "params": (dict,), "paths": (list,), "roots?": (list,)},
    "cancel": {"job": (str,)},
    "status": {"job?": (str,)},
    "fetch": {"job": (str,)},
    "shutdown": {},
}
FROM_BACKEND: Schema = {
    "welcome": {
        "smplit": (str,), "protocol": (int,), "pid": (int,), "python": (str,), "platform": (str,), "device": (str,),
        "kinds": (list,), "models": (list,), "jobs": (list,), "jobs_dir": (str,),
    },
    "accepted": {"job": (str,), "state": (str,), "position": (int,)},
    "progress": {
        "job": (str,), "clip": (int,), "clips": (int,), "stage": (str,), "done": (int,), "total?": (int,),
        "fraction?": _NUMBER, "eta?": _NUMBER,
    },
    "chunk": {"job": (str,), "clip": (int,), "source": (str,), "person": (int,), "first": (int,), "frames": (int,)},
    "log": {"job": (str,), "level": (str,), "text": (str,)},
    "done": {"job": (str,), "seconds": _NUMBER, "results": (list,), "failures": (list,), "complete": (bool,)},
    "failed": {"code": (str,), "message": (str,), "remedy": (str,), "job": (str,), "log": (str,), "problems": (list,)},
    "pong": {"jobs": (list,), "device": (str,), "busy": (int,)},
}


def new_id() -> str:
    """A fresh name for a request."""
    return secrets.token_hex(8)


def hello(client: str, id: str = "") -> Message:
    """First message of a client: `client` is its name and version, for the log."""
    return Message("hello", {"client": client}, id=id or new_id())


def submit(kind: str, params: Mapping[str, object], paths: Sequence[str | Path] = (), roots: Sequence[str | Path] = (),
           arrays: Mapping[str, np.ndarray] | None = None, id: str = "") -> Message:
    """Asks for a job over absolute `paths`, each below one of the folders `roots` that the user approved."""
    fields = {"kind": kind, "params": dict(params), "paths": [str(p) for p in paths], "roots": [str(r) for r in roots]}
    return Message("submit", fields, arrays or {}, id=id or new_id())


def cancel(job: str, id: str = "") -> Message:
    """Stops a queued or running job."""
    return Message("cancel", {"job": job}, id=id or new_id())


def status(job: str | None = None, id: str = "") -> Message:
    """Asks for one job, or all."""
    return Message("status", {} if job is None else {"job": job}, id=id or new_id())


def fetch(job: str, id: str = "") -> Message:
    """Asks for a job's results again, or to follow a job that has not ended."""
    return Message("fetch", {"job": job}, id=id or new_id())


def shutdown(id: str = "") -> Message:
    """Ends the backend."""
    return Message("shutdown", {}, id=id or new_id())


def failed(error: SmplitError, job: str = "", log: str = "", problems: Sequence[str] = (), re: str = "") -> Message:
    """An error on the wire."""
    fields = {"code": error.code, "message": error.message, "remedy": error.remedy, "job": job, "log": log, "problems": list(problems)}
    return Message("failed", fields, re=re)


def encode(message: Message, limits: Limits = LIMITS) -> list[bytes | memoryview]:
    """The frames of a message, for `send_multipart`.

    Raises:
        ProtocolError: an array's dtype or a size is not allowed, or a field is not JSON.
    """
    header: dict[str, object] = {"v": PROTOCOL_VERSION, "type": message.type}
    header.update({name: value for name, value in (("id", message.id), ("re", message.re)) if value})
    if taken := _RESERVED & set(message.fields):
        raise ProtocolError(f"Field names {sorted(taken)} are reserved.")
    header.update(message.fields)
    entries, frames = [], []
    for name, array in message.arrays.items():
        entry, frame = _encode_array(name, np.asarray(array))
        entries.append(entry)
        if frame is not None:
            frames.append(frame)
    if entries:
        header["arrays"] = entries
    try:
        text = json.dumps(header, allow_nan=False, separators=(",", ":"), ensure_ascii=False).encode("utf-8")
    except (TypeError, ValueError) as error:
        raise ProtocolError(f"A field of '{message.type}' cannot be written as JSON ({error}).") from error
    _check_sizes([text, *frames], limits)
    return [text, *frames]


def _encode_array(name: str, array: np.ndarray) -> tuple[dict, memoryview | None]:
    if array.dtype.kind == "U":
        return {"name": name, "dtype": "text", "shape": list(array.shape), "text": array.ravel().tolist()}, None
    dtype = DTYPES.get(array.dtype.name)
    if dtype is None:
        raise ProtocolError(f"Array '{name}' has dtype {array.dtype}, which is not sent.", f"Convert it to one of {', '.join(DTYPES)}.")
    packed = np.ascontiguousarray(array, dtype).reshape(-1)  # flat, because bytes of a 0-dimensional array have no view
    return {"name": name, "dtype": array.dtype.name, "shape": list(array.shape)}, memoryview(packed.view(np.uint8))


def decode(frames: Sequence[bytes | memoryview], expect: Schema, limits: Limits = LIMITS) -> Message:
    """A message from its frames, everything checked.

    Args:
        frames: as received by `recv_multipart`.
        expect: FROM_BACKEND in a client, FROM_CLIENT in the backend.

    Raises:
        ProtocolError: something is not as this module's description says; nothing was kept of it.
    """
    _check_sizes(frames, limits)
    header = _parse_header(bytes(frames[0]), limits)
    answer = header.get("id")
    answer = answer if isinstance(answer, str) and len(answer) <= 64 else ""
    try:
        fields = _check_fields(header, expect)
        arrays = _decode_arrays(header.get("arrays", []), frames[1:], limits)
    except ProtocolError as error:
        error.re = answer
        raise
    re_ = header.get("re", "")
    return Message(header["type"], fields, arrays, id=answer, re=re_ if isinstance(re_, str) else "")


def _check_sizes(frames: Sequence[bytes | memoryview], limits: Limits) -> None:
    if not frames:
        raise ProtocolError("The message is empty.")
    if len(frames) - 1 > limits.frames:
        raise ProtocolError(f"The message has {len(frames) - 1} array frames; at most {limits.frames} are allowed.")
    sizes = [memoryview(frame).nbytes for frame in frames]
    if sizes[0] > limits.header_bytes:
        raise ProtocolError(f"The header has {sizes[0]} bytes; at most {limits.header_bytes} are allowed.")
    if max(sizes) > limits.frame_bytes or sum(sizes) > limits.total_bytes:
        raise ProtocolError(
            f"The message has {sum(sizes)} bytes, its largest frame {max(sizes)}; "
            f"at most {limits.total_bytes} in all and {limits.frame_bytes} a frame are allowed.", "Send fewer frames of motion at once.",
        )


def _parse_header(raw: bytes, limits: Limits) -> dict:
    depth = 0
    for bracket in _BRACKET.findall(_JSON_STRING.sub(b"", raw)):
        depth += 1 if bracket in b"[{" else -1
        if depth > limits.depth:
            raise ProtocolError(f"The header nests deeper than {limits.depth} levels.")
    try:
        header = json.loads(raw.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"The header is not JSON ({error}).") from error
    if not isinstance(header, dict):
        raise ProtocolError("The header is not a JSON object.")
    return header


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not allowed")


def _check_fields(header: dict, expect: Schema) -> dict:
    if header.get("v") != PROTOCOL_VERSION:
        raise ProtocolError(f"The message speaks protocol version {header.get('v')!r}, this side speaks {PROTOCOL_VERSION}.", code="bad_version")
    schema = expect.get(header["type"]) if isinstance(header.get("type"), str) else None
    if schema is None:
        raise ProtocolError(f"Message type {header.get('type')!r} is not known; known are {', '.join(expect)}.")
    fields = {name: value for name, value in header.items() if name not in _RESERVED}
    problems = []
    for name, kinds in schema.items():
        value = fields.get(name.rstrip("?"))
        if value is None and name.endswith("?"):
            continue
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            problems.append(f"'{name.rstrip('?')}' must be {' or '.join(kind.__name__ for kind in kinds)}")
    if problems:
        raise ProtocolError(f"Message '{header['type']}': {'; '.join(problems)}.")
    return fields


def _decode_arrays(entries: object, frames: Sequence[bytes | memoryview], limits: Limits) -> dict[str, np.ndarray]:
    if not isinstance(entries, list) or len(entries) > limits.frames:
        raise ProtocolError(f"'arrays' must be a list of at most {limits.frames} entries.")
    arrays: dict[str, np.ndarray] = {}
    left = list(frames)
    for entry in entries:
        name, shape = _check_entry(entry, limits)
        if name in arrays:
            raise ProtocolError(f"Array '{name}' comes twice.")
        if entry["dtype"] == "text":
            arrays[name] = _decode_text(name, entry.get("text"), shape, limits)
            continue
        dtype = DTYPES[entry["dtype"]]
        if not left:
            raise ProtocolError(f"Array '{name}' has no frame.")
        frame = left.pop(0)
        expected, actual = math.prod(shape) * dtype.itemsize, memoryview(frame).nbytes
        if expected != actual:
            raise ProtocolError(f"Array '{name}' of shape {shape} and dtype {dtype.name} needs {expected} bytes; its frame has {actual}.")
        arrays[name] = np.frombuffer(frame, dtype).reshape(shape)
        arrays[name].flags.writeable = False
    if left:
        raise ProtocolError(f"The message has {len(left)} frames that 'arrays' does not name.")
    return arrays


def _check_entry(entry: object, limits: Limits) -> tuple[str, tuple[int, ...]]:
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str) or not _NAME.fullmatch(entry["name"]):
        raise ProtocolError("An entry of 'arrays' has no proper name.")
    dtype, shape = entry.get("dtype"), entry.get("shape")
    if not isinstance(dtype, str) or (dtype != "text" and dtype not in DTYPES):
        raise ProtocolError(f"Array '{entry['name']}' has dtype {dtype!r}; allowed are text, {', '.join(DTYPES)}.")
    if not isinstance(shape, list) or len(shape) > limits.dimensions or not all(type(n) is int and 0 <= n < 1 << 40 for n in shape):
        raise ProtocolError(f"Array '{entry['name']}' has a shape that is not a list of at most {limits.dimensions} sizes.")
    return entry["name"], tuple(shape)


def _decode_text(name: str, values: object, shape: tuple[int, ...], limits: Limits) -> np.ndarray:
    if not isinstance(values, list) or not all(isinstance(v, str) for v in values) or len(values) != math.prod(shape):
        raise ProtocolError(f"Text array '{name}' of shape {shape} needs {math.prod(shape)} strings under 'text'.")
    if len(values) * max((len(v) for v in values), default=0) > limits.text_characters:
        raise ProtocolError(f"Text array '{name}' is too large.")
    array = np.array(values, dtype=np.str_).reshape(shape)
    array.flags.writeable = False
    return array


@dataclass(frozen=True)
class Connection:
    """The connection file: where a backend listens and its CURVE public key (z85)."""

    endpoint: str
    server_key: str
    pid: int
    smplit: str
    protocol: int = PROTOCOL_VERSION
    client_key: str = ""  # with client_secret: only when the backend was started by hand
    client_secret: str = ""


def write_connection(path: str | Path, connection: Connection) -> None:
    """Writes the file, readable by this user alone, whole or not at all.

    Raises:
        OSError: the folder cannot be written.
    """
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")  # mkstemp makes it 0600
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            json.dump({name: value for name, value in asdict(connection).items() if value != ""}, stream, indent=1)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def read_connection(path: str | Path) -> Connection:
    """Reads a connection file.

    Raises:
        BadInput: not there, not a connection file, or of another protocol version.
    """
    path = Path(path)
    try:
        values = json.loads(path.read_text("utf-8"))
        connection = Connection(**{name: values[name] for name in Connection.__dataclass_fields__ if name in values})
        if not all(type(value) is (int if name in ("pid", "protocol") else str) for name, value in asdict(connection).items()):
            raise TypeError("a field has the wrong type")
    except FileNotFoundError as error:
        raise BadInput(f"There is no backend: '{path}' does not exist.", "Start the backend.", "no_backend") from error
    except (OSError, ValueError, TypeError) as error:
        raise BadInput(f"'{path}' is not a connection file ({error}).", "Start the backend again.", "bad_connection_file") from error
    if connection.protocol != PROTOCOL_VERSION:
        raise BadInput(
            f"The backend speaks protocol version {connection.protocol}, this side speaks {PROTOCOL_VERSION}.",
            "Install the add-on and the backend of the same version.", "bad_version",
        )
    return connection


def remove_connection(path: str | Path, connection: Connection) -> None:
    """Removes the file if it is still this backend's own."""
    with contextlib.suppress(OSError, BadInput):
        if read_connection(path) == connection:
            Path(path).unlink()
