# SPDX-License-Identifier: GPL-3.0-or-later
"""How people stand who only stand: breath, sway and small turns of the head, as changes of whatever pose.

A linear model, learned by `idle_training`: a few ways in which standing people move together (principal components of pose and
pelvis), each a sum of slow waves as strong as theirs and with phases of its own. It never repeats and needs no recording.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file
from scipy.spatial.transform import Rotation

from smplit.difftraj.features import JOINTS
from smplit.errors import BadInput

FORMAT = "smplit-idle-2"


@dataclass(frozen=True)
class Idle:
    """C components of F waves.

    Attributes:
        components: (C,69): change of the 22 joints' local rotations (rad, of the root's in the axes of the plan; none in the legs),
            then the pelvis' sway (m: ahead, left, up).
        amplitudes: (C,F) of each component's waves; frequencies: (F,) Hz.
    """

    components: np.ndarray
    amplitudes: np.ndarray
    frequencies: np.ndarray

    def at(self, times: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Rotations (N,22,3,3) and sway (N,3) m at `times` (N,) s; a seed has waves of its own."""
        random = np.random.default_rng([seed, 1])
        # Frequencies a little off the grid: waves of one grid would all meet again.
        frequencies = self.frequencies * random.uniform(0.93, 1.07, self.amplitudes.shape)
        phases = random.uniform(0, 2 * np.pi, self.amplitudes.shape)
        waves = np.sin(2 * np.pi * np.multiply.outer(np.asarray(times, np.float64), frequencies) + phases)  # (N,C,F)
        found = (waves * self.amplitudes).sum(-1) @ self.components
        turns = Rotation.from_rotvec(found[:, : 3 * JOINTS].reshape(-1, 3)).as_matrix().reshape(-1, JOINTS, 3, 3)
        return turns, found[:, 3 * JOINTS :]


def load_idle(path: str | Path) -> Idle:
    """Reads a file of `idle_training.write_idle`.

    Raises:
        BadInput: no such file, damaged, or not ours.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
        if metadata.get("format") != FORMAT:
            raise BadInput(f"'{path}' holds no model of people who stand.", "Take the file that comes with SMPLit.", "wrong_weights")
        entries = load_file(path)
        return Idle(*(entries[name].astype(np.float64) for name in ("components", "amplitudes", "frequencies")))
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise BadInput(f"'{path}' cannot be read ({error}).", "Copy the file again.", "damaged_weights") from error
