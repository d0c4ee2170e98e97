# SPDX-License-Identifier: GPL-3.0-or-later
"""What WHAM is told, out of our own detector's landmarks."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from smplit.mocap.fit.initial import initial_rotations, towards_person
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.wham.estimate import Keypoints
from smplit.mocap.wham.preprocessing import Start

# COCO's keypoints among BlazePose's landmarks.
_OF_BLAZEPOSE = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)


def coco_keypoints(landmarks: PersonLandmarks) -> Keypoints:
    """Of the detector's landmarks."""
    points = list(_OF_BLAZEPOSE)
    return Keypoints(landmarks.body[:, points].astype(np.float64), landmarks.body_confidence[:, points] * landmarks.seen[:, None])


def start_of_landmarks(landmarks: PersonLandmarks, camera: CameraMotion, rest: Tensor) -> Start:
    """The body in the first frame that shows it, as the detector's own 3D has it: where there is no image network to say.

    Args:
        camera: of the same frames; rest: (55,3) m rest joints of SMPL-X's mean shape.
    """
    row = int(np.argmax(landmarks.seen))
    world = torch.as_tensor(landmarks.body_world[row : row + 1], dtype=torch.float32)
    turn = torch.as_tensor(towards_person(landmarks.boxes[row : row + 1], camera.K), dtype=torch.float32)
    local = initial_rotations(world @ turn.transpose(1, 2), rest.cpu())[0]
    back = torch.as_tensor(camera.rotation[0] @ camera.rotation[row].T, dtype=torch.float32)
    rotations = torch.cat([(back @ local[0])[None], local[1:], torch.eye(3).expand(2, 3, 3)])
    return Start(rotations, torch.zeros(10))
