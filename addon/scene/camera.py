# SPDX-License-Identifier: GPL-3.0-or-later
"""The camera that filmed the capture.

A Blender camera looks along its -Z with Y up; OpenCV's looks along +Z with Y down (`axes`). Lens and
shift come from K for the video's own picture: they hold for any render resolution, because the sensor
is fitted to the side of the frame that the video fills.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..shared import axes

_SENSOR = 36.0  # mm, full frame: lens values then read as photographers know them


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
