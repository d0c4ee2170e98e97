# SPDX-License-Identifier: GPL-3.0-or-later
"""Walk along a Path, through the operators and the real backend; what came out is read off the keys."""

import itertools
import json
import math
import subprocess
import time

import bpy
import numpy as np
import pytest
from bl_ext.user_default.smplit.scene.actions import assigned_curves
from mathutils import Quaternion, Vector
from mathutils.geometry import interpolate_bezier

EXTENSION = "bl_ext.user_default.smplit"
NEAR, MEAN = 0.08, 0.03  # m from the curve
BENDS = [((0, 0, 0), (1, 1.5, 0)), ((3, 2, 0), (1.5, 0, 0)), ((6, 0, 0), (1, -1, 0))]  # points, and handles from there

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def network(backend_python) -> list[str]:
    """Styles of the network that the backend finds."""
    code = (
        "import json; from smplit.models import MODELS, find; from safetensors import safe_open;"
        "print(safe_open(find('loco'), 'np').metadata()['styles'] if 'loco' in MODELS else '')"
    )
    found = subprocess.run([backend_python, "-c", code], capture_output=True, text=True, check=False)
    if found.returncode or not found.stdout.strip():
        pytest.skip("no locomotion network yet")
    return json.loads(found.stdout)


@pytest.fixture(scope="module")
def backend(addon, network):
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


def draw(kind, points, cyclic=False, name="Way"):
    """A curve object of one spline; Bezier points come with their right handles."""
    data = bpy.data.curves.new(name, "CURVE")
    data.dimensions = "3D"
    spline = data.splines.new(kind)
    into = spline.bezier_points if kind == "BEZIER" else spline.points
    into.add(len(points) - 1)
    for point, given in zip(into, points, strict=True):
        if kind == "BEZIER":
            point.handle_left_type = point.handle_right_type = "FREE"
            place, handle = map(Vector, given)
            point.co, point.handle_right, point.handle_left = place, place + handle, place - handle
        else:
            point.co = (*given, 1.0)
    spline.use_cyclic_u, spline.use_endpoint_u = cyclic, True
    spline.order_u = min(4, len(points))
    curve = bpy.data.objects.new(name, data)
    bpy.context.collection.objects.link(curve)
    for other in bpy.context.selected_objects:
        other.select_set(False)
    curve.select_set(True)
    bpy.context.view_layer.objects.active = curve
    return curve


def bezier_line(points, count=400) -> np.ndarray:
    """(N,3) on a Bezier spline of `points` and handles, by mathutils."""
    pieces = [
        interpolate_bezier(Vector(a), Vector(a) + Vector(out), Vector(b) - Vector(back), Vector(b), count)
        for (a, out), (b, back) in itertools.pairwise(points)
    ]
    return np.array([point for piece in pieces for point in piece])


def away(points, line) -> np.ndarray:
    """(N,) m from points (N,3) to a polyline (M,3), seen from above."""
    points, starts, steps = points[:, None, :2], line[None, :-1, :2], np.diff(line[:, :2], axis=0)[None]
    along = np.clip(((points - starts) * steps).sum(-1) / np.maximum((steps**2).sum(-1), 1e-12), 0.0, 1.0)
    return np.linalg.norm(points - starts - along[..., None] * steps, axis=-1).min(axis=1)


def armatures():
    return sorted((thing for thing in bpy.data.objects if thing.type == "ARMATURE"), key=lambda thing: thing.name)


def keys(armature, path='pose.bones["pelvis"].location') -> np.ndarray:
    """(T,1+C): frames, and the values of a property's curves; only what all of them have, while they are being written."""
    curves = sorted((curve for curve in assigned_curves(armature) if curve.data_path == path), key=lambda curve: curve.array_index)
    points = [np.array([point.co for point in curve.keyframe_points]).reshape(-1, 2) for curve in curves]
    width = 3 if path.endswith("location") else 4
    rows = min(len(column) for column in points) if len(points) == width else 0
    return np.column_stack([points[0][:rows, 0], *(column[:rows, 1] for column in points)]) if rows else np.zeros((0, 1 + width))


def roots(armature) -> np.ndarray:
    """(T,3) of the pelvis in the world at every key."""
    matrix = armature.matrix_world @ armature.data.bones["pelvis"].matrix_local
    return np.array([matrix @ Vector(place) for place in keys(armature)[:, 1:]])


def the_job(pump):
    return pump.BACKEND.jobs.find(bpy.context.window_manager.smplit_last_job)


def generate(pump, operator=None, **options):
    """Presses the button and waits; returns the job and its armatures."""
    assert (operator or bpy.ops.smplit.generate_locomotion)(**options) == {"FINISHED"}
    job = the_job(pump)
    assert bpy.ops.smplit.wait(job=job.key, timeout=240.0) == {"FINISHED"}
    return job, [thing for thing in armatures() if thing.get("smplit_job") == job.id]


def walk_until(pump, condition):
    end = time.monotonic() + 240.0
    while not condition():
        assert time.monotonic() < end, the_job(pump)
        pump.pump()
        time.sleep(0.002)  # busy or not: threads that read need a turn, as they have it while the interface draws


def counts():
    return {kind: len(getattr(bpy.data, kind)) for kind in ("objects", "armatures", "meshes", "actions", "collections", "curves")}


def refused(operator=None, **options) -> str:
    with pytest.raises(RuntimeError) as error:
        (operator or bpy.ops.smplit.generate_locomotion)(**options)
    return str(error.value)


def test_keys_arrive_while_the_walk_is_made_and_the_root_stays_on_a_drawn_bezier(pump):
    bends = [tuple(tuple(4 * number for number in place) for place in point) for point in BENDS]
    curve, scene = draw("BEZIER", bends), bpy.context.scene
    scene.frame_start = 11
    before = counts()
    assert bpy.ops.smplit.generate_locomotion(style="normal", speed=1.0, seed=3) == {"FINISHED"}
    job, seen = the_job(pump), []

    def look():
        for armature in armatures():
            if (rows := len(keys(armature))) and rows not in seen:
                seen.append(rows)
        return not pump.is_unfinished(job)

    walk_until(pump, look)
    assert job.state == "done" and job.summary() == "1 walk" and not job.warnings
    assert len(seen) > 3 and seen == sorted(seen) and seen[0] <= seen[-1] / 2, seen
    (armature,) = armatures()
    path, line = roots(armature), bezier_line(bends)
    off = away(path, line)
    assert off.max() < NEAR and off.mean() < MEAN, (off.max(), off.mean())
    np.testing.assert_allclose(path[[0, -1], :2], line[[0, -1], :2], atol=NEAR)
    assert path[:, 2].min() > 0.6 and path[:, 2].max() < 1.2
    # In seconds: 24 frames of the scene a second, from its first frame on; as long as the line at this speed.
    frames, length = keys(armature)[:, 0], np.linalg.norm(np.diff(line, axis=0), axis=1).sum()
    assert frames[0] == 11 and frames[1] == pytest.approx(11 + 24 / 30)
    assert (frames[-1] - frames[0]) / 24 == pytest.approx(length / 1.0, rel=0.08)
    assert scene.frame_end >= frames[-1]
    # What the scene shows is what the keys say.
    scene.frame_set(int(frames[60]), subframe=float(frames[60] % 1))
    shown = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
    np.testing.assert_allclose(shown.matrix_world @ shown.pose.bones["pelvis"].head, path[60], atol=1e-3)
    assert armature.name == "Way normal" and bpy.data.collections["Way normal"]["smplit_curve"] == curve
    assert {name: counts()[name] - before[name] for name in before} == dict.fromkeys(before, 1) | {"objects": 2, "curves": 0}


def unit_circle(radius, turn=0.0) -> np.ndarray:
    angle = np.linspace(0.0, 2.0 * math.pi, 721) + turn
    return radius * np.stack([np.cos(angle), np.sin(angle), 0.0 * angle], axis=1)


def moved(curve, line):
    return line @ np.array(curve.matrix_world.to_3x3()).T + np.array(curve.matrix_world.translation)


def bent_and_turned():
    """Half as large, turned, moved, and a child of another object that is moved too."""
    curve = draw("BEZIER", BENDS)
    parent = bpy.data.objects.new("Parent", None)
    bpy.context.collection.objects.link(parent)
    parent.location, curve.parent = (0.0, 5.0, 0.3), parent
    curve.scale, curve.rotation_euler, curve.location = (0.5, 0.8, 1.0), (0.0, 0.0, math.radians(70)), (2.0, -1.0, 0.0)
    curve.data.bevel_depth = 0.1
    bpy.context.view_layer.update()
    return curve, moved(curve, bezier_line(BENDS))


def cyclic_circle():
    bpy.ops.curve.primitive_bezier_circle_add(radius=1.6, location=(1.0, 2.0, 0.0))
    return bpy.context.object, unit_circle(1.6) + (1.0, 2.0, 0.0)


def corners():
    points = [(0, 0, 0), (2.5, 0, 0), (2.5, 2, 0), (4, 2, 0)]
    return draw("POLY", points), np.array(points, float)


def nurbs():
    """A quarter of a circle as NURBS can say it exactly: three points, the middle one of less weight."""
    curve = draw("NURBS", [(3, 0, 0), (3, 3, 0), (0, 3, 0)])
    curve.data.splines[0].points[1].co.w = math.sqrt(0.5)
    return curve, unit_circle(3.0)[:181]


@pytest.mark.parametrize("make", [bent_and_turned, cyclic_circle, corners, nurbs])
def test_the_root_stays_on_curves_of_every_kind(pump, make):
    curve, line = make()
    _, (armature,) = generate(pump, style="normal")
    off = away(roots(armature), line)
    assert off.max() < NEAR and off.mean() < MEAN, (off.max(), off.mean())
    path = roots(armature)
    ends = path[[0, -1], :2] - (path[0, :2] if curve.data.splines[0].use_cyclic_u else line[[0, -1], :2])
    assert np.linalg.norm(ends, axis=1).max() < 0.12  # from end to end, or once round
    if make is bent_and_turned:  # on the ground that was drawn
        assert 0.9 < path[:, 2].mean() < 1.5


def test_in_a_scene_of_centimetres_the_walker_is_as_tall_as_the_scene_is(pump):
    bpy.context.scene.unit_settings.scale_length = 0.01
    draw("POLY", [(100, 0, 20), (400, 0, 20)])
    _, (armature,) = generate(pump, style="normal", speed=1.0)
    path = roots(armature)
    assert away(path, np.array([(100, 0, 0), (400, 0, 0.0)])).max() < 100 * NEAR and 70 < path[:, 2].mean() - 20 < 120
    assert tuple(armature.scale) == pytest.approx((100, 100, 100))


def test_update_replaces_the_newest_walk_in_one_undo_step_and_keeps_what_is_not_chosen_anew(pump, network):
    curve = draw("BEZIER", BENDS)
    generate(pump, style="normal", seed=1)
    other = next(style for style in network if style != "normal")
    _, (old,) = generate(pump, style=other, seed=2)
    bpy.ops.ed.undo_push(message="before")
    before, was = counts(), roots(old)
    curve.location.y = 3.0
    bpy.context.view_layer.update()
    bpy.ops.ed.undo_push(message="Move")
    job, (new,) = generate(pump, bpy.ops.smplit.update_locomotion)
    assert job.submit["params"]["style"] == other and job.submit["params"]["seed"] == 2
    assert counts() == before and [thing.name for thing in armatures()] == [f"Way {other}", "Way normal"]
    assert away(roots(new), bezier_line(BENDS) + (0, 3, 0)).max() < 2 * NEAR
    assert not any(collection.hide_viewport for collection in bpy.data.collections)
    bpy.ops.ed.undo()
    assert counts() == before
    back = bpy.data.objects[f"Way {other}"]
    np.testing.assert_allclose(roots(back), was, atol=1e-5)
    assert not any(collection.hide_viewport for collection in bpy.data.collections)
    bpy.ops.ed.redo()
    assert away(roots(bpy.data.objects[f"Way {other}"]), bezier_line(BENDS) + (0, 3, 0)).max() < 2 * NEAR
    # A renamed curve is still the same, and a choice that is made anew counts.
    bpy.data.objects["Way"].name = "Road"
    job, _ = generate(pump, bpy.ops.smplit.update_locomotion, curve="Road", style="normal")
    assert job.submit["params"]["style"] == "normal" and job.submit["params"]["seed"] == 2
    assert [thing.name for thing in armatures()] == ["Road normal", "Way normal"]


def test_a_walk_is_one_undo_step(pump):
    draw("BEZIER", BENDS)
    bpy.ops.ed.undo_push(message="before")
    before = counts()
    generate(pump)
    bpy.ops.ed.undo()
    assert counts() == before
    bpy.ops.ed.redo()
    assert [thing.name for thing in armatures()] == ["Way normal"]


def test_cancel_leaves_what_arrived(pump):
    draw("POLY", [(0, 0, 0), (150, 0, 0)])
    bpy.ops.ed.undo_push(message="before")
    before = counts()
    assert bpy.ops.smplit.generate_locomotion(style="normal", speed=1.2) == {"FINISHED"}
    job = the_job(pump)
    walk_until(pump, lambda: armatures() and len(keys(armatures()[0])) >= 90)
    assert bpy.ops.smplit.cancel_job(job=job.key) == {"FINISHED"}
    walk_until(pump, lambda: not pump.is_unfinished(job))
    assert job.state == "cancelled" and "kept" in job.summary()
    (armature,) = armatures()
    path = roots(armature)
    assert 90 <= len(path) < 30 * 150 / 1.2 / 2 and abs(path[:, 1]).max() < NEAR and path[-1, 0] > 1.5
    rows = {len(keys(armature, curve.data_path)) for curve in assigned_curves(armature)}
    assert rows == {len(path)}  # every bone as far as the others
    assert len(armature.children[0].data.vertices) > 1000
    bpy.ops.ed.undo()
    assert counts() == before


def test_variants_walk_side_by_side(pump):
    draw("BEZIER", BENDS)
    job, walkers = generate(pump, style="normal", samples=3, seed=5)
    assert job.summary() == "3 walks" and [thing.name for thing in walkers] == ["Way normal", "Way normal 2", "Way normal 3"]
    paths = [roots(thing) for thing in walkers]
    assert away(paths[0], bezier_line(BENDS)).max() < 2 * NEAR
    for one, other in itertools.pairwise(paths):
        apart = np.linalg.norm((other - one)[:, :2], axis=1)
        assert apart.min() > 0.9 and apart.max() < 1.5
    turns = [keys(thing, 'pose.bones["left_knee"].rotation_quaternion') for thing in walkers]
    assert np.abs(turns[0] - turns[1]).max() > 1e-3


def test_facing_an_object_and_walking_backwards(pump):
    draw("POLY", [(0, 0, 0), (4, 0, 0)])
    target = bpy.data.objects.new("Lamp", None)
    bpy.context.collection.objects.link(target)
    target.location = (2.0, 50.0, 1.0)

    def looks(**options):
        _, (armature,) = generate(pump, style="normal", **options)
        bone = armature.data.bones["pelvis"]
        rest, rows = bone.matrix_local.to_3x3(), keys(armature, 'pose.bones["pelvis"].rotation_quaternion')
        turned = [rest @ Quaternion(row[1:]).to_matrix() for row in rows]
        ahead = rest.inverted() @ Vector((0.0, -1.0, 0.0))  # a resting character looks along -Y
        mean = np.mean([np.array((turn @ ahead).xy.normalized()) for turn in turned], axis=0)
        return math.degrees(math.atan2(mean[1], mean[0]))

    assert abs(looks(speed=1.0)) < 15
    assert abs(abs(looks(facing="opposite")) - 180) < 15
    assert looks(facing="towards", target="Lamp", speed=0.8) == pytest.approx(90, abs=15)
    assert looks(facing="fixed", angle=math.radians(-45), speed=0.8) == pytest.approx(-45, abs=15)


def test_a_character_turns_on_the_spot_before_it_walks_and_when_it_has_arrived(pump):
    draw("POLY", [(0, 0, 0), (2.5, 0, 0)])
    _, (walker,) = generate(pump, style="normal", speed=1.0, start_facing=math.radians(90), end_facing=math.radians(-90))
    bone = walker.data.bones["pelvis"]
    rest, rows = bone.matrix_local.to_3x3(), keys(walker, 'pose.bones["pelvis"].rotation_quaternion')
    ahead = [(rest @ Quaternion(row[1:]).to_matrix() @ rest.inverted() @ Vector((0.0, -1.0, 0.0))).xy.normalized() for row in rows[[0, -1]]]
    assert [math.degrees(math.atan2(way.y, way.x)) for way in ahead] == pytest.approx([90, -90], abs=15)
    places = roots(walker)
    assert np.linalg.norm(places[:40, :2], axis=1).max() < NEAR and np.linalg.norm(places[-30:, :2] - (2.5, 0), axis=1).max() < NEAR


def test_updates_while_editing_follow_the_curve_and_never_themselves(pump):
    curve, settings = draw("BEZIER", BENDS), bpy.context.scene.smplit_locomotion
    assert not settings.live
    generate(pump, **{name: value for name, value in settings.choices().items() if value is not None})
    curve.location.y = 2.0
    bpy.context.view_layer.update()
    bpy.ops.smplit.wait(timeout=240.0)
    (before,) = armatures()
    assert before.get("smplit_job") == the_job(pump).id and abs(roots(before)[0, 1]) < NEAR  # off: nothing happens

    settings.live = True
    assert bpy.ops.smplit.wait(timeout=240.0) == {"FINISHED"}
    (walker,) = armatures()
    assert abs(roots(walker)[0, 1] - 2.0) < 2 * NEAR
    for point in curve.data.splines[0].bezier_points:  # what is edited, one thing after the other
        point.co.x += 1.0
        point.handle_left.x += 1.0
        point.handle_right.x += 1.0
        bpy.context.view_layer.update()
    settings.seed = 4
    assert bpy.ops.smplit.wait(timeout=240.0) == {"FINISHED"}
    (walker,) = armatures()
    assert abs(roots(walker)[0, 0] - 1.0) < 2 * NEAR and the_job(pump).submit["params"]["seed"] == 4
    last = the_job(pump).key
    curve.data.update_tag()  # nothing has changed
    bpy.context.scene.frame_set(7)
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        pump.pump()
        bpy.context.view_layer.update()
    assert the_job(pump).key == last and len(pump.BACKEND.jobs) == 1 and not pump.unfinished()

    # A path that nobody can walk is told and costs nothing.
    from bl_ext.user_default.smplit import live

    curve.scale = (0.0, 0.0, 0.0)
    bpy.context.view_layer.update()
    bpy.ops.smplit.wait(timeout=240.0)
    assert "no length" in live.problem and armatures() == [walker]


def test_an_edit_during_an_update_starts_over_and_leaves_one_walk(pump):
    curve = draw("POLY", [(0, 0, 0), (40, 0, 0)])
    settings = bpy.context.scene.smplit_locomotion
    generate(pump, **{name: value for name, value in settings.choices().items() if value is not None})
    before = counts()
    settings.live = True
    for y in (1.0, 2.0, 3.0):
        curve.location.y = y
        bpy.context.view_layer.update()
        walk_until(pump, lambda: pump.unfinished())
        walk_until(pump, lambda y=y: any(len(keys(thing)) >= 30 and abs(roots(thing)[0, 1] - y) < 2 * NEAR for thing in armatures()))
    assert bpy.ops.smplit.wait(timeout=240.0) == {"FINISHED"}
    assert counts() == before and len(pump.BACKEND.jobs) == 1
    (walker,) = armatures()
    assert walker.name == "Way normal" and abs(roots(walker)[-1, 0] - 40) < NEAR
    assert not any(collection.hide_viewport for collection in bpy.data.collections)


def bad_curves():
    one = draw("BEZIER", BENDS[:1], name="One")
    nan = draw("BEZIER", BENDS, name="Nan")
    nan.data.splines[0].bezier_points[1].handle_left = (math.nan, 0.0, 0.0)
    flat = draw("POLY", [(1, 1, 1), (1, 1, 1)], name="Flat")
    empty = bpy.data.objects.new("Empty", bpy.data.curves.new("Empty", "CURVE"))
    cube = bpy.data.objects.new("Cube", bpy.data.meshes.new("Cube"))
    for thing in (empty, cube):
        bpy.context.collection.objects.link(thing)
    return one, nan, flat, empty, cube


def test_bad_input_is_told_with_a_remedy_and_changes_nothing(pump):
    bad_curves()
    draw("BEZIER", BENDS)
    bpy.ops.object.select_all(action="DESELECT")
    bpy.context.view_layer.objects.active = None
    before, jobs = counts(), len(pump.BACKEND.jobs)
    for options, words in (
        ({}, ("No path is selected", "draw one")), ({"curve": "Nowhere"}, ("'Nowhere'",)), ({"curve": "Cube"}, ("'Cube' is no curve", "Convert")),
        ({"curve": "One"}, ("one point", "extrude")), ({"curve": "Nan"}, ("not finite", "point 2", "Delete")),
        ({"curve": "Flat"}, ("no length", "Move")), ({"curve": "Empty"}, ("empty", "Draw")),
        ({"curve": "Way", "seconds": 0.0}, ("0 s", "more than 0")),
        ({"curve": "Way", "seconds": -3.0}, ("-3 s",)), ({"curve": "Way", "facing": "towards"}, ("needs the object", "Choose")),
        ({"curve": "Way", "facing": "towards", "target": "Moon"}, ("'Moon'",)),
    ):
        message = refused(**options)
        assert all(word in message for word in words), message
    assert "no walk yet" in (message := refused(bpy.ops.smplit.update_locomotion, curve="Way")) and "Generate" in message
    assert counts() == before and len(pump.BACKEND.jobs) == jobs


def test_an_unknown_style_lists_near_names_and_the_walk_that_is_there_stays(pump):
    draw("BEZIER", BENDS)
    _, (walker,) = generate(pump, style="normal")
    before, was = counts(), roots(walker)
    for operator in (bpy.ops.smplit.generate_locomotion, bpy.ops.smplit.update_locomotion):
        assert operator(curve="Way", style="nromal") == {"FINISHED"}
        with pytest.raises(RuntimeError, match=r"no style 'nromal'.*Did you mean normal"):
            bpy.ops.smplit.wait(job=the_job(pump).key, timeout=240.0)
        assert counts() == before and not any(collection.hide_viewport for collection in bpy.data.collections)
    np.testing.assert_array_equal(roots(walker), was)


def test_too_fast_for_the_style_is_slowed_down_with_a_warning_and_several_splines_too(pump):
    curve = draw("POLY", [(0, 0, 0), (12, 0, 0)])
    second = curve.data.splines.new("POLY")
    second.points.add(1)
    second.points[1].co = (0, 12, 0, 1)
    curve.data.splines.active = curve.data.splines[0]
    job, (walker,) = generate(pump, style="normal", speed=12.9)
    assert any("m/s" in warning for warning in job.warnings) and any("2 splines" in warning for warning in job.warnings)
    assert abs(roots(walker)[:, 1]).max() < 2 * NEAR and roots(walker)[-1, 0] == pytest.approx(12, abs=NEAR)


def test_a_walk_can_be_retried_and_brought_in_again_and_still_belongs_to_its_curve(pump):
    curve = draw("BEZIER", BENDS)
    job, (first,) = generate(pump, style="normal", seed=9)
    assert bpy.ops.smplit.job_retry(job=job.key) == {"FINISHED"}
    assert bpy.ops.smplit.wait(timeout=240.0) == {"FINISHED"}
    assert bpy.ops.smplit.job_fetch() == {"FINISHED"}
    assert bpy.ops.smplit.wait(timeout=60.0) == {"FINISHED"}
    assert len(armatures()) == 3 and sum(collection.get("smplit_curve") == curve for collection in bpy.data.collections) == 3
    for other in armatures():
        np.testing.assert_array_equal(roots(other), roots(first))


def test_a_saved_file_still_knows_which_walk_belongs_to_which_curve(pump, tmp_path):
    draw("BEZIER", BENDS)
    generate(pump, style="normal", seed=6, strength=1.5)
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "walk.blend"))
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    bpy.ops.wm.open_mainfile(filepath=str(tmp_path / "walk.blend"))
    before = counts()
    bpy.data.objects["Way"].location.y = 3.0
    job, (walker,) = generate(pump, bpy.ops.smplit.update_locomotion, curve="Way")
    assert counts() == before and armatures() == [walker] and abs(roots(walker)[0, 1] - 3.0) < NEAR
    assert job.submit["params"]["seed"] == 6 and job.submit["params"]["strength"] == 1.5


def test_the_panels_choices_reach_the_operator(pump):
    curve, settings = draw("BEZIER", BENDS), bpy.context.scene.smplit_locomotion
    settings.curve, settings.style, settings.strength, settings.use_speed, settings.speed = curve, "normal", 1.5, True, 0.9
    settings.facing, settings.angle, settings.reverse, settings.use_seconds, settings.seconds = "fixed", math.radians(30), True, True, 2.0
    settings.use_start_facing, settings.start_facing = True, math.radians(30)  # as the walk faces: no turn
    settings.seed, settings.samples, settings.steps = 8, 2, 2
    bpy.ops.object.select_all(action="DESELECT")
    chosen = {name: value for name, value in settings.choices().items() if value is not None}
    job, walkers = generate(pump, **chosen)  # in the background no button can be pressed
    params = job.submit["params"]
    expected = {"style": "normal", "strength": 1.5, "reverse": True, "seed": 8, "samples": 2, "steps": 2, "facing": "fixed", "closed": False}
    assert {name: params[name] for name in expected} == expected
    assert params["speed"] == pytest.approx(0.9) and params["seconds"] == 2.0 and params["angle"] == pytest.approx(30)
    assert params["start_facing"] == pytest.approx(30) and "end_facing" not in params
    assert [keys(walker)[-1, 0] - keys(walker)[0, 0] for walker in walkers] == pytest.approx([24 * (2.0 - 1 / 30)] * 2)
    assert np.linalg.norm(roots(walkers[0])[0, :2] - (6, 0)) < 2 * NEAR


def test_the_styles_are_listed_without_a_backend_and_are_those_of_the_network(addon, network):
    from bl_ext.user_default.smplit.operators.locomotion import find_styles
    from bl_ext.user_default.smplit.styles import STYLES

    assert sorted(STYLES) == sorted(network)
    assert find_styles(None, None, "") == list(STYLES) and find_styles(None, None, "NORM") == ["normal"]
    assert find_styles(None, None, "sad:0.4,norm") == ["sad:0.4,normal"]
