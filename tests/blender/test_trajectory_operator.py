# SPDX-License-Identifier: GPL-3.0-or-later
"""Make It Travel, through the operator and the real backend; what came out is read off the keys."""

import json
import math
import os
import subprocess
from pathlib import Path

import bpy
import numpy as np
import pytest
from bl_ext.user_default.smplit.scene.actions import assigned_curves
from bl_ext.user_default.smplit.shared import motion
from mathutils import Matrix

EXTENSION = "bl_ext.user_default.smplit"
FPS, SECONDS, SPEED = 24, 4.0, 1.0
START = 37  # scene frame of the walk's first row
FRAMES = range(START, START + round(FPS * SECONDS) + 1)
_LANDING, _BEGINNING = 2, 6  # frames: a touchdown takes a moment, and before the first frame nobody knows what feet did
LEGS = ("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def walk_file(backend_python, tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("walk") / "Anna.npz"
    subprocess.run([backend_python, Path(__file__).with_name("treadmill_walk.py"), output, str(FPS), str(SECONDS)], check=True)
    return output


@pytest.fixture(scope="module")
def truth(walk_file) -> dict[str, np.ndarray]:
    with np.load(walk_file, allow_pickle=False) as archive:
        return {name: archive[name] for name in ("planted", "path")}


@pytest.fixture(scope="module")
def backend(addon, backend_python):
    """The chosen backend, which stays warm from test to test."""
    from bl_ext.user_default.smplit.bridge import pump

    yield pump
    pump.BACKEND.stop()


@pytest.fixture
def pump(backend, empty_file, backend_python):
    preferences = bpy.context.preferences.addons[EXTENSION].preferences
    preferences.source, preferences.python, preferences.device = "PYTHON", str(backend_python), "cpu"
    yield backend
    for job in backend.BACKEND.jobs:
        backend.BACKEND.jobs._jobs.remove(job)
    preferences.source, preferences.python = "OWN", ""


@pytest.fixture
def walker(pump, walk_file):
    """The walk on the spot, keyed from frame 37 on, selected, in a scene that starts at frame 1."""
    scene = bpy.context.scene
    scene.frame_start = START
    assert bpy.ops.smplit.import_motion(filepath=str(walk_file)) == {"FINISHED"}
    scene.frame_start = 1
    (armature,) = armatures()
    select(armature)
    return armature


def armatures():
    return [thing for thing in bpy.data.objects if thing.type == "ARMATURE"]


def select(*things):
    for other in bpy.context.view_layer.objects:
        other.select_set(other in things)
    bpy.context.view_layer.objects.active = things[0] if things else None


def travel(pump, **options):
    """Presses the button and waits; returns the job and the new armatures."""
    before = set(armatures())
    assert bpy.ops.smplit.run_difftraj(**options) == {"FINISHED"}
    job = pump.BACKEND.jobs.find(bpy.context.window_manager.smplit_last_job)
    assert bpy.ops.smplit.wait(job=job.key, timeout=240.0) == {"FINISHED"}
    assert not job.warnings, job.warnings
    return job, [thing for thing in armatures() if thing not in before]


def refused(**options) -> str:
    with pytest.raises(RuntimeError) as error:
        bpy.ops.smplit.run_difftraj(**options)
    return str(error.value)


def keys(armature) -> dict:
    """(path, index) -> (N,2) frames and values of every curve of the armature and of its body's face."""
    owners = [armature, *(child.data.shape_keys for child in armature.children if child.type == "MESH")]
    curves = [curve for owner in owners for curve in assigned_curves(owner)]
    return {(curve.data_path, curve.array_index): np.array([point.co for point in curve.keyframe_points]) for curve in curves}


def in_world(armature, *bones) -> np.ndarray:
    """(T,B,4,4) of the named bones, as the scene shows them on every frame."""
    scene, matrices = bpy.context.scene, []
    for frame in FRAMES:
        scene.frame_set(frame)
        shown = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
        matrices.append([shown.matrix_world @ shown.pose.bones[bone].matrix for bone in bones])
    return np.array(matrices)


def turns(matrices) -> np.ndarray:
    return matrices[..., :3, :3] / np.linalg.norm(matrices[..., :3, :3], axis=-2, keepdims=True)


@pytest.mark.parametrize(
    ("place", "yaw", "scale"), [((0.0, 0.0, 0.0), 0.0, 1.0), ((2.0, -1.0, 0.5), 40.0, 2.0)], ids=["as captured", "moved, turned and scaled"],
)
def test_a_treadmill_walk_travels_with_planted_feet_from_its_place_and_facing(pump, walker, truth, place, yaw, scale):
    turn = np.array(Matrix.Rotation(math.radians(yaw), 3, "Z"))
    walker.location, walker.scale = place, [scale] * 3
    walker.rotation_mode, walker.rotation_euler = "XYZ", (0.0, 0.0, math.radians(yaw))
    before, matrix = keys(walker), walker.matrix_basis.copy()
    original = in_world(walker, "pelvis")
    job, (twin,) = travel(pump)

    # The root goes where the feet say.
    pelvis = in_world(twin, "pelvis")
    path = pelvis[:, 0, :3, 3]
    true = truth["path"] @ turn.T * scale
    off = np.linalg.norm((path - path[0] - true)[:, :2], axis=1)
    assert off.max() < 0.05 * SPEED * SECONDS * scale
    length = np.linalg.norm(np.diff(path[:, :2], axis=0), axis=1).sum()
    assert length == pytest.approx(SPEED * SECONDS * scale, rel=0.08)
    # It starts where the original stands, and faces as the original does on every frame.
    np.testing.assert_allclose(path[0, :2], original[0, 0, :2, 3], atol=1e-3)
    np.testing.assert_allclose(turns(pelvis), turns(original), atol=1e-3)
    # Feet that stand do not move, and stand on the floor, which is as high as the object.
    feet = in_world(twin, "left_ankle", "left_foot", "right_ankle", "right_foot")[:, :, :3, 3]
    for foot in (0, 1):
        down = truth["planted"][:, foot]
        stands = np.all([np.roll(down, shift) for shift in range(_LANDING + 1)], axis=0)[1:]
        stands[:_BEGINNING] = False
        assert stands.sum() > 20
        for joint in (2 * foot, 2 * foot + 1):
            moved = np.linalg.norm(np.diff(feet[:, joint], axis=0), axis=1)[stands] / scale
            assert moved.max() < 0.01, f"{100 * moved.max():.2f} cm/frame"
            assert moved.mean() < 0.002
    lowest = feet[:, [1, 3], 2].min(axis=1) - place[2]
    assert 0.0 < lowest.mean() < 0.06 * scale  # the toe joint of a standing foot is inside it

    # The same person on the same frames, and the original is as it was.
    assert twin.name == "Anna p1 travelling" and job.summary() == "1 path"
    assert all(tuple(curve[:, 0]) == tuple(FRAMES) for curve in keys(twin).values())
    assert twin["smplit_body"] == walker["smplit_body"] and list(twin["smplit_betas"]) == pytest.approx(list(walker["smplit_betas"]), abs=1e-6)
    assert (bpy.context.scene.frame_start, bpy.context.scene.frame_current) == (1, FRAMES[-1])
    after = keys(walker)
    assert walker.matrix_basis == matrix and before.keys() == after.keys()
    assert all(np.array_equal(before[curve], after[curve]) for curve in before)
    assert not any(thing.type == "CAMERA" for thing in bpy.data.objects)


def test_hands_face_and_everything_but_legs_and_root_stay(pump, walker):
    before = keys(walker)
    _, (locked,) = travel(pump)
    _, (loose,) = travel(pump, lock_feet=False)
    kept = {curve for curve in before if not curve[0].endswith("location")}
    assert any("jawOpen" in path for path, _ in kept)
    for twin, may_change in ((locked, LEGS), (loose, ())):
        after = keys(twin)
        assert kept <= after.keys()
        for path, index in kept:
            if not any(f'"{leg}"' in path for leg in may_change):
                np.testing.assert_allclose(after[path, index], before[path, index], atol=1e-4, err_msg=path)
    pelvis = [curve for curve in before if curve[0] == 'pose.bones["pelvis"].location']
    assert len(pelvis) == 3 and any(np.ptp(keys(loose)[curve][:, 1]) > 1.0 for curve in pelvis)
    knee = ('pose.bones["left_knee"].rotation_quaternion', 0)
    assert np.abs(keys(locked)[knee] - before[knee]).max() > 1e-4


def test_it_is_one_undo_step(pump, walker):
    counts = lambda: {kind: len(getattr(bpy.data, kind)) for kind in ("objects", "armatures", "meshes", "actions", "collections")}
    bpy.ops.ed.undo_push(message="before")
    before, name = counts(), walker.name
    travel(pump)
    assert counts() != before
    bpy.ops.ed.undo()
    assert counts() == before
    assert bpy.data.objects[name].animation_data.action is not None
    bpy.ops.ed.redo()
    assert "Anna p1 travelling" in bpy.data.objects


def test_a_click_on_the_body_means_its_character_and_several_travel_together(pump, walker, walk_file):
    assert bpy.ops.smplit.import_motion(filepath=str(walk_file)) == {"FINISHED"}
    from bl_ext.user_default.smplit.operators.trajectory import chosen_armatures

    other = next(thing for thing in armatures() if thing != walker)
    select()
    bpy.context.view_layer.objects.active = other  # as scripts do, which do not select
    assert chosen_armatures(bpy.context) == [other]
    select(next(child for child in walker.children if child.type == "MESH"), other)
    assert bpy.ops.smplit.run_difftraj() == {"FINISHED"}
    assert bpy.ops.smplit.wait(timeout=240.0) == {"FINISHED"}
    twins = [thing for thing in armatures() if "travelling" in thing.name]
    assert sorted(keys(twin)['pose.bones["pelvis"].location', 0][0, 0] for twin in twins) == [1.0, START]


def test_a_file_travels_from_the_scenes_first_frame_in_as_many_variants_as_wanted(pump, walk_file):
    job, twins = travel(pump, filepath=str(walk_file), samples=2, seed=5)
    assert sorted(twin.name for twin in twins) == ["Anna travelling", "Anna travelling 2"] and job.summary() == "2 paths"
    paths = [keys(twin)['pose.bones["pelvis"].location', 2] for twin in twins]
    assert {path[0, 0] for path in paths} == {1.0} and np.abs(paths[0] - paths[1]).max() > 1e-4
    top = bpy.data.collections["Anna travelling"]
    assert {thing.name for thing in top.all_objects} >= {twin.name for twin in twins}


def test_the_panels_choices_reach_the_operator(pump, walk_file):
    settings = bpy.context.scene.smplit_trajectory
    settings.source, settings.filepath, settings.samples = "FILE", str(walk_file), 1
    settings.lock_feet, settings.commercial_safe, settings.seed = False, True, 3
    assert bpy.ops.smplit.run_difftraj(**settings.options()) == {"FINISHED"}  # in the background no button can be pressed
    job = list(pump.BACKEND.jobs)[-1]
    assert job.submit["params"] == {"lock_feet": False, "commercial_safe": True, "samples": 1, "seed": 3}
    assert job.submit["paths"] == [str(walk_file)]
    assert bpy.ops.smplit.wait(timeout=240.0) == {"FINISHED"}


def test_a_job_can_be_retried_and_brought_in_later_in_the_same_place(pump, walker):
    walker.location = (2.0, -1.0, 0.5)
    job, (twin,) = travel(pump)
    assert bpy.ops.smplit.job_retry(job=job.key) == {"FINISHED"}
    assert bpy.ops.smplit.wait(timeout=240.0) == {"FINISHED"}
    assert bpy.ops.smplit.job_fetch() == {"FINISHED"}
    assert bpy.ops.smplit.wait(timeout=60.0) == {"FINISHED"}
    again = [thing for thing in armatures() if thing not in (walker, twin)]
    assert len(again) == 2
    expected = keys(twin)
    for other in again:
        assert tuple(other.location) == (2.0, -1.0, 0.5)
        made = keys(other)
        assert all(np.array_equal(made[curve], expected[curve]) for curve in expected)


def test_the_results_of_an_earlier_session_stand_on_their_frames_again(pump, walker):
    job, _ = travel(pump)
    name = job.id
    bpy.ops.smplit.backend_stop()
    for listed in pump.BACKEND.jobs:  # as if Blender had been closed
        pump.BACKEND.jobs._jobs.remove(listed)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert bpy.ops.smplit.backend_start() == {"FINISHED"}
    job = pump.BACKEND.jobs.find(name)
    assert job.summary() == "1 path"
    assert bpy.ops.smplit.job_fetch(job=job.key) == {"FINISHED"}
    assert bpy.ops.smplit.wait(job=job.key, timeout=60.0) == {"FINISHED"}
    (twin,) = armatures()
    assert twin.name == "Anna p1 travelling" and all(tuple(curve[:, 0]) == tuple(FRAMES) for curve in keys(twin).values())


def as_rig(walker, names):
    """Another program's rig: the walker's bones under other names, in an object of its own, moved, turned and scaled."""
    rig = walker.copy()
    rig.data = walker.data.copy()
    bpy.context.collection.objects.link(rig)
    rig.name = "Brute"
    action = walker.animation_data.action.copy()
    rig.animation_data.action = action
    if hasattr(action, "slots"):
        rig.animation_data.action_slot = action.slots[0]
    for joint, name in zip(motion.BODY_JOINTS, names, strict=True):
        rig.data.bones[joint].name = name
    for name in list(rig.keys()):
        del rig[name]
    rig.rotation_mode = "XYZ"
    rig.location, rig.scale, rig.rotation_euler = (2.0, -1.0, 0.5), [0.7] * 3, (0.0, 0.0, math.radians(40.0))
    select(rig)
    return rig


MIXAMO = """
    Hips LeftUpLeg RightUpLeg Spine LeftLeg RightLeg Spine1 LeftFoot RightFoot Spine2 LeftToeBase RightToeBase
    Neck LeftShoulder RightShoulder Head LeftArm RightArm LeftForeArm RightForeArm LeftHand RightHand
"""


def test_another_humanoid_gets_a_character_that_travels_in_its_place_as_tall_and_as_far(pump, walker, truth):
    rig = as_rig(walker, [f"mixamorig:{name}" for name in MIXAMO.split()])
    before = keys(rig)
    hips = in_world(rig, "mixamorig:Hips")[:, 0, :3, 3]
    legs = in_world(rig, "mixamorig:LeftUpLeg", "mixamorig:LeftLeg")[0, :, :3, 3]
    _, (twin,) = travel(pump)
    path = in_world(twin, "pelvis")[:, 0, :3, 3]
    true = truth["path"] @ np.array(Matrix.Rotation(math.radians(40.0), 3, "Z")).T * 0.7
    assert np.linalg.norm((path - path[0] - true)[:, :2], axis=1).max() < 0.07 * SPEED * SECONDS * 0.7
    assert np.linalg.norm((path - hips)[0, :2]) < 0.03
    thigh = in_world(twin, "left_hip", "left_knee")[0, :, :3, 3]
    assert np.linalg.norm(np.diff(thigh, axis=0)) == pytest.approx(np.linalg.norm(np.diff(legs, axis=0)), rel=0.1)
    feet = in_world(twin, "left_foot", "right_foot")[:, :, 2, 3].min(axis=1)
    assert 0.5 < feet.mean() < 0.56  # the floor is as high as the rig's object
    assert twin.name == "Brute travelling" and all(tuple(curve[:, 0]) == tuple(FRAMES) for curve in keys(twin).values())
    after = keys(rig)
    assert before.keys() == after.keys() and all(np.array_equal(before[curve], after[curve]) for curve in before)


def test_a_rig_of_unknown_names_is_told_what_is_missing_and_travels_with_a_map(pump, walker, tmp_path):
    as_rig(walker, [f"bone {number} x" for number in range(22)])
    assert bpy.ops.smplit.run_difftraj() == {"FINISHED"}
    job = list(pump.BACKEND.jobs)[-1]
    with pytest.raises(RuntimeError, match="left_knee"):
        bpy.ops.smplit.wait(job=job.key, timeout=240.0)
    assert "map" in job.remedy.lower()
    (tmp_path / "map.json").write_text(json.dumps({joint: f"bone {number} x" for number, joint in enumerate(motion.BODY_JOINTS)}))
    _, (twin,) = travel(pump, joint_map=str(tmp_path / "map.json"))
    location = keys(twin)['pose.bones["pelvis"].location', 2]
    assert np.ptp(location[:, 1]) > 0.5 and location[0, 0] == START
    assert bpy.ops.smplit.job_retry() == {"FINISHED"}
    assert bpy.ops.smplit.wait(timeout=240.0) == {"FINISHED"}
    again = next(thing for thing in armatures() if thing.name == "Brute travelling.001")
    assert tuple(again.location) == tuple(twin.location) == (2.0, -1.0, 0.5)


def test_what_cannot_travel_is_told_with_a_remedy_and_nothing_is_made(pump, walker, tmp_path):
    from bl_ext.user_default.smplit.operators.trajectory import inputs_folder

    data = bpy.data.armatures.new("Rig")
    rig = bpy.data.objects.new("Rig", data)
    bpy.context.collection.objects.link(rig)
    written, jobs = list(inputs_folder().glob("*")), len(pump.BACKEND.jobs)
    select()
    assert "No character is selected" in (message := refused()) and "motion file" in message
    select(rig)
    assert "'Rig' has no animation" in refused()
    rig.keyframe_insert("location", frame=1)
    rig.keyframe_insert("location", frame=30)
    assert "'Rig' has no bones" in refused()
    select(walker)
    walker.scale = (1.0, 1.0, 3.0)
    assert "scaled unevenly" in refused()
    walker.scale = (1.0, 1.0, 1.0)
    walker.animation_data.action = None
    assert "'Anna p1' has no animation" in refused()
    walker.pose.bones["left_knee"].rotation_quaternion = (0.9, 0.1, 0.0, 0.0)
    walker.pose.bones["left_knee"].keyframe_insert("rotation_quaternion", frame=5)
    assert "single frame" in refused()
    assert "does not exist" in refused(filepath=str(tmp_path / "größe.npz")) and "is a folder" in refused(filepath=str(tmp_path))
    assert "does not exist" in refused(joint_map=str(tmp_path / "map.json"))
    assert list(inputs_folder().glob("*")) == written and len(pump.BACKEND.jobs) == jobs and len(armatures()) == 2


def test_a_file_that_is_no_motion_fails_as_a_job_with_a_remedy(pump, tmp_path):
    (tmp_path / "words.npz").write_text("no archive")
    assert bpy.ops.smplit.run_difftraj(filepath=str(tmp_path / "words.npz")) == {"FINISHED"}
    job = list(pump.BACKEND.jobs)[-1]
    with pytest.raises(RuntimeError, match=r"words\.npz"):
        bpy.ops.smplit.wait(job=job.key, timeout=240.0)
    assert job.state == "failed" and job.remedy and not armatures()


def test_inputs_of_long_ago_are_removed_and_those_of_today_kept(pump, walker):
    from bl_ext.user_default.smplit.operators.trajectory import inputs_folder, remove_old_inputs

    job, _ = travel(pump)
    (path,) = job.submit["paths"]
    assert Path(path).is_relative_to(inputs_folder())
    remove_old_inputs()
    assert Path(path).is_file()
    os.utime(path, (0, 0))
    remove_old_inputs()
    assert not Path(path).parent.exists()
