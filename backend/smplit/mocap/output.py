# SPDX-License-Identifier: GPL-3.0-or-later
"""Results appear whole or not at all: files are written aside and moved in at the end."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from pathlib import Path

import psutil

from smplit.errors import BadInput, NoSpace
from smplit.motion import Motion

_ASIDE = ".smplit-"  # folders of unfinished runs


class OutputFolder:
    """`with OutputFolder(dir) as folder: folder.save(...); folder.commit()`.

    Without `commit` (an error, Ctrl-C, a cancel) nothing of this run stays, and a folder that this
    run made is removed again.
    """

    def __init__(self, final: Path):
        self._final = final

    def __enter__(self) -> OutputFolder:
        if self._final.exists() and not self._final.is_dir():
            raise BadInput(f"Output '{self._final}' is a file, not a folder.", "Choose a folder with -o.", "output_is_file")
        self._made = not self._final.exists()
        try:
            self._final.mkdir(parents=True, exist_ok=True)
            _remove_abandoned(self._final)
            self.path = Path(tempfile.mkdtemp(prefix=f"{_ASIDE}{os.getpid()}-", dir=self._final))
        except OSError as error:
            raise _explain(error, self._final) from error
        return self

    def save(self, motion: Motion, name: str) -> Path:
        """Writes one motion file aside; returns its temporary path."""
        try:
            return motion.save(self.path / name)
        except OSError as error:
            raise _explain(error, self._final) from error

    def commit(self) -> None:
        """Moves every file of this run into place, replacing those of an earlier run."""
        try:
            for file in sorted(self.path.iterdir()):
                os.replace(file, self._final / file.name)
        except OSError as error:
            raise _explain(error, self._final) from error
        self._made = False

    def final(self, path: Path) -> Path:
        """Where a file that `save` returned lies after `commit`."""
        return self._final / path.name

    def __exit__(self, kind, error, trace) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        if self._made:
            with contextlib.suppress(OSError):  # somebody else put a file there meanwhile
                self._final.rmdir()
        if isinstance(error, OSError):
            raise _explain(error, self._final) from error


def _remove_abandoned(folder: Path) -> None:
    """What a killed run left aside; its process number is in the name."""
    for left in folder.glob(f"{_ASIDE}*"):
        number = left.name.removeprefix(_ASIDE).partition("-")[0]
        if number.isdigit() and not psutil.pid_exists(int(number)):
            shutil.rmtree(left, ignore_errors=True)


def _explain(error: OSError, folder: Path) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(f"No space left while writing to '{folder}'.", "Free some space, or choose another folder with -o, and run again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return BadInput(f"Cannot write to '{folder}' ({error.strerror}).", "Choose a folder you may write to with -o.", "not_writable")
    return error
