# SPDX-License-Identifier: GPL-3.0-or-later
"""The body model file behind one object: the open body, or the real SMPL-X when the user has it."""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from smplit.body.kinematics import joint_transforms
from smplit.errors import BadInput
from smplit.motion import NUM_JOINTS

_FEET = 0.1  # m: the lowest vertices of any shape are among these of the mean one
_USED = ("v_template", "f", "shapedirs", "J_regressor", "weights", "kintree_table")
_CORRECTIVES = "posedirs"  # for vertices only, and a fifth of a second to unpack: read when vertices are asked for
_VERTEX_CHUNK = 64  # frames per call of smplx: 64 x 10475 vertices keep the pose correctives below 100 MB

# Points of the surface that follow one joint rigidly and that detectors report. The vertex ids are
# those the smplx package fixes for SMPL-X (vertex_ids.py), which the open body keeps.
SURFACE_POINTS: dict[str, tuple[int, str]] = {
    "nose": (9120, "head"), "right_eye": (9929, "head"), "left_eye": (9448, "head"),
    "right_ear": (616, "head"), "left_ear": (6, "head"),
    "left_big_toe": (5770, "left_foot"), "left_small_toe": (5780, "left_foot"), "left_heel": (8846, "left_ankle"),
    "right_big_toe": (8463, "right_foot"), "right_small_toe": (8474, "right_foot"), "right_heel": (8635, "right_ankle"),
    "left_thumb": (5361, "left_thumb3"), "left_index": (4933, "left_index3"), "left_middle": (5058, "left_middle3"),
    "left_ring": (5169, "left_ring3"), "left_pinky": (5286, "left_pinky3"),
    "right_thumb": (8079, "right_thumb3"), "right_index": (7669, "right_index3"),
    "right_middle": (7794, "right_middle3"), "right_ring": (7905, "right_ring3"), "right_pinky": (8022, "right_pinky3"),
}


class BodyModel:
    """SMPL-X in its rest frame (Y up, facing +Z, metres).

    `joints` needs no vertices and is what fitting uses; `vertices` goes through the smplx package.
    """

    def __init__(self, path: Path, arrays: dict[str, np.ndarray], device: str | torch.device = "cpu"):
        self.path = path
        self.device = torch.device(device)
        self.standin = "smplit_standin" in arrays
        self.name = path.name
        self.sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
        self.faces = arrays["f"].astype(np.int64)
        self.v_template = arrays["v_template"].astype(np.float32)
        self.shapedirs = arrays["shapedirs"]
        self.weights = arrays["weights"].astype(np.float32)
        if "smplit_expr_names" in arrays:
            self.expression_names = tuple(str(name) for name in arrays["smplit_expr_names"])
        else:
            self.expression_names = tuple(f"flame{i:03d}" for i in range(50))
        regressor = arrays["J_regressor"].astype(np.float64)
        self._joint_template = self._tensor(regressor @ arrays["v_template"])
        self._joint_directions = self._tensor(np.einsum("jv,vcb->jcb", regressor, self.shapedirs[..., :10]))
        ids = [vertex for vertex, _ in SURFACE_POINTS.values()]
        self._surface_template = self._tensor(arrays["v_template"][ids])
        self._surface_directions = self._tensor(self.shapedirs[ids, :, :10])
        low = np.flatnonzero(self.v_template[:, 1] < self.v_template[:, 1].min() + _FEET)
        self._feet_template = self._tensor(self.v_template[low, 1])
        self._feet_directions = self._tensor(self.shapedirs[low, 1, :10])

    @classmethod
    def load(cls, path: str | Path | None = None, device: str | torch.device = "cpu") -> BodyModel:
        """Loads a body model npz; without a path the best one found (`models.find("body")`).

        Raises:
            BadInput: not an SMPL-X npz, or it holds pickled objects where numbers are needed.
            MissingModel: no path given and none found.
        """
        if path is None:
            from smplit.models import find

            path = find("body")
        path = Path(path).resolve()
        arrays, named = _read(path, (*_USED, "smplit_standin", "smplit_expr_names"))
        missing = [name for name in (*_USED, _CORRECTIVES) if name not in named]
        if missing or arrays["weights"].shape[1] != NUM_JOINTS:
            raise BadInput(f"'{path}' is not an SMPL-X body (missing: {', '.join(missing) or '55 joints'}).", "Use SMPLX_NEUTRAL.npz.")
        return cls(path, arrays, device)

    def _tensor(self, array: np.ndarray) -> Tensor:
        return torch.as_tensor(np.asarray(array, np.float32), device=self.device)

    def rest_joints(self, betas: Tensor | np.ndarray | None = None) -> Tensor:
        """(55,3) m rest joints of a shape (10,); differentiable in `betas`."""
        return self._shaped(self._joint_template, self._joint_directions, betas)

    def rest_surface_points(self, betas: Tensor | np.ndarray | None = None) -> Tensor:
        """(21,3) m rest positions of `SURFACE_POINTS`, in their order."""
        return self._shaped(self._surface_template, self._surface_directions, betas)

    def ground(self, betas: Tensor | np.ndarray | None = None) -> Tensor:
        """() m: height of the ground that the rest pose of a shape (10,) stands on; differentiable in `betas`."""
        return self._shaped(self._feet_template, self._feet_directions, betas).min()

    def _shaped(self, template: Tensor, directions: Tensor, betas: Tensor | np.ndarray | None) -> Tensor:
        if betas is None:
            return template
        if not isinstance(betas, Tensor):
            betas = self._tensor(betas)
        count = min(10, betas.shape[-1])
        return template + directions[..., :count] @ betas[:count]

    def joints(self, rotations: Tensor, trans: Tensor, betas: Tensor | None = None) -> Tensor:
        """(T,J,3,3) local rotations (J = 55 or 22), (T,3) m -> (T,J,3) m joints."""
        rest = self.rest_joints(betas)[: rotations.shape[1]]
        return joint_transforms(rotations, rest)[1] + trans[:, None]

    @cached_property
    def _smplx(self):  # the smplx package's own module, made once
        import smplx

        _read(self.path, (_CORRECTIVES,))
        with tempfile.TemporaryDirectory() as folder:
            # smplx insists on the file's name and opens it itself.
            target = Path(folder) / "SMPLX_NEUTRAL.npz"
            _offer(self.path, target)
            return smplx.create(
                str(target), model_type="smplx", ext="npz", gender="neutral", use_pca=False, flat_hand_mean=True,
                num_betas=10, num_expression_coeffs=len(self.expression_names), batch_size=1,
            ).to(self.device).eval()

    def vertex_chunks(
        self, poses: np.ndarray, trans: np.ndarray, betas: np.ndarray | None = None, expression: np.ndarray | None = None
    ) -> Iterator[tuple[int, np.ndarray]]:
        """Yields (first frame, (n,V,3) m float32) pieces, so that a long clip needs little memory.

        Args: poses (T,165) rad, trans (T,3) m, betas (10,), expression (T,E) in `expression_names`.
        """
        model = self._smplx
        count = len(self.expression_names)
        shape = torch.zeros(1, 10, device=self.device)
        if betas is not None:
            shape[0, : min(10, len(betas))] = self._tensor(betas)[:10]
        for first in range(0, len(poses), _VERTEX_CHUNK):
            pose = self._tensor(poses[first : first + _VERTEX_CHUNK])
            face = torch.zeros(len(pose), count, device=self.device)
            if expression is not None:
                part = self._tensor(expression[first : first + _VERTEX_CHUNK])
                face[:, : min(count, part.shape[1])] = part[:, :count]
            with torch.no_grad():
                output = model(
                    betas=shape.expand(len(pose), -1), expression=face, global_orient=pose[:, :3],
                    body_pose=pose[:, 3:66], jaw_pose=pose[:, 66:69], leye_pose=pose[:, 69:72], reye_pose=pose[:, 72:75],
                    left_hand_pose=pose[:, 75:120], right_hand_pose=pose[:, 120:165],
                    transl=self._tensor(trans[first : first + _VERTEX_CHUNK]),
                )
            yield first, output.vertices.cpu().numpy()

    def vertices(
        self, poses: np.ndarray, trans: np.ndarray, betas: np.ndarray | None = None, expression: np.ndarray | None = None
    ) -> np.ndarray:
        """(T,V,3) m float32; see `vertex_chunks`."""
        return np.concatenate([piece for _, piece in self.vertex_chunks(poses, trans, betas, expression)])


def _offer(path: Path, target: Path) -> None:
    """Puts a body model file at `target` for a reader that unpickles whatever it finds: without the Python objects that the
    published file has beside its numbers, and whose code would run.

    Raises:
        BadInput: unreadable.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            numbers = [entry for entry in archive.infolist() if not _holds_objects(archive, entry)]
            if len(numbers) < len(archive.infolist()):
                with zipfile.ZipFile(target, "w") as safe:
                    for entry in numbers:
                        safe.writestr(entry.filename, archive.read(entry))
                return
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"'{path}' cannot be read as a body model ({error}).", "Add the file again with 'smplit models add'.") from error
    try:
        target.symlink_to(path)
    except OSError:  # Windows without the privilege
        target.write_bytes(path.read_bytes())


def _holds_objects(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        return header(stream)[2].hasobject


def _read(path: Path, names: tuple[str, ...]) -> tuple[dict[str, np.ndarray], list[str]]:
    """Those of the arrays that a body model file has, and the names of all that it has.

    Raises:
        BadInput: unreadable, or a pickled object instead of numbers.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in names if name in archive.files}, list(archive.files)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"'{path}' cannot be read as a body model ({error}).", "Add the file again with 'smplit models add'.") from error
