# SPDX-License-Identifier: GPL-3.0-or-later
"""Registry of model files: what, where, licence, state. Nothing else decides where a model lies."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from smplit.errors import BadInput, MissingModel
from smplit.models.registry import MODELS

if TYPE_CHECKING:  # torch is slow to load, and most callers want a path only
    from torch import Tensor

PACKAGE_FILES = Path(__file__).resolve().parents[1] / "model_files"
CHECKOUT_FILES = Path(__file__).resolve().parents[3] / "model_files"


def folders() -> list[Path]:
    """Where model files are looked for, first match wins."""
    from platformdirs import user_data_path

    chosen = os.environ.get("SMPLIT_MODEL_FILES")
    places = [Path(chosen)] if chosen else []
    return [*places, user_data_path("smplit", appauthor=False) / "model_files", PACKAGE_FILES, CHECKOUT_FILES]


def find(name: str) -> Path:
    """The file of a model.

    Raises:
        MissingModel: not found; says where it was looked for and where to get it.
    """
    entry = MODELS[name]
    places = folders()
    for relative in entry.paths:
        for folder in places:
            for path in sorted(folder.glob(relative)) if "*" in relative else (folder / relative,):
                if path.is_file():
                    return path.resolve()
    raise MissingModel(
        f"Model file '{entry.paths[-1 if entry.shipped else 0]}' ({entry.enables}) was not found in: {', '.join(str(p) for p in places)}.",
        "Install SMPLit again, or set SMPLIT_MODEL_FILES to the folder that holds it." if entry.shipped else f"Get it: {entry.source}.",
    )


def there(name: str) -> bool:
    """Whether a model's file is found."""
    try:
        find(name)
    except MissingModel:
        return False
    return True


def states() -> list[dict]:
    """One row per model for `smplit models list`: name, state, path, what it enables, licence, sha256."""
    rows = []
    for entry in MODELS.values():
        try:
            path: Path | None = find(entry.name)
        except MissingModel:
            path = None
        rows.append({
            "name": entry.name, "state": "found" if path else "missing", "path": str(path) if path else None,
            "enables": entry.enables, "licence": entry.licence, "source": entry.source,
            "sha256": _sha256(path) if path else None,
        })
    return rows


def _sha256(path: Path) -> str:
    with path.open("rb") as file:  # published checkpoints are half a gigabyte: not all at once
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify() -> list[dict]:
    """One row per shipped model for `smplit models verify`: name, path, state "intact", "changed" or "missing".

    A body of the user's own in the shipped one's place counts as intact when it loads.
    """
    rows = []
    for row in states():
        entry = MODELS[row["name"]]
        if not entry.shipped:
            continue
        state = "missing" if row["path"] is None else "intact"
        if row["path"] and entry.sha256 and row["sha256"] != entry.sha256:
            state = "changed"
        if row["path"] and entry.name == "body" and not _body_loads(row["path"]):
            state = "changed"
        rows.append({"name": entry.name, "state": state, "path": row["path"]})
    return rows


def _body_loads(path: str) -> bool:
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
