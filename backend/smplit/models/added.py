# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user added, by the notes that lie beside the files: `<file>.json`."""

from __future__ import annotations

import json
from pathlib import Path

from smplit import models
from smplit.models.published import PUBLISHED

NOTE = ".json"


def notes() -> list[dict]:
    """Of each added file: model, path, title, build, source, sha256, size, as noted then."""
    folder = models.user_folder()
    found = {}
    for entry in PUBLISHED:  # nothing else can be added
        for relative in entry.paths:
            for path in sorted(folder.glob(relative + NOTE)):
                note = _read(path)
                if note is not None and note.get("model") == entry.name:
                    file = path.with_name(path.name.removesuffix(NOTE))
                    found[file] = note | {"path": str(file)}
    return list(found.values())


def note_of(path: Path) -> dict | None:
    """The note beside a file; None where it was not added."""
    return _read(path.with_name(path.name + NOTE))


def _read(path: Path) -> dict | None:
    try:
        note = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return note if isinstance(note, dict) and isinstance(note.get("sha256"), str) and isinstance(note.get("size"), int) else None
