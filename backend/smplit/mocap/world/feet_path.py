# SPDX-License-Identifier: GPL-3.0-or-later
"""Where somebody goes when no picture tells: the trajectory network reads it from the body's own motion."""

from __future__ import annotations

import numpy as np

from smplit.axes import axis_angle_from_matrix
from smplit.body.model import BodyModel
from smplit.motion import NUM_JOINTS, Motion


def path_of_feet(rotations: np.ndarray, betas: np.ndarray, times: np.ndarray, seen: np.ndarray, body: BodyModel) -> np.ndarray:
    """Root path (T,3) m over a floor at z = 0, from local rotations (T,22,3,3) whose root stands in the world (Z up).

    Args: betas (10,); times (T,) s; seen (T,) bool: frames in which the person was there.
    """
    poses = np.zeros((len(rotations), NUM_JOINTS, 3), np.float32)
    poses[:, :22] = axis_angle_from_matrix(rotations)
    motion = Motion(
        poses=poses.reshape(len(poses), -1), trans=np.zeros((len(poses), 3), np.float32), fps=float(1.0 / np.median(np.diff(times))),
        betas=betas.astype(np.float32), frame_times=times, valid=seen,
    )
    rest = body.rest_joints(betas)[0].cpu().numpy()
    return _by_feet(motion, body, lock_feet=False).trans + rest


def walk_by_feet(motion: Motion, body: BodyModel) -> Motion:
    """`--trajectory difftraj`: the captured poses on the path that they themselves imply; the camera stays where it was."""
    return _by_feet(motion, body, lock_feet=True)


def _by_feet(motion: Motion, body: BodyModel, lock_feet: bool) -> Motion:
    from smplit.difftraj.predict import add_trajectory

    return motion if len(motion) < 2 else add_trajectory(motion, body=body, lock_feet=lock_feet)
