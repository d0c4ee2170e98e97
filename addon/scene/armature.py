# SPDX-License-Identifier: GPL-3.0-or-later
"""The SMPL-X armature: 55 bones standing on the floor, Z up, facing -Y.

The object stays at the world's origin; the path is keyed on the pelvis bone's location, so moving the
object moves the whole capture. Blender's own front view sees the character's face.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..shared import axes, motion
from ..threads import standing_still
from . import skeleton
from .body_file import Body

# What the other modules, and a user's own scripts, find on an armature object.
PROP_PERSON = "smplit_person"
PROP_BODY = "smplit_body"
PROP_BETAS = "smplit_betas"  # shape the rest joints were built for
PROP_PELVIS = "smplit_rest_pelvis"  # (3,) m, SMPL-X body frame: what `trans` is measured from

_COLOURS = {"left": "THEME04", "right": "THEME01", "": "THEME09"}  # blue, red, yellow in Blender's theme


def floor_lift(body: Body, betas: np.ndarray) -> np.ndarray:
    """(3,) m, Z up: moves the rest pose of a shape so that its soles are at z = 0."""
    return np.array((0.0, 0.0, -body.rest_vertices(betas)[:, 1].min()))


def build_armature(name: str, body: Body, betas: np.ndarray, collection: bpy.types.Collection) -> bpy.types.Object:
    """A new armature object in `collection`, bones named as SMPL-X joints, rest pose of `betas`.

    The mode and the selection of the user's scene stay as they are.
    """
    data = bpy.data.armatures.new(name)
    armature = bpy.data.objects.new(name, data)
    joints = body.rest_joints(betas)
    tails = skeleton.bone_tails(joints, body.rest_vertices(betas), body.weights)
    with standing_still():
        _add_bones(armature, joints, tails, floor_lift(body, betas))
    _sort_and_colour(data)
    data.display_type = "STICK"  # drawn in front, anything wider would hide the body
    armature.show_in_front = True
    for bone in armature.pose.bones[1:]:
        bone.lock_location = (True, True, True)
    armature[PROP_BETAS] = [float(b) for b in betas]
    armature[PROP_BODY] = body.name
    armature[PROP_PELVIS] = [float(v) for v in joints[0]]
    collection.objects.link(armature)
    return armature


def _add_bones(armature: bpy.types.Object, joints: np.ndarray, tails: np.ndarray, lift: np.ndarray) -> None:
    rolls = axes.y_up_to_z_up(skeleton.bone_axes(joints, tails)[..., 2])
    heads, ends = axes.y_up_to_z_up(joints) + lift, axes.y_up_to_z_up(tails) + lift
    # Bones are made in edit mode only. A scene of its own keeps the user's mode and active object.
    workshop = bpy.data.scenes.new("SMPLit workshop")
    try:
        workshop.collection.objects.link(armature)
        layer = workshop.view_layers[0]
        layer.objects.active = armature
        place = {"scene": workshop, "view_layer": layer, "active_object": armature, "object": armature}
        with bpy.context.temp_override(**place, edit_object=None):
            bpy.ops.object.mode_set(mode="EDIT")
        edit_bones = armature.data.edit_bones
        for index, name in enumerate(skeleton.JOINT_NAMES):
            bone = edit_bones.new(name)
            bone.head, bone.tail = heads[index], ends[index]
            bone.align_roll(rolls[index])
            parent = skeleton.PARENTS[index]
            if parent >= 0:
                bone.parent = edit_bones[skeleton.JOINT_NAMES[parent]]
                bone.use_connect = bool(np.allclose(ends[parent], heads[index], atol=1e-9))
        with bpy.context.temp_override(**place, edit_object=armature):
            bpy.ops.object.mode_set(mode="OBJECT")
    finally:
        bpy.data.scenes.remove(workshop)


def _sort_and_colour(data: bpy.types.Armature) -> None:
    groups = {"Body": skeleton.BODY_BONES, "Hands": skeleton.HAND_BONES, "Face": skeleton.FACE_BONES}
    for group, names in groups.items():
        collection = data.collections.new(group)
        for name in names:
            bone = data.bones[name]
            collection.assign(bone)
            side = name.split("_")[0]
            bone.color.palette = _COLOURS[side if side in _COLOURS else ""]


def rest_axes(armature: bpy.types.Object) -> np.ndarray:
    """(55,3,3) rest axes of the bones in the SMPL-X body frame, as Blender really stores them.

    Raises:
        KeyError: a bone with an SMPL-X joint's name is missing.
    """
    matrices = [armature.data.bones[name].matrix_local.to_3x3() for name in skeleton.JOINT_NAMES]
    return skeleton.body_axes(np.array(matrices, np.float64))


def pelvis_locations(armature: bpy.types.Object, trans: np.ndarray) -> np.ndarray:
    """`trans` (T,3) m, world -> (T,3) m of the pelvis bone's `location` (in its own rest axes)."""
    bone = armature.data.bones[skeleton.JOINT_NAMES[0]]
    offset = np.array(armature[PROP_PELVIS]) - np.array(bone.head_local)
    return (np.asarray(trans, np.float64) + offset) @ np.array(bone.matrix_local.to_3x3())


def is_smplx(candidate: bpy.types.Object | None) -> bool:
    """Whether an object is an armature with all 55 SMPL-X bones."""
    if candidate is None or candidate.type != "ARMATURE":
        return False
    return all(name in candidate.data.bones for name in motion.JOINT_NAMES)
