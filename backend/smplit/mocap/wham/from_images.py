# SPDX-License-Identifier: GPL-3.0-or-later
"""What WHAM is told, out of HMR2.0a's look at every frame's crop (`hmr2.look.FeatureLook`): slot 0 the picture, slot 1 its mirror image."""

from __future__ import annotations

import numpy as np
import torch

from smplit.mocap.observations import CameraMotion
from smplit.mocap.wham.estimate import Images
from smplit.mocap.wham.preprocessing import Start

Answers = dict[str, np.ndarray]  # `token` (N,2,1024), `rotations` (N,2,24,3,3), `betas` (N,2,10); NaN where it was not asked
_MIRROR = np.diag([-1.0, 1.0, 1.0])


def images_of(told: Answers, camera: CameraMotion) -> Images:
    """Features of N frames, the mirrored ones where they were asked for."""
    tokens = told["token"]
    if not np.isfinite(tokens[:, 1]).any():
        return Images(tokens[:, 0])
    return Images(tokens[:, 0], tokens[:, 1], _start(told, 1, _MIRROR @ camera.rotation @ _MIRROR))


def start_of_images(told: Answers, camera: CameraMotion) -> Start:
    """The body in the first frame that HMR2 looked at, seen from the first frame's camera."""
    return _start(told, 0, camera.rotation)


def _start(told: Answers, slot: int, camera: np.ndarray) -> Start:
    row = int(np.argmax(np.isfinite(told["rotations"][:, slot]).all((1, 2, 3))))
    back = camera[0] @ camera[row].T
    rotations = torch.as_tensor(told["rotations"][row, slot], dtype=torch.float32).clone()
    rotations[0] = torch.as_tensor(back, dtype=torch.float32) @ rotations[0]
    return Start(rotations, torch.as_tensor(told["betas"][row, slot], dtype=torch.float32))
