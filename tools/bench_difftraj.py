# SPDX-License-Identifier: GPL-3.0-or-later
"""How long a trajectory takes on one CPU core: the published DiffTraj's sampling.

    .venv/bin/python tools/bench_difftraj.py [--frames 1800] [--repeats 9]

The original runs its network 100 steps x 2 calls for every window of 200 frames, windows overlapping by 32
(the second call is a guidance that changes nothing). That takes minutes and is the same work over and over, so one
call is timed, and multiplied. Seconds are CPU seconds of one thread, so that a busy machine counts little;
the weights are random, because their values cost nothing.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable

import torch

from smplit.difftraj.original import STEPS
from smplit.difftraj.original_network import CONDITION, ROOT, OriginalDenoiser
from smplit.difftraj.original_windows import WINDOW, window_count

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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=1800, help="length of the motion at 30 frames a second")
    parser.add_argument("--repeats", type=int, default=9, help="network calls timed; their median counts")
    options = parser.parse_args()
    print(json.dumps({"frames": options.frames, "original": original_sampling(options.frames, options.repeats)}, indent=2))


if __name__ == "__main__":
    main()
