# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures into an H.264 MP4, each at its own time, so that a variable rate stays one."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

_CLOCK = Fraction(1, 90000)  # s: divides every common frame rate


class Mp4Writer:
    """`with Mp4Writer(path, width, height, fps) as film: film.add(image, seconds)`; even sizes only."""

    def __init__(self, path: Path, width: int, height: int, fps: float):
        self._container = av.open(str(path), "w", format="mp4", options={"movflags": "+faststart"})
        rate = Fraction(max(fps, 1.0)).limit_denominator(1001)  # for the encoder's budget only: times are the pictures' own
        self._stream = self._container.add_stream("libx264", rate=rate, options={"preset": "veryfast", "crf": "20"})
        self._stream.width, self._stream.height = width, height
        self._stream.pix_fmt = "yuv420p"
        self._stream.codec_context.time_base = _CLOCK

    def __enter__(self) -> Mp4Writer:
        return self

    def add(self, image: np.ndarray, seconds: float) -> None:
        """Appends (H,W,3) uint8 RGB; `seconds` grows from picture to picture."""
        frame = av.VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = round(seconds / _CLOCK), _CLOCK
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def __exit__(self, kind, error, trace) -> None:
        try:
            if kind is None:
                for packet in self._stream.encode():
                    self._container.mux(packet)
        finally:
            self._container.close()
