# SPDX-License-Identifier: GPL-3.0-or-later
"""The job kind `capture`: videos in, one motion file per person in the job's folder.

The option `camera_file` names one of the job's paths, so that it is checked like every file that a job reads.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from smplit.errors import BadInput
from smplit.mocap.options import CaptureOptions
from smplit.server.job_run import JobInput, JobReporter

# Stages that `smplit.mocap` reports, in order, with their shares of the time of a capture.
STAGES = {"people and landmarks": 0.7, "fit": 0.3}
_STAGES_OF_IMAGES = {"people and landmarks": 0.3, "closer look": 0.6, "fit": 0.1}  # where published image networks look too


def check(params: Mapping, paths: list[Path], arrays: Mapping[str, np.ndarray]) -> list[str]:
    """Everything that is wrong with the request, as sentences."""
    problems = []
    hints = typing.get_type_hints(CaptureOptions)
    good = {}
    for name, value in params.items():
        if name not in hints:
            problems.append(f"there is no capture option '{name}'")
        elif not _fits(value, hints[name]):
            problems.append(f"capture option '{name}' cannot be {value!r}")
        else:
            good[name] = value
    try:
        CaptureOptions.from_dict(good)
    except BadInput as error:
        problems.append(error.message.rstrip("."))
    camera_file = good.get("camera_file")
    if camera_file is not None and Path(camera_file) not in paths:
        problems.append(f"camera file '{camera_file}' is not among the job's paths")
    videos = [path for path in paths if camera_file is None or path != Path(camera_file)]
    if not videos:
        problems.append("no video was given")
    if camera_file is not None and len(videos) > 1:
        problems.append("a camera file belongs to one video")
    if arrays:
        problems.append(f"a capture takes no arrays, but got {', '.join(arrays)}")
    return problems


def _fits(value: object, hint: object) -> bool:
    kinds = typing.get_args(hint) or (hint,)
    if isinstance(value, bool):
        return bool in kinds
    return isinstance(value, kinds) or (isinstance(value, int) and float in kinds)


@functools.lru_cache(maxsize=1)
def _body(device: str):
    """The body model, kept by a warm worker from job to job."""
    from smplit.mocap import init_model

    return init_model(device=device)


def run(job: JobInput, reporter: JobReporter) -> None:
    """Captures each video into its own folder; one that cannot be used does not stop the others.

    Raises:
        SmplitError: of the first video, when none could be used; any other reason at once.
    """
    from smplit.mocap.estimators import choose_estimators
    from smplit.mocap.pipeline import capture

    options = CaptureOptions.from_dict({"device": job.device, **job.params})
    body = _body(options.device)
    videos = list(job.paths)
    if options.camera_file is not None:
        file = Path(options.camera_file).resolve()  # the job's paths are
        videos = [path for path in videos if path != file]
        options.camera_file = str(file)
    reporter.expect(len(videos), _STAGES_OF_IMAGES if choose_estimators(options.resolved()).look_again else None)
    problems = []
    for clip, video in enumerate(videos):
        reporter.begin(clip, video.name)
        try:
            results = capture(video, job.results / str(clip), options, reporter, body=body)
        except BadInput as error:
            problems.append(error)
            reporter.failure(error)
            continue
        for result in results:
            reporter.result(result.path, result.person, len(result.motion), result.figures)
    if len(problems) == len(videos):
        raise problems[0]
