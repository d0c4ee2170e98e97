# SPDX-License-Identifier: GPL-3.0-or-later
"""ONNX Runtime sessions: one place for threads and processors."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnxruntime

from smplit.errors import BadInput
from smplit.models import find

_PROVIDERS = {"cuda": ("CUDAExecutionProvider", "DmlExecutionProvider"), "mps": ("CoreMLExecutionProvider",)}


class Network:
    """One network: `network(batch)` -> list of output arrays."""

    def __init__(self, model: str | Path, device: str = "cpu", threads: int | None = None):
        """`model` is a name of the registry, or the file itself; `device` cpu, cuda... or mps; `threads` inside one call.

        Raises:
            BadInput: the file cannot be run.
            MissingModel: no file of that name.
        """
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = threads or max(1, (os.cpu_count() or 2) // 2)
        # Spinning threads would take the cores that decoding and the other networks need.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        wanted = _PROVIDERS.get(device.partition(":")[0], ())
        providers = [p for p in wanted if p in onnxruntime.get_available_providers()]
        path = model if isinstance(model, Path) else find(model)
        try:
            self._session = onnxruntime.InferenceSession(str(path), options, providers=[*providers, "CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime has a class of its own for each way a file can be wrong, all but one undocumented
            first_line = (str(error).splitlines() or [type(error).__name__])[0]
            raise BadInput(f"'{path}' cannot be run ({first_line}).", "Download or export it again.", "bad_onnx") from error
        self._input = self._session.get_inputs()[0].name

    def __call__(self, batch: np.ndarray) -> list[np.ndarray]:
        return self._session.run(None, {self._input: batch})


def sigmoid(values: np.ndarray) -> np.ndarray:
    """Logistic function that never overflows."""
    return 0.5 * (1.0 + np.tanh(0.5 * values))
