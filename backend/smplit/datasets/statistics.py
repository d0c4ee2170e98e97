# SPDX-License-Identifier: GPL-3.0-or-later
"""Mean and deviation of the original's features over a store's clips, for training its networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from smplit.axes import matrix_from_axis_angle
from smplit.datasets.store import Clip
from smplit.export.whole_file import whole_file

_CONSTANT = 1e-5  # a channel whose deviation is below has none but rounding: it is divided by 1
# Entries of the published npz files, spelt as there, and the features that each is of.
_NAMES = ("motoin_info_all_list", "ctrl_signal")


class FeatureStatistics:
    """Sums over clips as they come: `add(clip)`, then `save(path)`, or `mean_std()` of the 203 numbers.

    Args:
        rest_joints: (22,3) m of the body the clips are for.
    """

    def __init__(self, rest_joints: np.ndarray):
        self._rest = rest_joints
        self._count = 0
        self._sums: list[np.ndarray] = []
        self._squares: list[np.ndarray] = []
        self._origins: list[np.ndarray] = []

    def add(self, clip: Clip) -> None:
        """Counts every frame of a clip."""
        from smplit.difftraj.original_features import control_signal, motion_features

        root, body = Rotation.from_rotvec(clip.poses[:, 0]), matrix_from_axis_angle(clip.poses[:, 1:])
        trans = np.asarray(clip.trans, np.float64)
        found = [features(trans, root, body, self._rest) for features in (motion_features, control_signal)]
        if not self._origins:  # sums from the first clip's mean: squares of large numbers would lose the small deviations
            self._origins = [values.mean(0) for values in found]
            self._sums, self._squares = [np.zeros(values.shape[1]) for values in found], [np.zeros(values.shape[1]) for values in found]
        for values, origin, sums, squares in zip(found, self._origins, self._sums, self._squares, strict=True):
            sums += (values - origin).sum(0)
            squares += ((values - origin) ** 2).sum(0)
        self._count += len(clip)

    def entries(self) -> dict[str, np.ndarray]:
        """The npz entries: mean and std of the 203 numbers of motion and of the 4 of the path, float32.

        A channel that never changes (some joints of a body that has one shape) gets 1 for its
        deviation, not the 0 or rounding error by which the original divided.
        """
        found = {}
        for name, origin, sums, squares in zip(_NAMES, self._origins, self._sums, self._squares, strict=True):
            mean = sums / self._count
            std = np.sqrt(np.maximum(squares / self._count - mean**2, 0))
            found[f"{name}_mean"] = (origin + mean).astype(np.float32)
            found[f"{name}_std"] = np.where(std < _CONSTANT, 1.0, std).astype(np.float32)
        return found

    def mean_std(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and std (203,) of the motion's numbers."""
        entries = self.entries()
        return entries[f"{_NAMES[0]}_mean"], entries[f"{_NAMES[0]}_std"]

    def save(self, path: str | Path) -> None:
        """Writes the npz, whole or not at all."""
        with whole_file(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **self.entries())
