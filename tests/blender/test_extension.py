# SPDX-License-Identifier: GPL-3.0-or-later
"""The zip that users install: built, checked by Blender's own tool, installed, enabled and disabled."""

import json
import os
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import bpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
OPERATORS = {
    "backend_start", "backend_stop", "backend_install", "capture_video", "cancel_job", "wait", "import_motion", "export_motion",
    "run_difftraj", "generate_locomotion", "update_locomotion",
}

# Runs in a Blender of its own: what enabling and disabling leaves is seen best in a fresh one.
ENABLE_AND_DISABLE = """
import json, os, pathlib, subprocess, sys, threading
import bpy
path = list(sys.path)
bpy.ops.extensions.package_install_files(filepath=sys.argv[1], repo="user_default", enable_on_install=True)
name = "bl_ext.user_default.smplit"
said = {"operators": dir(bpy.ops.smplit), "poll": bpy.ops.smplit.capture_video.poll()}
try:
    bpy.ops.smplit.backend_start()
except RuntimeError as error:
    said["problem"] = str(error)
# This environment has a pyzmq of its own, a user's Blender has not: the one from the zip has to work alone.
unpacked = next(pathlib.Path(sys.argv[2], "extensions", ".local").rglob("zmq/__init__.py")).parents[1]
program = f"import sys; sys.path.insert(0, {str(unpacked)!r}); import zmq; print(zmq.__version__, len(zmq.curve_keypair()[0]))"
said["zmq"] = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True).stdout.split()
said["ours_on_path"] = [entry for entry in sys.path if entry not in path and "smplit" in entry.replace(sys.argv[2], "")]
lists = [getattr(bpy.app.handlers, event) for event in ("undo_post", "redo_post", "load_post", "depsgraph_update_post")]
handlers = lambda: [f for functions in lists for f in functions if f.__module__.startswith(name)]
said["handlers"] = len(handlers())
pump = sys.modules[name + ".bridge.pump"]
bpy.ops.preferences.addon_disable(module=name)
said["left"] = {
    "operators": dir(bpy.ops.smplit), "handlers": len(handlers()), "timer": bpy.app.timers.is_registered(pump._tick),
    "threads": [t.name for t in threading.enumerate() if "smplit" in t.name],
    "properties": [p for t in (bpy.types.Scene, bpy.types.WindowManager) for p in dir(t) if p.startswith("smplit")],
    "classes": [c for c in dir(bpy.types) if c.startswith("SMPLIT")],
}
bpy.ops.preferences.addon_enable(module=name)
said["again"] = dir(bpy.ops.smplit)
bpy.ops.preferences.addon_disable(module=name)
print("SAID" + json.dumps(said), flush=True)
os._exit(0)
"""


@pytest.fixture(scope="module")
def extension(backend_python, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("extension")
    run = subprocess.run([backend_python, ROOT / "tools" / "build_extension.py", "-o", folder], capture_output=True, text=True, check=False)
    if run.returncode and "pyzmq" in run.stderr:
        pytest.skip(f"the wheels for the zip cannot be downloaded: {run.stderr.strip().splitlines()[-1]}")
    assert run.returncode == 0, run.stderr
    return next(folder.glob("smplit-*.zip"))


def test_blenders_own_tool_finds_nothing_wrong_with_the_zip(extension):
    tool = Path(bpy.utils.system_resource("SCRIPTS"), "addons_core", "bl_pkg", "cli", "blender_ext.py")
    run = subprocess.run([sys.executable, tool, "validate", extension], capture_output=True, text=True, check=False)
    assert run.returncode == 0 and "Success" in run.stdout, run.stdout + run.stderr


def test_the_zip_holds_a_wheel_for_every_blender_python_and_platform(extension):
    with zipfile.ZipFile(extension) as archive:
        manifest = tomllib.loads(archive.read("blender_manifest.toml").decode())
        names = set(archive.namelist())
    wheels = [wheel.removeprefix("./") for wheel in manifest["wheels"]]
    assert set(wheels) <= names
    for python in ("cp311-cp311", "cp313-cp313"):
        for platform in ("manylinux", "win_amd64", "macosx_10_15_universal2"):
            assert sum(python in wheel and platform in wheel for wheel in wheels) == 1, (python, platform)
    assert "body/OPEN_NEUTRAL.npz" in names and "backend/requirements.lock" in names


def test_the_backend_in_the_zip_is_the_one_of_this_checkout(extension, tmp_path):
    with zipfile.ZipFile(extension) as archive:
        wheel = next(name for name in archive.namelist() if name.startswith("backend/smplit-"))
        archive.extract(wheel, tmp_path)
        shared = archive.read("smplit/protocol.py")
    with zipfile.ZipFile(tmp_path / wheel) as archive:
        assert archive.read("smplit/protocol.py") == shared == (ROOT / "backend" / "smplit" / "protocol.py").read_bytes()
        assert archive.read("smplit/model_files/body/OPEN_NEUTRAL.npz") == (ROOT / "model_files" / "body" / "OPEN_NEUTRAL.npz").read_bytes()


def test_the_installed_zip_enables_says_what_is_missing_and_leaves_nothing_behind(extension, tmp_path):
    environment = {**os.environ, "BLENDER_USER_RESOURCES": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", ENABLE_AND_DISABLE, extension, tmp_path], env=environment, capture_output=True, text=True, timeout=120, check=False,
    )
    line = next((line for line in run.stdout.splitlines() if line.startswith("SAID")), None)
    assert line is not None, run.stdout + run.stderr
    said = json.loads(line[4:])
    assert set(said["operators"]) >= OPERATORS and set(said["again"]) >= OPERATORS
    assert not said["poll"] and "Set up the backend" in said["problem"]
    assert said["zmq"] == ["26.4.0", "40"]
    assert said["handlers"] == 7 and said["ours_on_path"] == []
    assert said["left"] == {"operators": [], "handlers": 0, "timer": False, "threads": [], "properties": [], "classes": []}
