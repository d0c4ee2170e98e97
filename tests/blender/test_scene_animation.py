# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys: at the video's own times, smooth, in any order of arrival, never into a user's own action."""

import bpy
import numpy as np
import pytest
from bl_ext.user_default.smplit.scene import skeleton
from bl_ext.user_default.smplit.scene.actions import Channel, assigned_curves, curves_of
from bl_ext.user_default.smplit.scene.animation import Track
from mathutils import Matrix, Quaternion

ELBOW = 'pose.bones["left_elbow"].rotation_quaternion'
PELVIS = 'pose.bones["pelvis"].location'


def keys(owner, path, index=0):
    """(N,2) frame and value of every key of a curve of the owner's action."""
    curves, _ = curves_of(owner.animation_data.action)
    curve = next(c for c in curves if (c.data_path, c.array_index) == (path, index))
    flat = np.empty(2 * len(curve.keyframe_points), np.float32)
    curve.keyframe_points.foreach_get("co", flat)
    return flat.reshape(-1, 2)


def all_keys(owner):
    curves, _ = curves_of(owner.animation_data.action)
    return {(c.data_path, c.array_index): keys(owner, c.data_path, c.array_index) for c in curves}


def motion_of(rows, **more):
    """A walk along X with a swinging left elbow; entries of a motion file."""
    time = np.arange(rows) / 30.0
    poses = np.zeros((rows, 55, 3), np.float32)
    poses[:, 0, 0] = np.pi / 2  # upright
    poses[:, 18, 1] = -1.2 * np.sin(3 * time) ** 2
    trans = np.stack([time, 0 * time, 0.95 + 0 * time], axis=1).astype(np.float32)
    return {"poses": poses.reshape(rows, 165), "trans": trans, "betas": np.zeros(10), "mocap_frame_rate": np.array(30.0), **more}


@pytest.mark.parametrize(("fps", "base"), [(24, 1.0), (30, 1.0), (60, 1.0), (30, 1.001)])
@pytest.mark.parametrize("video_fps", [5.0, 29.97, 120.0])
def test_keys_fall_on_the_videos_own_times_in_any_scene_rate(write, empty_file, fps, base, video_fps):
    empty_file.render.fps, empty_file.render.fps_base = fps, base
    times = np.arange(65) / video_fps
    (armature,) = write(motion_of(65, frame_times=times)).armatures
    seconds = (keys(armature, ELBOW)[:, 0] - 1) / (fps / base)
    assert np.abs(seconds - times).max() < 1e-4
    assert empty_file.render.fps == fps, "the scene's rate is the user's"


def test_uneven_frame_times_are_kept(write):
    times = np.cumsum(np.random.default_rng(3).uniform(0.01, 0.2, 80))
    (armature,) = write(motion_of(80, frame_times=times)).armatures
    assert np.abs((keys(armature, PELVIS)[:, 0] - 1) / 24 - times).max() < 1e-4


def test_the_start_of_a_range_falls_on_the_scenes_first_frame(write, empty_file):
    empty_file.frame_start = 101
    times = 12.0 + np.arange(30) / 30
    (armature,) = write(motion_of(30, frame_times=times), origin=12.0).armatures
    assert keys(armature, ELBOW)[0, 0] == pytest.approx(101)


def test_the_timeline_reaches_the_last_key_and_is_never_shortened(write, empty_file):
    write(motion_of(30))
    assert empty_file.frame_end == 250
    write(motion_of(600, frame_times=np.arange(600) / 30))
    assert empty_file.frame_end == int(np.ceil(1 + 599 / 30 * 24))


def test_every_bone_and_the_pelvis_path_are_keyed_in_one_action_grouped_by_bone(write):
    (armature,) = write(motion_of(10)).armatures
    curves, _ = curves_of(armature.animation_data.action)
    assert len(list(curves)) == 55 * 4 + 3
    for curve in curves:
        assert curve.group.name in curve.data_path
        assert len(curve.keyframe_points) == 10
        assert all(point.interpolation == "LINEAR" for point in curve.keyframe_points)
    assert armature.animation_data.action.name == armature.name


@pytest.mark.parametrize(
    "cuts",
    [
        [(0, 120), (120, 240), (240, 300)],
        [(0, 120), (240, 300), (120, 240)],
        [(240, 300), (0, 120), (120, 240)],
        [(0, 150), (100, 300)],
        [(0, 299), (299, 300)],
        [(0, 300), (0, 300)],
    ],
)
def test_chunks_in_any_order_and_overlap_give_the_keys_of_one_piece(write, cuts):
    entries = motion_of(300, frame_times=np.arange(300) / 30)
    (whole,) = write(entries).armatures
    (pieces,) = write(entries, cuts).armatures
    expected, found = all_keys(whole), all_keys(pieces)
    assert found.keys() == expected.keys()
    for channel, values in expected.items():
        assert np.array_equal(found[channel], values), channel


def test_a_later_chunk_replaces_the_frames_of_an_earlier_one(write, empty_file):
    entries = motion_of(60)
    writer = write(entries)
    again = {**entries, "trans": entries["trans"] + (0, 0, 1)}
    write(again, [(20, 40)], writer=writer)
    (armature,) = writer.armatures
    height = {}
    for row in (19, 20, 39, 40):
        frame = 1 + row * 24 / 30
        empty_file.frame_set(int(frame), subframe=frame - int(frame))
        height[row] = armature.pose.bones["pelvis"].head.z
    assert height[20] - height[19] == pytest.approx(1.0, abs=1e-4)
    assert height[40] - height[39] == pytest.approx(-1.0, abs=1e-4)
    assert len(keys(armature, PELVIS)) == 60


def test_neighbouring_keys_turn_the_short_way(write):
    rows = 200
    entries = motion_of(rows)
    poses = entries["poses"].reshape(rows, 55, 3)
    turn = np.linspace(0, 6 * np.pi, rows)  # three times round: axis-angle wraps, q and -q alternate
    wrapped = (turn + np.pi) % (2 * np.pi) - np.pi
    poses[:, 18] = wrapped[:, None] * np.array([0.6, 0.0, 0.8])
    (armature,) = write(entries, [(0, 77), (77, 150), (150, 200)]).armatures
    quaternions = np.stack([keys(armature, ELBOW, i)[:, 1] for i in range(4)], axis=1)
    assert np.abs(np.linalg.norm(quaternions, axis=1) - 1).max() < 1e-5
    assert np.sum(quaternions[1:] * quaternions[:-1], axis=1).min() > 0.9


def test_poses_survive_the_way_through_bone_rotations_and_back():
    generator = np.random.default_rng(5)
    axes = skeleton.bone_axes(np.zeros((55, 3)), generator.normal(size=(55, 3)))
    poses = generator.normal(0, 0.5, (20, 165))
    quaternions = skeleton.bone_quaternions(poses, axes)
    assert quaternions.shape == (20, 55, 4)
    for joint in (1, 18, 40):
        # A bone's own rotation about its rest axes D is D q D^T in the body's frame.
        rest = Matrix(axes[joint].tolist())
        for row in (0, 7):
            turned = rest @ Quaternion(quaternions[row, joint]).to_matrix() @ rest.transposed()
            axis, angle = turned.to_quaternion().to_axis_angle()
            expected = poses[row].reshape(55, 3)[joint]
            assert np.abs(np.array(axis) * angle - expected).max() < 1e-5


def test_frames_without_numbers_get_no_key_and_the_rest_stays(write):
    entries = motion_of(50)
    entries["poses"][10:13] = np.nan
    entries["trans"][30] = np.inf
    (armature,) = write(entries, [(0, 25), (25, 50)]).armatures
    frames = keys(armature, ELBOW)[:, 0]
    lost = [1 + row * 24 / 30 for row in (10, 11, 12, 30)]
    assert len(frames) == 46
    assert not any(np.isclose(frames, frame).any() for frame in lost)


@pytest.mark.parametrize("cuts", [None, [(0, 45), (45, 48), (48, 50)]])
def test_frames_in_which_nobody_was_seen_are_keyed_as_breakdowns(write, cuts):
    valid = np.ones(50, bool)
    valid[[10, 11, 12, 47]] = False
    (armature,) = write(motion_of(50, valid=valid), cuts).armatures
    curves, _ = curves_of(armature.animation_data.action)
    types = [point.type for point in next(iter(curves)).keyframe_points]
    assert [row for row, kind in enumerate(types) if kind == "BREAKDOWN"] == [10, 11, 12, 47]


def test_expressions_that_never_move_get_no_curve(write, smplx_motion):
    names = smplx_motion["expression_names"]
    expression = np.zeros((20, len(names)), np.float32)
    expression[:, 4] = np.linspace(0, 1, 20)
    (armature,) = write(motion_of(20, expression=expression, expression_names=names)).armatures
    shape_keys = next(c for c in armature.children if c.type == "MESH").data.shape_keys
    curves, _ = curves_of(shape_keys.animation_data.action)
    assert [curve.data_path for curve in curves] == [f'key_blocks["{names[4]}"].value']


def test_an_expression_that_this_body_lacks_is_left_out(write):
    expression = np.ones((20, 2), np.float32)
    names = np.array(["smile", "wiggle_ears"])
    (armature,) = write(motion_of(20, expression=expression, expression_names=names)).armatures
    shape_keys = next(c for c in armature.children if c.type == "MESH").data.shape_keys
    curves, _ = curves_of(shape_keys.animation_data.action)
    assert [curve.data_path for curve in curves] == ['key_blocks["smile"].value']


def test_a_users_action_of_the_same_name_is_not_written_to(write, empty_file):
    theirs = bpy.data.actions.new("walk p1")
    before = len(theirs.slots) if hasattr(theirs, "slots") else len(theirs.fcurves)
    (armature,) = write(motion_of(10)).armatures
    assert armature.animation_data.action != theirs
    assert (len(theirs.slots) if hasattr(theirs, "slots") else len(theirs.fcurves)) == before


def test_an_action_that_the_user_assigns_meanwhile_is_not_written_to(write):
    entries = motion_of(60)
    writer = write(entries, [(0, 30)])
    (armature,) = writer.armatures
    ours, theirs = armature.animation_data.action, bpy.data.actions.new("mine")
    armature.animation_data.action = theirs
    write(entries, [(30, 60)], writer=writer)
    assert armature.animation_data.action == theirs
    assert len(list(curves_of(ours)[0])) == 223
    assert tuple(ours.frame_range) == pytest.approx((1, 1 + 59 * 24 / 30))
    assert not (theirs.layers if hasattr(theirs, "layers") else theirs.fcurves)


def test_reading_the_curves_of_a_users_action_changes_nothing(empty_file):
    thing = bpy.data.objects.new("Thing", None)
    assert assigned_curves(thing) == []
    thing.animation_data_create().action = action = bpy.data.actions.new("empty")
    assert assigned_curves(thing) == [] and not (action.layers if hasattr(action, "layers") else action.fcurves)
    thing.keyframe_insert("location", frame=3)
    assert sorted(curve.array_index for curve in assigned_curves(thing)) == [0, 1, 2]


def test_a_track_grows_beyond_the_room_set_aside(empty_file):
    thing = bpy.data.objects.new("Thing", None)
    track = Track([Channel("location", 0, "Place")], "Thing", "result", "role")
    rows = 70_000
    for first in range(0, rows, 35_000):
        track.put(first, np.arange(first, first + 35_000), np.arange(first, first + 35_000)[:, None])
    assert track.write(thing)
    found = keys(thing, "location")
    assert len(found) == rows and np.array_equal(found[:, 0], found[:, 1])


def test_work_stops_at_the_deadline_and_goes_on_from_there(empty_file):
    thing = bpy.data.objects.new("Thing", None)
    track = Track([Channel("location", index, "Place") for index in range(3)], "Thing", "result", "role")
    track.put(0, np.arange(5.0), np.arange(15.0).reshape(5, 3))
    assert not track.write(thing, deadline=0.0)
    assert len(all_keys(thing)) == 1, "at least one curve a call, so that it ends"
    assert not track.write(thing, deadline=0.0)
    assert track.write(thing, deadline=0.0)
    assert track.write(thing, deadline=0.0), "nothing is left to do"
    assert keys(thing, "location", 2)[:, 1].tolist() == [2, 5, 8, 11, 14]
