# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's walks, inside headless Blender: `demo_walk.py OUTPUT PICTURES PYTHON` with a bpy wheel's Python.

Draws a curve and has three styles walk along it, through the real add-on and its real backend; saves OUTPUT/walk.blend,
renders it into the folder PICTURES, frame by frame, and prints one JSON object as its last line.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
from pathlib import Path

import bpy
import numpy as np
from mathutils import Vector
from mathutils.geometry import interpolate_bezier

sys.path.insert(0, str(Path(__file__).resolve().parent))
from demo_capture import enable_addon, say
from demo_inspect import curves_of, keys_of, plain, set_the_stage

# Points and their right handles, m.
PATH = [
    ((-4.0, -1.0, 0.0), (1.5, -1.5, 0.0)), ((-1.0, 1.0, 0.0), (1.2, 0.8, 0.0)), ((2.0, -0.8, 0.0), (1.2, -0.6, 0.0)),
    ((5.0, 1.0, 0.0), (1.0, 0.8, 0.0)),
]
# Style, m/s, RGBA.
WALKS = (("happy", 1.4, (0.85, 0.55, 0.12, 1.0)), ("proud", 0.9, (0.16, 0.42, 0.75, 1.0)), ("zombie", 0.5, (0.25, 0.55, 0.28, 1.0)))
_PART = (1.5, 6.5)  # s that are rendered
_EVERY = 3  # frames of the scene from one picture to the next: a picture takes seconds without a graphics card
_SIZE = (800, 320)  # px
_LIMIT = 300.0  # s for one walk


def draw_path(scene: bpy.types.Scene) -> bpy.types.Object:
    """The curve object."""
    data = bpy.data.curves.new("Path", "CURVE")
    data.dimensions, data.bevel_depth = "3D", 0.012
    spline = data.splines.new("BEZIER")
    spline.bezier_points.add(len(PATH) - 1)
    for point, (place, handle) in zip(spline.bezier_points, PATH, strict=True):
        point.handle_left_type = point.handle_right_type = "ALIGNED"
        point.co, point.handle_right, point.handle_left = place, np.add(place, handle), np.subtract(place, handle)
    path = bpy.data.objects.new("Path", data)
    scene.collection.objects.link(path)
    return path


def generate(pump, path: bpy.types.Object, style: str, speed: float) -> dict:
    """One walk along the path, and how long its keys took."""
    began, first = time.monotonic(), None
    bpy.ops.smplit.generate_locomotion(curve=path.name, style=style, speed=speed)
    job = pump.BACKEND.jobs.find(bpy.context.window_manager.smplit_last_job)
    while pump.is_unfinished(job) and time.monotonic() - began < _LIMIT:
        pump.pump()
        time.sleep(0.002)  # busy or not: threads that read need a turn
        if first is None and any(thing.get("smplit_job") == job.id and curves_of(thing) for thing in bpy.data.objects):
            first = time.monotonic() - began
    if job.state != "done":
        raise RuntimeError(f"The walk in the style {style} ended as {job.state}: {job.message} {job.remedy}")
    (walker,) = pump.armatures_of(job)
    frames, places = roots(walker)
    off = distances(places)
    return {
        "name": walker.name, "style": style, "frames": len(frames), "first_keys_s": first, "all_keys_s": time.monotonic() - began,
        "off_path_cm": [100 * float(off.mean()), 100 * float(off.max())], "warnings": job.warnings,
    }


def roots(armature: bpy.types.Object) -> tuple[np.ndarray, np.ndarray]:
    """Scene frames (T,) and the pelvis's places (T,3) m at the keys."""
    curves = sorted((c for c in curves_of(armature) if c.data_path == 'pose.bones["pelvis"].location'), key=lambda c: c.array_index)
    columns = [keys_of(curve) for curve in curves]
    rest = np.array(armature.matrix_world @ armature.data.bones["pelvis"].matrix_local)
    return columns[0][:, 0], np.stack([column[:, 1] for column in columns], 1) @ rest[:3, :3].T + rest[:3, 3]


def distances(places: np.ndarray) -> np.ndarray:
    """(T,) m from places (T,3) to the drawn path, seen from above."""
    pieces = [
        interpolate_bezier(Vector(a), Vector(a) + Vector(out), Vector(b) - Vector(back), Vector(b), 500)
        for (a, out), (b, back) in itertools.pairwise(PATH)
    ]
    line = np.array([point.xy for piece in pieces for point in piece])
    return np.linalg.norm(places[:, None, :2] - line[None], axis=-1).min(1)


def render(scene: bpy.types.Scene, folder: Path) -> list[str]:
    """Workbench pictures of the part of the walks that is shown; bodies without bones, a colour for each style."""
    set_the_stage(scene)
    scene.render.resolution_x, scene.render.resolution_y = _SIZE
    scene.display.render_aa = "FXAA"
    for thing in bpy.data.objects:
        if thing.type == "MESH" and thing.parent is not None:
            thing.data.materials.clear()
            thing.data.materials.append(plain(*next((style, colour) for style, _, colour in WALKS if style in thing.name)))
    camera = bpy.data.objects.new("preview", bpy.data.cameras.new("preview"))
    scene.collection.objects.link(camera)
    camera.location, camera.data.lens = (1.5, -11.5, 4.2), 42.0
    camera.rotation_euler = (Vector((0.4, 0.0, 0.75)) - camera.location).to_track_quat("-Z", "Y").to_euler()
    scene.camera = camera
    written = []
    for frame in range(*(round(seconds * scene.render.fps) for seconds in _PART), _EVERY):
        scene.frame_set(scene.frame_start + frame)
        scene.render.filepath = str(folder / f"walk_{frame:04d}.png")
        bpy.ops.render.render(write_still=True)
        written.append(scene.render.filepath)
    return written


def main() -> None:
    output, pictures, python = map(Path, sys.argv[1:])
    status, report = 0, {}
    try:
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        scene = bpy.context.scene
        scene.render.fps = 30
        pump = enable_addon(python)
        path = draw_path(scene)
        for style, speed, _ in WALKS:
            say(f"{style} walks along the path")
            report.setdefault("walks", []).append(generate(pump, path, style, speed))
        bpy.ops.smplit.backend_stop()
        bpy.ops.wm.save_as_mainfile(filepath=str(output / "walk.blend"), compress=True)
        say("rendering the walks")
        report |= {"pictures": render(scene, pictures), "pictures_per_second": scene.render.fps / _EVERY}
        print(json.dumps(report), flush=True)
    except RuntimeError as error:  # an operator's own words
        say(str(error).removeprefix("Error: ").strip())
        status = 1
    sys.stdout.flush()
    os._exit(status)  # Blender 4.5 hangs at exit while an add-on is registered


if __name__ == "__main__":
    main()
