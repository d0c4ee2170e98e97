# SPDX-License-Identifier: GPL-3.0-or-later
"""The job kind `difftraj`: a motion file in, the same motion travelling in the job's folder, one file per variant.

Its paths are the motion and, for a BVH whose joints have unknown names, a joint map (.json). Arrays of the
request are not looked at: they are carried into the results, for whoever asked to know again what they belong to.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from smplit.motion import Motion
from smplit.server.chunks import split
from smplit.server.job_run import JobInput, JobReporter

STAGES = {"trajectory": 1.0}
MOST_SAMPLES = 32
_LARGEST_NOTE = 1000  # numbers of an array that is carried along
_LARGEST_SEED = 2**63 - 1  # torch's
# What a request may say, and what is meant where it does not.
DEFAULTS = {"commercial_safe": False, "lock_feet": True, "samples": 0, "seed": 0}
_RANGES = {"samples": MOST_SAMPLES, "seed": _LARGEST_SEED}


def check(params: Mapping, paths: list[Path], arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Everything that is wrong with the request, as sentences."""
    problems = []
    for name, value in params.items():
        if name not in DEFAULTS:
            problems.append(f"there is no trajectory option '{name}'")
        elif type(value) is not type(DEFAULTS[name]):  # not isinstance: a bool is an int
            problems.append(f"trajectory option '{name}' cannot be {value!r}")
        elif name in _RANGES and not 0 <= value <= _RANGES[name]:
            problems.append(f"trajectory option '{name}' is {value}, not a number from 0 to {_RANGES[name]}")
    if not paths or len(paths) > 2 or any(path.suffix.lower() != ".json" for path in paths[1:]):
        names = ", ".join(path.name for path in paths)
        problems.append(f"a trajectory takes one motion file, and perhaps a joint map (.json), but got {names or 'none'}")
    for name, array in arrays.items():
        if not name.startswith("smplit_") or array.size > _LARGEST_NOTE:
            problems.append(f"array '{name}' cannot be carried along: only small ones named smplit_... can")
    return problems


@functools.lru_cache(maxsize=1)
def _body(file: Path):
    """A body model, kept by a warm worker from job to job."""
    from smplit.body.model import BodyModel

    return BodyModel.load(file)


def _body_file(made_with: str) -> Path:
    """The body that a motion was made with, whose shape its betas mean; the best one where that is not here."""
    from smplit.models import MODELS, find, folders

    files = [folder / name for name in MODELS["body"].paths if Path(name).name == made_with for folder in folders()]
    return next((file for file in files if file.is_file()), None) or find("body")


def run(job: JobInput, reporter: JobReporter) -> None:
    """Reads the motion, finds its path or several, writes and streams each as a person of its own.

    Raises:
        BadInput: the file is no motion, or one that has no path (a single frame).
        MissingModel: the network's weights are not there.
    """
    from smplit.difftraj.predict import trajectories
    from smplit.imports import import_motion

    options = {**DEFAULTS, **job.params}
    path, *joint_map = job.paths
    reporter.begin(0, path.name)
    reporter.stage("trajectory", 0, 1)
    motion = _from_zero(import_motion(path, joint_map=joint_map[0] if joint_map else None))
    body = _body(_body_file(str(motion.extras.get("smplit_body", ""))))
    motion.extras = {"smplit_body": np.array(body.name), **motion.extras, **job.arrays}
    found = trajectories(
        motion, samples=options["samples"], seed=options["seed"], lock_feet=options["lock_feet"],
        weights="free" if options["commercial_safe"] else "auto", body=body, device=job.device,
    )
    folder = job.results / "0"
    for number, motion in enumerate(found, 1):
        reporter.check()
        target = motion.save(folder / f"{path.stem}_p{number}.npz")
        for first, piece in split(motion.arrays()):
            reporter.chunk(number, first, piece)
        reporter.result(target, number, len(motion), _figures(motion))
    reporter.stage("trajectory", 1, 1)


def _from_zero(motion: Motion) -> Motion:
    """The motion with its first frame at 0 s, and without the camera that filmed it."""
    from smplit.difftraj.commands import without_camera

    times = None if motion.frame_times is None else motion.frame_times - motion.frame_times[0]
    return replace(without_camera(motion), frame_times=times)


def _figures(motion: Motion) -> dict:
    path = np.linalg.norm(np.diff(motion.trans[:, :2], axis=0), axis=-1).sum()
    return {"frames": len(motion), "path_m": round(float(path), 3)}
