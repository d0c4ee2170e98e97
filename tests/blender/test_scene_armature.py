# SPDX-License-Identifier: GPL-3.0-or-later
"""The armature: SMPL-X joints as bones, exactly where SMPL-X puts them, turning as an animator expects."""

import bpy
import numpy as np
import pytest
from bl_ext.user_default.smplit.scene import armature as rig
from bl_ext.user_default.smplit.scene import body_file as bodies
from bl_ext.user_default.smplit.scene import skeleton
from mathutils import Quaternion

# The joints of SMPL-X in its own order, as the paper's code lists them (smplx/joint_names.py).
SMPLX_BODY = [
    "pelvis", "left_hip", "right_hip", "spine1", "left_knee", "right_knee", "spine2", "left_ankle", "right_ankle", "spine3", "left_foot",
    "right_foot", "neck", "left_collar", "right_collar", "head", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow",
    "left_wrist", "right_wrist", "jaw", "left_eye_smplhf", "right_eye_smplhf",
]
SMPLX_FINGERS = ["index", "middle", "pinky", "ring", "thumb"]
SMPLX_NAMES = SMPLX_BODY + [f"{side}_{finger}{i}" for side in ("left", "right") for finger in SMPLX_FINGERS for i in (1, 2, 3)]


@pytest.fixture(scope="module")
def body(body_file):
    return bodies.load_body(body_file)


@pytest.fixture
def armature(empty_file, body):
    return rig.build_armature("Person", body, np.zeros(10), empty_file.collection)


def turned(armature, name, axis, degrees):
    """World position of the bone's tail after a turn about one local axis, minus that at rest."""
    bone = armature.pose.bones[name]
    rest = armature.data.bones[name].tail_local.copy()
    bone.rotation_quaternion = Quaternion(axis, np.radians(degrees))
    bpy.context.view_layer.update()
    moved = bone.tail - rest
    bone.rotation_quaternion = (1, 0, 0, 0)
    bpy.context.view_layer.update()
    return np.array(moved)


def test_bones_are_the_55_smplx_joints(armature):
    assert sorted(bone.name for bone in armature.data.bones) == sorted(SMPLX_NAMES)
    assert list(skeleton.JOINT_NAMES) == SMPLX_NAMES, "poses are read in this order"
    assert rig.is_smplx(armature)


def test_rest_pose_stands_on_the_floor_facing_the_front_view(armature):
    heads = {bone.name: np.array(bone.head_local) for bone in armature.data.bones}
    assert heads["head"][2] > 1.3
    assert 0.0 < heads["left_ankle"][2] < 0.15
    assert heads["left_shoulder"][0] > 0.1 > heads["right_shoulder"][0], "the character's left is +X"
    toes = np.array(armature.data.bones["left_foot"].tail_local)
    assert toes[1] < heads["left_ankle"][1] - 0.05, "toes point to -Y, towards Blender's front view"
    assert all(np.linalg.norm(bone.tail_local - bone.head_local) > 0.005 for bone in armature.data.bones)


@pytest.mark.parametrize("betas", [np.zeros(10), np.array([2.0, -1.5, 0.7, 1.0, 0.0, -2.0, 0.3, 0.0, 1.0, -1.0])])
def test_rest_joints_are_those_of_the_shape(empty_file, body, body_file, betas):
    armature = rig.build_armature("Person", body, betas, empty_file.collection)
    with np.load(body_file, allow_pickle=False) as archive:
        surface = archive["v_template"] + archive["shapedirs"][..., :10].astype(np.float64) @ betas
        joints = archive["J_regressor"].astype(np.float64) @ surface
    expected = np.stack([joints[:, 0], -joints[:, 2], joints[:, 1] - surface[:, 1].min()], axis=1)
    found = np.array([armature.data.bones[name].head_local for name in SMPLX_NAMES])
    assert np.abs(found - expected).max() < 1e-5


@pytest.mark.parametrize(
    ("bone", "towards"),
    [
        ("left_elbow", (0, -1, 0)), ("right_elbow", (0, -1, 0)),  # the hand comes forward
        ("left_knee", (0, 1, 0)), ("right_knee", (0, 1, 0)),  # the foot goes back
        ("left_index2", (0, 0, -1)), ("right_index2", (0, 0, -1)),  # into the palm, which looks down
        ("spine2", (0, -1, 0)), ("neck", (0, -1, 0)),  # bowing
        ("jaw", (0, 0, -1)),  # opening
    ],
)
def test_a_positive_turn_about_local_x_bends_the_limb_the_usual_way(armature, bone, towards):
    moved = turned(armature, bone, (1, 0, 0), 20)
    assert moved @ np.array(towards) > 0.9 * np.linalg.norm(moved) * np.cos(np.radians(30))


@pytest.mark.parametrize("name", [name for name in SMPLX_NAMES if name.startswith("left_")])
def test_left_and_right_rest_axes_mirror_each_other(armature, name):
    """What Blender's Paste Flipped relies on: mirrored X axis reversed, Y and Z mirrored."""
    left = np.array(armature.data.bones[name].matrix_local.to_3x3())
    right = np.array(armature.data.bones[name.replace("left_", "right_")].matrix_local.to_3x3())
    mirror = np.diag([-1.0, 1.0, 1.0])
    assert np.abs(mirror @ left @ mirror - right).max() < 0.1


def test_bones_are_sorted_and_coloured_by_side(armature):
    collections = {collection.name: {bone.name for bone in collection.bones} for collection in armature.data.collections}
    assert set(collections) == {"Body", "Hands", "Face"}
    assert collections["Hands"] == {name for name in SMPLX_NAMES[25:]}
    assert collections["Face"] == {"jaw", "left_eye_smplhf", "right_eye_smplhf"}
    assert sum(map(len, collections.values())) == 55
    colours = {name: armature.data.bones[name].color.palette for name in ("left_knee", "right_knee", "spine1")}
    assert len(set(colours.values())) == 3
    assert armature.show_in_front


def test_only_the_pelvis_can_be_moved(armature):
    assert not any(armature.pose.bones["pelvis"].lock_location)
    assert all(all(bone.lock_location) for bone in armature.pose.bones if bone.name != "pelvis")


def test_building_keeps_the_users_mode_selection_and_scenes(empty_file, body):
    data = bpy.data.armatures.new("Person")
    theirs = bpy.data.objects.new("Person", data)
    empty_file.collection.objects.link(theirs)
    bpy.context.view_layer.objects.active = theirs
    theirs.select_set(True)
    bpy.ops.object.mode_set(mode="EDIT")
    bone = data.edit_bones.new("mine")
    bone.tail = (0, 0, 1)

    built = rig.build_armature("Person", body, np.zeros(10), empty_file.collection)

    assert bpy.context.mode == "EDIT_ARMATURE"
    assert bpy.context.view_layer.objects.active == theirs
    assert theirs.select_get() and not built.select_get()
    assert [scene.name for scene in bpy.data.scenes] == [empty_file.name]
    bpy.ops.object.mode_set(mode="OBJECT")
    assert [bone.name for bone in theirs.data.bones] == ["mine"]
    assert built.name == "Person.001" and len(built.data.bones) == 55


def test_trans_moves_the_pelvis_bone_as_smplx_moves_the_body(armature, body):
    trans = np.array([[0.3, -1.2, 0.95], [0.0, 0.0, 0.0]])
    for place, location in zip(trans, rig.pelvis_locations(armature, trans), strict=True):
        armature.pose.bones["pelvis"].location = location
        bpy.context.view_layer.update()
        head = np.array(armature.matrix_world @ armature.pose.bones["pelvis"].head)
        # SMPL-X adds `trans` to the root joint's place in its own Y-up rest frame.
        assert np.abs(head - (place + body.joints[0])).max() < 1e-6
