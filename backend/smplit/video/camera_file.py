# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads the camera that a user supplies with `--camera-file`.

COLMAP's text model (`camera_colmap`), OpenCV's yaml, json and xml (`camera_opencv`), and npz with
`camera_R`, `camera_t`, `camera_K` as in our motion files, so that a capture's own result can be fed back.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from smplit.errors import BadInput
from smplit.npz import read_npz
from smplit.video.camera_colmap import find_model, read_colmap
from smplit.video.camera_opencv import SUFFIXES, read_opencv
from smplit.video.camera_supplied import SuppliedCamera
from smplit.video.lens import Lens

_KINDS = "a COLMAP text model (its folder, or images.txt), an OpenCV .yml, .json or .xml, or an .npz with camera_R, camera_t and camera_K"
_SHAPES = {"camera_R": "(T,3,3)", "camera_t": "(T,3)", "camera_K": "(3,3)"}
_SIZES = ("smplit_video_size", "size")  # of a capture's result; of a truth clip


def read_camera_file(path: str | Path) -> SuppliedCamera:
    """The camera of a file, or of a folder that holds COLMAP's model.

    Raises:
        BadInput: no such file, an unknown format, or a file whose camera cannot be used.
    """
    path = Path(path)
    if not path.exists():
        raise BadInput(f"Camera file '{path}' does not exist.", "Check the path.", "no_such_file")
    suffix = path.suffix.lower()
    if path.is_dir() or path.name.lower() in ("images.txt", "cameras.txt"):
        return read_colmap(find_model(path))
    if suffix == ".npz":
        return _read_npz(path)
    if suffix in SUFFIXES:
        return read_opencv(path)
    raise BadInput(f"'{path}' is not a camera file that is known.", f"Use {_KINDS}.", "unknown_camera_file")


def _read_npz(path: Path) -> SuppliedCamera:
    arrays = read_npz(path, lambda name: name in (*_SHAPES, *_SIZES, "frame_times"))
    for name, shape in _SHAPES.items():
        if name not in arrays:
            needs = ", ".join(f"{wanted} {shape}" for wanted, shape in _SHAPES.items())
            raise BadInput(f"'{path}' holds no '{name}'.", f"A camera npz needs {needs}.", "bad_camera_file")
        if not np.issubdtype(arrays[name].dtype, np.number) or np.iscomplexobj(arrays[name]):
            raise BadInput(f"'{path}': '{name}' is not made of numbers.", f"It should be {shape}.", "bad_camera_file")
    R, t, K = (arrays[name].astype(np.float64) for name in _SHAPES)
    if R.shape == (3, 3) and t.shape == (3,):  # one pose: the camera stood
        R, t = R[None], t[None]
    elif R.ndim != 3 or R.shape[1:] != (3, 3) or t.shape != (len(R), 3):
        raise BadInput(
            f"'{path}': 'camera_R' {R.shape} and 'camera_t' {t.shape} do not go together.",
            "They should be (T,3,3) and (T,3), one row for each frame of the video.", "wrong_length",
        )
    elif len(R) == 1 and "frame_times" not in arrays:
        raise BadInput(
            f"'{path}' holds one pose for a video of many frames.",
            "Supply one row for each frame, or (3,3) and (3,) for a camera that stood still.", "wrong_length",
        )
    if K.shape != (3, 3):
        raise BadInput(f"'{path}': 'camera_K' has shape {K.shape}.", "It should be (3,3), one for the whole video.", "bad_camera_file")
    times = arrays.get("frame_times")
    if times is not None and times.shape != (len(R),):
        raise BadInput(
            f"'{path}': {len(R)} camera poses but {times.size} frame_times.", "There should be as many of one as of the other.", "wrong_length"
        )
    size = next((arrays[name] for name in _SIZES if name in arrays and arrays[name].shape == (2,)), None)
    return SuppliedCamera(
        path, Lens(K), None if size is None else (float(size[0]), float(size[1])), R, -np.einsum("tji,tj->ti", R, t),
        times=None if times is None else times.astype(np.float64), metric=True,
    )
