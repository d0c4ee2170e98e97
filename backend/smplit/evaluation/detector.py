# SPDX-License-Identifier: GPL-3.0-or-later
"""The detector's own 3D, as the baseline that a fit must beat.

BlazePose reports 33 points in metres around the middle of the hips, in camera axes. Twelve of them
are SMPL-X joints too; only these are compared. Its toes, ears and palms are points of the skin,
which no SMPL-X joint is, so they are left out.
"""

from __future__ import annotations

import numpy as np

from smplit.mocap.fit.points import BLAZEPOSE_NAMES
from smplit.mocap.observations import PersonLandmarks
from smplit.motion import BODY_JOINTS

COMMON_JOINTS = tuple(f"{side}_{joint}" for joint in ("hip", "knee", "ankle", "shoulder", "elbow", "wrist") for side in ("left", "right"))
"""Joints that both skeletons have, by their (identical) names; the first two are the hips."""

HIPS = (0, 1)
"""Rows of `COMMON_JOINTS` whose mean is BlazePose's pelvis: the centre when these joints are compared."""

SMPLX_ROWS = [BODY_JOINTS.index(name) for name in COMMON_JOINTS]
_BLAZEPOSE_ROWS = [BLAZEPOSE_NAMES.index(name) for name in COMMON_JOINTS]


def detector_joints(landmarks: PersonLandmarks) -> np.ndarray:
    """(N,12,3) m `COMMON_JOINTS` in camera axes around the hips, as the detector says them."""
    return landmarks.body_world[:, _BLAZEPOSE_ROWS].astype(np.float64)
