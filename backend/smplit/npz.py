# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays out of an npz file that somebody else made, without trusting it.

numpy only: Blender's Python imports this module. Nothing is ever unpickled; what the file claims
about sizes is checked against the bytes that are there before memory is taken.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from .errors import BadInput

MOST_BYTES = 2 << 30  # of one array: 3 million frames of 165 float32, 27 hours at 30 fps
_REMEDY = "Use an npz file written by SMPLit, AMASS or the SMPL-X add-on."


def read_npz(path: str | Path, wanted: Callable[[str], bool]) -> dict[str, np.ndarray]:
    """The arrays whose names are `wanted`; all others stay unread, whatever they hold.

    Raises:
        BadInput: no such file, not an npz, damaged, pickled objects in a wanted array, or an array
            that is larger than `MOST_BYTES` or than its own bytes.
    """
    path = Path(path)
    if path.is_dir():
        raise BadInput(f"'{path}' is a folder.", "Choose an npz file.", "is_directory")
    if not path.is_file():
        raise BadInput(f"'{path}' is not a file.", "Check the path.", "no_such_file")
    try:
        if path.stat().st_size == 0:
            raise BadInput(f"'{path}' is empty (0 bytes).", "Copy or export the file again.", "empty_file")
        with zipfile.ZipFile(path) as archive:
            members = {entry.filename.removesuffix(".npy"): entry for entry in archive.infolist() if entry.filename.endswith(".npy")}
            return {name: _read(archive, entry, path, name) for name, entry in members.items() if wanted(name)}
    except BadInput:
        raise
    except PermissionError as error:
        raise BadInput(f"'{path}' cannot be read (no permission).", "Change its permissions or copy it.", "no_permission") from error
    except Exception as error:  # a damaged archive fails in zipfile, zlib, struct, tokenize or numpy: all of it is a bad file
        raise BadInput(f"'{path}' cannot be read as an npz file ({error or type(error).__name__}).", _REMEDY, "unreadable") from error


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, path: Path, name: str) -> np.ndarray:
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(stream)
        if dtype.hasobject:
            raise BadInput(
                f"'{path}' cannot be read: '{name}' holds pickled Python objects, which could run code.",
                "Save it again as plain numbers.", "pickled",
            )
        claimed = math.prod(shape) * dtype.itemsize
        if claimed > MOST_BYTES:
            raise BadInput(
                f"'{path}': '{name}' of shape {shape} would take {claimed / 2**30:.1f} GiB, the limit is {MOST_BYTES >> 30}.",
                "Cut the motion into several files.", "too_large",
            )
        if claimed > entry.file_size:
            raise BadInput(f"'{path}': '{name}' is cut short.", "Copy or export the file again.", "unreadable")
    with archive.open(entry) as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)
