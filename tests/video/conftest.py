# SPDX-License-Identifier: GPL-3.0-or-later
"""Small videos made with PyAV, whose true times and pictures the tests know."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

_TICKS = 60_000  # per second; MPEG-4 takes no more than 65535

_FAST = {"crf": "12", "preset": "ultrafast"}
_OPTIONS = {"libx264": _FAST, "libx265": _FAST, "libvpx-vp9": {"crf": "12", "cpu-used": "8"}, "libsvtav1": {"crf": "1", "preset": "8"}}


@pytest.fixture
def write_video(tmp_path: Path) -> Callable[..., Path]:
    """`write_video(name, frames, times, codec, **stream settings)` -> path; frames (H,W,3) uint8, times s."""

    def write(name: str, frames: Sequence[np.ndarray], times: Sequence[float], codec: str = "libx264", rotation: int = 0) -> Path:
        path = tmp_path / name
        height, width = frames[0].shape[:2]
        rate = round(1.0 / float(np.median(np.diff(times)))) if len(times) > 1 else 30
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=rate, options=_OPTIONS.get(codec, {}))
            stream.width, stream.height = width, height
            stream.pix_fmt = "yuv444p" if height % 2 or width % 2 else "yuv420p"
            stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS)
            if rotation:
                stream.set_display_rotation(rotation)
            for image, time in zip(frames, times, strict=True):
                frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
                frame.pts, frame.time_base = round(time * _TICKS), Fraction(1, _TICKS)
                container.mux(stream.encode(frame))
            container.mux(stream.encode())
        return path

    return write


def numbered(index: int, height: int = 96, width: int = 128) -> np.ndarray:
    """A picture that tells its number: 8 bits as black and white columns, over a grey ramp."""
    image = np.tile(np.linspace(60, 180, height, dtype=np.uint8)[:, None, None], (1, width, 3))
    for bit in range(8):
        column = slice(bit * width // 8, (bit + 1) * width // 8)
        image[height // 4 : height // 2, column] = 255 if index >> bit & 1 else 0
    return image


def number_of(image: np.ndarray) -> int:
    """Reads what `numbered` wrote."""
    height, width = image.shape[:2]
    row = image[3 * height // 8].mean(-1)
    return sum(1 << bit for bit in range(8) if row[(2 * bit + 1) * width // 16] > 128)
