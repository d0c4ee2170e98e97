# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a trajectory takes on one CPU core: the published DiffTraj's sampling, and ours.

    .venv/bin/python tools/bench_difftraj.py [--frames 1800] [--repeats 9] [--minutes 30]

Ours is the whole of `add_trajectory`: reading the weights, resampling, network, contact lock, legs.

The original runs its network 100 steps x 2 calls for every window of 200 frames, windows overlapping by 32
(the second call is a guidance that changes nothing). That takes minutes and is the same work over and over, so one
call is timed, and multiplied. Seconds are CPU seconds of one thread, so that a busy machine counts little;
the weights are random, because their values cost nothing.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch

from smplit.body.model import BodyModel
from smplit.difftraj.original import STEPS
from smplit.difftraj.original_network import CONDITION, ROOT, OriginalDenoiser
from smplit.difftraj.original_windows import WINDOW, window_count
from smplit.difftraj.predict import add_trajectory
from smplit.motion import Motion

CALLS_A_STEP = 2  # of the original: with and without the condition, which it then does not drop


def cpu_seconds(action: Callable[[], object], repeats: int) -> float:
    """Median CPU seconds of `action` on one thread, after one run that warms up."""
    torch.set_num_threads(1)
    action()
    seconds = []
    for _ in range(repeats):
        started = time.process_time()
        action()
        seconds.append(time.process_time() - started)
    return statistics.median(seconds)


def original_sampling(frames: int, repeats: int = 9) -> dict[str, float]:
    """What the original's sampling of a motion costs: s of one network call on a window, number of calls, s in all.

    `seconds_without_overlap` counts `frames` / 200 windows instead of those that the original cuts: the least that it could be.
    """
    network = OriginalDenoiser().eval()
    x, condition, timesteps = torch.randn(1, ROOT, 1, WINDOW), torch.randn(1, CONDITION, 1, WINDOW), torch.tensor([500])
    with torch.inference_mode():
        call = cpu_seconds(lambda: network(x, timesteps, condition), repeats)
    windows, calls = window_count(frames), STEPS * CALLS_A_STEP
    return {
        "call_seconds": call, "windows": windows, "calls": calls * windows, "seconds": call * calls * windows,
        "seconds_without_overlap": call * calls * frames / WINDOW,
    }


def our_trajectory(frames: int, repeats: int = 5) -> dict[str, float]:
    """CPU seconds of ours for a motion of swinging limbs, and the process's largest memory afterwards, MB."""
    body, motion = BodyModel.load(), swinging(frames)
    seconds = cpu_seconds(lambda: add_trajectory(motion, body=body), repeats)
    return {"seconds": seconds, "largest_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def swinging(frames: int) -> Motion:
    """Somebody upright whose joints swing like pendulums, at 30 frames a second."""
    random = np.random.default_rng(0)
    phase = np.arange(frames)[:, None, None] / 30 * random.uniform(4, 7, (1, 55, 1)) + random.uniform(0, 6, (1, 55, 1))
    poses = 0.3 * np.sin(phase) * random.normal(0, 1, (1, 55, 3))
    poses[:, 0] = [np.pi / 2, 0, 0]
    return Motion(poses.reshape(frames, -1).astype(np.float32), np.zeros((frames, 3), np.float32), 30.0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1800, help="length of the motion at 30 frames a second")
    parser.add_argument("--repeats", type=int, default=9, help="network calls timed; their median counts")
    parser.add_argument("--minutes", type=float, default=30, help="length of a long motion that ours is timed on too; 0 for none")
    options = parser.parse_args()
    report = {"frames": options.frames, "ours": our_trajectory(options.frames), "original": original_sampling(options.frames, options.repeats)}
    report["ratio"] = report["original"]["seconds"] / report["ours"]["seconds"]
    if options.minutes:
        long = round(options.minutes * 1800)
        report["long"] = {"frames": long} | our_trajectory(long, 1)
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
