# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture from Video through operators and the real backend, and what happens when something is killed."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
EXTENSION = "bl_ext.user_default.smplit"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@dataclass(frozen=True)
class Clip:
    """A video, the part of it to capture and what is known of that part."""

    path: Path
    seconds: float
    fps: float
    knee: float  # degrees that the left knee bends at least


@pytest.fixture(scope="module")
def clip(backend_python) -> Clip:
    squats = ROOT.parent / "shared" / "videos" / "squats_5fps_portrait.mp4"
    if squats.is_file():
        return Clip(squats, 2.0, 5.0, 20.0)
    # Elsewhere the demo's sample, of two walkers.
    program = "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import demo; print(demo.sample_clip(demo.SAMPLES[0], pathlib.Path(sys.argv[2])))"
    run = subprocess.run([backend_python, "-c", program, ROOT / "tools", ROOT / "out" / "sample"], capture_output=True, text=True, check=False)
    if run.returncode:
        pytest.skip(f"needs ../shared/videos or the demo's sample: {(run.stderr.strip().splitlines() or ['?'])[-1]}")
    path = Path(run.stdout.splitlines()[-1])
    probe = "import sys; from smplit.video.decode import VideoReader; print(VideoReader(sys.argv[1]).__enter__().info.fps)"
    fps = float(subprocess.run([backend_python, "-c", probe, path], capture_output=True, text=True, check=True).stdout)
    return Clip(path, 0.6, fps, 2.0)


@pytest.fixture
def pump(addon, empty_file, backend_python):
    """The add-on with a backend chosen; it is stopped afterwards and its jobs are forgotten."""
    from bl_ext.user_default.smplit.bridge import pump

    preferences = bpy.context.preferences.addons[EXTENSION].preferences
    preferences.source, preferences.python, preferences.device = "PYTHON", str(backend_python), "cpu"
    yield pump
    pump.BACKEND.stop()
    for job in pump.BACKEND.jobs:
        pump.BACKEND.jobs.remove(job)
    preferences.source, preferences.python = "OWN", ""


def capture(pump, clip, seconds=None, **options):
    """Presses the button; returns the job."""
    assert bpy.ops.smplit.capture_video(filepath=str(clip.path), range=f"0:{seconds or clip.seconds}", people="largest", **options) == {"FINISHED"}
    return pump.BACKEND.jobs.find(bpy.context.window_manager.smplit_last_job)


def pump_until(pump, condition, seconds=240.0):
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < seconds, f"not within {seconds} s"
        pump.pump()
        time.sleep(0.005)  # busy or not: threads that read need a turn, as they have it while the interface draws


def family(pid: int) -> list[int]:
    """A process and everything below it (psutil is not in Blender's environment)."""
    found = [pid]
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((process / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        if parent == pid:
            found += family(int(process.name))
    return found


def alive(pids: list[int]) -> list[int]:
    def runs(pid):
        try:
            return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        except OSError:
            return False

    return [pid for pid in pids if runs(pid)]


def gone(pids: list[int], seconds=60.0) -> bool:
    began = time.monotonic()
    while alive(pids) and time.monotonic() - began < seconds:
        time.sleep(0.1)
    return not alive(pids)


def scene_contents() -> dict[str, int]:
    kinds = ("objects", "armatures", "meshes", "actions", "collections", "cameras")
    return {kind: len(getattr(bpy.data, kind)) for kind in kinds}


def test_a_captured_person_stands_on_the_timeline_for_as_long_as_in_the_video(pump, clip):
    job = capture(pump, clip)
    assert job.summary() == "waits for the backend"
    assert bpy.ops.smplit.wait(job=job.key, timeout=600.0) == {"FINISHED"}
    assert job.state == "done" and job.results == 1 and not job.warnings

    armatures = pump.armatures_of(job)
    assert len(armatures) == 1 and len(armatures[0].data.bones) == 55
    first, last = armatures[0].animation_data.action.frame_range
    scene = bpy.context.scene
    assert first == scene.frame_start
    assert (last - first) / scene.render.fps == pytest.approx(clip.seconds, abs=1.6 / clip.fps)  # from the first frame to the last
    body = next(child for child in armatures[0].children if child.type == "MESH")
    assert len(body.data.shape_keys.key_blocks) > 10
    assert scene.camera is not None or any(thing.type == "CAMERA" for thing in bpy.data.objects)
    # The person moves.
    knee = armatures[0].pose.bones["left_knee"]
    angles = []
    for frame in range(int(first), int(last) + 1):
        scene.frame_set(frame)
        angles.append(knee.matrix_basis.to_quaternion().angle)
    assert np.ptp(np.degrees(angles)) > clip.knee

    # Selecting, and the same results once more.
    assert bpy.ops.smplit.job_select(job=job.key) == {"FINISHED"} and bpy.context.view_layer.objects.active == armatures[0]
    assert bpy.ops.smplit.job_fetch(job=job.key) == {"FINISHED"}
    assert bpy.ops.smplit.wait(job=job.key, timeout=60.0) == {"FINISHED"}
    again = pump.armatures_of(job)
    assert len(again) == 2
    keys = [[curve.evaluate(first + 5) for curve in _curves(armature)] for armature in again]
    assert np.allclose(*keys, atol=1e-5)


def _curves(armature):
    action = armature.animation_data.action
    if not hasattr(action, "slots"):
        return list(action.fcurves)
    return list(action.layers[0].strips[0].channelbag(action.slots[0]).fcurves)


def test_results_of_an_earlier_session_can_be_brought_into_an_empty_file(pump, clip):
    capture(pump, clip, fit=False)
    assert bpy.ops.smplit.wait(timeout=600.0) == {"FINISHED"}
    bpy.ops.smplit.backend_stop()
    for job in pump.BACKEND.jobs:  # as if Blender had been closed
        pump.BACKEND.jobs._jobs.remove(job)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert bpy.ops.smplit.backend_start() == {"FINISHED"}
    pump_until(pump, lambda: len(pump.BACKEND.jobs) > 0)
    job = list(pump.BACKEND.jobs)[-1]
    assert job.title == clip.path.name and job.results == 1
    assert bpy.ops.smplit.job_fetch(job=job.key) == {"FINISHED"}
    assert bpy.ops.smplit.wait(job=job.key, timeout=60.0) == {"FINISHED"}
    assert len(pump.armatures_of(job)) == 1


def test_killing_the_backend_mid_job_says_what_to_do_and_the_next_job_runs(pump, clip):
    before = scene_contents()
    job = capture(pump, clip)
    pump_until(pump, lambda: job.fraction)
    processes = family(pump.BACKEND.pid)
    os.kill(pump.BACKEND.pid, signal.SIGKILL)
    with pytest.raises(RuntimeError, match="killed"):
        bpy.ops.smplit.wait(job=job.key, timeout=60.0)
    assert job.state == "failed" and "Retry" in job.remedy
    pump_until(pump, lambda: not pump.is_unfinished(job))
    assert scene_contents() == before and gone(processes)

    assert bpy.ops.smplit.job_retry(job=job.key) == {"FINISHED"}  # the backend comes back by itself
    assert bpy.ops.smplit.wait(timeout=600.0) == {"FINISHED"}
    assert len(bpy.data.armatures) == 1


def test_killing_the_worker_mid_job_fails_that_job_alone(pump, clip):
    job = capture(pump, clip)
    pump_until(pump, lambda: job.fraction)
    backend = pump.BACKEND.pid
    for pid in family(backend)[1:]:
        os.kill(pid, signal.SIGKILL)
    with pytest.raises(RuntimeError):
        bpy.ops.smplit.wait(job=job.key, timeout=60.0)
    assert job.state == "failed" and job.message and job.remedy and pump.BACKEND.pid == backend
    following = capture(pump, clip, fit=False)
    assert bpy.ops.smplit.wait(job=following.key, timeout=600.0) == {"FINISHED"}


def test_a_cancelled_job_leaves_nothing_in_the_scene_and_the_backend_goes_on(pump, clip):
    before = scene_contents()
    job, waiting = capture(pump, clip, seconds=10.0), capture(pump, clip, seconds=10.0)
    pump_until(pump, lambda: job.fraction)
    backend = pump.BACKEND.pid
    assert bpy.ops.smplit.cancel_job(job=waiting.key) == {"FINISHED"}
    assert bpy.ops.smplit.cancel_job(job=job.key) == {"FINISHED"}
    pump_until(pump, lambda: not pump.unfinished())
    assert job.state == waiting.state == "cancelled" and scene_contents() == before
    assert pump.BACKEND.pid == backend and pump.BACKEND.state == "ready"


def test_opening_another_file_loses_nothing(pump, clip):
    job = capture(pump, clip, fit=False)
    pump_until(pump, lambda: job.fraction)
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    assert bpy.ops.smplit.wait(job=job.key, timeout=600.0) == {"FINISHED"}
    assert not bpy.data.armatures  # it belongs to the file that was closed
    assert bpy.ops.smplit.job_fetch(job=job.key) == {"FINISHED"}
    assert bpy.ops.smplit.wait(job=job.key, timeout=60.0) == {"FINISHED"}
    assert len(pump.armatures_of(job)) == 1


def test_when_blender_is_killed_no_process_is_left(addon, backend_python, clip, tmp_path):
    program = textwrap.dedent("""
        import sys, time, bpy, addon_utils
        addon_utils.extensions_refresh()
        addon_utils.enable("bl_ext.user_default.smplit", default_set=True)
        from bl_ext.user_default.smplit.bridge import pump
        preferences = bpy.context.preferences.addons["bl_ext.user_default.smplit"].preferences
        preferences.source, preferences.python, preferences.device = "PYTHON", sys.argv[1], "cpu"
        bpy.ops.smplit.capture_video(filepath=sys.argv[2], range="0:10")
        job = list(pump.BACKEND.jobs)[-1]
        while not job.fraction:
            pump.pump()
            time.sleep(0.02)
        print("BACKEND", pump.BACKEND.pid, flush=True)
        time.sleep(600)
    """)
    with subprocess.Popen([sys.executable, "-c", program, backend_python, clip.path], stdout=subprocess.PIPE, text=True) as blender:
        try:
            line = next(line for line in blender.stdout if line.startswith("BACKEND"))
            processes = family(int(line.split()[1]))
            assert len(processes) >= 2  # server and worker
        finally:
            blender.kill()
        assert gone(processes), f"left behind: {alive(processes)}"
