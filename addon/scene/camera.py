# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera that filmed the capture, and its footage behind the character.

A Blender camera looks along its -Z with Y up; OpenCV's looks along +Z with Y down (`axes`). Lens and
shift come from K for the video's own picture: they hold for any render resolution, because the sensor
is fitted to the side of the frame that the video fills.
"""

from __future__ import annotations

import logging
from pathlib import Path

import bpy
import numpy as np

from ..shared import axes
from .animation import Channel, Clock, Track, curves_of, transform_channels

_log = logging.getLogger(__name__)
_SENSOR = 36.0  # mm, full frame: lens values then read as photographers know them
_STILL_TURN, _STILL_MOVE = 2e-4, 1e-3  # rad, m: a tripod
_SAME_TIME = 1e-4  # s


def picture_size(K: np.ndarray, footage: bpy.types.Image | None) -> tuple[float, float]:
    """Width and height in px of the upright video: the footage's, else twice the principal point."""
    guess = (2.0 * float(K[0, 2]), 2.0 * float(K[1, 2]))
    if footage is None or 0 in footage.size:
        return guess
    width, height = footage.size
    if lies_on_its_side(K, footage):
        width, height = height, width
    return float(width), float(height)


def lies_on_its_side(K: np.ndarray, footage: bpy.types.Image) -> bool:
    """Whether Blender ignores the video's rotation flag (before 4.4) while K is for the upright picture."""
    width, height = footage.size
    upright = abs(2.0 * K[0, 2] - width) + abs(2.0 * K[1, 2] - height)
    return abs(2.0 * K[0, 2] - height) + abs(2.0 * K[1, 2] - width) < upright - 1.0


def build_camera(
    name: str, K: np.ndarray, size: tuple[float, float], scene: bpy.types.Scene, collection: bpy.types.Collection,
) -> bpy.types.Object:
    """A camera object with the lens and shift of `K` (3,3) px for a picture of `size` px."""
    data = bpy.data.cameras.new(name)
    render = scene.render
    frame_aspect = render.resolution_x * render.pixel_aspect_x / (render.resolution_y * render.pixel_aspect_y)
    width, height = size
    across = width / height >= frame_aspect
    data.sensor_fit = "HORIZONTAL" if across else "VERTICAL"
    data.sensor_width = data.sensor_height = _SENSOR
    fitted = width if across else height
    data.lens = float(K[0, 0] if across else K[1, 1]) * _SENSOR / fitted
    data.shift_x = (width / 2.0 - float(K[0, 2])) / fitted
    data.shift_y = (float(K[1, 2]) - height / 2.0) / fitted
    data.passepartout_alpha = 0.7
    camera = bpy.data.objects.new(name, data)
    camera.rotation_mode = "QUATERNION"
    collection.objects.link(camera)
    if scene.camera is None:
        scene.camera = camera
    return camera


def camera_transforms(R: np.ndarray, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """World-to-camera (T,3,3), (T,3) m, OpenCV -> Blender camera quaternions (T,4) w,x,y,z and locations (T,3)."""
    R, t = np.asarray(R, np.float64), np.asarray(t, np.float64)
    inverse = np.swapaxes(R, -1, -2)
    return axes.quaternion_from_matrix(inverse @ axes.CAMERA_TO_BLENDER_CAMERA), -(inverse @ t[..., None])[..., 0]


class CameraMotion:
    """The camera's frames gathered from every person's chunks, by their times; all share one world."""

    def __init__(self, action_name: str) -> None:
        self._times = np.zeros(0)
        self._rows = np.zeros((0, 16))  # R (9), t (3), fx, fy, cx, cy
        self._action_name = action_name
        self.forget()

    def __len__(self) -> int:
        return len(self._times)

    @property
    def K(self) -> np.ndarray:
        """(3,3) px of the first frame."""
        fx, fy, cx, cy = self._rows[0, 12:]
        return np.array([[fx, 0.0, cx], [0.0, fy, cy], [0.0, 0.0, 1.0]])

    def forget(self) -> None:
        """Blender's side is gone or unknown: write everything again."""
        self._track: Track | None = None
        self._lens: Track | None = None
        self._first_lens: tuple[float, float] | None = None  # mm, px
        self._changed_from = 0

    def put(self, times: np.ndarray, R: np.ndarray, t: np.ndarray, K: np.ndarray) -> None:
        """Adds frames: times (n,) s rising, R (n,3,3), t (n,3) m, K (3,3) px.

        A time that is known already keeps its camera: persons of one shot were filmed by one.
        """
        times = np.asarray(times, np.float64)
        if len(self):
            after = np.searchsorted(self._times, times)
            nearest = np.minimum(
                np.abs(self._times[np.maximum(after - 1, 0)] - times), np.abs(self._times[np.minimum(after, len(self) - 1)] - times)
            )
            keep = nearest > _SAME_TIME
            times, R, t = times[keep], np.asarray(R)[keep], np.asarray(t)[keep]
        if not len(times):
            return
        self._changed_from = min(self._changed_from, int(np.searchsorted(self._times, times[0])))
        lens = np.broadcast_to([K[0, 0], K[1, 1], K[0, 2], K[1, 2]], (len(times), 4))
        rows = np.concatenate([np.reshape(R, (-1, 9)), t, lens], axis=1)
        times, rows = np.concatenate([self._times, times]), np.concatenate([self._rows, rows])
        order = np.argsort(times, kind="stable")
        self._times, self._rows = times[order], rows[order]

    def write(self, camera: bpy.types.Object, clock: Clock, deadline: float = float("inf")) -> bool:
        """Poses the camera: one transform while it stands still, keys once it moves; True when all stand."""
        if self._changed_from < len(self):
            self._update_moves(camera, clock)
            self._update_lens(camera.data, clock)
            self._changed_from = len(self)
        tracks = [(self._track, camera), (self._lens, camera.data)]
        return all(track is None or (track.write(owner, deadline) and track.tidy(owner, deadline)) for track, owner in tracks)

    def _update_moves(self, camera: bpy.types.Object, clock: Clock) -> None:
        quaternions, locations = camera_transforms(self._rows[:, :9].reshape(-1, 3, 3), self._rows[:, 9:12])
        first = self._changed_from
        if self._track is None:
            camera.rotation_quaternion, camera.location = quaternions[0], locations[0]
            turn = 2.0 * np.arccos(np.clip(np.abs(quaternions @ quaternions[0]), 0.0, 1.0))
            if turn.max() <= _STILL_TURN and np.abs(locations - locations[0]).max() <= _STILL_MOVE:
                return
            self._track, first = Track(transform_channels(), self._action_name, quaternions=1), 0
        values = np.concatenate([quaternions, locations], axis=1)
        self._track.put(first, clock.frames(self._times[first:]), values[first:])

    def _update_lens(self, data: bpy.types.Camera, clock: Clock) -> None:
        """Shots of one video may be filmed with different lenses."""
        focal = self._rows[:, 12 if data.sensor_fit == "HORIZONTAL" else 13]
        if self._first_lens is None:
            self._first_lens = (data.lens, float(focal[0]))
        if self._lens is None and np.ptp(focal) <= 1e-4 * focal[0]:
            return
        if self._lens is None:
            self._lens = Track([Channel("lens", 0, "Lens")], f"{self._action_name} lens")
        millimetres, pixels = self._first_lens
        self._lens.put(0, clock.frames(self._times), (focal * millimetres / pixels)[:, None])


def load_footage(video: str | Path) -> tuple[bpy.types.Image, float] | None:
    """The video as an image and its own frame rate, or None when this Blender cannot read it."""
    try:
        image = bpy.data.images.load(str(video), check_existing=True)
        clip = bpy.data.movieclips.load(str(video))
    except RuntimeError as error:
        _log.warning("The footage '%s' cannot be shown behind the character: %s", video, error)
        return None
    rate = float(clip.fps)
    bpy.data.movieclips.remove(clip)
    if image.source != "MOVIE" or not all(image.size) or rate <= 0:
        return None
    return image, rate


def add_footage(camera: bpy.types.Object, image: bpy.types.Image, rate: float, clock: Clock) -> None:
    """Puts the video behind the camera's view, in step with the keys whatever the scene's frame rate.

    `rate`: the video's frames per second. Blender shows movie frame n at scene frame n; where the rates
    differ, the offset between the two grows along a line.
    """
    background = camera.data.background_images.new()
    background.source = "IMAGE"
    background.image = image
    background.frame_method = "FIT"
    background.alpha = 1.0
    background.display_depth = "BACK"
    camera.data.show_background_images = True
    user = background.image_user
    user.use_auto_refresh = True
    user.frame_start = 1
    ends = clock.frames(np.array([clock.origin, image.frame_duration / rate]))
    # Blender clips the scene's frame to the duration before it adds the offset.
    user.frame_duration = max(1, int(np.ceil(ends[1])) + 1)
    offsets = 1.0 + rate * clock.times(ends) - ends
    user.frame_offset = int(np.floor(offsets[0] + 0.5))
    if abs(offsets[1] - offsets[0]) < 0.5:
        return
    # Blender cuts the animated value towards zero; half a frame outwards makes that the nearest frame.
    offsets += np.copysign(0.5, offsets[1] - offsets[0])
    channel = Channel("background_images[0].image_user.frame_offset", 0, "Footage")
    track = Track([channel], f"{camera.name} footage")
    track.put(0, ends, offsets[:, None])
    track.write(camera.data)
    track.tidy(camera.data)
    curves, _ = curves_of(camera.data, "")
    next(curve for curve in curves if curve.data_path == channel.path).extrapolation = "LINEAR"
