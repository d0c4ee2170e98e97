# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds the Blender extension: `python tools/build_extension.py [-o out/extension]` -> smplit-VERSION.zip.

One zip for Blender 4.2 LTS to 5.x on Linux, Windows and macOS. It holds

    blender_manifest.toml   ours plus the list of wheels
    *.py, bridge/ ...       the add-on (folder addon/)
    smplit/                 the modules that add-on and backend share, unchanged
    body/                   the open body, which the add-on skins
    wheels/                 pyzmq for the Pythons of Blender, unmodified from the package registry
    backend/                the backend's own wheel (with the open model files) and the lock of its dependencies

About 33 MB, of which the backend's wheel 24 (mostly landmark networks), pyzmq 6 and the body 3.

pyzmq stays at 26.4: it has wheels per Python version. Of 27 there is one for 3.12 and later (abi3), which
Blender leaves out as soon as one for 3.11 is listed too. Needs hatchling, which builds the wheel.
"""

from __future__ import annotations

import argparse
import ast
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MANIFEST = ROOT / "blender_manifest.toml"
BACKEND = ROOT / "backend" / "smplit"
SHARED_MODULES = ("axes", "errors", "motion", "protocol")  # what addon/shared.py names
BODY = ROOT / "model_files" / "body" / "OPEN_NEUTRAL.npz"
PYZMQ = "26.4.0"
BLENDER_PYTHONS = ("3.11", "3.13")  # 4.2 to 5.0, and 5.1 on
PLATFORMS = ("manylinux_2_28_x86_64", "win_amd64", "macosx_10_15_universal2")
_WHEELS = ROOT / "out" / "wheels"  # downloads are kept here
_STORED = (".whl", ".npz", ".png")  # compressed already
_SAME_DATE = (2020, 1, 1, 0, 0, 0)  # the zip's bytes depend on its contents alone


def shared_files() -> list[Path]:
    """The backend's modules that the add-on needs: the named ones and what they import relatively."""
    found, open_ = {"__init__"}, list(SHARED_MODULES)
    while open_:
        name = open_.pop()
        if name in found:
            continue
        found.add(name)
        tree = ast.parse((BACKEND / f"{name}.py").read_text("utf-8"))
        open_ += [node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.level == 1 and node.module]
    return sorted(BACKEND / f"{name}.py" for name in found)


def pyzmq_wheels(folder: Path) -> list[Path]:
    """The wheels for every Blender Python and platform; downloads into `folder` what is not there yet.

    Raises:
        CalledProcessError: a wheel cannot be downloaded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wheels = []
    for version in BLENDER_PYTHONS:
        tag = "cp" + version.replace(".", "")
        for platform in PLATFORMS:
            pattern = f"pyzmq-{PYZMQ}-{tag}-{tag}-*{_family(platform)}*.whl"
            if not list(folder.glob(pattern)):
                print(f"downloading pyzmq for Python {version} on {platform}", file=sys.stderr)
                subprocess.run([
                    sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--only-binary=:all:",
                    "--platform", platform, "--implementation", "cp", "--python-version", version, "--abi", tag, "-d", str(folder), f"pyzmq=={PYZMQ}",
                ], check=True)
            wheels += folder.glob(pattern)
    return sorted(wheels)


def _family(platform: str) -> str:
    return {"many": "manylinux", "win_": "win_amd64", "maco": "macosx"}[platform[:4]]


def build_backend_wheel(folder: Path) -> Path:
    """The wheel of `backend/smplit` with `model_files` inside."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    return next(folder.glob("smplit-*.whl"))


def manifest_text(wheels: list[Path]) -> str:
    """Our manifest with the wheels listed.

    Raises:
        SystemExit: manifest and backend disagree about the version.
    """
    text = MANIFEST.read_text("utf-8")
    version = tomllib.loads(text)["version"]
    if f'__version__ = "{version}"' not in (BACKEND / "__init__.py").read_text("utf-8"):
        raise SystemExit(f"{MANIFEST.name} says version {version}, backend/smplit/__init__.py another one. Make them equal.")
    head, permissions, rest = text.partition("[permissions]")  # a top-level key has to come before the first table
    listed = "\n".join(f'    "./wheels/{wheel.name}",' for wheel in wheels)
    return f"{head}wheels = [\n{listed}\n]\n\n{permissions}{rest}"


def contents(wheels: list[Path], backend: Path) -> dict[str, bytes]:
    """Every file of the zip by its name in it."""
    addon = ROOT / "addon"
    files = {path.relative_to(addon).as_posix(): path for path in addon.rglob("*.py")}
    files |= {f"smplit/{path.name}": path for path in shared_files()}
    files |= {f"wheels/{wheel.name}": wheel for wheel in wheels}
    files |= {f"backend/{backend.name}": backend, "backend/requirements.lock": ROOT / "requirements.lock"}
    files |= {f"body/{BODY.name}": BODY, "LICENSE": ROOT / "LICENSE"}
    return {"blender_manifest.toml": manifest_text(wheels).encode(), **{name: path.read_bytes() for name, path in sorted(files.items())}}


def build(folder: Path) -> Path:
    """Writes `folder`/smplit-VERSION.zip, whole or not at all."""
    version = tomllib.loads(MANIFEST.read_text("utf-8"))["version"]
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"smplit-{version}.zip"
    with tempfile.TemporaryDirectory(dir=folder, prefix=".build-") as scratch:
        files = contents(pyzmq_wheels(_WHEELS), build_backend_wheel(Path(scratch)))
        part = Path(scratch) / target.name
        with zipfile.ZipFile(part, "w") as archive:
            for name, data in files.items():
                entry = zipfile.ZipInfo(name, _SAME_DATE)
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, data, zipfile.ZIP_STORED if name.endswith(_STORED) else zipfile.ZIP_DEFLATED)
        part.replace(target)
    return target


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "out" / "extension", help="folder for the zip")
    try:
        target = build(parser.parse_args().output)
    except subprocess.CalledProcessError as error:
        print(f"{error.stderr or ''}The command failed: {' '.join(error.cmd)}", file=sys.stderr)
        return 1
    print(f"{target} ({target.stat().st_size / 1e6:.1f} MB)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
