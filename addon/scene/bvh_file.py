# SPDX-License-Identifier: GPL-3.0-or-later
"""An animated armature of any kind as a BVH file, for the backend, which knows most skeletons by their joints' names.

Its rest pose is the file's pose with all angles zero; every joint has its place and rotation written, so
bones need not be joined. Blender's own exporter writes bones that are not there at rest, and may be switched off.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import bpy
import numpy as np

from ..shared import errors
from .placement import Placement
from .readback import frames_of, sample, standing

_CHANNELS = "Xposition Yposition Zposition Zrotation Xrotation Yrotation"


def write_in_place(armature: bpy.types.Object, scene: bpy.types.Scene, path: Path) -> Placement:
    """Writes what the armature does on the frames of its action, from where the object stands on the first.

    Returns:
        That place and frame. The file is in metres, with the object's scale in it, so the placement's is 1.

    Raises:
        BadInput: the armature has no action, or no bones.
        OSError: the disk.
    """
    frames = frames_of(armature)
    bones = [bone for bone in armature.data.bones if bone.use_deform] or list(armature.data.bones)
    if not bones:
        raise errors.BadInput(f"'{armature.name}' has no bones.", "Select the armature that moves the character.", "no_bones")
    names = [bone.name for bone in bones]
    parents = _parents(bones)
    world = standing(armature, scene, int(frames[0]))
    placement = Placement(float(frames[0]), tuple(world.translation))
    rest = np.array([world @ bone.matrix_local for bone in bones])
    posed = sample(armature, scene, frames, names)
    turned = _unscaled(posed[..., :3, :3]) @ np.swapaxes(_unscaled(rest[..., :3, :3]), -1, -2)  # at rest: none
    offsets, values = rest[:, :3, 3] - placement.location, np.empty((len(frames), len(bones), 6))
    for joint, parent in enumerate(parents):
        if parent < 0:
            local, places = turned[:, joint], posed[:, joint, :3, 3] - placement.location
        else:
            back = np.swapaxes(turned[:, parent], -1, -2)
            local = back @ turned[:, joint]
            places = np.einsum("tij,tj->ti", back, posed[:, joint, :3, 3] - posed[:, parent, :3, 3])
            offsets[joint] = rest[joint, :3, 3] - rest[parent, :3, 3]
        values[:, joint] = np.concatenate([places, _zxy_degrees(local)], axis=1)
    tips = [np.array(world.to_3x3() @ (bone.tail_local - bone.head_local)) for bone in bones]
    order, head = [], ["HIERARCHY"]
    for root in (joint for joint, parent in enumerate(parents) if parent < 0):
        head += _hierarchy(root, names, parents, offsets, tips, order)
    head += ["MOTION", f"Frames: {len(frames)}", f"Frame Time: {scene.render.fps_base / scene.render.fps:.10f}"]
    rows = values[:, order].reshape(len(frames), -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="\n") as stream:
        stream.write("\n".join(head) + "\n")
        np.savetxt(stream, rows, fmt="%.6f")
    return placement


def _parents(bones: list[bpy.types.Bone]) -> list[int]:
    """For every bone the nearest of its ancestors that is among them, or -1."""
    index = {bone.name: number for number, bone in enumerate(bones)}
    return [next((index[up.name] for up in bone.parent_recursive if up.name in index), -1) for bone in bones]


def _unscaled(axes: np.ndarray) -> np.ndarray:
    return axes / np.linalg.norm(axes, axis=-2, keepdims=True)


def _zxy_degrees(rotations: np.ndarray) -> np.ndarray:
    """(T,3,3) -> (T,3) angles about Z, then X, then Y, each about the axes turned so far."""
    x = np.arcsin(np.clip(rotations[:, 2, 1], -1, 1))
    z = np.arctan2(-rotations[:, 0, 1], rotations[:, 1, 1])
    y = np.arctan2(-rotations[:, 2, 0], rotations[:, 2, 2])
    return np.degrees(np.stack([z, x, y], axis=1))


def _hierarchy(
    joint: int, names: list[str], parents: list[int], offsets: np.ndarray, tips: list[np.ndarray], order: list[int], depth: int = 0,
) -> Iterator[str]:
    """The lines of a joint and all below it; `order` gets the joints as the file lists them."""
    order.append(joint)
    space = "\t" * depth
    name = names[joint].replace("{", "(").replace("}", ")")
    yield f"{space}{'JOINT' if depth else 'ROOT'} {name}"
    yield space + "{"
    yield f"{space}\tOFFSET " + " ".join(f"{value:.6f}" for value in offsets[joint])
    yield f"{space}\tCHANNELS 6 {_CHANNELS}"
    children = [child for child, parent in enumerate(parents) if parent == joint]
    for child in children:
        yield from _hierarchy(child, names, parents, offsets, tips, order, depth + 1)
    if not children:
        yield f"{space}\tEnd Site\n{space}\t{{\n{space}\t\tOFFSET " + " ".join(f"{value:.6f}" for value in tips[joint]) + f"\n{space}\t}}"
    yield space + "}"
