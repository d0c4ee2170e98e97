# SPDX-License-Identifier: GPL-3.0-or-later
"""Somebody else's motion into ours; one module per family of files."""

from __future__ import annotations

from pathlib import Path

from smplit.errors import BadInput
from smplit.imports.smpl_npz import read_smpl_npz
from smplit.motion import Motion

_NOT_YET = (".trc", ".c3d", ".fbx")
_PICKLED = (".pkl", ".pickle", ".pth", ".pt", ".joblib", ".npy")


def import_motion(
    path: str | Path, rest_pose: str | Path | None = None, joint_map: str | Path | None = None, fps: float | None = None
) -> Motion:
    """Reads a BVH file, or a motion of the SMPL family: our own, AMASS (SMPL-X, SMPL-H), SMPL, or the original SMPLit.

    Args:
        path: file to read.
        rest_pose: BVH whose first frame is a T-pose of the file's skeleton (BVH only).
        joint_map: JSON that maps SMPL-X's body joints to the file's (BVH only).
        fps: frames per second where a BVH's header is wrong.

    Raises:
        BadInput: the file cannot be read, is of another kind, or what it holds makes no sense.
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix == ".bvh":
        from smplit.imports.bvh import read_bvh_motion

        return read_bvh_motion(path, rest_pose, joint_map, fps)
    given = [name for name, value in (("--rest-pose", rest_pose), ("--map", joint_map), ("--fps", fps)) if value is not None]
    if given:
        raise BadInput(f"'{path}': {', '.join(given)} is for BVH files.", "Leave it out.", "bad_option")
    if suffix in _NOT_YET:
        raise BadInput(f"'{path}': import of {suffix[1:]} is not in this version.", "Convert it to SMPL-X npz with another tool.", "not_yet")
    if suffix in _PICKLED:
        raise BadInput(
            f"'{path}' may hold pickled Python objects, which could run code: it is not opened.",
            "Save its arrays with numpy.savez(file, poses=..., trans=..., mocap_frame_rate=...).", "pickled",
        )
    return read_smpl_npz(path)
