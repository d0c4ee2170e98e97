# SPDX-License-Identifier: GPL-3.0-or-later
"""A single output file that appears whole or not at all."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from smplit.errors import BadInput, NoSpace


@contextmanager
def whole_file(path: str | Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`, with its suffix; it is renamed to `path` at the end.

    On any error, a cancel or Ctrl-C the temporary file goes, with a folder that was made for it,
    and an older file at `path` stays as it was.

    Raises:
        BadInput: `path` is a folder or lies where nothing can be written.
        NoSpace: the disk is full.
    """
    path = Path(path)
    if os.path.isdir(path):  # unlike Path.is_dir, it says no where a name is too long to look for
        raise BadInput(f"Output '{path}' is a folder.", "Name a file.", "output_is_folder")
    made = _missing_parents(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.stem[:40]}-", suffix=path.suffix)
    except OSError as error:
        _remove_folders(made)
        raise _explained(error, path) from error
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())  # mkstemp makes files that only their owner reads
        os.replace(temporary, path)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        _remove_folders(made)
        if isinstance(error, OSError):
            raise _explained(error, path) from error
        raise


def _missing_parents(path: Path) -> list[Path]:
    """Folders above `path` that are not there yet, deepest first."""
    return [folder for folder in path.parents if not folder.exists()]


def _remove_folders(folders: list[Path]) -> None:
    for folder in folders:
        try:
            folder.rmdir()
        except OSError:  # not made, or somebody else uses it meanwhile
            return


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _explained(error: OSError, path: Path) -> Exception:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpace(f"No space left while writing '{path}'.", "Free some space, or write to another disk, and run again.")
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.ENOENT, errno.ENAMETOOLONG, errno.EINVAL):
        return BadInput(f"Cannot write '{path}' ({error.strerror}).", "Choose a folder you may write to.", "not_writable")
    return error
