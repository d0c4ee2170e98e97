# SPDX-License-Identifier: GPL-3.0-or-later
"""Registry of model files: what, where, licence, state. Nothing else decides where a model lies."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from smplit.errors import BadInput, MissingModel
from smplit.models.entry import ModelFile
from smplit.models.registry import MODELS

if TYPE_CHECKING:  # torch is slow to load, and most callers want a path only
    from torch import Tensor

_QUICK = 64 << 20  # bytes: larger files are hashed by `verify` alone
PACKAGE_FILES = Path(__file__).resolve().parents[1] / "model_files"
CHECKOUT_FILES = Path(__file__).resolve().parents[3] / "model_files"


def folders() -> list[Path]:
    """Where model files are looked for, first match wins."""
    from platformdirs import user_data_path

    chosen = os.environ.get("SMPLIT_MODEL_FILES")
    places = [Path(chosen)] if chosen else []
    return [*places, user_data_path("smplit", appauthor=False) / "model_files", PACKAGE_FILES, CHECKOUT_FILES]


def find_all(name: str) -> list[Path]:
    """Every file that could be the model, the one that `find` takes first: a user may have several sizes of one network."""
    entry = MODELS[name]
    found = (
        path.resolve() for relative in entry.paths for folder in folders()
        for path in (sorted(folder.glob(relative)) if "*" in relative else (folder / relative,)) if path.is_file()
    )
    return list(dict.fromkeys(found))


def find(name: str) -> Path:
    """The file of a model.

    Raises:
        MissingModel: not found; says where it was looked for and where to get it.
    """
    if found := find_all(name):
        return found[0]
    entry, places = MODELS[name], folders()
    raise MissingModel(
        f"Model file '{entry.paths[-1 if entry.shipped else 0]}' ({entry.enables}) was not found in: {', '.join(str(p) for p in places)}.",
        "Install SMPLit again, or set SMPLIT_MODEL_FILES to the folder that holds it." if entry.shipped
        else f"Get {entry.expects}: {entry.source}; then 'smplit models add' it.",
    )


def there(name: str) -> bool:
    """Whether a model's file is found."""
    try:
        find(name)
    except MissingModel:
        return False
    return True


def user_folder() -> Path:
    """Where what the user adds goes: the folder that SMPLIT_MODEL_FILES names, else one below the user's own."""
    return folders()[0]


def states(hashes: bool = True) -> list[dict]:
    """One row per model for `smplit models list` and the add-on.

    name, title, state ("found", "wrong file", "missing"), problem (of a wrong file), path, added (by the user, with `smplit models add`), build
    (which known build it is), enables, licence, commercial, source, expects, steps (how to get it), sha256 (of files that are quick to
    read, where `hashes`), folder (where added files go).
    """
    folder = str(user_folder())
    return [_row(entry, hashes) | {"folder": folder} for entry in MODELS.values()]


def _row(entry: ModelFile, hashes: bool) -> dict:
    from smplit.models.added import note_of
    from smplit.models.looking import problem_of

    path = find(entry.name) if there(entry.name) else None
    note = note_of(path) if path else None
    own = entry.shipped and (path is None or path.name == Path(entry.paths[-1]).name)  # not SMPL-X in the open body's place
    problem = ""
    if path and note:
        problem = "" if path.stat().st_size == note["size"] else "it was changed after it was added"
    elif path and not own:
        problem = problem_of(entry, path)
    quick = hashes and path and path.stat().st_size < _QUICK
    digest = _sha256(path) if quick else note["sha256"] if note else None
    return {
        "name": entry.name, "title": entry.title or entry.name, "shipped": entry.shipped, "path": str(path) if path else None,
        "state": "missing" if path is None else "wrong file" if problem else "found", "problem": problem, "added": note is not None,
        "build": note["build"] if note else _build(entry, digest), "sha256": digest, "enables": entry.enables, "licence": entry.licence,
        "commercial": entry.commercial and (own or not entry.shipped), "source": entry.source, "expects": entry.expects, "steps": list(entry.steps),
    }


def _build(entry: ModelFile, digest: str | None) -> str | None:
    return None if entry.shipped or digest is None else dict(entry.builds).get(digest, "unknown build")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:  # published checkpoints are half a gigabyte: not all at once
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify() -> list[dict]:
    """One row per shipped model, and per other one that is there, for `smplit models verify`: name, path, state.

    States: "intact" (the known checksum, or for what was added the one of then), "changed", "missing", "wrong file", and for a file
    that was put there by hand its known build, or "unknown build". A body of the user's own in the shipped one's place counts as
    intact when it loads.
    """
    from smplit.models.added import note_of

    rows = []
    for row in states(hashes=False):
        entry, path = MODELS[row["name"]], Path(row["path"]) if row["path"] else None
        if path is None and not entry.shipped:
            continue
        note = note_of(path) if path else None
        expected = note["sha256"] if note else entry.sha256
        if path is None:
            state = "missing"
        elif row["state"] == "wrong file" and not note:
            state = "wrong file"
        elif expected:
            state = "intact" if _sha256(path) == expected else "changed"
        elif entry.name == "body":
            state = "intact" if _body_loads(path) else "changed"
        else:
            state = _build(entry, _sha256(path))
        rows.append({"name": entry.name, "state": state, "path": row["path"]})
    return rows


def _body_loads(path: Path) -> bool:
    from smplit.body.model import BodyModel

    try:
        BodyModel.load(path)
    except BadInput:
        return False
    return True


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name; see `weights.load_weights`."""
    from smplit.models.weights import load_weights as read

    return read(path)
