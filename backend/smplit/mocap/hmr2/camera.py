# SPDX-License-Identifier: GPL-3.0-or-later
"""HMR2's cameras: from the three numbers of a crop's camera to a place before it or before the real one. Axes: x right, y down, z forward.

What they place is the ORIGIN of SMPL's own axes, which is not the pelvis joint; WHAM's are places of the hips' middle.
"""

from __future__ import annotations

import numpy as np

from smplit.mocap.wham.camera import BOX_UNIT
from smplit.mocap.wham.crop import SIDE

FOCAL = 5000.0  # px, of the camera that looks at every training crop
# Where SMPL's pelvis joint is from that origin, m: neutral, mean shape. The root turns about the joint, so it never moves.
REST_PELVIS = np.array([-0.0018, -0.2233, 0.0282])
_NONE = 1e-9


def place_in_crop(cam: np.ndarray) -> np.ndarray:
    """(N,3) scale and shift -> (N,3) m before the crop's own camera, which is very far away."""
    return np.concatenate([cam[:, 1:], 2.0 * FOCAL / (SIDE * cam[:, :1] + _NONE)], -1)


def place_in_picture(cam: np.ndarray, boxes: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(N,3) scale and shift -> (N,3) m before the camera of the whole picture.

    With the camera's true focal length the distance is the true one, as far as the network knows people's size; the authors
    assume 5000 px for a picture of 256 px, a lens so long that everybody is tens of metres away.

    Args:
        boxes: (N,3) centre px and side by 200, that were cropped, in either way; K: (3,3) px.
    """
    focal = np.diagonal(K)[:2]
    depth = 2.0 * focal[:1] / (boxes[:, 2:] * BOX_UNIT * cam[:, :1] + _NONE)
    return np.concatenate([cam[:, 1:] + (boxes[:, :2] - K[:2, 2]) * depth / focal, depth], -1)


def project_in_crop(points: np.ndarray, place: np.ndarray) -> np.ndarray:
    """(N,P,3) m in SMPL's axes, (N,3) of `place_in_crop` -> (N,P,2): 0 in the middle of the crop, -0.5 and 0.5 at its edges."""
    placed = points + place[:, None]
    return FOCAL / SIDE * placed[..., :2] / placed[..., 2:]
