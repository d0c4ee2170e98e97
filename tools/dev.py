# SPDX-License-Identifier: GPL-3.0-or-later
"""From a clean checkout to a running SMPLit: `python3 tools/dev.py demo`, `test` or `setup`.

Needs only Python 3.11+ and the package registries. Makes `.venv` (the backend) and `.venv-blender`
(a bpy wheel; apart on purpose, as users have Blender apart). Re-runs start in seconds: an
environment is made again only when its lock changes.
"""

from __future__ import annotations

import argparse
import ctypes
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
OUT = ROOT / "out"
LOCK = ROOT / "requirements.lock"
DEVELOPMENT_LOCK = ROOT / "tools" / "requirements-dev.lock"
BACKEND = ROOT / ".venv"
# The bpy wheel of each Python that has one; the first environment is the one the demo uses.
BLENDER_LANES = {(3, 11): ("4.5.15", "4.2.23", "5.0.1"), (3, 13): ("5.2.3",)}
BLENDER_EXTRAS = ("pyzmq==26.4.0", "pytest==9.2.0", "pytest-timeout==2.4.0", "pillow==13.0.0")
PYTORCH_CPU_INDEX = "https://download.pytorch.org/whl/cpu"
# What opencv and bpy open at run time, and the Debian packages that hold it.
SYSTEM_LIBRARIES = {
    "libGL.so.1": "libgl1", "libEGL.so.1": "libegl1", "libX11.so.6": "libx11-6", "libXi.so.6": "libxi6",
    "libXfixes.so.3": "libxfixes3", "libXrender.so.1": "libxrender1", "libxkbcommon.so.0": "libxkbcommon0",
    "libSM.so.6": "libsm6", "libICE.so.6": "libice6", "libXxf86vm.so.1": "libxxf86vm1", "libgomp.so.1": "libgomp1",
    "libglib-2.0.so.0": "libglib2.0-0", "libgbm.so.1": "libgbm1",
}
ALWAYS_WITH_THEM = ("libgl1-mesa-dri",)  # the software renderer has no library of its own to look for


def say(text: str) -> None:
    print(f"[dev] {text}", flush=True)


def run(command: list[str | Path], **options) -> None:
    subprocess.run([str(part) for part in command], check=True, **options)


def python_of(environment: Path) -> Path:
    return environment / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def ensure_system_libraries() -> None:
    """Installs missing Debian packages when run as root there; elsewhere says what is missing."""
    if platform.system() != "Linux":
        return
    missing = [package for library, package in SYSTEM_LIBRARIES.items() if not _loads(library)]
    if not missing:
        return
    packages = sorted({*missing, *ALWAYS_WITH_THEM})
    if shutil.which("apt-get") and os.geteuid() == 0:
        say(f"installing system libraries: {' '.join(packages)}")
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run(["apt-get", "update", "-qq"], env=quiet)
        run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages], env=quiet, stdout=subprocess.DEVNULL)
    else:
        say(f"system libraries are missing; on Debian or Ubuntu: sudo apt-get install {' '.join(packages)}")


def _loads(library: str) -> bool:
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def make_environment(folder: Path, key: str, install) -> None:
    """A virtual environment at `folder`, made again when `key` differs from the one it was made with."""
    stamp = folder / "smplit-lock"
    digest = hashlib.sha256(f"{key}|{sys.version_info[:2]}|{folder}".encode()).hexdigest()
    if stamp.is_file() and stamp.read_text() == digest and python_of(folder).exists():
        return
    say(f"making {folder.name} (once; later runs reuse it)")
    shutil.rmtree(folder, ignore_errors=True)
    run([sys.executable, "-m", "venv", folder])
    install(python_of(folder))
    stamp.write_text(digest)


def pip(python: Path, *arguments: str | Path) -> None:
    run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments])


def install_torch(python: Path, requirement: str) -> None:
    """The CPU build where there is no NVIDIA card, so that gigabytes of CUDA stay out."""
    if platform.system() != "Linux" or shutil.which("nvidia-smi"):
        pip(python, requirement)
        return
    try:  # where the configured sources already hold a CPU build
        pip(python, "--no-deps", f"{requirement}+cpu")
    except subprocess.CalledProcessError:
        pip(python, "--no-deps", "--index-url", PYTORCH_CPU_INDEX, requirement)


def setup_backend() -> Path:
    """`.venv`: the locked dependencies, then SMPLit itself, editable."""

    def install(python: Path) -> None:
        pinned = [line.split("#")[0].strip() for line in LOCK.read_text().splitlines()]
        torch = next(line for line in pinned if line.startswith("torch=="))
        install_torch(python, torch)
        # --no-deps: the lock is complete, and no package may bring another torch.
        rest = LOCK.parent / ".venv" / "locked.txt"
        rest.write_text("\n".join(line for line in pinned if line and line != torch))
        pip(python, "--no-deps", "-r", rest, "-r", DEVELOPMENT_LOCK)
        pip(python, "--no-deps", "--no-build-isolation", "--editable", ROOT)

    key = LOCK.read_text() + DEVELOPMENT_LOCK.read_text() + (ROOT / "pyproject.toml").read_text()
    make_environment(BACKEND, key, install)
    return python_of(BACKEND)


def setup_blender(lane: int = 0) -> Path | None:
    """A bpy wheel's environment; None (with a message) where this Python has no bpy wheel."""
    versions = BLENDER_LANES.get(sys.version_info[:2])
    if versions is None or lane >= len(versions):
        have = " and ".join(f"{a}.{b}" for a, b in BLENDER_LANES)
        say(f"no bpy wheel for Python {platform.python_version()}: the Blender part needs Python {have}")
        return None
    version = versions[lane]
    folder = ROOT / (".venv-blender" if lane == 0 else f".venv-blender-{version}")
    make_environment(folder, f"{version} {BLENDER_EXTRAS}", lambda python: pip(python, f"bpy=={version}", *BLENDER_EXTRAS))
    return python_of(folder)


def test(arguments: argparse.Namespace) -> int:
    """Runs every test; the last line adds up all runners."""
    python = setup_backend()
    results = OUT / "tests"
    shutil.rmtree(results, ignore_errors=True)
    results.mkdir(parents=True)
    codes = []
    extra = arguments.pytest or []
    selected = ["--ignore", "tests/blender", "--ignore", "tests/window", "tests"]
    codes.append(_pytest(python, selected, results / "backend.xml", extra))
    lanes = 1 if arguments.quick else len(BLENDER_LANES.get(sys.version_info[:2], ()))
    for lane in range(lanes):
        blender = setup_blender(lane)
        if blender is None:
            break
        # Only the first lane runs the slow end-to-end tests: they exercise the same backend.
        selected = ["tests/blender"] if lane == 0 else ["tests/blender", "-m", "not slow"]
        codes.append(_pytest(blender, selected, results / f"blender{lane}.xml", extra))
    if not arguments.quick:  # Blender with a window, in a Debian of its own; skipped where there is none to be had
        codes.append(_pytest(python, ["tests/window"], results / "window.xml", extra))
    totals = _totals(results)
    print("total: {passed} passed, {failed} failed, {skipped} skipped".format(**totals), flush=True)
    return 1 if any(codes) or totals["failed"] or not totals["passed"] else 0


def _pytest(python: Path, selected: list[str], report: Path, extra: list[str]) -> int:
    say(f"pytest {' '.join(selected)} with {python.parent.parent.name}")
    command = [python, "-m", "pytest", *selected, f"--junit-xml={report}", "-q", *extra]
    code = subprocess.run([str(part) for part in command], cwd=ROOT, env=_quiet_environment()).returncode
    return 0 if code == 5 else code  # 5: nothing selected


def _quiet_environment() -> dict[str, str]:
    return {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "SMPLIT_BACKEND_PYTHON": str(python_of(BACKEND))}


def _totals(results: Path) -> dict[str, int]:
    totals = {"passed": 0, "failed": 0, "skipped": 0}
    for report in results.glob("*.xml"):
        for suite in ElementTree.parse(report).getroot().iter("testsuite"):
            failed = int(suite.get("failures", 0)) + int(suite.get("errors", 0))
            skipped = int(suite.get("skipped", 0))
            totals["failed"] += failed
            totals["skipped"] += skipped
            totals["passed"] += int(suite.get("tests", 0)) - failed - skipped
    return totals


def demo(arguments: argparse.Namespace) -> int:
    """A real video through the real add-on and backend in headless Blender, into out/demo."""
    python = setup_backend()
    blender = setup_blender()
    if blender is None:
        return 1
    return subprocess.run([str(python), str(ROOT / "tools" / "demo.py"), "--blender", str(blender), "-o", str(OUT / "demo")], cwd=ROOT).returncode


def setup(arguments: argparse.Namespace) -> int:
    """Makes both environments."""
    setup_backend()
    setup_blender()
    say(f"ready: {python_of(BACKEND).with_name('smplit')}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for function in (setup, demo, test):
        command = commands.add_parser(function.__name__, help=(function.__doc__ or "").splitlines()[0])
        command.set_defaults(run=function)
        if function is test:
            command.add_argument("--quick", action="store_true", help="one Blender version instead of all, and none with a window")
            command.add_argument("pytest", nargs="*", help="further arguments for pytest, after --")
    arguments = parser.parse_args()
    if sys.version_info < (3, 11):
        print(f"Python {platform.python_version()} is too old: SMPLit needs 3.11 or newer. Run this with a newer python3.", file=sys.stderr)
        return 2
    ensure_system_libraries()
    try:
        return arguments.run(arguments)
    except subprocess.CalledProcessError as error:
        print(f"[dev] failed: {' '.join(map(str, error.cmd))} (exit code {error.returncode})", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
