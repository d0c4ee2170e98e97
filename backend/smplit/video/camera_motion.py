# SPDX-License-Identifier: GPL-3.0-or-later
"""Does the camera stand, turn or travel, and how: from the background outside people.

`CameraTracker` takes the frames as they are decoded and keeps only corner matches; `finish` decides.
The focal length may be known only then, so nothing before it depends on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smplit.video.background import BackgroundTracker
from smplit.video.camera_travel import travel
from smplit.video.camera_turning import Clip

MODES = ("auto", "static", "moving")
_TURN_ONLY = 1.0  # robust cost (9 at most): turning alone explains the picture when it leaves less


@dataclass
class TrackedCamera:
    """The camera through one shot, relative to the shot's first frame.

    `rotation` (N,3,3) takes vectors of the first frame's camera to frame n's camera (OpenCV axes).
    `kind` is "static", "rotating" (turns about its centre) or "travelling" (its centre moves too).
    `residual` (N,) px of the full frame: median background error of the kind that was decided;
    frames in which the background told nothing hold the picture's width.
    `path` (N,3): a travelling camera's centre in the first frame's axes; its unit is about the distance
    of the background at the start, so one factor (the same for the whole shot) makes it metres. Else None.
    `points` (M,3): background points in the same axes and unit, `points_frame` (M,) the frame each was found
    in; the ground among them gives the factor (`camera_scale`). Else None.
    `focal`: the focal length (px) that makes a turning camera's background agree best; None when the
    turn is too small to tell. Better than a guess, worse than metadata.
    `centre` (N,3) m in the first frame's axes, `to_world` (3,3) from these to a world whose z is up: of a camera that
    the user supplied, else None.
    `note`: a sentence for the user when the answer is a fall-back, else empty.
    """

    rotation: np.ndarray
    kind: str
    residual: np.ndarray
    path: np.ndarray | None = None
    points: np.ndarray | None = None
    points_frame: np.ndarray | None = None
    focal: float | None = None
    note: str = ""
    centre: np.ndarray | None = None
    to_world: np.ndarray | None = None


class CameraTracker:
    """`tracker.add(...)` for every frame of one shot, then `tracker.finish(K)`, as often as wanted.

    `mode`: "auto" decides; "static" looks at nothing; "moving" answers static only where nothing was to be seen.
    """

    def __init__(self, width: int, height: int, mode: str = "auto"):
        if mode not in MODES:
            raise ValueError(f"camera mode {mode!r} is none of {MODES}")
        self.mode, self.width = mode, width
        self.background = BackgroundTracker(width, height)
        self._count = 0

    def add(self, image_rgb: np.ndarray, boxes: np.ndarray) -> None:
        """image_rgb (H,W,3) uint8; boxes (P,4) px x0, y0, x1, y1 of the people in it (P may be 0)."""
        self._count += 1
        if self.mode != "static":
            self.background.add(image_rgb, boxes)

    def finish(self, K: np.ndarray) -> TrackedCamera:
        """K (3,3) px of the full frame.

        Raises:
            ValueError: no frame was added.
        """
        if not self._count:
            raise ValueError("CameraTracker.finish needs at least one frame")
        if self.mode == "static":
            return self._standing(np.zeros(self._count), "")
        clip = Clip(self.background, np.asarray(K, dtype=np.float64))
        told = clip.told()
        if told.mean() < 0.5:
            note = "The background has too little texture to tell whether the camera moves; it is taken as static."
            return self._standing(np.full(self._count, float(self.width)), note)
        if self.mode == "auto":
            still, shift = clip.stands()
            if still:
                return self._standing(np.where(told, shift / clip.scale, float(self.width)), "")
        return self._moving(clip, told)

    def _standing(self, residual: np.ndarray, note: str) -> TrackedCamera:
        return TrackedCamera(np.tile(np.eye(3), (self._count, 1, 1)), "static", residual, note=note)

    def _moving(self, clip: Clip, told: np.ndarray) -> TrackedCamera:
        links, errors, _ = clip.turns(1.0)
        moved = clip.most_moved()
        focal, unexplained = clip.best_focal(moved)
        kind, path, points, rotation = "rotating", None, (None, None), clip.chain(links)
        if unexplained > _TURN_ONLY:
            travelled = travel(clip, links, moved, unexplained)
            if travelled is not None:
                kind, focal = "travelling", None
                rotation, path, errors, points = travelled
        note = ""
        if not told.all():
            note = f"The background was lost in {int((~told).sum())} of {self._count} frames; the camera is taken to hold still there."
        residual = np.where(told, errors / clip.scale, float(self.width))
        return TrackedCamera(rotation, kind, residual, path, *points, focal, note)
