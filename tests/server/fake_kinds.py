# SPDX-License-Identifier: GPL-3.0-or-later
"""Job kinds for the tests: what `smplit.server.kinds` is to the product, without torch. `serve_fake.py` serves them."""

import ctypes
import os
import subprocess
import sys
import time

import numpy as np

from smplit.errors import BadInput
from smplit.server.kinds import JobKind

FRAMES = 250


def motion(frames=FRAMES):
    """Arrays of a motion npz with values that tell their frame."""
    poses = np.repeat(np.arange(frames, dtype=np.float32)[:, None], 165, 1)
    return {"poses": poses, "trans": poses[:, :3] / 100, "betas": np.arange(10.0), "gender": np.array("neutral"), "mocap_frame_rate": np.array(30.0)}


def check(params, paths, arrays):
    return [f"there is no option '{name}'" for name in params if name not in ("seconds", "how", "clips", "megabytes", "until")]


def write(job, reporter, clip=0):
    """A result as the capture makes it: streamed in pieces, written aside, moved in."""
    folder = job.results / str(clip)
    folder.mkdir()
    arrays = motion()
    reporter.begin(clip, f"{clip}.mp4")
    for first in range(0, FRAMES, 120):
        piece = {name: arrays[name][first : first + 120] for name in ("poses", "trans")}
        reporter.chunk(1, first, piece | ({name: arrays[name] for name in ("betas", "gender", "mocap_frame_rate")} if first == 0 else {}))
    np.savez(folder / ".half.npz", **arrays)
    os.replace(folder / ".half.npz", folder / "p1.npz")
    reporter.result(folder / "p1.npz", 1, FRAMES, {"path_m": np.float32(1.5), "seen": float("nan")})


def sleep(job, reporter):
    """Writes a result for all clips but the last, then works on it for a while."""
    _begin(job, reporter)
    seconds = float(job.params.get("seconds", 0.0))
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        reporter.check()
        reporter.stage("work", int(100 * (1 - left / seconds)), 100)
        time.sleep(0.02)
    _end(job)


def hold(job, reporter):
    """The same, until there is a file `until`."""
    _begin(job, reporter)
    turn = 0
    while not os.path.exists(job.params["until"]):
        reporter.check()
        reporter.stage("work", turn := min(turn + 1, 99), 100)
        time.sleep(0.02)
    _end(job)


def _begin(job, reporter):
    for clip in range(int(job.params.get("clips", 0))):
        write(job, reporter, clip)
    (job.results / "9").mkdir()
    (job.results / "9" / "half.npz").write_bytes(b"half")


def _end(job):
    (job.results / "9" / "half.npz").unlink()
    (job.results / "9").rmdir()


def deaf(job, reporter):
    """Never looks whether it should stop; has a child of its own."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    reporter.warn(f"child {child.pid}")
    time.sleep(600)


def die(job, reporter):
    how = job.params["how"]
    if how == "memory":
        raise MemoryError
    if how == "defect":
        raise ValueError("a defect of ours")
    if how == "bad":
        raise BadInput("The video is no video.", "Choose another.", "no_video")
    if how == "segfault":
        print("last words of the worker", flush=True)
        ctypes.string_at(0)
    os._exit(7)


def fill(job, reporter):
    """Writes more than a small disk holds."""
    (job.results / "0").mkdir()
    with open(job.results / "0" / "p1.npz", "wb") as stream:
        for _ in range(int(job.params["megabytes"])):
            stream.write(b"\1" * (1 << 20))


def echo(job, reporter):
    reporter.warn(f"{sorted(job.arrays)} {float(np.sum(job.arrays['poses']))} {[p.name for p in job.paths]} {job.device}")


KINDS = {name: JobKind(check, f"fake_kinds:{name}", {"work": 1.0}) for name in ("sleep", "hold", "deaf", "die", "fill", "echo")}
KINDS["write"] = JobKind(check, "fake_kinds:write", {"work": 1.0})


def models():
    return []


def warm_up(device):
    if device == "cuda:7":
        raise BadInput("--device cuda:7: this machine has no such device.", "Use --device auto.", "no_device")
    return "fake"
