# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the backend: keys, socket, connection file, the loop, and a clean end.

ZeroMQ through pyzmq (BSD-3-Clause): authenticated and encrypted messages (CURVE) with framing,
reconnection and bounded queues, as wheels for every Python that Blender ships; no web server or TLS
certificates on a user's machine.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import platformdirs
import psutil
import zmq

import smplit
from smplit import terminal
from smplit.device import check_device_name
from smplit.errors import BadInput
from smplit.protocol import CLIENT_KEY_VARIABLE, LIMITS, Connection, read_connection, remove_connection, write_connection
from smplit.server import parent, paths
from smplit.server.backend import Backend
from smplit.server.journal import Journal
from smplit.server.scheduler import Settings
from smplit.server.security import Keys, make_keys, secure

_log = logging.getLogger(__name__)
_FAREWELL_MS = 500  # for last messages to leave the socket
_CURVE_BYTES = 64  # more than encryption adds to a frame
_MOST_WAITING = 64  # messages a socket keeps for one client; beyond that `clients` waits, thins out and forgets


def serve(
    connection_file: str | Path, parent_pid: int | None = None, host: str = "127.0.0.1", client_key: str | None = None,
    jobs_dir: str | Path | None = None, roots: Sequence[str | Path] = (), device: str = "auto", settings: Settings | None = None,
) -> int:
    """Serves until a client sends `shutdown`, the parent is gone, or SIGINT or SIGTERM; call it in the main thread.

    Args:
        connection_file: written (0600) once the backend listens, removed at the end.
        parent_pid: leave when this process is gone. A pipe as standard input is watched as well.
        host: address to listen on.
        client_key: public key of the only client (Z85); else from the environment, else a pair is made and written.
        jobs_dir: folder of the journal and the results; by default in the user's data folder.
        roots: folders that inputs may be read from; none: what each submit approves.
        device: for the workers: auto, cpu, cuda, cuda:N or mps.
        settings: limits and the registry of job kinds.

    Returns:
        The exit code, 0.

    Raises:
        BadInput: an argument cannot be used; nothing was started.
    """
    check_device_name(device)
    connection_file = Path(os.path.abspath(connection_file))
    fence = _fence(roots)
    keys = make_keys(client_key or os.environ.get(CLIENT_KEY_VARIABLE, ""))
    _refuse_taken(connection_file)
    journal = Journal(_folder(Path(jobs_dir) if jobs_dir else platformdirs.user_data_path("smplit", appauthor=False) / "jobs", "--jobs-dir"))
    _folder(connection_file.parent, "--connection-file")
    with _listening(host, keys) as (router, endpoint):
        backend = Backend(router, journal, replace(settings or Settings(), device=device), fence)
        with _leaving_on_signals(backend):
            if parent_pid is not None:
                parent.watch_process(parent_pid, backend.leave)
            parent.watch_stdin(backend.leave)
            with _announced(connection_file, endpoint, keys):
                reason = backend.run()
    terminal.say(f"SMPLit backend ended: {reason}.")
    return 0


def _fence(roots: Sequence[str | Path]) -> list[Path]:
    fence, problems = paths.resolve_roots([], [os.path.abspath(root) for root in roots])
    if problems:
        raise BadInput(f"--root: {'; '.join(problems)}.", "Name folders that exist.", "bad_root")
    return fence


def _folder(folder: Path, option: str) -> Path:
    """The folder, absolute, made for this user alone when it is not there."""
    folder = Path(os.path.realpath(folder))
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        problem = f"{option}: the folder '{folder}' cannot be made ({error.strerror})."
        raise BadInput(problem, "Choose a folder you may write to.", "not_writable") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise BadInput(f"{option}: the folder '{folder}' cannot be written.", "Choose a folder you may write to.", "not_writable")
    return folder


def _refuse_taken(file: Path) -> None:
    """A file of a backend that is gone (it was killed) is stale and may be replaced; another's is not ours to take."""
    if file.is_dir():
        raise BadInput(f"--connection-file '{file}' is a folder.", "Name a file in it.", "bad_connection_file")
    try:
        pid = read_connection(file).pid
        # A process that began after the file was written only has the number of the one that wrote it.
        taken = psutil.Process(pid).create_time() <= file.stat().st_mtime + 1.0 and parent.alive(psutil.Process(pid))
    except (BadInput, psutil.Error, OSError, ValueError):
        return
    if taken:
        raise BadInput(
            f"A backend (process {pid}) already listens under '{file}'.", "Use that one, end it, or name another --connection-file.", "taken",
        )


@contextlib.contextmanager
def _listening(host: str, keys: Keys) -> Iterator[tuple[zmq.Socket, str]]:
    """A bound socket that lets only the client's key in, and its endpoint; nothing waits in it at the end but last words."""
    address = _resolve(host)
    context = zmq.Context()
    authenticator = None
    router = context.socket(zmq.ROUTER)
    try:
        authenticator = secure(context, router, keys)
        router.router_mandatory = True  # so that a client that has gone is noticed
        router.maxmsgsize = LIMITS.frame_bytes + _CURVE_BYTES  # ZeroMQ drops whoever sends a larger frame
        router.sndhwm = router.rcvhwm = _MOST_WAITING
        router.ipv6 = ":" in address
        router.linger = _FAREWELL_MS
        try:
            router.bind(f"tcp://[{address}]:*" if ":" in address else f"tcp://{address}:*")
        except zmq.ZMQError as error:
            raise BadInput(f"--host {host}: cannot listen there ({error.strerror}).", "Use 127.0.0.1.", "bad_host") from error
        yield router, router.last_endpoint.decode().rstrip("\0").replace("//0.0.0.0:", "//127.0.0.1:").replace("//[::]:", "//[::1]:")
    finally:
        router.close()
        if authenticator is not None:
            authenticator.stop()
        context.term()


def _resolve(host: str) -> str:
    try:
        return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError) as error:
        raise BadInput(f"--host {host!r} is no address of this machine ({error}).", "Use 127.0.0.1.", "bad_host") from error


@contextlib.contextmanager
def _announced(file: Path, endpoint: str, keys: Keys) -> Iterator[None]:
    """The connection file is there meanwhile."""
    by_hand = {"client_key": keys.client_public, "client_secret": keys.client_secret} if keys.client_secret else {}
    connection = Connection(endpoint, keys.server_public, os.getpid(), smplit.__version__, **by_hand)
    try:
        write_connection(file, connection)
    except OSError as error:
        problem = f"--connection-file '{file}' cannot be written ({error.strerror})."
        raise BadInput(problem, "Choose a folder you may write to.", "not_writable") from error
    terminal.say(f"SMPLit backend {smplit.__version__} listens at {endpoint}; connection file: {file}")
    try:
        yield
    finally:
        remove_connection(file, connection)


@contextlib.contextmanager
def _leaving_on_signals(backend: Backend) -> Iterator[None]:
    names = [name for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]
    before = {
        number: signal.signal(number, lambda got, frame: backend.leave(f"it received {signal.Signals(got).name}"))
        for number in (getattr(signal, name) for name in names)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
