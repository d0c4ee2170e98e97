# SPDX-License-Identifier: GPL-3.0-or-later
"""CAMDM's losses: of the numbers, of where they put the joints, and of feet that should stand.

Motion is (B,J+1,6,F): local rotations, two ROWS each, and a row with the root's place; see `camdm`. Frame: Y up, m.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from smplit.body.kinematics import joint_transforms

_STANDS = 0.01  # m a frame: a slower foot of the recording stands


@dataclass(frozen=True)
class Skeleton:
    """`parents` (J,), -1 for the root; `offsets` (J,3) m from the parent; `toes`: joints that should stand, left and right."""

    parents: tuple[int, ...]
    offsets: Tensor
    toes: tuple[int, int]

    def rest_joints(self) -> Tensor:
        """(J,3) m, the root at the origin."""
        places = [torch.zeros(3, dtype=self.offsets.dtype, device=self.offsets.device)]
        for joint in range(1, len(self.parents)):
            places.append(places[self.parents[joint]] + self.offsets[joint])
        return torch.stack(places)


def matrix_from_rows_6d(values: Tensor) -> Tensor:
    """(...,6), first and second row, not quite a rotation's -> (...,3,3) by Gram-Schmidt. Any shape: the published
    one crosses the wrong axis where a dimension before the last is 3."""
    x = torch.nn.functional.normalize(values[..., :3], dim=-1)
    z = torch.nn.functional.normalize(torch.linalg.cross(x, values[..., 3:]), dim=-1)
    return torch.stack([x, torch.linalg.cross(z, x), z], -2)


def joint_places(motion: Tensor, skeleton: Skeleton) -> Tensor:
    """(B,J+1,6,F) -> (B,F,J,3) m."""
    frames = motion.permute(0, 3, 1, 2)  # (B,F,J+1,6)
    rotations, root = matrix_from_rows_6d(frames[:, :, :-1]).flatten(0, 1), frames[:, :, -1, :3]
    places = joint_transforms(rotations, skeleton.rest_joints().to(rotations), skeleton.parents)[1]
    return places.unflatten(0, frames.shape[:2]) + root[:, :, None]


def camdm_losses(predicted: Tensor, true: Tensor, skeleton: Skeleton) -> dict[str, Tensor]:
    """The five parts, each (B,), all of weight 1.

    `data` compares all numbers, `data_vel` their steps without the root's place, `geo_xyz` joints, `geo_xyz_vel` their
    steps, `foot_contact` the steps of the toes while the recording's stand, averaged over all frames.
    """
    steps = lambda motion: motion[:, :-1, :, 1:] - motion[:, :-1, :, :-1]
    places, true_places = joint_places(predicted, skeleton), joint_places(true, skeleton)
    moves, true_moves = (values[:, 1:] - values[:, :-1] for values in (places, true_places))
    toes = list(skeleton.toes)
    return {
        "data": _mean_square(predicted - true), "data_vel": _mean_square(steps(predicted) - steps(true)),
        "geo_xyz": _mean_square(places - true_places), "geo_xyz_vel": _mean_square(moves - true_moves),
        "foot_contact": _mean_square(moves[:, :, toes] * standing(true_places[:, :, toes])[..., None]),
    }


def standing(feet: Tensor) -> Tensor:
    """(B,F-1,2) bool of feet (B,F,2,3) m: they move by less than 1 cm to the next frame."""
    return (feet[:, 1:] - feet[:, :-1]).norm(dim=-1) <= _STANDS


def _mean_square(difference: Tensor) -> Tensor:
    return difference.square().flatten(1).mean(1)
