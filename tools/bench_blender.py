# SPDX-License-Identifier: GPL-3.0-or-later
"""How fast results get into Blender: keys in bulk, and the longest tick of the interface while chunks stream in.

    .venv-blender/bin/python tools/bench_blender.py [--frames 3000] [--chunk 120] [--repeats 5] [--json]

Runs are apart (an empty file each); medians over them are printed, and the single worst tick. "CPU" is
the time of Blender's own thread: on a busy machine the clock on the wall counts the others too.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import sys
import time
from pathlib import Path

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
BODY = ROOT / "model_files" / "body" / "OPEN_NEUTRAL.npz"
LIMITS = {"write_s": 0.5, "tick_ms": 30.0}  # the aims of the issue


def load_addon() -> None:
    """The checkout's add-on as a package; it need not be registered to write scenes."""
    spec = importlib.util.spec_from_file_location("smplit_addon", ROOT / "addon" / "__init__.py", submodule_search_locations=[str(ROOT / "addon")])
    sys.modules["smplit_addon"] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)


def random_motion(frames: int, expressions: int) -> dict[str, np.ndarray]:
    """Entries of a motion file in which everything moves, the camera too."""
    generator = np.random.default_rng(0)
    time_ = np.arange(frames) / 30.0
    poses = np.sin(time_[:, None] * generator.uniform(0.2, 2.0, 165)) * generator.uniform(0.0, 0.5, 165)
    turn = 0.1 * time_
    R = np.zeros((frames, 3, 3))
    R[:, 0, 0], R[:, 0, 1], R[:, 1, 2], R[:, 2, 0], R[:, 2, 1] = np.cos(turn), -np.sin(turn), -1.0, -np.sin(turn), -np.cos(turn)
    return {
        "poses": poses.astype(np.float32), "trans": np.cumsum(generator.normal(0, 0.01, (frames, 3)), 0).astype(np.float32),
        "expression": np.abs(np.sin(time_[:, None] * generator.uniform(0.2, 2.0, expressions))).astype(np.float32),
        "frame_times": time_, "valid": np.ones(frames, bool), "camera_R": R, "camera_t": np.zeros((frames, 3)) + (0, 1, 5),
        "betas": generator.normal(0, 1, 10), "mocap_frame_rate": np.array(30.0),
        "camera_K": np.array([[900.0, 0, 480], [0, 900.0, 270], [0, 0, 1]]),
    }


def write_once(frames: int) -> dict[str, float]:
    """s to turn SMPL-X poses into bone rotations, and to write them as keys of 55 bones and the path."""
    from smplit_addon.scene import animation, armature, body_file, skeleton

    body = body_file.load_body(BODY)
    rig = armature.build_armature("Person", body, np.zeros(10), bpy.context.scene.collection)
    motion = random_motion(frames, 1)
    began = time.perf_counter()
    quaternions = skeleton.bone_quaternions(motion["poses"], armature.rest_axes(rig)).reshape(frames, -1)
    values = np.concatenate([quaternions, armature.pelvis_locations(rig, motion["trans"])], axis=1)
    converted, converted_cpu = time.perf_counter(), time.thread_time()
    track = animation.Track(animation.pose_channels(), "Person", "bench", "pose", quaternions=55)
    track.put(0, 1.0 + np.arange(frames), values)
    track.write(rig)
    track.tidy(rig)
    return {
        "convert_s": converted - began, "write_s": time.perf_counter() - converted, "write_cpu_s": time.thread_time() - converted_cpu,
    }


def stream_once(frames: int, chunk: int) -> dict[str, list[float]]:
    """ms of every call that the interface's timer would make, chunks arriving while earlier ones are being written."""
    from smplit_addon.scene.body_file import load_body
    from smplit_addon.scene.result import ResultWriter

    motion = random_motion(frames, len(load_body(BODY).expression_names))
    timed = [name for name, value in motion.items() if len(np.shape(value)) and len(value) == frames]
    writer = ResultWriter("bench.mp4", BODY)
    wall, cpu, adds = [], [], []

    def tick(work) -> bool:
        began, began_cpu = time.perf_counter(), time.thread_time()
        more = work()
        cpu.append(1e3 * (time.thread_time() - began_cpu))
        wall.append(1e3 * (time.perf_counter() - began))
        return more

    for first in range(0, frames, chunk):
        piece = {name: motion[name][first : first + chunk] for name in timed}
        if first == 0:
            piece.update({name: value for name, value in motion.items() if name not in timed})
        tick(lambda f=first, p=piece: writer.add_chunk(1, f, p))
        adds.append(wall[-1])
        while tick(writer.step):
            time.sleep(0.002)  # the interface draws
    writer.finish()
    while not writer.done:
        tick(writer.step)
    undo = wall.pop()  # the last tick is Blender's own undo step, once a result
    cpu.pop()
    return {"wall": wall, "cpu": cpu, "add": adds, "undo_ms": undo}


def measure(frames: int, chunk: int, repeats: int) -> dict[str, float]:
    """All figures, medians over `repeats` runs."""
    writes, streams = [], []
    for _ in range(repeats):
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        writes.append(write_once(frames))
        bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
        streams.append(stream_once(frames, chunk))
    median = statistics.median
    return {
        "blender": bpy.app.version_string, "frames": frames, "chunk": chunk, "repeats": repeats,
        "convert_s": median(run["convert_s"] for run in writes),
        "write_s": median(run["write_s"] for run in writes),
        "write_cpu_s": median(run["write_cpu_s"] for run in writes),
        "tick_ms": median(max(run["wall"]) for run in streams),
        "tick_cpu_ms": median(max(run["cpu"]) for run in streams),
        "worst_tick_cpu_ms": max(max(run["cpu"]) for run in streams),
        "median_tick_ms": median(median(run["wall"]) for run in streams),
        "add_chunk_ms": median(max(run["add"]) for run in streams),
        "ticks": median(len(run["wall"]) for run in streams),
        "stream_s": median(sum(run["wall"]) for run in streams) / 1e3,
        "last_tick_ms": median(run["undo_ms"] for run in streams),
    }


ROWS = {
    "convert_s": "poses to bone rotations, s", "write_s": "keys of 55 bones written, s",
    "write_cpu_s": "keys of 55 bones written, CPU s", "tick_ms": "longest tick of a run, ms",
    "tick_cpu_ms": "longest tick of a run, CPU ms", "worst_tick_cpu_ms": "longest tick of all runs, CPU ms",
    "median_tick_ms": "typical tick, ms", "add_chunk_ms": "longest add_chunk, ms", "ticks": "ticks with work",
    "stream_s": "all ticks together, s", "last_tick_ms": "the last tick, with the undo step, ms",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=3000)
    parser.add_argument("--chunk", type=int, default=120)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="only the JSON object")
    arguments = parser.parse_args()
    load_addon()
    figures = measure(arguments.frames, arguments.chunk, arguments.repeats)
    if not arguments.json:
        print(f"Blender {figures['blender']}, {arguments.frames} frames, chunks of {arguments.chunk}, median of {arguments.repeats} runs")
        for name, label in ROWS.items():
            limit = f"   (aim: under {LIMITS[name]:g})" if name in LIMITS else ""
            print(f"  {label:<42} {figures[name]:9.3f}{limit}")
    print(json.dumps(figures), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
