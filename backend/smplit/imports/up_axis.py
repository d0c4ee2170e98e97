# SPDX-License-Identifier: GPL-3.0-or-later
"""Which way is up in somebody else's file: told, or seen from how the person stands."""

from __future__ import annotations

import numpy as np

from smplit.axes import Y_UP_TO_Z_UP, matrix_from_axis_angle
from smplit.errors import BadInput

# From each up axis to Z up, right-handed; "-y" is an OpenCV camera's picture, whose Y points down.
TURNS = {"y": Y_UP_TO_Z_UP, "-y": Y_UP_TO_Z_UP @ np.diag([1.0, -1.0, -1.0])}
_TOLD = {"z": "z", "+z": "z", "z-up": "z", "y": "y", "+y": "y", "y-up": "y", "-y": "-y", "y-down": "-y"}
_UPRIGHT = 0.7  # cosine of the spine with the axis, of the median frame
_ALWAYS = 0.4  # and of nine frames in ten


def up_axis(root_poses: np.ndarray, told: str | None, amass: bool, source: str) -> str:
    """"z", "y" or "-y" of a file.

    Args:
        root_poses: (T,3) rad, global orientation.
        told: what the file says itself, if it does.
        amass: the file has AMASS's entries, so it has AMASS's axes too, however the person lies.
        source: named in errors.

    Raises:
        BadInput: the file tells an axis that is none of the three.
    """
    if told:
        name = _TOLD.get(told.strip().lower().replace("_", "-"))
        if name is None:
            raise BadInput(f"{source}: up axis {told!r} is not known.", "Write 'z', 'y' or '-y' (a camera's).", "bad_axis")
        return name
    if amass:
        return "z"
    spine = matrix_from_axis_angle(root_poses)[:, :, 1]  # the body's own Y, in the file's axes
    for name, column in (("y", spine[:, 1]), ("-y", -spine[:, 1])):
        if np.median(column) > _UPRIGHT and np.quantile(column, 0.1) > _ALWAYS:
            return name
    return "z"
