# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo's capture, inside headless Blender: `demo_capture.py OUTPUT PYTHON VIDEO...` with a bpy wheel's Python.

The real add-on and its real backend, through operators; saves OUTPUT/demo.blend and prints one JSON object as
its last line. The add-on's files are laid out as the extension's zip lays them out; Blender's user folder is
BLENDER_USER_RESOURCES, which the caller sets to a folder of the demo.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from pathlib import Path

import bpy
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent))
import build_extension

ROOT = build_extension.ROOT
EXTENSION = "bl_ext.user_default.smplit"
_LIMIT = 1800.0  # s for one video
_ASIDE = 4.0  # m between the people of two videos


def say(text: str) -> None:
    print(f"[demo] {text}", flush=True)


def enable_addon(python: Path):
    """Installs the checkout's add-on into the demo's user folder, chooses `python` as backend; returns its bridge."""
    import addon_utils

    home = Path(os.environ["BLENDER_USER_RESOURCES"]) / "extensions" / "user_default" / "smplit"
    shutil.copytree(ROOT / "addon", home, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "blender_manifest.toml", home)
    for folder, files in (("smplit", build_extension.shared_files()), ("body", [build_extension.BODY])):
        (home / folder).mkdir()
        for file in files:
            shutil.copy(file, home / folder)
    addon_utils.extensions_refresh()
    if addon_utils.enable(EXTENSION, default_set=True) is None:
        raise SystemExit("The add-on does not register; see the traceback above.")
    chosen = bpy.context.preferences.addons[EXTENSION].preferences
    chosen.source, chosen.python = "PYTHON", str(python)
    from bl_ext.user_default.smplit.bridge import pump

    return pump


def capture(output: Path, python: Path, videos: list[Path]) -> dict:
    """Captures the videos as a user's script would, one after the other into one scene; saves `output`/demo.blend
    and the motion files."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    scene.render.fps = 30
    pump = enable_addon(python)
    from bl_ext.user_default.smplit import preferences

    clips = {}
    try:
        began = time.monotonic()
        bpy.ops.smplit.backend_start()
        started = time.monotonic() - began
        for number, video in enumerate(videos):
            before = set(bpy.data.objects)
            began = time.monotonic()
            bpy.ops.smplit.capture_video(filepath=str(video))
            job = pump.BACKEND.jobs.find(bpy.context.window_manager.smplit_last_job)
            with Spoken(job):
                bpy.ops.smplit.wait(job=job.key, timeout=_LIMIT)
            results = preferences.user_folder() / "jobs" / job.id / "results" / "0"
            clips[video.stem] = {
                "capture_s": time.monotonic() - began, "warnings": job.warnings,
                "files": [Path(shutil.copy(file, output)).name for file in sorted(results.glob("*.npz"))],
            }
            for thing in set(bpy.data.objects) - before:  # every video begins at the world's origin: beside each other, then
                if thing.parent is None:
                    thing.delta_location.x += number * _ASIDE
        scene.frame_end = max(int(np.ceil(action.frame_range[1])) for action in bpy.data.actions)
        bpy.ops.wm.save_as_mainfile(filepath=str(output / "demo.blend"), compress=True, relative_remap=True)
        return {"clips": clips, "device": pump.device(), "backend_start_s": started}
    finally:
        if bpy.ops.smplit.backend_stop.poll():
            bpy.ops.smplit.backend_stop()


class Spoken:
    """Says how far a job is, now and then: `wait` itself is silent."""

    def __init__(self, job) -> None:
        self._job, self._end = job, threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def _work(self) -> None:
        while not self._end.wait(5.0):
            say(f"{self._job.title}: {self._job.summary()}")

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error) -> None:
        self._end.set()
        self._thread.join()


def main() -> None:
    output, python, *videos = map(Path, sys.argv[1:])
    try:
        print(json.dumps(capture(output, python, videos)), flush=True)
        status = 0
    except RuntimeError as error:  # an operator's own words
        say(str(error).removeprefix("Error: ").strip())
        status = 1
    sys.stdout.flush()
    os._exit(status)  # Blender 4.5 hangs at exit while an add-on is registered


if __name__ == "__main__":
    main()
