# SPDX-License-Identifier: GPL-3.0-or-later
"""Which T-pose file belongs to a recording: the one of the same skeleton whose bones lie most alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from smplit.datasets.bvh import Bvh, read_bvh
from smplit.datasets.skeletons import SKELETONS, recognise_skeleton
from smplit.errors import BadInput

# Share of the bones' length by which OFFSETs may differ: people differ by 0.1 to 0.2; other bone axes
# (the same joint names exported by another program) by 1 and more.
_ALIKE = 0.4


class RestPoses:
    """The T-pose files (`*.bvh`, first frame) of a folder, or one such file.

    Raises:
        BadInput: nothing there, or a file that cannot be read.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        files = sorted(self.path.glob("*.bvh")) if self.path.is_dir() else [self.path]
        if not files:
            raise BadInput(f"'{path}' holds no .bvh file.", "Name a folder of one-frame T-pose BVH files.", "no_rest_pose")
        self._poses = [(file.stem, recognise_skeleton(pose.names, f"'{file}'"), pose) for file in files for pose in [read_bvh(file)]]

    def of(self, clip: Bvh, source: str) -> tuple[str, Bvh]:
        """(name, T-pose) for a recording.

        Raises:
            BadInput: the recording's skeleton is unknown, or no T-pose here is of its kind.
        """
        fitting = []
        for name, skeleton, pose in self._poses:
            if set(SKELETONS[skeleton].values()) <= set(clip.names):
                fitting.append((bone_difference(clip, pose), name, pose))
        near = [entry for entry in fitting if entry[0] < _ALIKE]
        if near:
            _, name, pose = min(near, key=lambda entry: entry[0])
            return name, pose
        skeleton = recognise_skeleton(clip.names, source)
        raise BadInput(
            f"{source}: none of the T-poses in '{self.path}' has its bones (skeleton '{skeleton}').",
            "Add a one-frame T-pose BVH exported from the same program and character.", "no_rest_pose",
        )


def bone_difference(one: Bvh, other: Bvh) -> float:
    """How differently the bones of two skeletons lie, as a share of their length, whatever their unit.

    Only joints that both have count; roots have no bone. 0 for equal skeletons, about 1.4 for bones at
    right angles.
    """
    common = [name for name in one.names if name in other.names]
    bones = []
    for skeleton in (one, other):
        found = skeleton.offsets[[skeleton.names.index(name) for name in common]].copy()
        found[[skeleton.parents[skeleton.names.index(name)] < 0 for name in common]] = 0
        bones.append(found / max(np.linalg.norm(found, axis=1).sum(), 1e-9))
    return float(np.linalg.norm(bones[0] - bones[1], axis=1).sum())
