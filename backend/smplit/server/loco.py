# SPDX-License-Identifier: GPL-3.0-or-later
"""The job kind `loco`: a drawn line in, a styled walk along it, streamed while it is made; one file per variant at its end."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from smplit.loco.facing import FACINGS
from smplit.loco.options import WalkOptions
from smplit.models import MODELS, find
from smplit.server.chunks import PER_FRAME
from smplit.server.job_run import JobInput, JobReporter

STAGES = {"walk": 1.0}
# What a request may say, and what is meant where it does not; the rest are fields of WalkOptions, which says what they mean.
DEFAULTS = {
    "style": "normal", "speed": None, "facing": "path", "angle": None, "start_facing": None, "end_facing": None, "target": None,
    "reverse": False, "seconds": None, "samples": 1, "steps": 4, "strength": 1.0, "seed": 0, "closed": False,
    "commercial_safe": False, "name": "walk",
}
MOST_SAMPLES = 32
_RANGES = {
    "samples": (1, MOST_SAMPLES), "steps": (1, 64), "strength": (0.0, 4.0), "seed": (0, 2**62), "speed": (0.0, math.inf),
    "angle": (-math.inf, math.inf), "start_facing": (-math.inf, math.inf), "end_facing": (-math.inf, math.inf), "seconds": (-math.inf, math.inf),
}
_MOST_POINTS = 1_000_000
_NO_NAME = re.compile(r'[<>:"/\\|?*\x00-\x1f]|^\.|^$')
_EXTRA = "smplit_"  # arrays with this beginning go into the results as they are


def check(params: Mapping, paths: list[Path], arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Everything that is wrong with the request, as sentences; what is wrong with style and line, the job itself finds."""
    problems = []
    for name, value in params.items():
        if name not in DEFAULTS:
            problems.append(f"there is no walking option '{name}'")
        elif not _fits(name, value):
            problems.append(f"walking option '{name}' cannot be {value!r}")
        elif name in _RANGES and value is not None and not _RANGES[name][0] <= value <= _RANGES[name][1]:
            problems.append(f"walking option '{name}' is {value}, not a number from {_RANGES[name][0]} to {_RANGES[name][1]}")
    if params.get("facing", "path") not in FACINGS:
        problems.append(f"there is no facing '{params['facing']}', only {', '.join(FACINGS)}")
    if params.get("commercial_safe") is True and "loco_free" not in MODELS:
        problems.append("there is no locomotion network yet whose training data may be used commercially")
    if paths:
        problems.append(f"a walk takes no files, but got {len(paths)}")
    return problems + _problems_of_arrays(arrays)


def _fits(name: str, value: object) -> bool:
    """Whether a value has the type that the option has."""
    usual = DEFAULTS[name]
    if name == "target":
        return value is None or (isinstance(value, list) and len(value) in (2, 3) and all(type(n) in (int, float) for n in value))
    if name == "name":
        return isinstance(value, str) and len(value) <= 100 and not _NO_NAME.search(value)
    if usual is None:
        return value is None or type(value) in (int, float)
    return type(value) in (int, float) if isinstance(usual, float) else type(value) is type(usual)  # not isinstance: a bool is an int


def _problems_of_arrays(arrays: Mapping[str, np.ndarray]) -> list[str]:
    problems = [f"a walk takes no array '{name}'" for name in arrays if name != "points" and not name.startswith(_EXTRA)]
    points = arrays.get("points")
    if points is None:
        problems.append("the line to walk along, the array 'points', was not given")
    elif points.dtype.kind not in "fiu" or points.ndim != 2 or points.shape[1] not in (2, 3) or len(points) > _MOST_POINTS:
        problems.append(f"'points' is {points.dtype} of shape {points.shape}, not (N,2) or (N,3) numbers in metres, N at most {_MOST_POINTS}")
    return problems


@functools.lru_cache(maxsize=2)
def _generator(weights: Path, _changed: int):
    """Network and body, kept by a warm worker from job to job, until the file changes."""
    from smplit.loco.generate import Generator

    return Generator.load(weights)


def run(job: JobInput, reporter: JobReporter) -> None:
    """Walks the line once per variant. What was streamed before a cancel is the client's; files are written of whole walks only.

    Raises:
        BadInput: a style that the network does not know, or a line that nobody can walk; nothing is streamed then.
        MissingModel: the network's weights are not there.
        Cancelled: between two pieces.
    """
    import torch

    from smplit.loco.commands import plan_along

    torch.set_num_threads(1)  # the network is small: threads that wait for each other made a busy machine 20 times slower
    options = {**DEFAULTS, **job.params}
    reporter.begin(0, f"{options['name']}.npz")
    weights = find("loco_free" if options["commercial_safe"] else "loco")
    generator = _generator(weights, weights.stat().st_mtime_ns)
    asked = WalkOptions(**{field.name: options[field.name] for field in fields(WalkOptions) if field.name in options})
    way = plan_along(job.arrays["points"], options["closed"], asked, generator, reporter)
    extras = {name: array for name, array in job.arrays.items() if name.startswith(_EXTRA)}
    for variant in range(asked.samples):
        motion = _streamed(variant, way, asked, options["seed"] + variant, extras, generator, reporter)
        target = motion.save(job.results / "0" / f"{options['name']}_p{variant + 1}.npz")
        figures = {"frames": len(motion), "path_m": float(np.ptp(way.arc)), "speed": way.mean_speed}
        reporter.result(target, variant + 1, len(motion), {name: round(value, 3) for name, value in figures.items()})


def _streamed(variant: int, way, asked: WalkOptions, seed: int, extras: dict[str, np.ndarray], generator, reporter: JobReporter):
    """The variant's whole motion, whose pieces have gone out while it was made."""
    pieces, done = [], 0
    for body in generator.chunks(way, asked.style, seed, asked.steps, asked.strength):
        reporter.check()
        piece = replace(generator.motion(body, way.fps), extras={**extras, "smplit_body": np.array(generator.body.name)})
        arrays = piece.arrays()
        reporter.chunk(variant + 1, done, arrays if not done else {name: arrays[name] for name in arrays if name in PER_FRAME})
        pieces.append(piece)
        done += len(piece)
        reporter.stage("walk", variant * len(way) + done, asked.samples * len(way))
    reporter.check()
    joined = {name: np.concatenate([getattr(piece, name) for piece in pieces]) for name in ("poses", "trans", "contacts")}
    return replace(pieces[0], **joined)
