# SPDX-License-Identifier: GPL-3.0-or-later
"""What the process that opens strangers' files may not do: use much memory, write elsewhere, start programs, call out.

The second wall. The first is that nothing in a file is ever called (`pickles`, `weights`); this one is for a fault in
the first, or in a library that parses the file.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

_GIB = 1 << 30
_PROGRAMS = (
    "os.system", "os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.startfile", "subprocess.Popen", "pty.spawn",
    "_winapi.CreateProcess", "os.kill", "os.killpg",
    "socket.__new__", "socket.connect", "socket.bind", "socket.getaddrinfo", "ctypes.dlopen", "webbrowser.open",
)
# What changes files -> which of its arguments name them.
_CHANGES = {
    **dict.fromkeys(("os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.chown", "os.truncate", "os.utime", "shutil.rmtree"), (0,)),
    **dict.fromkeys(("os.rename", "shutil.move"), (0, 1)), **dict.fromkeys(("os.link", "os.symlink", "shutil.copyfile"), (1,)),
}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Forbidden(RuntimeError):
    """Something tried to do what reading a file never needs."""


def limit(largest: int) -> None:
    """Limits of the operating system for a process that reads files of `largest` bytes; Windows has none of them."""
    try:
        import resource
    except ImportError:
        return
    wanted = {
        "RLIMIT_AS": 48 * _GIB + 4 * largest, "RLIMIT_DATA": 6 * _GIB + 2 * largest, "RLIMIT_FSIZE": _GIB + 2 * largest, "RLIMIT_CORE": 0,
    }
    for name, most in wanted.items():
        kind = getattr(resource, name, None)
        if kind is None:
            continue
        hard = resource.getrlimit(kind)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        try:
            resource.setrlimit(kind, (most, most))
        except (ValueError, OSError):  # macOS knows some of the names only
            continue


def confine(folder: Path) -> None:
    """From now on, until the process ends: no other program, no network, no writing outside `folder`. Cannot be taken back."""
    root = os.path.realpath(folder)

    def inside(path: object) -> bool:
        if isinstance(path, int):
            return True  # a file that was opened before
        real = os.path.realpath(os.fsdecode(path))
        return real == root or real.startswith(root + os.sep) or real == os.devnull

    def watch(event: str, arguments: tuple) -> None:
        if event in _PROGRAMS:
            raise Forbidden(f"{event} while reading a file")
        if event in _CHANGES and not all(inside(arguments[place]) for place in _CHANGES[event]):
            raise Forbidden(f"{event} outside its own folder while reading a file")
        if event == "open" and arguments[0] is not None:
            path, mode, flags = arguments
            writes = bool(flags & _WRITING) if isinstance(flags, int) else any(letter in str(mode) for letter in "wax+")
            if writes and not inside(path):
                raise Forbidden("writing outside its own folder while reading a file")

    sys.addaudithook(watch)
