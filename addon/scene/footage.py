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


@dataclass(frozen=True)
class Footage:
    """A video as Blender reads it; `rate` is the video's own frames per second."""

    image: bpy.types.Image
    rate: float


def load(video: Path) -> Footage | None:
    """The video, or None when this Blender cannot read it."""
    before = set(bpy.data.images)
    try:
        image = bpy.data.images.load(str(video), check_existing=True)
        clip = bpy.data.movieclips.load(str(video))
    except RuntimeError as error:
        _log.warning("The footage '%s' cannot be shown behind the character: %s", video, error)
        bpy.data.batch_remove(set(bpy.data.images) - before)
        return None
    rate = float(clip.fps)
    bpy.data.movieclips.remove(clip)
    if image.source == "MOVIE" and all(image.size) and rate > 0:
        return Footage(image, rate)
    bpy.data.batch_remove({image} - before)
    return None


def put_behind(camera: bpy.types.Object, video: Footage, clock: Clock, make_track: Callable[[Channel], Track]) -> None:
    """Shows the video behind the camera's view, in step with the keys whatever the scene's frame rate.

    Blender shows movie frame n at scene frame n + offset; where the rates of video and scene differ, the
    offset grows along a line, keyed on a track from `make_track`.
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
    ends = clock.frames(np.array([clock.origin, video.image.frame_duration / video.rate]))
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
