# SPDX-License-Identifier: GPL-3.0-or-later
"""The 44 keypoints that HMR2 is trained and judged by: 25 in OpenPose's order, then 19 of other data sets' annotators."""

from __future__ import annotations

import numpy as np

# Vertices of SMPL's surface: nose, right and left eye, right and left ear; big toe, small toe and heel of the left foot, then of the right one.
SURFACE = (332, 6260, 2800, 4071, 583, 3216, 3226, 3387, 6617, 6624, 6787)
# OpenPose's 25 among SMPL's 24 joints and, after them, those vertices.
_OPENPOSE = (24, 12, 17, 19, 21, 16, 18, 20, 0, 2, 5, 8, 1, 4, 7, *range(25, 35))
PELVIS = 39  # the keypoint that others are compared relative to


def keypoints_of(joints: np.ndarray, vertices: np.ndarray, regressor: np.ndarray, surface: tuple[int, ...] = SURFACE) -> np.ndarray:
    """(N,44,3) m of posed bodies.

    Args:
        joints: (N,24,3) m; vertices: (N,V,3) m; regressor: (19,V), SMPL_to_J19 of the authors' download; surface: 11 vertices.
    """
    points = np.concatenate([joints, vertices[:, list(surface)]], 1)
    return np.concatenate([points[:, list(_OPENPOSE)], np.einsum("kv,nvc->nkc", regressor, vertices)], 1)
