# SPDX-License-Identifier: GPL-3.0-or-later
"""The add-on in a real Blender (the bpy wheel), laid out as the extension's zip lays it out.

Tests import it as `bl_ext.user_default.smplit`. Blender's user folder is a temporary one, so nothing of
the machine's own Blender is read or written. A test that needs operators asks for `addon`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
EXTENSION = "bl_ext.user_default.smplit"
PER_FRAME = ("poses", "trans", "expression", "contacts", "joint_confidence", "valid", "frame_times", "camera_R", "camera_t")

sys.path.insert(0, str(ROOT / "tools"))
import build_extension  # noqa: E402

USER_FOLDER = Path(tempfile.mkdtemp(prefix="smplit-blender-"))
os.environ["BLENDER_USER_RESOURCES"] = str(USER_FOLDER)  # before bpy is imported


def _install() -> None:
    home = USER_FOLDER / "extensions" / "user_default" / "smplit"
    shutil.copytree(ROOT / "addon", home, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "blender_manifest.toml", home)
    (home / "smplit").mkdir()
    for module in build_extension.shared_files():
        shutil.copy(module, home / "smplit")
    (home / "body").mkdir()
    shutil.copy(ROOT / "model_files" / "body" / "OPEN_NEUTRAL.npz", home / "body")


_install()
bpy = pytest.importorskip("bpy", reason="these tests run in .venv-blender (python3 tools/dev.py test)")
import addon_utils  # noqa: E402  (comes with bpy)

addon_utils.extensions_refresh()


@pytest.fixture(scope="session")
def addon():
    """The enabled add-on, as the preferences enable it."""
    module = addon_utils.enable(EXTENSION, default_set=True)
    assert module is not None, "the add-on does not register; see the traceback above"
    return module


@pytest.fixture
def empty_file():
    """A file without any data-blocks but one scene, 24 frames a second from frame 1 to 250."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    assert (scene.frame_start, scene.frame_end, scene.render.fps) == (1, 250, 24)
    return scene


@pytest.fixture(scope="session")
def body_file() -> Path:
    """The body that comes with SMPLit."""
    return ROOT / "model_files" / "body" / "OPEN_NEUTRAL.npz"


@pytest.fixture(scope="session")
def backend_python() -> Path:
    """A Python that has the backend's packages."""
    python = Path(os.environ.get("SMPLIT_BACKEND_PYTHON", ROOT / ".venv" / "bin" / "python"))
    if not python.is_file():
        pytest.skip("no backend environment; make it with: python3 tools/dev.py setup")
    return python


@pytest.fixture(scope="session")
def smplx_motion(backend_python, body_file, tmp_path_factory) -> dict[str, np.ndarray]:
    """A random motion (entries of a motion file), and the `vertices` (T,V,3) and `joints` (T,55,3), m, that the
    `smplx` package makes of it: smplx_oracle.py."""
    output = tmp_path_factory.mktemp("oracle") / "oracle.npz"
    subprocess.run([backend_python, Path(__file__).with_name("smplx_oracle.py"), body_file, output], check=True)
    with np.load(output, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


@pytest.fixture
def write(empty_file, body_file):
    """Writes a motion (entries of a motion file) as one person's result and returns the writer.

    `cuts` are (first, last) rows of the chunks in the order they arrive; the header travels with row 0.
    With `end` the result is finished; otherwise more may follow.
    """
    from bl_ext.user_default.smplit.scene.result import ResultWriter

    def write(entries, cuts=None, source="walk.mp4", person=1, writer=None, end=False, **options):
        writer = writer or ResultWriter(source, body_file, **options)
        rows = len(entries["poses"])
        timed = {name for name in PER_FRAME if name in entries}
        for first, last in cuts or [(0, rows)]:
            chunk = {name: np.asarray(entries[name])[first:last] for name in timed}
            if first == 0:
                chunk.update({name: value for name, value in entries.items() if name not in timed})
            writer.add_chunk(person, first, chunk)
        if end:
            writer.finish()
        writer.flush()
        return writer

    return write


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    session.config.smplit_exit_status = int(exitstatus)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config):
    """Blender 4.2 crashes and 4.5 hangs at exit while classes or timers are registered: leave without it."""
    shutil.rmtree(USER_FOLDER, ignore_errors=True)
    shutil.rmtree(bpy.app.tempdir, ignore_errors=True)
    status = getattr(config, "smplit_exit_status", None)
    if status is not None:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
