# SPDX-License-Identifier: GPL-3.0-or-later
"""The captured bodies over the video they came from: a film, and a sheet of stills."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from smplit.body.model import BodyModel
from smplit.errors import BadInput
from smplit.export.whole_file import whole_file
from smplit.motion import Motion
from smplit.progress import Reporter
from smplit.video.decode import Frame, VideoReader
from smplit.video.read_ahead import read_ahead
from smplit.view.camera import Camera
from smplit.view.mp4 import Mp4Writer
from smplit.view.performer import Performer, performers, spread
from smplit.view.raster import draw
from smplit.view.sheet import sheet, write_png, write_words

_LONGEST = 1280  # px: the film is not larger
_STILLS, _COLUMNS = 12, 4
_STILL_WIDTH = 480  # px
_MARGIN = 0.12  # of the people's box, left around them on the stills
_AHEAD = 4  # decoded frames that wait


def render_overlay(
    video: str | Path, motions: list[Motion], mp4: str | Path, sheet_png: str | Path, reporter: Reporter | None = None,
    body: BodyModel | None = None,
) -> None:
    """Draws every person's body over the video's own frames, each at the frame's own time.

    Args:
        video: the file that the motions were captured from.
        motions: people of that video, with their cameras.
        mp4, sheet_png: files to write, whole or not at all.
        reporter: told of progress, may cancel.
        body: the body model; the best one found when absent.

    Raises:
        BadInput: a motion carries no camera, or the video cannot be read.
    """
    reporter = reporter or Reporter()
    if any(motion.camera_R is None or motion.camera_t is None or motion.camera_K is None for motion in motions):
        raise BadInput("A motion without a camera cannot be drawn over a video.", "Use motions that were captured from this video.", "no_camera")
    people = performers(motions, body or BodyModel.load())
    times = np.unique(np.concatenate([person.times for person in people]).round(6))
    half = 0.5 / float(motions[0].fps)
    stills = list(spread(times, _STILLS))
    with VideoReader(video, max(0.0, times[0] - half), times[-1] + half) as reader, whole_file(mp4) as film, whole_file(sheet_png) as picture:
        info = reader.info
        whole = _Window(0, 0, info.width, info.height)
        size = _film_size(info.width, info.height)
        window = _Window.around(people, stills, info.width, info.height)
        tiles: list[np.ndarray] = []
        with read_ahead(reader, _AHEAD) as frames, Mp4Writer(film, *size, motions[0].fps) as writer:
            for frame, present in _cast(frames, people, len(times), reporter):
                writer.add(_drawn(*whole.cut(frame.image, size), present, frame.time), frame.time - times[0] + half)
                if stills and frame.time > stills[0] - half:
                    del stills[0]
                    tiles.append(_drawn(*window.cut(frame.image, window.still_size()), present, frame.time))
        if not tiles:
            raise BadInput(f"'{video}' shows no frame at the motion's times.", "Use the video that the motion was captured from.", "other_video")
        write_png(picture, sheet(tiles, _COLUMNS))


Present = list[tuple[Performer, int]]  # who is there, and at which of their frames


def _cast(frames: Iterator[Frame], people: list[Performer], total: int, reporter: Reporter) -> Iterator[tuple[Frame, Present]]:
    for done, frame in enumerate(frames, 1):
        reporter.check()
        present = [(person, number) for person in people if (number := person.frame_at(frame.time)) is not None]
        yield frame, present
        reporter.stage("overlay", min(done, total), total)


def _drawn(image: np.ndarray, view: _View, present: Present, time: float) -> np.ndarray:
    """`image` itself, now with the bodies, their numbers and the time."""
    if present:
        K = view.intrinsics(present[0][0].motion.camera_K)
        camera = Camera(np.eye(3), np.zeros(3), K, image.shape[1], image.shape[0])
        bodies = [person.placed(number, in_camera=True) for person, number in present]
        draw(image, bodies, camera)
        for (person, _), placed in zip(present, bodies, strict=True):
            head = placed.vertices[person.head]
            top = head[np.argmin(head[:, 1])]
            if top[2] > 0.1:
                left, base = camera.project(top).tolist()
                write_words(image, str(person.person), (round(left) - 6, round(max(base - 6, 24))), person.colour)
    write_words(image, f"{time:.2f} s")
    return image


@dataclass(frozen=True)
class _View:
    """Where a picture lies on the video's frame: its left top corner in px of the frame, and its size relative to it."""

    left: float
    top: float
    scale: tuple[float, float]

    def intrinsics(self, K: np.ndarray) -> np.ndarray:
        """(3,3) px of the frame -> (3,3) px of the picture."""
        out = np.array(K, np.float64)
        out[:2, 2] -= (self.left, self.top)
        out[0] *= self.scale[0]
        out[1] *= self.scale[1]
        return out


def _film_size(width: int, height: int) -> tuple[int, int]:
    """Even, as H.264 wants it, and not too large."""
    scale = min(1.0, _LONGEST / max(width, height))
    return max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)


@dataclass(frozen=True)
class _Window:
    """A part of the video's frame, px."""

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def around(cls, people: list[Performer], stills: list[float], width: int, height: int) -> _Window:
        """Everybody at the stills' times, with a margin, no narrower than 3:4 and no wider than 16:9."""
        boxes = [box for time in stills for person in people if (box := _box(person, time, width, height)) is not None]
        if not boxes:
            return cls(0, 0, width, height)
        x0, y0 = np.min([b[:2] for b in boxes], axis=0)
        x1, y1 = np.max([b[2:] for b in boxes], axis=0)
        pad = _MARGIN * max(x1 - x0, y1 - y0)
        wide, high = x1 - x0 + 2 * pad, y1 - y0 + 2 * pad
        wide, high = max(wide, 0.75 * high), max(high, wide / (16 / 9))
        wide, high = min(wide, width), min(high, height)
        left = float(np.clip((x0 + x1 - wide) / 2, 0, width - wide))
        top = float(np.clip((y0 + y1 - high) / 2, 0, height - high))
        return cls(int(left), int(top), int(wide), int(high))

    def still_size(self) -> tuple[int, int]:
        """Width and height of a still, px."""
        return _STILL_WIDTH, max(1, round(self.height * _STILL_WIDTH / self.width))

    def cut(self, image: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, _View]:
        """This part of a frame as a new picture of `size` (width, height)."""
        part = image[self.top : self.top + self.height, self.left : self.left + self.width]
        view = _View(self.left, self.top, (size[0] / self.width, size[1] / self.height))
        if size == (self.width, self.height):
            return np.array(part, order="C"), view
        return cv2.resize(part, size, interpolation=cv2.INTER_AREA if size[0] < self.width else cv2.INTER_CUBIC), view


def _box(person: Performer, time: float, width: int, height: int) -> tuple[float, float, float, float] | None:
    """x0, y0, x1, y1 px of the body in the frame, cut at its rim; None when it is not in sight."""
    number = person.frame_at(time)
    if number is None:
        return None
    placed = person.placed(number, in_camera=True)
    ahead = placed.vertices[placed.vertices[:, 2] > 0.1]
    if not len(ahead):
        return None
    pixels = Camera(np.eye(3), np.zeros(3), np.asarray(person.motion.camera_K, np.float64), width, height).project(ahead)
    low, high = np.clip(pixels.min(0), 0, (width, height)), np.clip(pixels.max(0), 0, (width, height))
    return None if np.any(high - low < 2) else (*low.tolist(), *high.tolist())
