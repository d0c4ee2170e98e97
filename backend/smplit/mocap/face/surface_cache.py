# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh points' places on a body, kept in the user's cache folder: they are the same for every video.

Placing them means making the smplx package's whole model, which takes some seconds in a fresh process.
"""

from __future__ import annotations

import hashlib
import logging
from importlib.resources import files
from pathlib import Path

import numpy as np

from smplit.body.model import BodyModel
from smplit.errors import SmplitError
from smplit.export.whole_file import whole_file
from smplit.mocap.face.surface import FaceSurface
from smplit.npz import read_npz

_log = logging.getLogger(__name__)


def kept_surface(body: BodyModel, folder: Path | None = None) -> FaceSurface:
    """`face_surface` of a body, from the cache `folder` (the user's own when None) if it is there; else it is put there.

    Raises:
        BadInput: the body file has no face landmarks.
    """
    if folder is None:
        from platformdirs import user_cache_path

        folder = user_cache_path("smplit", appauthor=False) / "face_surfaces"
    path = folder / f"{_key(body)}.npz"
    kept = _read(path, len(body.expression_names))
    if kept is not None:
        return kept
    from smplit.mocap.face.surface import face_surface

    surface = face_surface(body)
    try:
        with whole_file(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **vars(surface))
    except (SmplitError, OSError) as error:  # a cache that cannot be written only costs time
        _log.info("the face's places on the body are not kept: %s", error)
    return surface


def _key(body: BodyModel) -> str:
    """Changes with the body's file, the mean face and the way they are brought together."""
    digest = hashlib.sha256(body.sha256.encode())
    for name in ("surface.py", "canonical_face.npz"):
        digest.update(files(__package__).joinpath(name).read_bytes())
    return digest.hexdigest()


def _read(path: Path, expressions: int) -> FaceSurface | None:
    """None when the file is not there, damaged, or not what it should be."""
    shapes = {"rest": (468, 3), "expression": (expressions, 468, 3), "jaw": (2, 468, 3), "canonical": (468, 3)}
    if not path.is_file():
        return None
    try:
        arrays = read_npz(path, shapes.__contains__)
    except SmplitError as error:
        _log.info("'%s' is made again: %s", path, error)
        return None
    good = {name: values.shape for name, values in arrays.items()} == shapes
    return FaceSurface(**arrays) if good and all(values.dtype == np.float64 and np.isfinite(values).all() for values in arrays.values()) else None
