# SPDX-License-Identifier: GPL-3.0-or-later
"""Registry of model files: what, where, licence, state. Nothing else decides where a model lies."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from smplit.errors import MissingModel

PACKAGE_FILES = Path(__file__).resolve().parent / "model_files"
CHECKOUT_FILES = Path(__file__).resolve().parents[2] / "model_files"


@dataclass(frozen=True)
class ModelFile:
    """One model: accepted relative paths, best first, and what a user needs to know about it."""

    name: str
    paths: tuple[str, ...]
    enables: str
    licence: str
    shipped: bool
    source: str


MODELS = {
    entry.name: entry
    for entry in (
        ModelFile("body", ("body/SMPLX_NEUTRAL.npz", "body/OPEN_NEUTRAL.npz"), "the body every result is made of",
                  "open body: CC0; SMPLX_NEUTRAL.npz: SMPL-X licence (non-commercial)", True,
                  "shipped; the real SMPL-X after registering at smpl-x.is.tue.mpg.de"),
        ModelFile("movenet", ("landmarks/movenet_multipose.onnx",), "finding people", "Apache-2.0", True, "shipped"),
        ModelFile("blazepose", ("landmarks/blazepose_full.onnx",), "33 body landmarks in 2D and 3D", "Apache-2.0", True, "shipped"),
        ModelFile("hand", ("landmarks/hand_full.onnx",), "21 landmarks of each hand", "Apache-2.0", True, "shipped"),
        ModelFile("face_mesh", ("landmarks/face_mesh.onnx",), "468 face landmarks", "Apache-2.0", True, "shipped"),
    )
}


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
            if (folder / relative).is_file():
                return (folder / relative).resolve()
    raise MissingModel(
        f"Model file '{entry.paths[-1]}' ({entry.enables}) was not found in: {', '.join(str(p) for p in places)}.",
        "Install SMPLit again, or set SMPLIT_MODEL_FILES to the folder that holds it." if entry.shipped else f"Get it: {entry.source}.",
    )


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
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest() if path else None,
        })
    return rows
