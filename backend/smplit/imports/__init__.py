# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else's motion into ours; one module per family of files."""

from __future__ import annotations

from pathlib import Path

from smplit.errors import BadInput
from smplit.imports.smpl_npz import read_smpl_npz
from smplit.motion import Motion

_NOT_YET = (".bvh", ".trc", ".c3d", ".fbx")
_PICKLED = (".pkl", ".pickle", ".pth", ".pt", ".joblib", ".npy")


def import_motion(path: str | Path) -> Motion:
    """Reads a motion of the SMPL family: our own, AMASS (SMPL-X, SMPL-H), SMPL, or the original SMPLit.

    Raises:
        BadInput: the file cannot be read, is of another kind, or what it holds makes no sense.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in _NOT_YET:
        raise BadInput(f"'{path}': import of {suffix[1:]} is not in this version.", "Convert it to SMPL-X npz with another tool.", "not_yet")
    if suffix in _PICKLED:
        raise BadInput(
            f"'{path}' may hold pickled Python objects, which could run code: it is not opened.",
            "Save its arrays with numpy.savez(file, poses=..., trans=..., mocap_frame_rate=...).", "pickled",
        )
    return read_smpl_npz(path)
