# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds of job that the backend does. Adding one is one line in KINDS.

Both processes import this module: the server for `check`, the worker for `run`. It must not import
torch; `run` is named, not imported, for that reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from smplit.server import capture, difftraj, loco


@dataclass(frozen=True)
class JobKind:
    """`check(params, paths, arrays)` returns all problems as sentences, in the server, quickly.

    `run` names "module:function", called in the worker as `function(job, reporter)` with a
    `smplit.server.job_run.JobInput` and `JobReporter`. `stages` are the pipeline's stages in order
    with their usual shares of the time, for the ETA.
    """

    check: Callable[[Mapping, list[Path], Mapping[str, np.ndarray]], list[str]]
    run: str
    stages: Mapping[str, float]


KINDS = {
    "capture": JobKind(capture.check, "smplit.server.capture:run", capture.STAGES),
    "difftraj": JobKind(difftraj.check, "smplit.server.difftraj:run", difftraj.STAGES),
    "loco": JobKind(loco.check, "smplit.server.loco:run", loco.STAGES),
}


def models() -> list[dict]:
    """The rows of `smplit models list`, without the checksums, which take long on big files."""
    from smplit.models import states

    return states(hashes=False)


def warm_up(device: str) -> str:
    """Called once in a fresh worker: imports what every job needs; returns the device in words.

    Raises:
        BadInput: this machine has no such device.
    """
    import torch

    from smplit.device import resolve_device

    device = resolve_device(device)
    return f"{device} ({torch.cuda.get_device_name(device)})" if device.startswith("cuda") else device
