# SPDX-License-Identifier: GPL-3.0-or-later
"""Upright RGB frames of a video by presentation time, one at a time.

PyAV (BSD-3) is used instead of OpenCV's reader because it gives presentation times, the rotation
flag and the decoder's errors; OpenCV counts frames and drops all three.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from smplit.errors import BadInput

_STILL_FORMATS = ("image2", "png_pipe", "jpeg_pipe", "webp_pipe", "bmp_pipe", "tiff_pipe", "svg_pipe", "gif", "ico")
_USE_A_VIDEO = "Choose a video file such as MP4, MOV, MKV or WebM."
_MIN_STEP = 1e-4  # s: times must grow, also in files whose timestamps repeat


@dataclass(frozen=True)
class VideoInfo:
    """What the container says. `width` x `height` are of the upright frame, px; `duration` in s."""

    path: Path
    width: int
    height: int
    fps: float
    frame_count: int | None
    duration: float | None
    rotation: int  # degrees clockwise that the picture is turned for display
    focal_px: float | None
    codec: str


@dataclass(frozen=True)
class Frame:
    """One picture: (H,W,3) uint8 RGB, upright; `time` in s from the container's clock."""

    index: int
    time: float
    image: np.ndarray


def parse_range(text: str | None) -> tuple[float | None, float | None]:
    """`A:B` in seconds, or `mm:ss-mm:ss`; either end may be empty: `2.5:`, `:10`, `0:05-0:12`.

    Raises:
        BadInput: not two times in growing order.
    """
    if not text:
        return None, None
    parts = text.split("-") if "-" in text else text.split(":")
    try:
        if len(parts) != 2:
            raise ValueError
        start, stop = (None if not part.strip() else _seconds(part) for part in parts)
        if start is not None and stop is not None and stop <= start:
            raise ValueError
    except ValueError:
        raise BadInput(
            f"--range {text!r} is not a part of a video.", "Write seconds as 2.5:10, or minutes as 0:05-0:12.", "bad_option"
        ) from None
    return start, stop


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\s*(\d+:)*\d+(\.\d*)?\s*", text):
        raise ValueError(text)
    total = 0.0
    for part in text.split(":"):
        total = total * 60.0 + float(part)
    return total


class VideoReader:
    """`with VideoReader(path) as video: for frame in video: ...`; memory holds one frame.

    `warnings` grows while reading (a truncated file gives what decodes, plus a warning); `skipped` counts the
    frames before `start`.

    Raises:
        BadInput: on construction, when the path holds no readable video.
    """

    def __init__(self, path: str | Path, start: float | None = None, stop: float | None = None):
        self.path = Path(path)
        self.warnings: list[str] = []
        self.skipped = 0
        self._start, self._stop = start, stop
        self._converter = VideoReformatter()  # one for all frames: a frame's own would be set up anew each time
        self._container = _open(self.path)
        try:
            self._stream = next(s for s in self._container.streams.video if not _is_cover(s))
            self._stream.thread_type = "AUTO"
            self._decoded = self._container.decode(self._stream)
            self._first = self._first_frame()
            self.info = self._describe()
        except BaseException:
            self._container.close()
            raise

    def __enter__(self) -> VideoReader:
        return self

    def __exit__(self, *error) -> None:
        self._container.close()

    def _first_frame(self) -> av.VideoFrame:
        try:
            frame = next(self._decoded, None)
        except (av.FFmpegError, ValueError) as error:
            raise BadInput(f"'{self.path}' cannot be decoded ({error}).", "Re-encode it as H.264 MP4, or use another file.", "undecodable") from error
        if frame is None:
            raise BadInput(f"'{self.path}' holds no video frame.", _USE_A_VIDEO, "no_frames")
        return frame

    def _describe(self) -> VideoInfo:
        stream = self._stream
        rotation = round(-self._first.rotation) % 360
        width, height = self._first.width, self._first.height
        if rotation in (90, 270):
            width, height = height, width
        rate = stream.average_rate or stream.guessed_rate or stream.base_rate
        duration = None
        if stream.duration is not None and stream.time_base is not None:
            duration = float(stream.duration * stream.time_base)
        elif self._container.duration:
            duration = self._container.duration / av.time_base
        tags = {**self._container.metadata, **stream.metadata}
        return VideoInfo(
            self.path, width, height, float(rate) if rate else 30.0, stream.frames or None, duration, rotation,
            _focal_from_tags(tags, width, height), stream.codec_context.name,
        )

    def _frames(self) -> Iterator[av.VideoFrame]:
        yield self._first
        while True:
            try:
                yield next(self._decoded)
            except StopIteration:
                return
            except (av.FFmpegError, ValueError) as error:
                self.warnings.append(f"'{self.path.name}' is damaged or cut short ({error}); what could be decoded is used.")
                return

    def __iter__(self) -> Iterator[Frame]:
        clock_start, last, fallback = None, None, 1.0 / max(self.info.fps, 1.0)
        index = 0
        for frame in self._frames():
            time = frame.time
            if time is None:
                time = 0.0 if last is None else last + fallback
            if clock_start is None:
                clock_start = time
            time -= clock_start
            if last is not None and time <= last:
                time = last + _MIN_STEP if time < last else last + fallback
            last = time
            if self._stop is not None and time >= self._stop:
                return
            if self._start is not None and time < self._start:
                self.skipped += 1
                continue
            yield Frame(index, time, self._upright(frame))
            index += 1
        expected = self.info.duration
        if expected and last is not None and not self.warnings and self._stop is None and last + fallback < 0.9 * expected - 0.5:
            self.warnings.append(
                f"'{self.path.name}' says it is {expected:.1f} s long, but only {last + fallback:.1f} s could be decoded."
            )

    def _upright(self, frame: av.VideoFrame) -> np.ndarray:
        image = self._converter.reformat(frame, format="rgb24").to_ndarray()
        turns = {0: 0, 90: 3, 180: 2, 270: 1}.get(self.info.rotation, 0)
        return np.ascontiguousarray(np.rot90(image, turns)) if turns else image


def _open(path: Path):
    if not path.exists():
        raise BadInput(f"'{path}' does not exist.", "Check the path.", "no_such_file")
    if path.is_dir():
        raise BadInput(f"'{path}' is a folder.", _USE_A_VIDEO, "is_directory")
    try:
        if path.stat().st_size == 0:
            raise BadInput(f"'{path}' is empty (0 bytes).", "Copy or download the video again.", "empty_file")
        with path.open("rb"):
            pass
        container = av.open(str(path))
    except PermissionError as error:
        raise BadInput(f"'{path}' cannot be read (no permission).", "Change its permissions or copy it.", "no_permission") from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise BadInput(f"'{path}' is not a video that can be read ({error}).", _USE_A_VIDEO, "not_a_video") from error
    if any(name in _STILL_FORMATS for name in container.format.name.split(",")):
        container.close()
        raise BadInput(f"'{path}' is a picture, not a video.", _USE_A_VIDEO, "still_image")
    videos = [s for s in container.streams.video if not _is_cover(s)]
    if not videos:
        container.close()
        raise BadInput(f"'{path}' has no video track.", _USE_A_VIDEO, "no_video_stream")
    return container


def _is_cover(stream) -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def _focal_from_tags(tags: dict[str, str], width: int, height: int) -> float | None:
    """Focal length in px from a 35 mm equivalent tag; the 36 mm side is the longer one."""
    for name, value in tags.items():
        key = name.lower().replace("_", "").replace(".", "").replace("-", "")
        if "focallength" in key and "35mm" in key:
            number = re.search(r"\d+(\.\d+)?", value)
            if number and 5.0 <= float(number.group()) <= 2000.0:
                return float(number.group()) / 36.0 * max(width, height)
    return None
