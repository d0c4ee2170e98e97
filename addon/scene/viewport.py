# SPDX-License-Identifier: GPL-3.0-or-later
"""Shows a new character: the timeline reaches its end, the 3D views see it."""

from __future__ import annotations

import math

import bpy
import numpy as np

_MARGIN = 1.2
_SMALLEST = 1.0  # m: a person who stands still still has a body around the path


def extend_timeline(scene: bpy.types.Scene, last_frame: float) -> None:
    """Moves the scene's end, never back."""
    last = math.ceil(last_frame - 1e-3)
    if last > scene.frame_end:
        scene.frame_end = last


def frame_path(scene: bpy.types.Scene, points: np.ndarray) -> bool:
    """Moves the 3D views of a scene to look at points (N,3) m, from the side they look from now; False without points.

    Views through a camera or locked to something are the user's decision and stay. No operator is
    called: the selection, which Frame Selected would need, stays as well.
    """
    if not len(points):
        return False
    low, high = points.min(axis=0), points.max(axis=0)
    radius = max(float(np.linalg.norm(high - low)) / 2.0, _SMALLEST) * _MARGIN
    for window in bpy.context.window_manager.windows:
        if window.scene != scene:
            continue
        for area in window.screen.areas:
            if area.type == "VIEW_3D":
                _look_at(area, (low + high) / 2.0, radius)
    return True


def _look_at(area: bpy.types.Area, centre: np.ndarray, radius: float) -> None:
    space = area.spaces.active
    view = space.region_3d
    if view is None or view.view_perspective == "CAMERA" or view.lock_rotation or space.lock_object or space.lock_cursor:
        return
    region = next((region for region in area.regions if region.type == "WINDOW"), None)
    narrow = min(region.width, region.height) / max(region.width, region.height, 1) if region is not None else 1.0
    view.view_location = centre
    # Blender's view spans 36 mm x 2 across the longer side of the region.
    view.view_distance = radius * space.lens / 36.0 / max(narrow, 0.2)
