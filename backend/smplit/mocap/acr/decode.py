# SPDX-License-Identifier: GPL-3.0-or-later
"""ACR's maps -> at most one left and one right hand of every picture (Yu et al. 2023, section 3.4).

Side 0 is the LEFT. Pictures of a batch do not know of each other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from smplit.body.rotations import matrix_from_6d
from smplit.mocap.acr.network import CAMERA, CELLS, SIDES, HandMaps

LEAST_SCORE = 0.35  # a hand is where the centre map says more
_NEIGHBOURS = 5  # cells: side of the square in which the best cell alone counts
_REACH = 32.0  # cells between two hands that still tell of each other
_ROTATIONS = slice(3, 99)
_BETAS = slice(99, 109)


@dataclass
class HandAnswers:
    """Both hands of B pictures; what stands where none was found means nothing.

    `found` (B,2) bool; `scores` (B,2) of the centre map; `centres` (B,2,2) row and column of the maps;
    `parameters` (B,2,109) camera, 16 rotations of 6 numbers, 10 betas of MANO.
    """

    found: Tensor
    scores: Tensor
    centres: Tensor
    parameters: Tensor


def decode(maps: dict[str, HandMaps]) -> HandAnswers:
    """The maps of B pictures -> their hands."""
    left, right = (maps[side] for side in SIDES)
    scores, cells = (torch.stack(values, 1) for values in zip(*(best_cell(side.centre) for side in (left, right)), strict=True))
    found = scores > LEAST_SCORE
    cells = torch.where(found, cells, 0)
    scores = torch.where(found, scores, torch.stack([side.centre[:, 0, 0, 0] for side in (left, right)], 1))
    centres = torch.stack([cells // CELLS, cells % CELLS], -1)
    parameters = torch.stack([_at(side.parameters, cells[:, index]) for index, side in enumerate((left, right))], 1)
    told = torch.stack([_at(left.prior, cells[:, 1]), _at(right.prior, cells[:, 0])], 1)  # each asked at the other hand's place
    apart = (centres[:, 0] - centres[:, 1]).float().norm(dim=-1)
    near = found.all(1) & (apart <= _REACH)
    parameters[..., CAMERA:] += torch.where(near[:, None, None], told, 0.0)
    return HandAnswers(found, scores, centres, parameters)


def best_cell(centre: Tensor) -> tuple[Tensor, Tensor]:
    """(B,1,64,64) -> the highest peak's value (B,) and its cell (B,), counted along the rows; value 0 where no peak is positive."""
    highest = F.max_pool2d(centre, _NEIGHBOURS, 1, _NEIGHBOURS // 2)
    return torch.where(centre == highest, centre, 0.0).flatten(1).max(1)


def _at(maps: Tensor, cells: Tensor) -> Tensor:
    """(B,C,64,64), (B,) -> (B,C)."""
    return maps.flatten(2)[torch.arange(len(maps), device=maps.device), :, cells]


def rotations_of(parameters: Tensor | np.ndarray) -> Tensor:
    """(...,109) -> (...,16,3,3): the hand's rotation, MANO's rest axes to camera axes, and 15 joints' in SMPL-X order."""
    return interleaved_rotations(torch.as_tensor(parameters)[..., _ROTATIONS].unflatten(-1, (16, 6)))


def interleaved_rotations(values: Tensor) -> Tensor:
    """(...,6) a0 b0 a1 b1 a2 b2 -> (...,3,3) with the columns a, b and a x b, made orthonormal."""
    return matrix_from_6d(values.unflatten(-1, (3, 2)).transpose(-1, -2).flatten(-2))


def betas_of(parameters: np.ndarray) -> np.ndarray:
    """(...,109) -> (...,10) MANO's shape, which SMPL-X's is not."""
    return parameters[..., _BETAS]
