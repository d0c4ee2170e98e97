# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenCV's own files (cv2.FileStorage: yaml, json, xml): `camera_matrix` and a pose for every frame.

Poses are `frames`, a list of {`frame`: number from 0 (may be left out), `R` and `t`, or `rvec` and `tvec`}; or one
array for all frames in order: `extrinsic_parameters` (T,6) as OpenCV's calibration program writes it, `rvecs` and
`tvecs` (T,3), or `R` (T,9 or 3T,3) and `t` (T,3). World to camera, OpenCV axes, any unit. Optional:
`distortion_coefficients`, `image_width`, `image_height`.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from scipy.spatial.transform import Rotation

from smplit.errors import BadInput
from smplit.video.camera_supplied import SuppliedCamera
from smplit.video.lens import Lens

SUFFIXES = (".yml", ".yaml", ".json", ".xml")
_MATRIX = ("camera_matrix", "cameraMatrix", "K")
_DISTORTION = ("distortion_coefficients", "dist_coeffs", "distCoeffs")
_MOST_BYTES = 256 << 20
_PIXEL_CENTRE = 0.5  # OpenCV counts pixels from the middle of the first one, we from its corner
_WRITE = "Write it with cv2.FileStorage: 'camera_matrix', and for every frame 'R' and 't', or 'rvec' and 'tvec', in a list 'frames'."


def read_opencv(path: Path) -> SuppliedCamera:
    """The camera of a cv2.FileStorage file.

    Raises:
        BadInput: not such a file, or without a camera matrix or poses.
    """
    if path.stat().st_size > _MOST_BYTES:
        raise BadInput(f"'{path}' is larger than {_MOST_BYTES >> 20} MiB.", _WRITE, "too_large")
    try:
        storage = cv2.FileStorage(str(path), cv2.FileStorage_READ)
        if not storage.isOpened():
            raise BadInput(f"'{path}' cannot be read as an OpenCV file.", _WRITE, "unreadable")
        try:
            return _camera(path, storage.root())
        finally:
            storage.release()
    except (cv2.error, SystemError, UnicodeDecodeError) as error:
        reason = getattr(error, "err", "") or "damaged"
        raise BadInput(f"'{path}' cannot be read as an OpenCV file ({reason}).", _WRITE, "unreadable") from error


def _camera(path: Path, root: cv2.FileNode) -> SuppliedCamera:
    K = _first(path, root, _MATRIX)
    if K is None or K.size != 9:
        raise BadInput(f"'{path}' holds no camera matrix of nine numbers.", _WRITE, "bad_camera_file")
    K = K.reshape(3, 3).copy()
    K[:2, 2] += _PIXEL_CENTRE
    distortion = _first(path, root, _DISTORTION)
    distortion = np.zeros(0) if distortion is None else distortion.ravel()
    if len(distortion) not in (0, 4, 5, 8):
        what = f"'{path}': {len(distortion)} distortion coefficients; 4, 5 or 8 are known."
        raise BadInput(what, "Calibrate with OpenCV's usual lens model.", "unknown_camera_model")
    width, height = (root.getNode(name) for name in ("image_width", "image_height"))
    size = (width.real(), height.real()) if _is_number(width) and _is_number(height) else None
    rotation, t, frames = _poses(path, root)
    if rotation.ndim != 3 or t.shape != (len(rotation), 3):
        what = f"'{path}': {len(rotation)} rotations but positions of shape {t.shape}."
        raise BadInput(what, "There should be one of each for every frame.", "wrong_length")
    return SuppliedCamera(path, Lens(K, distortion), size, rotation, -np.einsum("tji,tj->ti", rotation, t), frames)


def _poses(path: Path, root: cv2.FileNode) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Rotation (T,3,3), translation (T,3), frame numbers (T,) from 0 or None."""
    listed = root.getNode("frames")
    if listed.isSeq() and listed.size():
        return _listed(path, listed)
    both = _first(path, root, ("extrinsic_parameters",))
    if both is not None and both.ndim == 2 and both.shape[1] == 6:
        return _from_rvecs(path, both[:, :3]), both[:, 3:], None
    rvecs, tvecs = _first(path, root, ("rvecs", "rvec")), _first(path, root, ("tvecs", "tvec"))
    if rvecs is not None and tvecs is not None and rvecs.size % 3 == 0 and tvecs.size % 3 == 0:
        return _from_rvecs(path, rvecs.reshape(-1, 3)), tvecs.reshape(-1, 3), None
    R, t = _first(path, root, ("R",)), _first(path, root, ("t", "T"))
    if R is not None and t is not None and R.size % 9 == 0 and t.size % 3 == 0:
        return R.reshape(-1, 3, 3), t.reshape(-1, 3), None
    raise BadInput(f"'{path}' holds no camera pose for the video's frames.", _WRITE, "bad_camera_file")


def _listed(path: Path, listed: cv2.FileNode) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    rotation, translation, numbers = [], [], []
    for row in range(listed.size()):
        entry = listed.at(row)
        turn, t = (_first(path, entry, names) if entry.isMap() else None for names in (("R", "rvec"), ("t", "tvec", "T")))
        if turn is None or turn.size not in (9, 3) or t is None or t.size != 3:
            raise BadInput(f"'{path}': entry {row + 1} of 'frames' holds no R (3,3) and t (3), or rvec and tvec.", _WRITE, "bad_camera_file")
        rotation.append(turn.reshape(3, 3) if turn.size == 9 else _from_rvecs(path, turn.reshape(1, 3))[0])
        translation.append(t.ravel())
        number = entry.getNode("frame")
        numbers.append(number.real() if _is_number(number) else np.nan)
    numbers = np.array(numbers)
    if np.isfinite(numbers).all():
        return np.array(rotation), np.array(translation), np.round(numbers).astype(int)
    return np.array(rotation), np.array(translation), None


def _from_rvecs(path: Path, rvecs: np.ndarray) -> np.ndarray:
    if not np.isfinite(rvecs).all():
        raise BadInput(f"'{path}': a rotation holds NaN or infinity.", "Export the camera again.", "bad_camera_file")
    return Rotation.from_rotvec(rvecs).as_matrix()


def _first(path: Path, root: cv2.FileNode, names: tuple[str, ...]) -> np.ndarray | None:
    """The first of these entries that is there."""
    return next((_array(path, root.getNode(name)) for name in names if not root.getNode(name).empty()), None)


def _array(path: Path, node: cv2.FileNode) -> np.ndarray | None:
    """A matrix, or nested lists of numbers; None where there is nothing."""
    if node.empty():
        return None
    try:
        values = node.mat() if node.isMap() else np.array(_numbers(node), np.float64)
    except (TypeError, ValueError):
        values = None
    if values is None:
        raise BadInput(f"'{path}': '{node.name()}' is not a matrix.", _WRITE, "bad_camera_file")
    return np.asarray(values, np.float64)


def _numbers(node: cv2.FileNode) -> list | float:
    if node.isSeq():
        return [_numbers(node.at(index)) for index in range(node.size())]
    if not _is_number(node):
        raise TypeError
    return node.real()


def _is_number(node: cv2.FileNode) -> bool:
    return node.isInt() or node.isReal()
