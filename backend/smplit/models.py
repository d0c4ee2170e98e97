# SPDX-License-Identifier: GPL-3.0-or-later
"""Registry of model files: what, where, licence, state. Nothing else decides where a model lies."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from smplit.errors import BadInput, MissingModel

if TYPE_CHECKING:  # torch is slow to load, and most callers want a path only
    from torch import Tensor

_NESTED = ("model_avg", "model", "state_dict")  # where training scripts put the weights among other things, averaged ones first
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
    sha256: str | None = None  # of the shipped file; None where it is not fixed


MODELS = {
    entry.name: entry
    for entry in (
        ModelFile("body", ("body/SMPLX_NEUTRAL.npz", "body/OPEN_NEUTRAL.npz"), "the body every result is made of",
                  "open body: CC0; SMPLX_NEUTRAL.npz: SMPL-X licence (non-commercial)", True,
                  "shipped; the real SMPL-X after registering at smpl-x.is.tue.mpg.de"),
        ModelFile("movenet", ("landmarks/movenet_multipose.onnx",), "finding people", "Apache-2.0", True, "shipped",
                  "e723e192bbb3b87058a277843f9bc2575d3549b3b2649c43dc2a66851a03413c"),
        ModelFile("blazepose", ("landmarks/blazepose_full.onnx",), "33 body landmarks in 2D and 3D", "Apache-2.0", True, "shipped",
                  "e5331120456ad993a0047a5dea574fac9b93acbd6a8e9e6d8504bc44bb6922b5"),
        ModelFile("hand", ("landmarks/hand_full.onnx",), "21 landmarks of each hand", "Apache-2.0", True, "shipped",
                  "3387d8ab393a24a4e7cc25cb2e0c735174cc9a2e96049f70bbb37568c4d5b0d3"),
        ModelFile("face_mesh", ("landmarks/face_mesh.onnx",), "468 face landmarks", "Apache-2.0", True, "shipped",
                  "3593a0c359345aa4cb3ae0bc76e8bb9947dc3fae3c682b2f64d143ceef43dc5d"),
        ModelFile("pose_prior", ("pose_prior/gmm.safetensors",), "which body poses people take, for the fit",
                  "CC0; learned from CMU mocap (free for all uses) and reactidle (MIT)", True, "shipped; model_files/TRAINING.md",
                  "9965324e6948da1f91026526fc6c216c68a9c52fbbaa1005de83aa513751781b"),
        ModelFile("lifter", ("wham/stage1.safetensors",), "body motion from landmarks",
                  "CC0; learned from CMU mocap (free for all uses) and reactidle (MIT)", True, "shipped; model_files/TRAINING.md",
                  "d558419ea11dfacec75db7751f3b9a1f8d2c0437343fd08e41d5120d0b672567"),
        ModelFile("difftraj", ("difftraj/all.safetensors",), "a trajectory for any body motion",
                  "CC BY-NC 4.0: learned from recordings that exclude commercial use, among others", True, "shipped; model_files/TRAINING.md",
                  "dc185717df4bc7083bd2b9c876f522329dbcb1eefdde994d30d576cae5033d7a"),
        ModelFile("difftraj_free", ("difftraj/free.safetensors",), "a trajectory for any body motion, commercial use allowed",
                  "CC0; learned from CMU mocap (free for all uses) and reactidle (MIT)", True, "shipped; model_files/TRAINING.md",
                  "5e1fe1c58d96e957aa3ec55451e55f4b1284ca087025c38526c500317de89a7d"),
        ModelFile("loco", ("loco/loco.safetensors",), "styled walking along a path",
                  "CC BY-NC 4.0: learned from recordings that exclude commercial use, among others", True, "shipped; model_files/TRAINING.md",
                  "82b1bef23db54e6be0f67a046c4875bcfe86e3d05247b6dc954d8d800c30cde5"),
        ModelFile("idle", ("loco/idle.safetensors",), "life in a walker who stands", "MIT; learned from reactidle", True,
                  "shipped; model_files/loco/README.md", "39946f2929a9fbed05665cc479399dafcc12382c1b085094788b568ddfc212d2"),
        ModelFile("wham_published", ("wham/wham_vit_bedlam_w_3dpw.pth.tar", "wham/wham_vit_w_3dpw.pth.tar"), "the published WHAM, for --body wham",
                  "none stated; learned from data that exclude commercial use", False,
                  "the authors' download, see github.com/yohanshin/WHAM; the BEDLAM file is the better one"),
        ModelFile("smpl", ("body/SMPL_NEUTRAL.npz",), "the body that the published WHAM was trained with",
                  "SMPL licence (non-commercial)", False,
                  "after registering at smpl.is.tue.mpg.de, saved as npz with plain arrays; without it the open body stands in"),
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


def _numpy_scalars() -> list:
    """What a number of numpy's is unpickled with: training scripts leave their best score beside the weights. Holds no code.

    numpy's module was renamed in version 2; files of either name are read.
    """
    import numpy as np

    scalar = type(np.float64()).__reduce__(np.float64())[0]
    types = [np.dtype, type(np.dtype(np.float32)), type(np.dtype(np.float64))]
    return [(scalar, "numpy.core.multiarray.scalar"), (scalar, "numpy._core.multiarray.scalar"), *types]


def load_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint by name, on the CPU: `.safetensors`, or a torch file of numbers alone.

    The only place where weights are read: a torch file that holds any other object is refused, never unpickled.

    Raises:
        BadInput: no such file, damaged, holds other objects than numbers, or no tensors.
    """
    import torch
    from safetensors.torch import load_file

    path = Path(path)
    if not path.is_file():
        raise BadInput(f"'{path}' is not a file.", "Check the path of the checkpoint.", "no_such_file")
    try:
        with torch.serialization.safe_globals(_numpy_scalars()):
            loaded = load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged or foreign file fails in zipfile, struct, the unpickler or torch: all of it is a bad file
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadInput(
            f"'{path}' cannot be read as a checkpoint of plain weights ({first_line}).",
            "Download it again, or save its state dict alone.", "bad_weights",
        ) from error
    for name in _NESTED:
        if isinstance(loaded, dict) and isinstance(loaded.get(name), dict):
            loaded = loaded[name]
            break
    weights = {str(name): value for name, value in loaded.items() if isinstance(value, torch.Tensor)} if isinstance(loaded, dict) else {}
    if not weights:
        raise BadInput(f"'{path}' holds no weights.", "Use a checkpoint of the model, not of its optimizer or options.", "bad_weights")
    return weights
