# SPDX-License-Identifier: GPL-3.0-or-later
"""The video behind the character, in the camera's view."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np

from .actions import Channel, curves_of
from .animation import Track
from .timing import Clock

_log = logging.getLogger(__name__)
_OFFSET = Channel("background_images[0].image_user.frame_offset", 0, "Footage")
_EVEN = 0.3  # of a frame: containers round their times, some to milliseconds


@dataclass(frozen=True)
class Footage:
    """A video as Blender shows it: frame n (from 0) at n / `rate` s."""

    image: bpy.types.Image
    rate: float


def load(video: Path) -> bpy.types.Image | None:
    """The video as an image, or None where there is none. Cheap: nothing is decoded yet."""
    before = set(bpy.data.images)
    try:
        image = bpy.data.images.load(str(video), check_existing=True)
    except RuntimeError as error:
        _log.warning("The footage '%s' cannot be shown behind the character: %s", video, error)
        return None
    if image.source == "MOVIE":
        return image
    bpy.data.batch_remove({image} - before)
    return None


def upright_size(image: bpy.types.Image, K: np.ndarray) -> tuple[float, float] | None:
    """Width and height in px of the picture that K (3,3) is for, or None when the video cannot be decoded.

    Opens the video and decodes a frame, a tenth of a second or more.
    """
    size = np.array(image.size, np.float64)
    if not size.all():
        return None
    # Blender before 4.4 ignores a video's rotation flag: its picture then lies on its side.
    middle = 2.0 * K[:2, 2]
    on_its_side = np.abs(middle - size[::-1]).sum() < np.abs(middle - size).sum() - 1.0
    return tuple(size[::-1] if on_its_side else size)


def rate_of(image: bpy.types.Image, times: np.ndarray) -> float | None:
    """Frames per second by which Blender finds the picture of a time, or None when it cannot read the video.

    Even frame times (T,) s tell it. Otherwise the video is opened, which takes a tenth of a second or more.
    """
    if len(times) > 2:
        count = np.round((times - times[0]) / np.median(np.diff(times)))
        step, begin = np.polyfit(count, times, 1)
        if np.abs(begin + step * count - times).max() < _EVEN * step:
            return float(1.0 / step)
    try:
        clip = bpy.data.movieclips.load(bpy.path.abspath(image.filepath))
    except RuntimeError:
        return None
    rate = float(clip.fps)
    bpy.data.movieclips.remove(clip)
    return rate if rate > 0 else None


def put_behind(camera: bpy.types.Object, video: Footage, last: float, clock: Clock, make_track: Callable[[Channel], Track]) -> None:
    """Shows the video behind the camera's view, in step with the keys whatever the scene's frame rate.

    Blender shows movie frame n at scene frame n + offset; where the rates of video and scene differ, the
    offset grows along a line, keyed on a track from `make_track`.

    Args:
        last: s, up to which the video is shown.
    """
    background = camera.data.background_images.new()
    background.source = "IMAGE"
    background.image = video.image
    background.frame_method = "FIT"
    background.alpha = 1.0
    background.display_depth = "BACK"
    camera.data.show_background_images = True
    user = background.image_user
    user.use_auto_refresh = True
    user.frame_start = 1
    ends = clock.frames(np.array([clock.origin, max(last, clock.origin + 1.0)]))
    # Blender clips the scene's frame to the duration before it adds the offset.
    user.frame_duration = max(1, int(np.ceil(ends[1])) + 1)
    offsets = 1.0 + video.rate * clock.times(ends) - ends
    user.frame_offset = int(np.floor(offsets[0] + 0.5))
    if abs(offsets[1] - offsets[0]) < 0.5:
        return
    # Blender cuts the animated value towards zero; half a frame outwards makes that the nearest frame.
    offsets += np.copysign(0.5, offsets[1] - offsets[0])
    track = make_track(_OFFSET)
    track.put(0, ends, offsets[:, None])
    track.write(camera.data)
    track.tidy(camera.data)
    curves, _ = curves_of(camera.data.animation_data.action)
    next(curve for curve in curves if curve.data_path == _OFFSET.path).extrapolation = "LINEAR"
