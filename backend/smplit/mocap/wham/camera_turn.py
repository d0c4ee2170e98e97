# SPDX-License-Identifier: GPL-3.0-or-later
"""How the camera turns, as WHAM is told it."""

from __future__ import annotations

import torch
from torch import Tensor

from smplit.mocap.wham.rotations import IDENTITY_ROWS, rows_from_matrix


def angular_velocity(world_to_camera: Tensor, fps: float = 30.0) -> Tensor:
    """(...,F,3,3) rotations -> (...,F,6): 6D rows of the turn from the next frame back, less identity, per second.

    The last frame has no next one and gets the first frame's number, as in the original; a single frame does not turn.
    """
    if world_to_camera.shape[-3] == 1:
        return world_to_camera.new_zeros(*world_to_camera.shape[:-3], 1, 6)
    step = world_to_camera[..., :-1, :, :] @ world_to_camera[..., 1:, :, :].transpose(-1, -2)
    turn = (rows_from_matrix(step) - identity_turn(step)) * fps
    return torch.cat([turn, turn[..., :1, :]], -2)


def identity_turn(like: Tensor) -> Tensor:
    """(6,) rows of no turn."""
    return torch.tensor(IDENTITY_ROWS, dtype=like.dtype, device=like.device)


def unturned(frames: int) -> Tensor:
    """(F,6) of a camera that stands still."""
    return torch.zeros(frames, 6)
