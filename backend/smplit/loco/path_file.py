# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths that somebody saved: npz with `points` (N,2|3) m and perhaps `closed`, or csv with the columns x, y and perhaps z."""

from __future__ import annotations

import csv
import math
from pathlib import Path

import numpy as np

from smplit.errors import BadInput
from smplit.npz import read_npz

from .curve import path_points

_MOST_BYTES = 64 << 20
_REMEDY = "A path file is an npz with points (N,2 or 3) in metres and perhaps closed, or a csv with a header that names x, y and perhaps z."


def read_path(path: str | Path) -> tuple[np.ndarray, bool]:
    """Points (N,3) m in order, at least two, all finite; and whether the last leads to the first (csv: never said, so no).

    Raises:
        BadInput: no such file, another kind of file, damaged, or its contents are no path. Names the file, what is wrong, the remedy.
    """
    path = Path(path)
    readers = {".npz": _read_npz, ".csv": _read_csv}
    reader = readers.get(path.suffix.lower())
    if path.is_dir():
        raise BadInput(f"'{path}' is a folder.", "Choose an npz or csv file.", "is_directory")
    if not path.is_file():
        raise BadInput(f"'{path}' is not a file.", "Check the path.", "no_such_file")
    if reader is None:
        raise BadInput(f"'{path}' is neither npz nor csv.", _REMEDY, "unreadable")
    if path.stat().st_size > _MOST_BYTES:
        raise BadInput(f"'{path}' is larger than {_MOST_BYTES >> 20} MiB.", "Save fewer points; one a centimetre is plenty.", "too_large")
    try:
        points, closed = reader(path)
        return path_points(points), closed
    except PermissionError as error:
        raise BadInput(f"'{path}' cannot be read (no permission).", "Change its permissions or copy it.", "no_permission") from error
    except BadInput as error:
        message = error.message if str(path) in error.message else f"'{path}': {error.message}"
        raise BadInput(message, error.remedy, error.code) from error


def _read_npz(path: Path) -> tuple[np.ndarray, bool]:
    try:
        arrays = read_npz(path, lambda name: name in ("points", "closed"))
    except BadInput as error:  # its remedies speak of motion files
        raise BadInput(error.message, _REMEDY, error.code) from error
    if "points" not in arrays:
        raise BadInput("there is no 'points' in it.", _REMEDY, "wrong_columns")
    points, closed = arrays["points"], arrays.get("closed", np.False_)
    if points.dtype.kind not in "fiu":
        raise BadInput(f"'points' holds {points.dtype}, not numbers.", _REMEDY, "not_numbers")
    if closed.size != 1 or closed.dtype.kind not in "biu" or closed.item() not in (0, 1):
        raise BadInput(f"'closed' is {closed.dtype} of shape {closed.shape}, not one truth value.", "Save closed as True or False.", "not_numbers")
    return points, bool(closed.item())


def _read_csv(path: Path) -> tuple[np.ndarray, bool]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file)
            header = [name.strip().lower() for name in next(rows, [])]
            columns = _columns(header)
            points = [[_number(row, rows.line_num, header, column) for column in columns] for row in rows if any(map(str.strip, row))]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadInput(f"it cannot be read as text with commas ({error}).", _REMEDY, "unreadable") from error
    return np.array(points).reshape(-1, len(columns)), False


def _columns(header: list[str]) -> list[int]:
    """Where x, y and perhaps z are."""
    for name in ("x", "y", "z"):
        if header.count(name) > 1:
            raise BadInput(f"there are two columns '{name}'.", _REMEDY, "wrong_columns")
    missing = [name for name in ("x", "y") if name not in header]
    if missing:
        named = ", ".join(header[:8]) if any(header) else "nothing"
        raise BadInput(f"the column {' and '.join(missing)} is missing; its first line names {named}.", _REMEDY, "wrong_columns")
    return [header.index(name) for name in ("x", "y", "z") if name in header]


def _number(row: list[str], line: int, header: list[str], column: int) -> float:
    if len(row) != len(header):
        raise BadInput(f"line {line} has {len(row)} values, the header {len(header)}.", "Write one value for every column.", "wrong_columns")
    try:
        number = float(row[column])
    except ValueError as error:
        raise BadInput(f"line {line} has '{row[column][:40]}' for {header[column]}.", "Write a number of metres.", "not_numbers") from error
    if not math.isfinite(number):
        raise BadInput(f"line {line} has '{row[column]}' for {header[column]}.", "Write a finite number of metres.", "path_not_finite")
    return number
