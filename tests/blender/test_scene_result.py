# SPDX-License-Identifier: GPL-3.0-or-later
"""A result in the user's file: complete, named, undone in one step, and nothing of the user's touched."""

import bpy
import numpy as np
import pytest
from bl_ext.user_default.smplit.scene.actions import curves_of
from bl_ext.user_default.smplit.scene.result import ResultWriter, remove_halves
from bl_ext.user_default.smplit.shared import errors

NAMES = np.array(["smile", "jawOpen", "blink"])


def motion_of(rows, **more):
    """Somebody who walks along -Y, bends an elbow, opens the mouth and smiles; a camera that turns."""
    time = np.arange(rows) / 30.0
    poses = np.zeros((rows, 55, 3), np.float32)
    poses[:, 0, 0] = np.pi / 2
    poses[:, 19, 1] = 1.2 * np.sin(3 * time) ** 2
    poses[:, 22, 0] = 0.2 * np.sin(9 * time) ** 2
    poses[:, 40:, 2] = 0.3 * np.sin(time)[:, None]
    expression = np.abs(np.sin(time[:, None] * (1.0, 2.0, 3.0))).astype(np.float32)
    turn = 0.1 * time
    R = np.zeros((rows, 3, 3), np.float32)
    R[:, 0, 0], R[:, 0, 1], R[:, 1, 2] = np.cos(turn), -np.sin(turn), -1.0
    R[:, 2, 0], R[:, 2, 1] = -np.sin(turn), -np.cos(turn)
    entries = {
        "poses": poses.reshape(rows, 165), "trans": np.stack([0 * time, -time, 0 * time + 0.95], axis=1).astype(np.float32),
        "expression": expression, "frame_times": time, "valid": np.ones(rows, bool),
        "camera_R": R, "camera_t": np.tile(np.float32((0, 1, 5)), (rows, 1)),
        "betas": np.linspace(-1, 1, 10), "mocap_frame_rate": np.array(30.0), "expression_names": NAMES,
        "camera_K": np.array([[900.0, 0, 480], [0, 900.0, 270], [0, 0, 1]]),
    }
    return {**entries, **more}


def of_type(kind):
    return [thing for thing in bpy.data.objects if thing.type == kind]


def counts():
    return {name: len(getattr(bpy.data, name)) for name in ("objects", "meshes", "armatures", "actions", "cameras", "collections", "scenes")}


def test_a_result_is_one_collection_named_after_the_video_with_one_for_each_person(write, empty_file):
    writer = write(motion_of(30))
    write(motion_of(30), person=2, writer=writer, end=True)
    top = writer.collection
    assert top.name == "walk" and empty_file.collection.children[:] == [top]
    assert [child.name for child in top.children] == ["walk p1", "walk p2"]
    assert [thing.type for thing in top.objects] == ["CAMERA"]
    for child, armature in zip(top.children, writer.armatures, strict=True):
        assert armature.name == child.name
        assert {thing.type for thing in child.objects} == {"ARMATURE", "MESH"}
        assert armature.animation_data.action.name == child.name


def test_two_people_stand_in_one_world(write, empty_file):
    writer = write(motion_of(30))
    write(motion_of(30, trans=motion_of(30)["trans"] + np.float32((2, 0, 0))), person=2, writer=writer, end=True)
    empty_file.frame_set(12)
    first, second = (armature.matrix_world @ armature.pose.bones["pelvis"].head for armature in writer.armatures)
    assert np.array(second - first) == pytest.approx([2, 0, 0], abs=1e-5)


@pytest.mark.parametrize("source", ["walk.mp4", "прогулка в парке 散歩.mov", "x" * 200 + ".mp4", "ö" * 100, ".mp4", "a/b.mp4"])
def test_any_file_name_gives_a_result(write, source):
    writer = write(motion_of(10), source=source, end=True)
    assert writer.done and len(writer.armatures) == 1
    assert writer.armatures[0].name.endswith(" p1")


def test_two_results_of_one_video_do_not_mix(write):
    first, second = write(motion_of(20), end=True), write(motion_of(40), end=True)
    a, b = first.armatures[0], second.armatures[0]
    assert a != b and a.animation_data.action != b.animation_data.action
    assert a.animation_data.action.frame_range[1] < b.animation_data.action.frame_range[1]
    assert first.collection != second.collection


def test_the_users_own_data_of_the_same_names_is_untouched(write, empty_file):
    thing = bpy.data.objects.new("walk p1", None)
    thing.location = (1, 2, 3)
    collection = bpy.data.collections.new("walk")
    empty_file.collection.children.link(collection)
    collection.objects.link(thing)
    action = bpy.data.actions.new("walk p1")
    material = bpy.data.materials.new("mine")
    thing.select_set(True)
    bpy.context.view_layer.objects.active = thing
    writer = write(motion_of(20), end=True)
    assert writer.collection != collection and writer.armatures[0] != thing
    assert tuple(thing.location) == (1, 2, 3) and thing.animation_data is None
    assert collection.objects[:] == [thing]
    assert action.frame_range[1] <= 1 and action.users == 0 and material.name == "mine"
    assert bpy.context.view_layer.objects.active == thing and bpy.context.selected_objects == [thing]


def test_a_saved_file_opened_again_is_complete(write, empty_file, tmp_path):
    rows = 65
    entries = motion_of(rows, frame_times=np.arange(rows) / 5.0, mocap_frame_rate=np.array(5.0))
    write(entries, [(0, 40), (40, 65)], end=True)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))

    (armature,) = of_type("ARMATURE")
    action = armature.animation_data.action
    assert len(armature.data.bones) == 55
    assert (action.frame_range[1] - action.frame_range[0]) / 24 == pytest.approx(64 / 5)
    curves = {(curve.data_path, curve.array_index): curve for curve in curves_of(action)[0]}
    for bone in ("jaw", "right_index1", "right_elbow"):
        values = [point.co[1] for point in curves[f'pose.bones["{bone}"].rotation_quaternion', 0].keyframe_points]
        assert np.ptp(values) > 1e-3, bone
    (surface,) = of_type("MESH")
    assert len(list(curves_of(surface.data.shape_keys.animation_data.action)[0])) == 3
    assert surface.modifiers["Armature"].object == armature
    bpy.context.scene.frame_set(60)
    evaluated = surface.evaluated_get(bpy.context.evaluated_depsgraph_get())
    before = np.array([vertex.co for vertex in evaluated.data.vertices])
    bpy.context.scene.frame_set(260)
    evaluated = surface.evaluated_get(bpy.context.evaluated_depsgraph_get())
    moved = np.array([vertex.co for vertex in evaluated.data.vertices]) - before
    assert np.linalg.norm(moved, axis=1).min() > 0.2, "the whole body walks"
    assert len(of_type("CAMERA")) == 1 and bpy.context.scene.camera.animation_data.action is not None


def test_a_result_is_one_undo_step(write, empty_file):
    bpy.ops.ed.undo_push(message="before")
    before = counts()
    write(motion_of(60), [(0, 30), (30, 60)], end=True)
    after = counts()
    bpy.ops.ed.undo()
    assert counts() == before
    bpy.ops.ed.redo()
    assert counts() == after
    (armature,) = of_type("ARMATURE")
    assert armature.animation_data.action.frame_range[1] == pytest.approx(1 + 59 * 24 / 30)


def test_an_undo_while_chunks_arrive_takes_nothing_of_the_result_away(write, empty_file):
    bpy.ops.ed.undo_push(message="before")
    bpy.data.objects.new("Theirs", None)
    bpy.ops.ed.undo_push(message="the user adds something")
    entries = motion_of(90)
    writer = write(entries, [(0, 30)])
    bpy.ops.ed.undo()
    assert of_type("ARMATURE") == [] and "Theirs" not in bpy.data.objects
    writer.after_undo()
    write(entries, [(30, 60), (60, 90)], writer=writer, end=True)
    (armature,) = of_type("ARMATURE")
    curves = list(curves_of(armature.animation_data.action)[0])
    assert {len(curve.keyframe_points) for curve in curves} == {90}
    (surface,) = of_type("MESH")
    assert len(surface.data.shape_keys.key_blocks) == 1 + 10 + 62


def test_an_undo_to_a_moment_with_part_of_the_result_goes_on_from_there(write, empty_file):
    entries = motion_of(90)
    writer = write(entries, [(0, 30)])
    bpy.ops.ed.undo_push(message="the user does something")
    write(entries, [(30, 60)], writer=writer)
    bpy.ops.ed.undo_push(message="and something else")
    bpy.ops.ed.undo()
    writer.after_undo()
    write(entries, [(60, 90)], writer=writer, end=True)
    (armature,) = of_type("ARMATURE")
    assert {len(curve.keyframe_points) for curve in curves_of(armature.animation_data.action)[0]} == {90}
    assert len(of_type("MESH")) == len(of_type("CAMERA")) == 1
    assert len(bpy.data.actions) == 3


@pytest.fixture
def no_handlers():
    """Without the add-on's own undo handlers, which another test may have registered in this Blender."""
    kept = {name: list(getattr(bpy.app.handlers, name)) for name in ("undo_post", "redo_post")}
    for name in kept:
        getattr(bpy.app.handlers, name).clear()
    yield
    for name, functions in kept.items():
        getattr(bpy.app.handlers, name).extend(functions)


def test_undoing_a_result_leaves_no_half_of_it_behind(write, empty_file, no_handlers):
    """The user worked while it came in, so an undo step holds what had arrived by then."""
    before = counts()
    entries = motion_of(90)
    writer = write(entries, [(0, 30)])
    bpy.data.objects.new("Theirs", None)
    bpy.ops.ed.undo_push(message="the user adds something")
    write(entries, [(30, 90)], writer=writer, end=True)
    bpy.ops.ed.undo()
    assert of_type("ARMATURE"), "Blender's own undo brings the half back"
    remove_halves()
    assert counts() == {**before, "objects": before["objects"] + 1} and "Theirs" in bpy.data.objects
    bpy.ops.ed.redo()
    remove_halves()
    (armature,) = of_type("ARMATURE")
    assert {len(curve.keyframe_points) for curve in curves_of(armature.animation_data.action)[0]} == {90}


def test_half_a_result_in_a_file_saved_meanwhile_is_kept(write, empty_file, tmp_path):
    write(motion_of(90), [(0, 30)])
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "scene.blend"))
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "scene.blend"))
    remove_halves()
    assert len(of_type("ARMATURE")) == 1


@pytest.mark.parametrize("steps", [1, 3, 10, 40])
def test_an_undo_in_the_middle_of_building_begins_again(write, empty_file, body_file, steps):
    bpy.ops.ed.undo_push(message="before")
    writer = ResultWriter("walk.mp4", body_file)
    writer.add_chunk(1, 0, motion_of(40))
    writer._body.result()
    for _ in range(steps):
        writer.step(budget=0.0)
    bpy.ops.ed.undo_push(message="half built")
    writer.step(budget=0.0)
    bpy.ops.ed.undo()
    writer.after_undo()
    writer.finish()
    writer.flush()
    (armature,) = of_type("ARMATURE")
    (surface,) = of_type("MESH")
    assert len(surface.data.shape_keys.key_blocks) == 1 + 10 + 62 and len(surface.vertex_groups) == 55
    assert {len(curve.keyframe_points) for curve in curves_of(armature.animation_data.action)[0]} == {40}


def test_a_character_that_the_user_deletes_meanwhile_stays_deleted(write):
    entries = motion_of(60)
    writer = write(entries, [(0, 30)])
    write(entries, [(0, 30)], person=2, writer=writer)
    bpy.data.objects.remove(writer.armatures[0])
    write(entries, [(30, 60)], writer=writer)
    write(entries, [(30, 60)], person=2, writer=writer, end=True)
    assert writer.done
    assert [armature.name for armature in of_type("ARMATURE")] == ["walk p2"]


def test_a_body_that_the_user_deletes_leaves_the_armature_moving(write):
    entries = motion_of(60)
    writer = write(entries, [(0, 30)])
    bpy.data.objects.remove(of_type("MESH")[0])
    write(entries, [(30, 60)], writer=writer, end=True)
    (armature,) = of_type("ARMATURE")
    assert {len(curve.keyframe_points) for curve in curves_of(armature.animation_data.action)[0]} == {60}


def test_a_character_that_the_user_renames_and_moves_gets_the_rest_of_its_keys(write, empty_file):
    entries = motion_of(60)
    writer = write(entries, [(0, 30)])
    (armature,) = writer.armatures
    armature.name, armature.animation_data.action.name = "Hero", "Hero walks"
    elsewhere = bpy.data.collections.new("Heroes")
    empty_file.collection.children.link(elsewhere)
    elsewhere.objects.link(armature)
    bpy.data.collections.remove(writer.collection)
    write(entries, [(30, 60)], writer=writer, end=True)
    assert len(of_type("ARMATURE")) == 1
    assert {len(curve.keyframe_points) for curve in curves_of(armature.animation_data.action)[0]} == {60}


def test_a_discarded_result_leaves_nothing_behind(write, empty_file):
    before = counts()
    finished, half = write(motion_of(30), end=True), write(motion_of(30), person=3)
    finished.discard()
    half.discard()
    assert counts() == before
    assert empty_file.camera is None


def test_discarding_keeps_what_the_user_added(write):
    writer = write(motion_of(30), end=True)
    mine = bpy.data.objects.new("Hat", bpy.data.meshes.new("Hat"))
    writer.collection.objects.link(mine)
    mine.parent = writer.armatures[0]
    writer.discard()
    assert [thing.name for thing in bpy.data.objects] == ["Hat"]
    assert mine.users_collection, "still to be seen in the scene"


def test_the_view_is_framed_once(write, empty_file):
    views = [area.spaces.active.region_3d for window in bpy.context.window_manager.windows for area in window.screen.areas if area.type == "VIEW_3D"]
    if not views:
        pytest.skip("this Blender module has no window")
    views[0].view_location, views[0].view_distance = (50, 50, 50), 1.0
    entries = motion_of(60)
    writer = write(entries, [(0, 30)])
    assert views[0].view_distance < 10
    centre = np.array(views[0].view_location)
    assert np.linalg.norm(centre - (0, -0.5, 0.95)) < 1.0 and views[0].view_distance > 1.5
    views[0].view_location = (7, 7, 7)
    write(entries, [(30, 60)], writer=writer, end=True)
    assert tuple(views[0].view_location) == (7, 7, 7), "the user has looked elsewhere since"


@pytest.mark.parametrize(("change", "code"), [
    ({"poses": np.zeros((30, 72), np.float32)}, "wrong_shape"),
    ({"trans": np.zeros((29, 3), np.float32)}, "wrong_shape"),
    ({"expression": np.zeros(30, np.float32)}, "wrong_shape"),
    ({"camera_R": np.zeros((30, 9), np.float32)}, "wrong_shape"),
    ({"frame_times": np.zeros((30, 2))}, "wrong_shape"),
])
def test_a_chunk_that_is_not_a_motion_is_refused_and_changes_nothing(empty_file, body_file, change, code):
    before = counts()
    writer = ResultWriter("walk.mp4", body_file)
    with pytest.raises(errors.BadInput) as caught:
        writer.add_chunk(1, 0, {**motion_of(30), **change})
    assert caught.value.code == code and next(iter(change)) in str(caught.value)
    writer.finish()
    writer.flush()
    assert counts() == before


def test_a_missing_body_file_is_named_with_its_remedy(tmp_path):
    with pytest.raises(errors.BadInput) as caught:
        ResultWriter("walk.mp4", tmp_path / "SMPLX_NEUTRAL.npz")
    assert "SMPLX_NEUTRAL.npz" in str(caught.value) and caught.value.remedy


def test_a_file_that_is_no_body_is_named_with_its_remedy(write, tmp_path):
    np.savez(tmp_path / "body.npz", v_template=np.zeros((3, 3)))
    writer = ResultWriter("walk.mp4", tmp_path / "body.npz")
    writer.add_chunk(1, 0, motion_of(10))
    with pytest.raises(errors.BadInput) as caught:
        writer.flush()
    assert "body.npz" in str(caught.value) and "missing" in str(caught.value)


def test_a_motion_of_one_frame_and_a_job_without_people_both_end(write, empty_file, body_file):
    assert write(motion_of(1), end=True).done
    empty = ResultWriter("walk.mp4", body_file)
    empty.finish()
    assert not empty.step() and empty.done
