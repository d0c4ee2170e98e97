# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user added, by the notes that lie beside the files (`<file>.json`), and `smplit models remove`.

A note says what the file is, from where, and its checksum. `remove` and `verify` go by the notes, so neither ever touches a
shipped file, or one that was put there by hand.
"""

from __future__ import annotations

import json
from pathlib import Path

from smplit import models
from smplit.errors import BadInput, MissingModel
from smplit.models.published import PUBLISHED
from smplit.models.registry import MODELS

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


def remove(name: str) -> list[str]:
    """Deletes the files of a model that `add` made.

    Returns:
        their paths.

    Raises:
        BadInput: no such model.
        MissingModel: nothing of it was added.
    """
    if name not in MODELS:
        raise BadInput(f"There is no model '{name}'.", f"One of: {', '.join(MODELS)}.", "no_such_model")
    gone = []
    for note in notes():
        if note["model"] == name:
            path = Path(note["path"])
            path.unlink(missing_ok=True)
            path.with_name(path.name + NOTE).unlink(missing_ok=True)
            if path.parent != models.user_folder() and not any(path.parent.iterdir()):
                path.parent.rmdir()
            gone.append(str(path))
    if not gone:
        there = models.find(name) if models.there(name) else None
        raise MissingModel(
            f"No file of '{name}' was added with 'smplit models add'.",
            ("It belongs to SMPLit itself." if MODELS[name].shipped else f"'{there}' was put there by hand: delete it yourself.") if there
            else "There is nothing to remove.", "not_added",
        )
    return gone


def _read(path: Path) -> dict | None:
    try:
        note = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return None
    return note if isinstance(note, dict) and isinstance(note.get("sha256"), str) and isinstance(note.get("size"), int) else None
