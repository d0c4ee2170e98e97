# SPDX-License-Identifier: GPL-3.0-or-later
"""Joint positions as plain numbers: the format other people's checks and plots read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from smplit.body.model import BodyModel
from smplit.errors import BadInput
from smplit.export.whole_file import whole_file
from smplit.motion import JOINT_NAMES, Motion, joint_transforms


def world_joints(motion: Motion, body: BodyModel) -> np.ndarray:
    """(T,55,3) m, world (Z up)."""
    rest = body.rest_joints(motion.betas).cpu().numpy()
    return joint_transforms(motion.poses, rest)[1] + np.asarray(motion.trans, np.float64)[:, None]


def times(motion: Motion) -> np.ndarray:
    """(T,) s: the frames' presentation times, or even steps when the motion carries none.

    Raises:
        BadInput: the times do not grow.
    """
    if motion.frame_times is not None:
        seconds = np.asarray(motion.frame_times, np.float64)
        if np.any(np.diff(seconds) <= 0):
            raise BadInput("'frame_times' does not grow from frame to frame.", "Repair the times, or leave them out.", "bad_times")
        return seconds
    return np.arange(len(motion)) / float(motion.fps)


def joint_entries(motion: Motion, body: BodyModel) -> dict[str, np.ndarray]:
    """The npz entries of DESIGN section 4: `joints` (T,55,3) m in the world, `joints_cam` (T,55,3) m
    in OpenCV camera axes when the camera is known, `fps`, `time` (T,) s, `valid` (T,), `names`, `up`."""
    joints = world_joints(motion, body)
    entries = {
        "joints": joints.astype(np.float32),
        "fps": np.array(float(motion.fps)),
        "time": times(motion),
        "valid": np.ones(len(motion), bool) if motion.valid is None else np.asarray(motion.valid, bool),
        "names": np.array(JOINT_NAMES),
        "up": np.array("z"),
    }
    if motion.camera_R is not None and motion.camera_t is not None:
        seen = np.einsum("tab,tjb->tja", np.asarray(motion.camera_R, np.float64), joints)
        entries["joints_cam"] = (seen + np.asarray(motion.camera_t, np.float64)[:, None]).astype(np.float32)
    return entries


def write_joints(motion: Motion, path: Path, body: BodyModel) -> None:
    """Writes `joint_entries` as an npz."""
    with whole_file(path) as temporary:
        np.savez_compressed(temporary, **joint_entries(motion, body))
