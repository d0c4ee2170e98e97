# SPDX-License-Identifier: GPL-3.0-or-later
"""The known answer of a clip, as tools/make_truth_clips.py writes it, and who of the captured people is who."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from smplit.errors import BadInput
from smplit.motion import NUM_JOINTS

_SUFFIX = "_truth.npz"
_REMEDY = "Render the clip again with tools/make_truth_clips.py."


@dataclass(frozen=True)
class Truth:
    """One clip, T frames, P people, world Z up in metres.

    `joints` (T,P,55,3); `foot_points` (T,P,4,3) heels and big toes; `boxes` (T,P,4) px;
    `camera_R` (T,3,3), `camera_t` (T,3) world-to-camera, OpenCV axes; `camera_K` (3,3) px;
    `frame_times` (T,) s; `camera_kind` as in tools/truth_clips/cameras.py.
    """

    video: Path
    joints: np.ndarray
    foot_points: np.ndarray
    boxes: np.ndarray
    camera_R: np.ndarray
    camera_t: np.ndarray
    camera_K: np.ndarray
    frame_times: np.ndarray
    fps: float
    camera_kind: str

    @property
    def clip(self) -> str:
        return self.video.stem

    @property
    def focal(self) -> float:
        """px"""
        return float(self.camera_K[0, 0])

    @property
    def up(self) -> np.ndarray:
        """(T,3) the world's up direction in camera axes."""
        return self.camera_R[:, :, 2]

    def in_camera(self, points: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """World points (N,...,3) of the frames `rows` (N,) -> camera axes."""
        shift = self.camera_t[rows].reshape(len(rows), *([1] * (points.ndim - 2)), 3)
        return np.einsum("nij,n...j->n...i", self.camera_R[rows], points) + shift


def read_truth(path: Path) -> Truth:
    """Reads `<clip>_truth.npz`; the video `<clip>.mp4` lies beside it.

    Raises:
        BadInput: no video beside it, unreadable, or an array is missing or has the wrong shape.
    """
    video = path.with_name(path.name.removesuffix(_SUFFIX) + ".mp4")
    if not video.is_file():
        raise BadInput(f"'{path}' has no video '{video.name}' beside it.", _REMEDY, "no_such_file")
    try:
        with np.load(path, allow_pickle=False) as archive:
            entries = {name: archive[name] for name in archive.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise BadInput(f"'{path}' cannot be read ({error}).", _REMEDY, "unreadable") from error
    frames, people = entries.get("joints", np.zeros((0, 0))).shape[:2]
    shapes = {
        "joints": (frames, people, NUM_JOINTS, 3), "foot_points": (frames, people, 4, 3), "boxes": (frames, people, 4), "camera_R": (frames, 3, 3),
        "camera_t": (frames, 3), "camera_K": (3, 3), "frame_times": (frames,), "fps": (), "camera_kind": (),
    }
    for name, shape in shapes.items():
        if name not in entries or entries[name].shape != shape:
            found = entries[name].shape if name in entries else "nothing"
            raise BadInput(f"'{path}': '{name}' should have shape {shape}, found {found}.", _REMEDY, "wrong_shape")
    arrays = {name: entries[name].astype(np.float64) for name in shapes if name not in ("fps", "camera_kind")}
    return Truth(video, fps=float(entries["fps"]), camera_kind=str(entries["camera_kind"]), **arrays)


def find_truth(folder: Path, only: tuple[str, ...] = ()) -> list[Path]:
    """The truth files of a folder, by clip name; `only` picks clips.

    Raises:
        BadInput: none there, or a name in `only` is not.
    """
    found = {path.name.removesuffix(_SUFFIX): path for path in sorted(Path(folder).glob(f"*{_SUFFIX}"))}
    if not found:
        raise BadInput(f"'{folder}' holds no '*{_SUFFIX}'.", "Make some with tools/make_truth_clips.py.", "no_truth")
    missing = sorted(set(only) - set(found))
    if missing:
        raise BadInput(f"'{folder}' has no clip {', '.join(missing)}.", f"Its clips: {', '.join(found)}.", "no_such_clip")
    return [path for clip, path in found.items() if not only or clip in only]


def match_people(boxes: list[tuple[np.ndarray, np.ndarray]], truth: Truth) -> list[tuple[int, int]]:
    """Pairs (captured, true) person, each used once, best overlap in the picture first.

    Args:
        boxes: per captured person the truth rows (N,) it covers and its boxes (N,4) px there.
    """
    overlap = np.array([[_overlap(rows, own, truth.boxes[:, p]) for p in range(truth.boxes.shape[1])] for rows, own in boxes])
    pairs = []
    while overlap.size and overlap.max() > 0:
        captured, true = np.unravel_index(overlap.argmax(), overlap.shape)
        pairs.append((int(captured), int(true)))
        overlap[captured], overlap[:, true] = 0, 0
    return sorted(pairs, key=lambda pair: pair[1])


def _overlap(rows: np.ndarray, own: np.ndarray, true: np.ndarray) -> float:
    """Intersection over union summed over the frames, as a share of all true frames."""
    low, high = np.maximum(own[:, :2], true[rows, :2]), np.minimum(own[:, 2:], true[rows, 2:])
    shared = np.prod(np.maximum(high - low, 0), axis=1)
    areas = np.prod(own[:, 2:] - own[:, :2], axis=1) + np.prod(true[rows, 2:] - true[rows, :2], axis=1)
    return float((shared / np.maximum(areas - shared, 1e-9)).sum() / len(true))
