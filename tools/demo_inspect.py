# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's look into the saved file: `demo_inspect.py BLEND PICTURES STILLS` with a bpy wheel's Python.

Opens BLEND without the add-on, prints what is in it as one JSON object, and renders the armatures of each video
into the folder PICTURES. STILLS is JSON: {stem of a video: [seconds]}.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import bpy
import numpy as np

_SIZE = (1280, 720)  # px
_VIEW = np.radians(40.0)  # across the picture
_SIDES = {"left": (0.05, 0.35, 1.0, 1.0), "right": (1.0, 0.10, 0.06, 1.0), "": (1.0, 0.62, 0.03, 1.0)}  # bones, RGBA
_SKIN, _SKIN_CLOSE = (0.42, 0.45, 0.50, 1.0), (0.80, 0.62, 0.52, 1.0)  # RGBA of the bodies behind them, and of a face
_NEAR_FACE = {"head", "neck", "jaw", "left_eye_smplhf", "right_eye_smplhf"}  # what a close-up shows


def curves_of(block: bpy.types.ID) -> list[bpy.types.FCurve]:
    """The curves that animate a data-block, whatever the Blender version keeps them in."""
    animation = block.animation_data
    if animation is None or animation.action is None:
        return []
    if not hasattr(animation, "action_slot"):
        return list(animation.action.fcurves)
    return [
        curve for layer in animation.action.layers for strip in layer.strips
        if (bag := strip.channelbag(animation.action_slot)) is not None for curve in bag.fcurves
    ]


def keys_of(curve: bpy.types.FCurve) -> np.ndarray:
    """(T,2): frame and value of each key."""
    keys = np.empty(2 * len(curve.keyframe_points))
    curve.keyframe_points.foreach_get("co", keys)
    return keys.reshape(-1, 2)


def turning(armature: bpy.types.Object, bone: str) -> float:
    """Degrees between the two most different keyed rotations of a bone and its first."""
    curves = sorted((c for c in curves_of(armature) if c.data_path == f'pose.bones["{bone}"].rotation_quaternion'), key=lambda c: c.array_index)
    if len(curves) != 4:
        return 0.0
    quaternions = np.stack([keys_of(curve)[:, 1] for curve in curves], -1)
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    return float(np.degrees(2 * np.arccos(np.clip(np.abs(quaternions @ quaternions[0]), 0, 1))).max())


def described(armature: bpy.types.Object, scene: bpy.types.Scene) -> dict:
    """What the demo's checks want to know of an armature."""
    curve = next(c for c in curves_of(armature) if c.data_path.endswith('"].location'))
    fingers = [bone.name for bone in armature.data.bones if any(part in bone.name for part in ("index", "middle", "pinky", "ring", "thumb"))]
    return {
        "name": armature.name, "bones": len(armature.data.bones),
        "key_times_s": ((keys_of(curve)[:, 0] - scene.frame_start) / (scene.render.fps / scene.render.fps_base)).tolist(),
        "fingers_deg": max((turning(armature, finger) for finger in fingers), default=0.0), "jaw_deg": turning(armature, "jaw"),
        "shape_keys": sum(len(child.data.shape_keys.key_blocks) for child in armature.children if child.type == "MESH" and child.data.shape_keys),
    }


def inspect(blend: Path, pictures: Path, stills: dict[str, list[float]]) -> dict:
    """Opens `blend`, describes its armatures and renders those of each video at its `stills` (s) into `pictures`."""
    bpy.ops.wm.open_mainfile(filepath=str(blend), load_ui=False)
    scene = bpy.context.scene
    armatures = [thing for thing in bpy.data.objects if thing.type == "ARMATURE"]
    report = {
        "blender": bpy.app.version_string, "armatures": [described(armature, scene) for armature in armatures],
        "footage": sum(thing.type == "CAMERA" and len(thing.data.background_images) > 0 for thing in bpy.data.objects), "pictures": {},
    }
    set_the_stage(scene)
    for number, (stem, seconds) in enumerate(stills.items()):
        shown = [armature for armature in armatures if armature.name.startswith(stem)]
        for armature in armatures:
            for child in armature.children:
                child.hide_render = armature not in shown
        if shown:
            report["pictures"][stem] = render(scene, shown, pictures, seconds, close=number > 0)
    return report


def render(scene: bpy.types.Scene, armatures: list, folder: Path, seconds: list[float], close: bool) -> list[str]:
    """Workbench pictures of bodies, and of their bones in front as in Blender's 3D view; a close-up shows the face
    without bones. Bones themselves never render: octahedra stand for them."""
    camera = bpy.data.objects.new("preview", bpy.data.cameras.new("preview"))
    scene.collection.objects.link(camera)
    for child in (child for armature in armatures for child in armature.children if child.type == "MESH"):
        for material in child.data.materials:
            material.diffuse_color = _SKIN_CLOSE if close else _SKIN
    scene.display.shading.show_shadows = not close  # they would cut across the face
    filming = next(thing for thing in bpy.data.objects if thing.type == "CAMERA" and thing.name.startswith(armatures[0].name.split(" p")[0]))
    written = []
    for number, time_s in enumerate(seconds):
        _go_to(scene, time_s)
        ends = (bone for armature in armatures for bone in armature.pose.bones if not close or bone.name in _NEAR_FACE)
        _aim(camera, np.array([bone.id_data.matrix_world @ bone.head for bone in ends]), np.array(filming.matrix_world.translation), close)
        bones = [] if close else [_bone_shapes(armature) for armature in armatures]
        path = folder / f"{armatures[0].name}_{number}.png"
        scene.camera = camera
        scene.render.filepath = str(path)
        bpy.ops.render.render(write_still=True)
        written.append(str(path))
        for shape in bones:
            bpy.data.objects.remove(shape)
    return written


def _go_to(scene: bpy.types.Scene, time_s: float) -> None:
    frame = scene.frame_start + time_s * scene.render.fps / scene.render.fps_base
    scene.frame_set(int(frame), subframe=frame % 1.0)


def set_the_stage(scene: bpy.types.Scene) -> None:
    scene.render.engine = "BLENDER_WORKBENCH"
    scene.render.resolution_x, scene.render.resolution_y = _SIZE
    scene.render.resolution_percentage = 100
    scene.render.image_settings.file_format = "PNG"
    scene.display.render_aa = "8"
    shading = scene.display.shading
    shading.light, shading.color_type = "STUDIO", "MATERIAL"
    shading.show_shadows, shading.show_cavity, shading.show_specular_highlight = True, False, True
    scene.view_settings.view_transform = "Standard"
    scene.world = bpy.data.worlds.new("demo")
    scene.world.color = (0.016, 0.018, 0.022)
    _grid(scene)


def plain(name: str, colour: tuple[float, ...]) -> bpy.types.Material:
    material = bpy.data.materials.new(name)
    material.diffuse_color, material.roughness = colour, 0.7
    return material


def _mesh(scene: bpy.types.Scene, name: str, corners: np.ndarray, faces: list, materials: list, of_face: list[int] | None = None) -> bpy.types.Object:
    data = bpy.data.meshes.new(name)
    data.from_pydata(corners.tolist(), [], faces)
    for material in materials:
        data.materials.append(material)
    if of_face is not None:
        data.polygons.foreach_set("material_index", of_face)
    shape = bpy.data.objects.new(name, data)
    scene.collection.objects.link(shape)
    return shape


def _grid(scene: bpy.types.Scene, reach: int = 12, half: float = 0.008) -> None:
    """Lines a metre apart on the floor, as thin strips."""
    corners, faces = [], []
    for at in range(-reach, reach + 1):
        for a, b in (((at - half, -reach), (at + half, reach)), ((-reach, at - half), (reach, at + half))):
            first = len(corners)
            corners += [(a[0], a[1], 0), (b[0], a[1], 0), (b[0], b[1], 0), (a[0], b[1], 0)]
            faces.append((first, first + 1, first + 2, first + 3))
    _mesh(scene, "grid", np.array(corners), faces, [plain("grid", (0.20, 0.22, 0.26, 1.0))])


def _bone_shapes(armature: bpy.types.Object) -> bpy.types.Object:
    """The posed bones as octahedra, coloured by side."""
    corners, faces, sides = [], [], []
    names = list(_SIDES)
    for bone in armature.pose.bones:
        matrix = armature.matrix_world @ bone.matrix
        length, width = bone.bone.length, max(0.006, 0.13 * bone.bone.length)
        shape = np.array([(0, 0, 0), (0, length, 0), *((x * width, 0.12 * length, z * width) for x, z in ((1, 0), (0, 1), (-1, 0), (0, -1)))])
        turn, place = np.array(matrix.to_3x3()), np.array(matrix.translation)
        first = len(corners)
        corners += (shape @ turn.T + place).tolist()
        for corner in range(4):
            a, b = first + 2 + corner, first + 2 + (corner + 1) % 4
            faces += [(first, a, b), (first + 1, b, a)]
        side = bone.name.split("_")[0]
        sides += [names.index(side if side in _SIDES else "")] * 8
    materials = [plain(f"bones {side}", colour) for side, colour in _SIDES.items()]
    shape = _mesh(bpy.context.scene, f"{armature.name} bones", np.array(corners), faces, materials, sides)
    shape.show_in_front = True
    return shape


def _aim(camera: bpy.types.Object, points: np.ndarray, filmed_from: np.ndarray, close: bool) -> None:
    """Puts `camera` where it just sees all `points` (N,3) m, from the side of `filmed_from` (3,), a little around and above."""
    from mathutils import Vector

    middle = (points.min(0) + points.max(0)) / 2
    towards = filmed_from - middle
    angle = np.arctan2(towards[1], towards[0]) + np.radians(25.0)
    direction = np.array((np.cos(angle), np.sin(angle), 0.18))
    camera.rotation_mode = "QUATERNION"
    camera.rotation_quaternion = Vector(-direction).to_track_quat("-Z", "Y")
    x, y, z = ((points - middle) @ np.array(camera.rotation_quaternion.to_matrix())).T
    across = np.tan(_VIEW / 2)
    margin = 0.17 if close else 0.22  # m: flesh around the joints
    distance = max((z + (np.abs(x) + margin) / across).max(), (z + (np.abs(y) + margin) / (across * _SIZE[1] / _SIZE[0])).max())
    camera.data.angle = _VIEW
    camera.location = middle + distance * direction / np.linalg.norm(direction)


def main() -> None:
    blend, pictures, stills = sys.argv[1:]
    print(json.dumps(inspect(Path(blend), Path(pictures), json.loads(stills))), flush=True)
    os._exit(0)  # Blender 4.5 may hang at exit


if __name__ == "__main__":
    main()
