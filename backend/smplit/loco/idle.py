# SPDX-License-Identifier: GPL-3.0-or-later
"""How people stand who only stand: breath, sway and small turns of the head, recorded, as changes of whatever pose.

`model_files/loco/idle.safetensors` holds 24 s of each of six people (reactidle, MIT licence). It is written by
`idle_recordings.write_idle`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation

from smplit.difftraj.features import JOINTS
from smplit.errors import BadInput

FORMAT = "smplit-idle-1"


@dataclass(frozen=True)
class Idle:
    """K excerpts of T frames at `fps`.

    Attributes:
        turns: (K,T,22,3) rad: change of each joint's local rotation, of the root's in the axes of the plan; none in the legs.
        sway: (K,T,3) m of the pelvis: ahead, left, up.
    """

    turns: np.ndarray
    sway: np.ndarray
    fps: float

    def at(self, times: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """Rotations (N,22,3,3) and sway (N,3) m at `times` (N,) s; a seed has its person and its moment. There and back again, without end."""
        random = np.random.default_rng([seed, 1])
        person, whole = int(random.integers(len(self.sway))), (self.sway.shape[1] - 1) / self.fps
        way = (times + random.uniform(0, 2 * whole)) % (2 * whole)
        way = np.minimum(way, 2 * whole - way)
        known = np.arange(self.sway.shape[1]) / self.fps
        both = np.concatenate([self.turns[person].reshape(len(known), -1), self.sway[person]], 1)
        found = CubicSpline(known, both, bc_type="clamped")(way)  # it stands still where it turns back
        turns = Rotation.from_rotvec(found[:, : 3 * JOINTS].reshape(-1, 3)).as_matrix().reshape(-1, JOINTS, 3, 3)
        return turns, found[:, 3 * JOINTS :]


def load_idle(path: str | Path) -> Idle:
    """Reads a file of `idle_recordings.write_idle`.

    Raises:
        BadInput: no such file, damaged, or not ours.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
        if metadata.get("format") != FORMAT:
            raise BadInput(f"'{path}' holds no recordings of people who stand.", "Take the file that comes with SMPLit.", "wrong_weights")
        entries = load_file(path)
        return Idle(entries["turns"].astype(np.float64), entries["sway"].astype(np.float64), float(metadata["fps"]))
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise BadInput(f"'{path}' cannot be read ({error}).", "Copy the file again.", "damaged_weights") from error
