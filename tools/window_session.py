# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user does, with mouse events, inside the Blender window of `tools/blender_window.py`.

Opens the sidebar's tab. Capture: finds the big button, presses it, waits until the character stands on the
timeline, and presses Select in the jobs list. Walk: draws a curve, presses Generate, watches the keys arrive,
undoes it, edits the curve with Update While Editing on, and cancels a long walk. A generator yields how long to wait
before its next step; a timer drives it. Any failed step ends Blender with exit code 1 and leaves `failed.png`.
"""

import json
import os
import subprocess
import sys
import time
import traceback
from pathlib import Path

import bpy
from mathutils import Vector

SESSION = Path(os.environ["SMPLIT_SESSION"])
VIDEO = os.environ["SMPLIT_VIDEO"]
EXTENSION = "bl_ext.user_default.smplit"
SECONDS = 1.0  # of the video
REPORT = {"blender": bpy.app.version_string, "python": sys.version.split()[0]}


def view():
    """Window, 3D view and its sidebar."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    return window, area, next(region for region in area.regions if region.type == "UI")


def picture(name):
    # Blender's own screenshot is black under Xvfb with software rendering.
    subprocess.run(["import", "-window", "root", str(SESSION / f"{name}.png")], check=True)


def wait_for(condition, what, limit=60.0):
    began = time.time()
    while not condition():
        assert time.time() - began < limit, f"{what}: not within {limit:.0f} s"
        yield 0.2


def move(x, y):
    window = view()[0]
    for step in (-3, 0):
        window.event_simulate(type="MOUSEMOVE", value="NOTHING", x=x + step, y=y)
        yield 0.02


def key(letter, x, y):
    window = view()[0]
    for value in ("PRESS", "RELEASE"):
        window.event_simulate(type=letter, value=value, x=x, y=y, ctrl=True)
        yield 0.02


def click(x, y):
    window = view()[0]
    yield from move(x, y)
    for value in ("PRESS", "RELEASE"):
        window.event_simulate(type="LEFTMOUSE", value=value, x=x, y=y)
        yield 0.1


def find_button(operator, across, found):
    """Looks for an operator's button down the sidebar: Ctrl C over a button copies its Python call."""
    _, _, sidebar = view()
    x = sidebar.x + int(sidebar.width * across)
    for y in range(sidebar.y + sidebar.height - 30, sidebar.y + 40, -16):  # buttons are 20 high
        bpy.context.window_manager.clipboard = ""
        yield from move(x, y)
        yield from key("C", x, y)
        if operator in bpy.context.window_manager.clipboard:
            found.append((x, y))
            return
    raise AssertionError(f"the sidebar shows no button for {operator}")


def timed(function, calls):
    """A function that notes of each call: when it began, how long it took, and how much of that it computed (s)."""
    def call(*arguments):
        began, began_cpu = time.perf_counter(), time.thread_time()
        try:
            return function(*arguments)
        finally:
            calls.append((began, time.perf_counter() - began, time.thread_time() - began_cpu))

    return call


def tick_figures(ticks, undos):
    """ms for which Blender's interface waits for us. The undo step at a result's end is Blender's own and stands apart.
    On a busy machine the clock counts what other programs do as well, the CPU time does not."""
    (undo_began, undo_wall, undo_cpu), = undos
    wall, cpu = (
        [1e3 * (tick[part] - (took if tick[0] <= undo_began < tick[0] + tick[1] else 0.0)) for tick in ticks]
        for part, took in ((1, undo_wall), (2, undo_cpu))
    )
    return {
        "ticks": len(ticks), "longest": round(max(wall), 1), "over_30": sum(tick > 30.0 for tick in wall),
        "longest_cpu": round(max(cpu), 1), "over_30_cpu": sum(tick > 30.0 for tick in cpu), "undo_step": round(1e3 * undo_wall, 1),
    }


def session():
    bpy.context.preferences.view.smooth_view = 0
    for thing in list(bpy.data.objects):  # the default cube would stand where the person stands
        bpy.data.objects.remove(thing)
    _, area, sidebar = view()
    area.spaces.active.show_region_ui = True
    yield 0.5  # the tab can be chosen after a first draw only
    sidebar.active_panel_category = "SMPLit"
    area.tag_redraw()
    yield 0.5
    assert sidebar.active_panel_category == "SMPLit"
    picture("1-first-use")
    chosen = bpy.context.preferences.addons[EXTENSION].preferences
    chosen.source, chosen.connection_file = "RUNNING", str(SESSION / "connection.json")
    for part in os.environ["SMPLIT_PARTS"].split():
        yield from {"capture": capture, "walk": walk}[part]()


def capture():
    from bl_ext.user_default.smplit.bridge import pump
    from bl_ext.user_default.smplit.scene import result

    area = view()[1]
    settings = bpy.context.scene.smplit_capture
    settings.videos.add().path = VIDEO
    settings.use_range, settings.range_start, settings.range_end = True, 0.0, SECONDS
    area.tag_redraw()
    yield 0.5
    picture("2-ready")

    ticks, undos = [], []
    untimed = pump.pump, result._push_undo
    pump.pump, result._push_undo = timed(pump.pump, ticks), timed(result._push_undo, undos)
    found = []
    yield from find_button("smplit.capture_video", 0.5, found)
    yield from click(*found[0])
    yield from wait_for(lambda: len(pump.BACKEND.jobs) == 1, "the press becomes a job")
    job = next(iter(pump.BACKEND.jobs))
    yield from wait_for(lambda: job.fraction or not job.open, "progress", 120.0)
    picture("3-running")
    yield from wait_for(lambda: not pump.is_unfinished(job), "the capture ends", 420.0)
    pump.pump, result._push_undo = untimed
    assert job.state == "done", f"{job.state}: {job.message} {job.remedy}"
    yield 0.5

    armature = next(thing for thing in bpy.data.objects if thing.type == "ARMATURE")
    first, last = armature.animation_data.action.frame_range
    scene = bpy.context.scene
    covered = (last - first) * scene.render.fps_base / scene.render.fps
    REPORT["tick_ms"] = tick_figures(ticks, undos)
    REPORT.update(armature=armature.name, bones=len(armature.data.bones), seconds=round(covered, 3), job=job.summary(), warnings=job.warnings)
    assert len(armature.data.bones) == 55 and covered > 0.7 * SECONDS

    found.clear()
    yield from find_button("smplit.job_select", 0.62, found)
    yield from click(*found[0])
    yield from wait_for(lambda: bpy.context.view_layer.objects.active == armature, "Select makes the character active")
    scene.frame_set(int((first + last) / 2))
    yield 1.0
    picture("4-captured")


def keys_of_root(armature):
    """[(x, y)] of the pelvis in the world at every key; armatures of walks stand upright."""
    from bl_ext.user_default.smplit.scene.actions import assigned_curves

    curves = sorted((c for c in assigned_curves(armature) if c.data_path == 'pose.bones["pelvis"].location'), key=lambda c: c.array_index)
    rest = armature.matrix_world @ armature.data.bones["pelvis"].matrix_local
    if len(curves) < 3:
        return []
    columns = [[point.co[1] for point in curve.keyframe_points] for curve in curves]
    return [(rest @ Vector(place)).xy for place in zip(*columns, strict=False)]


def draw_line(name, *points):
    data = bpy.data.curves.new(name, "CURVE")
    spline = data.splines.new("POLY")
    spline.points.add(len(points) - 1)
    for point, place in zip(spline.points, points, strict=True):
        point.co = (*place, 0.0, 1.0)
    curve = bpy.data.objects.new(name, data)
    bpy.context.scene.collection.objects.link(curve)
    bpy.context.view_layer.update()
    for other in bpy.context.view_layer.objects:
        other.select_set(other == curve)
    bpy.context.view_layer.objects.active = curve
    with bpy.context.temp_override(window=view()[0]):
        bpy.ops.ed.undo_push(message=f"Draw {name}")
    return curve


def walkers():
    return [thing for thing in bpy.data.objects if thing.type == "ARMATURE" and thing.name.startswith("Way")]


def walk():
    from bl_ext.user_default.smplit.bridge import pump

    settings = bpy.context.scene.smplit_locomotion
    draw_line("Way", (-10.0, 0.0), (10.0, 0.0))
    yield 0.5
    found, counts, report = [], [], {}
    yield from find_button("smplit.generate_locomotion", 0.3, found)
    picture("5-walk-ready")
    for attempt in ("cold", "warm"):
        counts.clear()
        began, first = time.time(), None
        yield from click(*found[0])
        yield from wait_for(lambda: any(job.kind == "loco" for job in pump.BACKEND.jobs), "the press becomes a job")
        job = list(pump.BACKEND.jobs)[-1]
        while pump.is_unfinished(job):
            assert time.time() - began < 120.0, "the walk does not end"
            rows = max((len(keys_of_root(thing)) for thing in walkers()), default=0)
            if rows and rows not in counts:
                first = first or time.time() - began
                counts.append(rows)
            yield 0.01
        assert job.state == "done", f"{job.state}: {job.message} {job.remedy}"
        (walker,) = walkers()
        places = keys_of_root(walker)
        off = [abs(place.y) for place in places]
        assert len(counts) > 1 and max(off) < 0.08 and sum(off) / len(off) < 0.03, (counts, max(off))
        report[attempt] = {
            "first_keys_ms": round(1e3 * first), "keys": counts[:3] + counts[-1:],
            "off_curve_cm": [round(100 * max(off), 1), round(100 * sum(off) / len(off), 1)],
        }
        bpy.context.scene.frame_set(bpy.context.scene.frame_end // 2)
        yield 0.5
        picture(f"6-walk-{attempt}")
        _, area, _ = view()
        yield from move(area.x + area.width // 3, area.y + area.height // 3)
        yield from key("Z", area.x + area.width // 3, area.y + area.height // 3)
        yield from wait_for(lambda: not walkers(), "Ctrl Z takes the walk out")
        assert "Way" in bpy.data.objects
    yield from click(*found[0])
    yield from wait_for(lambda: walkers() and not pump.unfinished(), "a walk to be updated", 60.0)

    settings = bpy.context.scene.smplit_locomotion
    settings.live = True
    for shift in (1.0, 2.0):
        bpy.data.objects["Way"].location.y = shift
        yield from wait_for(
            lambda y=shift: not pump.unfinished() and [abs(keys_of_root(w)[-1].y - y) < 0.08 for w in walkers()] == [True], "live", 60.0,
        )
    jobs = len(pump.BACKEND.jobs)
    yield 2.0
    assert not pump.unfinished() and len(pump.BACKEND.jobs) == jobs, "it never asks for itself"
    picture("7-walk-updated")
    settings.live = False

    draw_line("Way too long", (0.0, 4.0), (300.0, 4.0))
    yield 0.5
    yield from click(*found[0])
    long = lambda: next((thing for thing in walkers() if thing.name.startswith("Way too long")), None)
    yield from wait_for(lambda: long() and len(keys_of_root(long())) > 60, "a long walk begins", 60.0)
    bpy.ops.smplit.cancel_job()
    yield from wait_for(lambda: not pump.unfinished(), "the cancel", 120.0)
    report["kept_keys"] = len(keys_of_root(long()))
    assert 60 < report["kept_keys"] < 3000 and len(long().children) == 1
    picture("8-walk-cancelled")
    REPORT["walk"] = report


bpy.context.preferences.view.show_splash = False  # before the first draw: it would eat the first click
STEPS = session()


def step():
    try:
        return next(STEPS)
    except StopIteration:
        (SESSION / "report.json").write_text(json.dumps(REPORT), "utf-8")
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        picture("failed")
        sys.stderr.flush()
        os._exit(1)


bpy.app.timers.register(step, first_interval=1.0)
