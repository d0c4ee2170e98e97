# SPDX-License-Identifier: GPL-3.0-or-later
"""A capture and a walk in a real Blender window: `python tools/blender_window.py [VIDEO] [-o out/window] [--parts capture walk]`.

Debian's Blender (trixie: 4.3 with Python 3.13) runs in a folder of its own under Xvfb; the extension's zip
is installed there, the sidebar's button is pressed with mouse events, and the keys that arrive are
checked (`tools/window_session.py`, which runs inside). Pictures and `report.json` are left in the output folder.

The backend runs outside, from this Python's environment; Blender attaches to it by its connection file,
as a user may with "Already Running". Needs Linux and root (debootstrap, chroot; nothing is mounted).
Exit code 77 when this machine cannot do that: skipped, not failed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import build_extension

ROOT = Path(__file__).resolve().parents[1]
SESSION = Path(__file__).with_name("window_session.py")
SUITE = "trixie"
PACKAGES = (
    "blender", "python3-numpy", "python3-requests", "python3-cattr", "xvfb", "xauth", "libgl1-mesa-dri", "libegl1", "imagemagick", "xdotool",
)
CANNOT = 77
_STARTS_WITHIN = 60.0  # s for the backend
_LIMIT = 600  # s for the session inside Blender


class Cannot(Exception):
    """This machine cannot run the lane; the message says why."""


def make_root(root: Path) -> None:
    """Debian with Blender in a folder, about 1.4 GB; once, then it is reused.

    Raises:
        Cannot: no root, no debootstrap, or the packages cannot be fetched.
    """
    ready = root / ".ready"
    if ready.exists():
        return
    if sys.platform != "linux" or os.geteuid() != 0:
        raise Cannot("needs Linux and root")
    if shutil.which("debootstrap") is None:
        _fetch(["apt-get", "update", "-qq"])
        _fetch(["apt-get", "install", "-y", "-qq", "--no-install-recommends", "debootstrap", "xz-utils"])
    print(f"making {root} (once, some minutes)", flush=True)
    if root.exists():
        shutil.rmtree(root)
    _fetch(["debootstrap", "--variant=minbase", SUITE, str(root), _mirror()])
    policy = root / "usr" / "sbin" / "policy-rc.d"  # no services
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    shutil.copy("/etc/resolv.conf", root / "etc" / "resolv.conf")
    _fetch(["chroot", str(root), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-y", "--no-install-recommends", *PACKAGES])
    _fetch(["chroot", str(root), "apt-get", "clean"])
    ready.touch()


def _fetch(command: list[str]) -> None:
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if run.returncode:
        last = (run.stdout.strip().splitlines() or ["no output"])[-1]
        raise Cannot(f"{' '.join(command[:3])} failed: {last}")


def _mirror() -> str:
    """The mirror of this machine's own package sources."""
    folder = Path("/etc/apt")
    for file in (folder / "sources.list", *sorted(folder.glob("sources.list.d/*"))):
        for line in file.read_text("utf-8", "replace").splitlines() if file.is_file() else ():
            found = re.match(r"(?:deb|URIs:)\s+(?:\[[^]]*\]\s+)?(\S*debian\S*)", line)
            if found:
                return found[1]
    raise Cannot("no Debian package source is configured")


def _sample() -> Path:
    """The demo's sample clip.

    Raises:
        Cannot: it cannot be downloaded.
    """
    import demo

    try:
        return demo.sample_clip(demo.SAMPLES[0], ROOT / "out" / "sample")
    except demo.DemoFailed as error:
        raise Cannot(str(error)) from error


class Backend:
    """`smplit serve` on this side of the wall, for the length of a with-block."""

    def __init__(self, folder: Path):
        self.connection = folder / "connection.json"
        command = [
            sys.executable, "-P", "-m", "smplit.cli", "serve", "--connection-file", str(self.connection), "--parent-pid", str(os.getpid()),
            "--jobs-dir", str(folder / "jobs"), "--device", "cpu",
        ]
        self._log = (folder / "backend.log").open("wb")
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self._log, stderr=subprocess.STDOUT)

    def __enter__(self) -> Backend:
        began = time.monotonic()
        while not self.connection.exists():
            if self._process.poll() is not None or time.monotonic() - began > _STARTS_WITHIN:
                self.__exit__()
                raise SystemExit(f"the backend did not start; see {self._log.name}")
            time.sleep(0.1)
        return self

    def __exit__(self, *_error) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


def run_session(root: Path, output: Path, video: Path, parts: list[str]) -> int:
    """Installs the zip in a fresh profile and plays the session; 0 when every step was seen to work."""
    outside = output / "session"  # the same path inside, so that paths mean the same on both sides of the wall
    inside = root / outside.relative_to("/")
    for folder in (outside, inside):
        shutil.rmtree(folder, ignore_errors=True)
        (folder / "home").mkdir(parents=True)
        shutil.copy(video, folder / video.name)
    for earlier in (*output.glob("*.png"), output / "report.json"):
        earlier.unlink(missing_ok=True)
    shutil.copy(build_extension.build(ROOT / "out" / "extension"), inside / "extension.zip")
    shutil.copy(SESSION, inside)
    with Backend(outside) as backend:
        shutil.copy(backend.connection, inside)
        variables = {
            "HOME": outside / "home", "BLENDER_USER_RESOURCES": outside / "blender", "LIBGL_ALWAYS_SOFTWARE": "1",
            "SMPLIT_SESSION": outside, "SMPLIT_VIDEO": outside / video.name, "SMPLIT_PARTS": " ".join(parts),
            "PATH": "/usr/bin:/bin:/usr/sbin:/sbin",
        }
        enter = ["chroot", str(root), "env", "-i", *(f"{name}={value}" for name, value in variables.items())]
        install = ["blender", "--command", "extension", "install-file", "-r", "user_default", "-e", str(outside / "extension.zip")]
        window = [
            "xvfb-run", "-a", "-s", "-screen 0 1600x1000x24 -nolisten tcp", "blender", "--window-geometry", "0", "0", "1600", "1000",
            "--enable-event-simulate", "--python-exit-code", "1", "--python", str(outside / SESSION.name),
        ]
        code = _limited([*enter, *install], 120) or _limited([*enter, *window], _LIMIT)
    for picture in sorted(inside.glob("*.png")):
        shutil.copy(picture, output / picture.name)
        print(f"picture: {output / picture.name}")
    report = inside / "report.json"
    if code or not report.is_file():
        print(f"the session in Blender's window failed (exit code {code})", file=sys.stderr)
        return 1
    shutil.copy(report, output)
    shutil.rmtree(outside)  # a copy of the video, the backend's jobs and log
    print(json.dumps(json.loads(report.read_text("utf-8")), indent=1))
    return 0


def _limited(command: list[str], seconds: int) -> int:
    """Runs a command in a process group of its own, which is ended with it."""
    process = subprocess.Popen(command, start_new_session=True)
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        print(f"no end after {seconds} s: {command[-1]}", file=sys.stderr)
        return 1
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _parts() -> list[str]:
    from smplit.errors import MissingModel
    from smplit.models import MODELS, find

    try:
        return ["capture", "walk"] if "loco" in MODELS and find("loco") else ["capture"]
    except MissingModel:
        return ["capture"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path, nargs="?", help="default: the demo's sample")
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "out" / "window", help="folder for the pictures")
    parser.add_argument("--root", type=Path, default=ROOT / ".debian", help="folder of the Debian with Blender")
    parser.add_argument("--parts", nargs="+", choices=("capture", "walk"), help="what is played; default: all that there is a network for")
    arguments = parser.parse_args()
    try:
        make_root(arguments.root.resolve())
        video = arguments.video or _sample()
    except Cannot as reason:
        print(f"skipped: {reason}", file=sys.stderr)
        return CANNOT
    arguments.output.mkdir(parents=True, exist_ok=True)
    return run_session(arguments.root.resolve(), arguments.output.resolve(), video.resolve(), arguments.parts or _parts())


if __name__ == "__main__":
    sys.exit(main())
