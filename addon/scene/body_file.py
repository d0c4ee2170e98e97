# SPDX-License-Identifier: GPL-3.0-or-later
"""The body model file as Blender needs it: surface, shapes, weights. numpy only, safe in a thread."""

from __future__ import annotations

import io
import zipfile
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..shared import errors, motion
from ..threads import start_task

NUM_BETAS = 10
_NEEDED = ("v_template", "f", "shapedirs", "J_regressor", "weights")
_SHAPE_COLUMNS = 300  # the smplx package: files with fewer than 400 columns hold 10 betas and 10 expressions
_ALL_COLUMNS = 400
_KEPT = 3  # bodies, about 10 MB each: that of imports, that of the backend's results, and one before them


@dataclass(frozen=True, eq=False)
class Body:
    """SMPL-X in its rest frame (Y up, facing +Z, metres); V vertices, F triangles, E expressions.

    `vertices` (V,3); `faces` (F,3); `shape_directions` (V,3,10) and `expression_directions` (V,3,E)
    m per unit; `joints` (55,3) and `joint_directions` (55,3,10); `weights` (V,55), rows sum to 1;
    `uv` (F,3,2) of every face corner, 0..1, or None when the file has none.
    """

    name: str
    vertices: np.ndarray
    faces: np.ndarray
    shape_directions: np.ndarray
    expression_directions: np.ndarray
    expression_names: tuple[str, ...]
    joints: np.ndarray
    joint_directions: np.ndarray
    weights: np.ndarray
    uv: np.ndarray | None

    def rest_joints(self, betas: np.ndarray) -> np.ndarray:
        """(55,3) m joints of a shape; `betas` (B,), of which at most ten count."""
        betas = np.asarray(betas, np.float64)[:NUM_BETAS]
        return self.joints + self.joint_directions[..., : len(betas)] @ betas

    def rest_vertices(self, betas: np.ndarray) -> np.ndarray:
        """(V,3) m surface of a shape at rest, no expression."""
        betas = np.asarray(betas, np.float64)[:NUM_BETAS]
        return self.vertices + self.shape_directions[..., : len(betas)] @ betas


def load_body(path: str | Path) -> Body:
    """Reads a body model npz; takes about a fifth of a second, so the interface uses `BodyLoader`.

    Raises:
        BadInput: not readable without pickle, or not an SMPL-X body with 55 joints.
    """
    path = Path(path)
    try:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in _NEEDED if name not in archive.files]
            optional = [name for name in ("smplit_expr_names", "vt", "ft") if name in archive.files]
            arrays = {name: _entry(archive, name) for name in (*_NEEDED, *optional) if name not in missing}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise errors.BadInput(
            f"The body file '{path}' cannot be read ({error}).", "Install SMPLit again, or add the body file again.", "bad_body"
        ) from error
    if missing or arrays["weights"].shape[1] != motion.NUM_JOINTS:
        raise errors.BadInput(
            f"'{path}' is not an SMPL-X body (missing: {', '.join(missing) or '55 joints'}).",
            "Choose SMPLX_NEUTRAL.npz or the body that comes with SMPLit.", "bad_body",
        )
    return _from_arrays(path.name, arrays)


def _entry(archive: np.lib.npyio.NpzFile, name: str) -> np.ndarray:
    """One array, unpacked at once. Unpacking it in pieces, as the archive itself does, asks a thousand times for the
    interpreter, and where another thread computes, each time waits for its turn: 2 to 8 s instead of 0.2."""
    return np.lib.format.read_array(io.BytesIO(archive.zip.read(f"{name}.npy")), allow_pickle=False)


def _from_arrays(name: str, arrays: dict[str, np.ndarray]) -> Body:
    directions = arrays["shapedirs"]
    first = _SHAPE_COLUMNS if directions.shape[-1] >= _ALL_COLUMNS else NUM_BETAS
    if "smplit_expr_names" in arrays:
        names = tuple(str(n) for n in arrays["smplit_expr_names"])
    else:  # the published file: FLAME's nameless basis, as the backend calls it
        names = tuple(f"flame{i:03d}" for i in range(min(50, directions.shape[-1] - first)))
    shapes = np.ascontiguousarray(directions[..., :NUM_BETAS], np.float32)
    regressor = arrays["J_regressor"].astype(np.float64)
    template = arrays["v_template"].astype(np.float32)
    uv = arrays["vt"].astype(np.float32)[arrays["ft"].astype(np.int64)] if "vt" in arrays and "ft" in arrays else None
    return Body(
        name=name,
        vertices=template,
        faces=arrays["f"].astype(np.int32),
        shape_directions=shapes,
        expression_directions=np.ascontiguousarray(directions[..., first : first + len(names)], np.float32),
        expression_names=names,
        joints=regressor @ template,
        joint_directions=(regressor @ shapes.reshape(len(shapes), -1)).reshape(motion.NUM_JOINTS, 3, NUM_BETAS),
        weights=arrays["weights"].astype(np.float32),
        uv=uv,
    )


class BodyLoader:
    """Loads body files beside the interface's thread and keeps the last few for the next results."""

    def __init__(self) -> None:
        self._futures: dict[tuple[str, int], Future[Body]] = {}

    def request(self, path: str | Path) -> Future[Body]:
        """The file's body as a future; a changed file is read again.

        Raises:
            BadInput: there is no such file.
        """
        path = Path(path)
        if not path.is_file():
            raise errors.BadInput(f"The body file '{path}' is not there.", "Install SMPLit again.", "bad_body")
        key = (str(path.resolve()), path.stat().st_mtime_ns)
        if key in self._futures:
            self._futures[key] = self._futures.pop(key)  # the newest are the last
        else:
            self._futures[key] = future = Future()
            start_task(lambda: _fulfil(future, path), "smplit-body")
            self._futures = dict(list(self._futures.items())[-_KEPT:])
        return self._futures[key]


def _fulfil(future: Future[Body], path: Path) -> None:
    try:
        future.set_result(load_body(path))
    except BaseException as error:  # whoever asks for the result gets it
        future.set_exception(error)


BODIES = BodyLoader()
