# SPDX-License-Identifier: GPL-3.0-or-later
"""COLMAP's text model: `cameras.txt` and `images.txt` (https://colmap.github.io/format.html).

Read here by hand: the format is a few columns of numbers, and pycolmap would bring the whole of
COLMAP along. Pixels have their origin at the top-left corner of the top-left pixel, as ours.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from smplit.axes import xyzw_from_wxyz
from smplit.errors import BadInput
from smplit.video.camera_supplied import SuppliedCamera
from smplit.video.lens import Lens

# Model: places of fx, fy, cx, cy among the parameters; the rest, in OpenCV's order, is the lens's distortion.
_MODELS = {
    "SIMPLE_PINHOLE": (0, 0, 1, 2), "PINHOLE": (0, 1, 2, 3), "SIMPLE_RADIAL": (0, 0, 1, 2), "RADIAL": (0, 0, 1, 2), "OPENCV": (0, 1, 2, 3),
    "FULL_OPENCV": (0, 1, 2, 3),
}
_PARAMETERS = {"SIMPLE_PINHOLE": 3, "PINHOLE": 4, "SIMPLE_RADIAL": 4, "RADIAL": 5, "OPENCV": 8, "FULL_OPENCV": 12}
_ZOOM = 0.02  # relative: focal lengths that are one lens, estimated picture by picture
_AGAIN = "Export it again with 'colmap model_converter --output_type TXT'."
_ONE_CAMERA = "Run COLMAP with one camera for all pictures (--ImageReader.single_camera 1) and one of " + ", ".join(_MODELS) + "."


def find_model(path: Path) -> Path:
    """The folder with both files: `path`, its folder, or where COLMAP's reconstruction puts them below it.

    Raises:
        BadInput: they are not there, or only as binary files.
    """
    folder = path if path.is_dir() else path.parent
    below = [folder, folder / "0", folder / "sparse", folder / "sparse" / "0"]
    found = next((place for place in below if (place / "images.txt").is_file() and (place / "cameras.txt").is_file()), None)
    if found is not None:
        return found
    if any((place / "images.bin").is_file() for place in below):
        raise BadInput(f"'{folder}' holds COLMAP's binary model.", f"Only text is read. {_AGAIN}", "unknown_camera_file")
    raise BadInput(f"'{folder}' does not hold both cameras.txt and images.txt.", "Choose the folder of a COLMAP text model.", "unknown_camera_file")


def read_colmap(folder: Path) -> SuppliedCamera:
    """The camera of a model; pictures are ordered by the last number in their names, or by name where those have none.

    Raises:
        BadInput: a line that is none of COLMAP's, an unknown camera model, or several different cameras.
    """
    path = folder / "images.txt"
    cameras = dict(_cameras(folder / "cameras.txt"))
    names, ids, poses = [], [], []
    for words, name in _images(path):
        ids.append(words[1])
        names.append(name)
        poses.append(words[0])
    if not poses:
        raise BadInput(f"'{path}' holds no picture: nothing was reconstructed.", "Check COLMAP's reconstruction.", "bad_camera_file")
    unknown = sorted(set(ids) - set(cameras))
    if unknown:
        raise BadInput(f"'{path}': camera {unknown[0]} is not in cameras.txt.", _AGAIN, "bad_camera_file")
    values = np.array(poses)
    length = np.linalg.norm(values[:, :4], axis=1)
    if not np.isfinite(values).all() or (np.abs(length - 1.0) > 0.01).any():
        row = int(np.argmax(~np.isfinite(values).all(1) | ~(np.abs(length - 1.0) <= 0.01)))
        raise BadInput(f"'{path}': the pose of '{names[row]}' is no rotation and place.", _AGAIN, "bad_camera_file")
    rotation = Rotation.from_quat(xyzw_from_wxyz(values[:, :4])).as_matrix()
    lens, size = _one_lens(folder / "cameras.txt", [cameras[number] for number in sorted(set(ids))])
    frames, order = _frame_numbers(names)
    centre = -np.einsum("tji,tj->ti", rotation, values[:, 4:])
    return SuppliedCamera(path, lens, size, rotation[order], centre[order], frames)


def _rows(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines without comments; blank ones count, they may be a picture's points."""
    try:
        with path.open(encoding="utf-8", errors="replace") as stream:
            for number, line in enumerate(stream, 1):
                if not line.startswith("#"):
                    yield number, line.strip()
    except OSError as error:
        raise BadInput(f"'{path}' cannot be read ({error.strerror}).", "Check the file.", "unreadable") from error


def _cameras(path: Path) -> Iterator[tuple[str, tuple[Lens, tuple[float, float]]]]:
    for number, line in _rows(path):
        if not line:
            continue
        words = line.split()
        model = words[1] if len(words) > 1 else ""
        if model not in _MODELS:
            raise BadInput(f"'{path}', line {number}: camera model '{model[:40]}' is not known.", _ONE_CAMERA, "unknown_camera_model")
        try:
            width, height, *parameters = (float(word) for word in words[2:])
        except ValueError:
            width, height, parameters = 0.0, 0.0, []
        if len(parameters) != _PARAMETERS[model] or not (width > 0 and height > 0):
            raise BadInput(
                f"'{path}', line {number}: {model} takes a picture size and {_PARAMETERS[model]} numbers, found {len(words) - 2} in all.", _AGAIN,
                "bad_camera_file",
            )
        fx, fy, cx, cy = (parameters[place] for place in _MODELS[model])
        bent = parameters[max(_MODELS[model]) + 1 :]
        distortion = np.array([*bent, *[0.0] * (-len(bent) % 4)])
        yield words[0], (Lens(np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1.0]]), distortion), (width, height))


def _images(path: Path) -> Iterator[tuple[tuple[list[float], str], str]]:
    """Per picture ((qw, qx, qy, qz, tx, ty, tz), camera id), name. A picture has two lines; the second one, its points, is skipped."""
    points_next = False
    for number, line in _rows(path):
        words = line.split(maxsplit=9)
        if points_next and (len(words) < 10 or _all_numbers(line)):
            points_next = False
            continue
        if not line:
            continue
        try:
            if len(words) < 10:
                raise ValueError
            yield ([float(word) for word in words[1:8]], words[8]), words[9]
        except ValueError:
            raise BadInput(f"'{path}', line {number} is no picture of a COLMAP model.", _AGAIN, "bad_camera_file") from None
        points_next = True


def _all_numbers(line: str) -> bool:
    try:
        float(line.rsplit(maxsplit=1)[-1])
    except ValueError:
        return False
    return True


def _one_lens(path: Path, cameras: list[tuple[Lens, tuple[float, float]]]) -> tuple[Lens, tuple[float, float]]:
    """The lens that all pictures were taken with."""
    sizes = {size for _, size in cameras}
    focals = np.array([lens.K[[0, 1], [0, 1]] for lens, _ in cameras])
    if len(sizes) > 1 or (np.ptp(focals, axis=0) > _ZOOM * focals.min(0)).any():
        what = f"'{path}': the pictures were taken with {len(cameras)} different cameras, or the lens was zoomed."
        raise BadInput(what, _ONE_CAMERA, "many_cameras")
    middle = int(np.argsort(focals[:, 0])[len(focals) // 2])
    return cameras[middle]


def _frame_numbers(names: list[str]) -> tuple[np.ndarray | None, np.ndarray]:
    """The last number in each picture's name and the pictures' order by it; (None, order by name) where that tells them not apart."""
    found = [re.findall(r"\d+", Path(name).stem)[-1:] for name in names]
    if all(found) and all(len(digits[0]) < 16 for digits in found):
        numbers = np.array([int(digits[0]) for digits in found])
        if len(np.unique(numbers)) == len(numbers):
            order = np.argsort(numbers)
            return numbers[order], order
    return None, np.argsort(np.array(names), kind="stable")
