# SPDX-License-Identifier: GPL-3.0-or-later
"""From the network's roots and velocities to feet, steadied velocity and a path in the world (y down, m, 30 frames a second)."""

from __future__ import annotations

import torch
from torch import Tensor

CONTACT = 0.5  # a foot stands from here on
FRAMES_PER_SECOND = 30.0  # fixed in what the refiner is told
_NONE = 1e-4


def rollout(roots: Tensor, velocity: Tensor, start: Tensor | None = None) -> Tensor:
    """Places (B,F,3) m of the hips' middle.

    Args:
        roots: (B,F+1,3,3); the rotation of entry t turns velocity t. velocity: (B,F,3) m per frame.
        start: (B,3) place before the first frame; the origin when None, so that the first place is the first velocity.
    """
    steps = (roots[:, :-1] @ velocity[..., None])[..., 0]
    places = steps.cumsum(1)
    return places if start is None else places + start[:, None]


def feet_about_hips(feet: Tensor, camera_root: Tensor, world_root: Tensor) -> Tensor:
    """Feet (B,F,4,3) m from camera axes to the world's, by the roots' rotations (B,F,3,3) in both; still relative to the hips."""
    camera_to_world = world_root @ camera_root.transpose(-1, -2)
    return feet @ camera_to_world.transpose(-1, -2)


def steadied_velocity(feet: Tensor, before: Tensor | None, contact: Tensor, root: Tensor, velocity: Tensor, threshold: float = CONTACT) -> Tensor:
    """Velocity (B,F,3), root frame, less what the standing feet move.

    Args:
        feet: (B,F,4,3) m about the hips, world axes; before: (B,4,3) of the frame before, None at a clip's start.
        contact: (B,F,4); root: (B,F,3,3) of the same frames; velocity: (B,F,3) m per frame.
    """
    world = (root @ velocity[..., None])[..., 0]
    earlier = torch.cat([feet[:, :1] if before is None else before[:, None], feet[:, :-1]], 1)
    moved = feet - earlier + world[:, :, None]
    if before is None:
        moved = torch.cat([torch.zeros_like(moved[:, :1]), moved[:, 1:]], 1)
    moved = torch.where((contact > threshold)[..., None], moved, 0.0)
    slide = moved.sum(2) / ((moved != 0).sum(2) + _NONE)
    return (root.transpose(-1, -2) @ (world - slide)[..., None])[..., 0]


def weighted_feet_velocity(feet: Tensor, before: Tensor | None, contact: Tensor) -> Tensor:
    """(B,F,12) m/s: what the refiner is told of feet (B,F,4,3) m in the world; zero in a clip's first frame."""
    earlier = torch.cat([feet[:, :1] if before is None else before[:, None], feet[:, :-1]], 1)
    return ((feet - earlier) * FRAMES_PER_SECOND * contact[..., None]).flatten(2)
