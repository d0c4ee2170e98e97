# SPDX-License-Identifier: GPL-3.0-or-later
"""A camera that the user knows: poses out of a file, brought to the frames of a video."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation, Slerp

from smplit.errors import BadInput
from smplit.video.lens import Lens

_ORTHONORMAL = 0.02  # of R R^T - 1: files with three decimals pass
_SKEW = 1e-3  # of the focal length
_ASPECT = 0.01  # relative: pictures that are the same but for their size
_CENTRED = 0.1  # of the picture: how far a principal point may lie off its middle
_HELD = 1.0  # s: how long a moving camera may be unknown at either end of the video
_STILL_TURN, _STILL_MOVE = 1e-4, 1e-6  # rad; of the path's unit: rounding of a file
_EVERY_FRAME = "Make it from every frame of the video, or name the part that it covers with --range."


@dataclass
class SuppliedCamera:
    """M poses of a camera file.

    `rotation` (M,3,3) world to camera (OpenCV axes), `centre` (M,3) in the world; one pose without `frames` and `times`
    is a camera that stood still. `frames` (M,) are numbers of the video's frames, counted from an unknown first one;
    `times` (M,) s on the video's clock; with neither, the poses are those of all frames in order.
    `size` (width, height) px of the pictures that `lens` belongs to, None where the file does not say.
    `metric`: the world is in metres and its z is up; else neither is known.
    """

    path: Path
    lens: Lens
    size: tuple[float, float] | None
    rotation: np.ndarray
    centre: np.ndarray
    frames: np.ndarray | None = None
    times: np.ndarray | None = None
    metric: bool = False

    def __post_init__(self) -> None:
        self.lens = Lens(np.array(self.lens.K, np.float64), np.array(self.lens.distortion, np.float64))
        self.rotation, self.centre = np.asarray(self.rotation, np.float64), np.asarray(self.centre, np.float64)
        _check_lens(self.path, self.lens)
        self.rotation = _check_poses(self.path, self.rotation, self.centre)
        if self.times is not None and not (np.isfinite(self.times).all() and (np.diff(self.times) > 0).all()):
            raise BadInput(f"'{self.path}': the poses' times do not grow.", "Export the camera again.", "bad_camera_file")

    @property
    def still(self) -> bool:
        """Neither turns nor moves in the file."""
        turn = Rotation.from_matrix(self.rotation @ self.rotation[0].T).magnitude()
        unit = max(1.0, float(np.abs(self.centre).max()))
        return bool(turn.max() < _STILL_TURN and np.abs(self.centre - self.centre[0]).max() < _STILL_MOVE * unit)

    def for_picture(self, width: int, height: int, warn: Callable[[str], None]) -> SuppliedCamera:
        """The same camera with its matrix for pictures of `width` x `height` px.

        Raises:
            BadInput: the file belongs to pictures of another shape.
        """
        size, K = self.size, self.lens.K
        if size is None:
            middle = 2.0 * K[:2, 2]
            if (np.abs(middle - (width, height)) <= 2.0 * _CENTRED * np.array([width, height])).all():
                return self  # the principal point is near this picture's middle
            size = (float(middle[0]), float(middle[1]))
        scale = np.array([width, height]) / size
        if not np.isfinite(scale).all() or abs(scale[0] / scale[1] - 1.0) > _ASPECT:
            raise BadInput(
                f"'{self.path}' is the camera of pictures of {size[0]:.0f} x {size[1]:.0f} px; the video's are {width} x {height}.",
                "Use the camera file of this video, uncropped and not turned.", "wrong_camera_size",
            )
        if np.abs(scale - 1.0).max() < 1e-9:
            return self
        warn(f"'{self.path.name}' was made from pictures of {size[0]:.0f} x {size[1]:.0f} px; its camera was scaled to {width} x {height}.")
        return replace(self, lens=Lens(np.diag([*scale, 1.0]) @ K, self.lens.distortion), size=(width, height))

    def check_length(self, frames: int | None, seconds: float | None) -> None:
        """Refuses before the video is read what is off by more than a tenth; containers do not count exactly.

        Raises:
            BadInput: the file is of another length than the container says.
        """
        if self.times is not None:
            if seconds and self.times[-1] > 1.1 * seconds + _HELD:
                self._wrong_length(f"{len(self.times)} poses, the last at {self.times[-1]:.2f} s; the video lasts {seconds:.2f} s")
        elif frames and len(self.rotation) > 1:
            own = len(self.rotation) if self.frames is None else int(np.ptp(self.frames)) + 1
            if own > 1.1 * frames + 2 or (self.frames is None and own < 0.9 * frames - 2):
                self._wrong_length(f"poses of {own} frames; the video has {frames}")

    def follow(self, times: np.ndarray, skipped: int, whole: bool, warn: Callable[[str], None]) -> tuple[np.ndarray, np.ndarray]:
        """Rotation (N,3,3) and centre (N,3) of every frame that was read; frames without a pose are filled in.

        Args:
            times: (N,) s of the frames.
            skipped: frames of the video before them.
            whole: they reach to the video's end and begin at its start.

        Raises:
            BadInput: the file is of another length, or no pose, or too few of them, belong to these frames.
        """
        if len(self.rotation) == 1 and self.frames is None and self.times is None:
            return np.repeat(self.rotation, len(times), 0), np.repeat(self.centre, len(times), 0)
        at, own = self._on_one_axis(times, skipped, whole)
        order = np.argsort(own)
        own, rotation, centre = own[order], self.rotation[order], self.centre[order]
        near = _gap(own, at) < 0.51 * _step(at)
        if not near.any():
            raise BadInput(f"No pose of '{self.path}' belongs to a frame of this part of the video.", _EVERY_FRAME, "no_frame_matched")
        self._check_ends(near, times)
        if not near.all():
            warn(f"'{self.path.name}' has no camera for {int((~near).sum())} of {len(times)} frames; it was filled in between those it has.")
        inside = np.clip(at, own[0], own[-1])
        if len(own) == 1:
            return np.repeat(rotation, len(at), 0), np.repeat(centre, len(at), 0)
        path = np.stack([np.interp(inside, own, column) for column in centre.T], 1)
        return Slerp(own, Rotation.from_matrix(rotation))(inside).as_matrix(), path

    def _on_one_axis(self, times: np.ndarray, skipped: int, whole: bool) -> tuple[np.ndarray, np.ndarray]:
        """Where the video's frames (N,) and the file's poses (M,) lie on one axis: seconds, or frame numbers."""
        count, rows = len(times), np.arange(len(self.rotation), dtype=np.float64)
        if self.times is not None:
            step = _step(times)
            if whole and self.times[-1] > times[-1] + 1.5 * step:
                self._wrong_length(f"{len(rows)} poses, the last at {self.times[-1]:.2f} s; the video ends at {times[-1]:.2f} s")
            return times, self.times
        numbers = np.arange(count) + float(skipped)
        if self.frames is None:
            if len(rows) == count:  # of exactly this part
                return np.arange(count, dtype=np.float64), rows
            if whole or len(rows) < skipped + count:
                self._wrong_length(f"{len(rows)} poses; the video has {count} frames" + ("" if whole else f" in this part, after {skipped} others"))
            return numbers, rows
        own = self.frames.astype(np.float64)
        if len(np.unique(own)) < len(own):
            raise BadInput(f"'{self.path}' has two poses of one frame.", "Number each pose by its frame.", "bad_camera_file")
        last = skipped + count - 1
        first = 0.0 if own.min() == 0 else 1.0  # ffmpeg counts pictures from 1
        if own.min() > last and own.max() - own.min() + 1 == count:  # plates numbered from 1001, say
            first = own.min() - skipped
        if whole and own.max() - first > last:
            self._wrong_length(f"pictures up to number {own.max():.0f}; the video has {count} frames")
        return numbers, own - first

    def _check_ends(self, near: np.ndarray, times: np.ndarray) -> None:
        known = np.flatnonzero(near)
        unknown = max(times[known[0]] - times[0], times[-1] - times[known[-1]])
        if unknown > _HELD and not self.still:
            self._wrong_length(
                f"only frames {known[0] + 1} to {known[-1] + 1} of {len(times)} ({times[known[0]]:.2f} to {times[known[-1]]:.2f} s)"
            )

    def _wrong_length(self, what: str) -> None:
        raise BadInput(f"'{self.path}' does not fit the video's length: it holds {what}.", _EVERY_FRAME, "wrong_length")


def _gap(known: np.ndarray, at: np.ndarray) -> np.ndarray:
    """(N,) distance of each of `at` (N,) to the nearest of `known` (M,), which grow."""
    after = np.searchsorted(known, at)
    return np.minimum(np.abs(known[np.maximum(after - 1, 0)] - at), np.abs(known[np.minimum(after, len(known) - 1)] - at))


def _step(values: np.ndarray) -> float:
    return float(np.median(np.diff(values))) if len(values) > 1 else 1.0


def _check_lens(path: Path, lens: Lens) -> None:
    K = lens.K
    if K.shape != (3, 3) or not np.isfinite(K).all() or not np.isfinite(lens.distortion).all():
        raise BadInput(f"'{path}': the camera matrix is not nine finite numbers.", "Export the camera again.", "bad_camera_file")
    focal = min(K[0, 0], K[1, 1])
    if not 10.0 <= focal <= 1e6 or np.abs(K[2] - (0, 0, 1)).max() > 1e-6 or abs(K[1, 0]) > 1e-6 or K[:2, 2].min() <= 0.0:
        raise BadInput(
            f"'{path}': [{', '.join(f'{value:g}' for value in K.ravel())}] is no camera matrix in pixels.",
            "It should be [fx, 0, cx, 0, fy, cy, 0, 0, 1] with focal lengths of 10 px or more.", "bad_camera_file",
        )
    if abs(K[0, 1]) > _SKEW * focal:
        raise BadInput(f"'{path}': pixels are skewed ({K[0, 1]:g} px).", "Calibrate the camera with square pixels.", "bad_camera_file")
    K[0, 1] = 0.0


def _check_poses(path: Path, rotation: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """The rotations, made exact; refuses what are none."""
    if not len(rotation):
        raise BadInput(f"'{path}' holds no camera pose.", "Export the camera of every frame.", "bad_camera_file")
    if rotation.shape[1:] != (3, 3) or centre.shape != (len(rotation), 3):
        raise BadInput(
            f"'{path}': rotations of shape {rotation.shape} and positions of shape {centre.shape} do not go together.",
            "There should be one rotation (3,3) and one position (3,) for each frame.", "wrong_length",
        )
    bad = ~(np.isfinite(rotation).all((1, 2)) & np.isfinite(centre).all(1))
    if bad.any():
        raise BadInput(f"'{path}': pose {int(np.argmax(bad)) + 1} holds NaN or infinity.", "Export the camera again.", "bad_camera_file")
    off = np.abs(rotation @ rotation.transpose(0, 2, 1) - np.eye(3)).max((1, 2)) > _ORTHONORMAL
    mirrored = np.linalg.det(rotation) < 0
    if (off | mirrored).any():
        row = int(np.argmax(off | mirrored))
        what = "is mirrored" if mirrored[row] and not off[row] else "is no rotation"
        raise BadInput(f"'{path}': the rotation of pose {row + 1} {what}.", "It should be a rotation matrix from world to camera.", "bad_camera_file")
    return Rotation.from_matrix(rotation).as_matrix()
