# SPDX-License-Identifier: GPL-3.0-or-later
"""The set-up, for real but small: every package is a stand-in of one line, taken from a folder."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from addon.bridge import install
from addon.bridge.install import Installer, Recipe, check_python, environment_python, installed_version, pins_of, torch_attempts

MODULES = ("torch", "cv2", "av", "onnxruntime", "zmq", "smplx")


def stand_in(folder: Path, name: str, version: str = "1.0", requires: str = "") -> Path:
    """A wheel with one module."""
    wheel = folder / f"{name}-{version}-py3-none-any.whl"
    information = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + (f"Requires-Dist: {requires}\n" if requires else "")
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"{name}.py", f"__version__ = {version!r}\n")
        archive.writestr(f"{information}/METADATA", metadata)
        archive.writestr(f"{information}/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{information}/RECORD", f"{name}.py,,\n{information}/METADATA,,\n{information}/WHEEL,,\n{information}/RECORD,,\n")
    return wheel


@pytest.fixture
def recipe(tmp_path):
    packages = tmp_path / "packages"
    packages.mkdir()
    for name in MODULES:
        stand_in(packages, name, requires="nvidia-everything" if name == "torch" else "")
    lock = tmp_path / "requirements.lock"
    lock.write_text("# exact versions\n" + "".join(f"{name}==1.0\n" for name in MODULES))
    wheel = stand_in(tmp_path, "smplit", "7.1")
    return Recipe(Path(sys.executable), tmp_path / "user", wheel, lock, "7.1", packages)


def finish(recipe):
    installer = Installer(recipe)
    installer.join(180)
    return installer


def test_a_set_up_makes_an_environment_that_counts_only_when_it_is_whole(recipe):
    (recipe.packages / "smplx-1.0-py3-none-any.whl").rename(recipe.packages / "kept-back")
    failed = finish(recipe)
    assert failed.state == "failed" and "smplx" in failed.problem and str(recipe.log) in failed.remedy
    assert installed_version(recipe.folder) is None
    assert "smplx" in failed.details()

    (recipe.packages / "kept-back").rename(recipe.packages / "smplx-1.0-py3-none-any.whl")
    again = finish(recipe)
    assert (again.state, again.fraction, again.problem) == ("done", 1.0, "")
    assert installed_version(recipe.folder) == "7.1"
    assert check_python(environment_python(recipe.environment)) == ("7.1", "")


def test_a_stopped_set_up_says_how_to_go_on_and_leaves_no_process(recipe, wait_until):
    installer = Installer(recipe)
    wait_until(lambda: installer._child is not None)
    child = installer._child
    installer.cancel()
    assert installer.state == "cancelled" and "Set Up" in installer.remedy
    assert child.poll() is not None and installed_version(recipe.folder) is None


def test_a_folder_that_cannot_be_written_is_named(recipe, tmp_path):
    (tmp_path / "file").write_text("in the way")
    blocked = Recipe(recipe.python, tmp_path / "file" / "user", recipe.wheel, recipe.lock, recipe.version, recipe.packages)
    failed = finish(blocked)
    assert failed.state == "failed" and "file" in failed.problem


def test_without_a_card_no_attempt_may_bring_the_cuda_build(tmp_path):
    for attempt in torch_attempts("torch==2.13.0", None, cpu_only=True):
        assert "--no-deps" in attempt and ("torch==2.13.0+cpu" in attempt or install.PYTORCH_CPU_INDEX in attempt)
    assert torch_attempts("torch==2.13.0", None, cpu_only=False) == [["torch==2.13.0"]]
    assert all("--no-index" in attempt for attempt in torch_attempts("torch==2.13.0", tmp_path, cpu_only=True))


def test_the_lock_of_the_repository_pins_every_package_exactly():
    pins = pins_of(Path(__file__).resolve().parents[2] / "requirements.lock")
    assert any(pin.startswith("torch==") for pin in pins)
    assert all("==" in pin and " " not in pin for pin in pins)


def test_a_python_without_smplit_is_told_apart_from_no_python(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    assert "has no SMPLit" in check_python(environment_python(tmp_path / "bare"))[1]
    assert "is not a file" in check_python(tmp_path / "nowhere" / "python")[1]
