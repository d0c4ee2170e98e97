# SPDX-License-Identifier: GPL-3.0-or-later
"""WHAM's rotations and axes.

6D here is the first two **rows** of a matrix; `smplit.body.rotations` and HMR2 take the first two columns.
The network's world is right-handed with y DOWN, as its cameras' axes are when they stand level.
"""

from __future__ import annotations

import torch
from torch import Tensor

from smplit.axes import Y_UP_TO_Z_UP
from smplit.body.rotations import matrix_from_6d

IDENTITY_ROWS = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
Y_DOWN_TO_Y_UP = torch.diag(torch.tensor([1.0, -1.0, -1.0]))  # half a turn about x
Y_DOWN_TO_Z_UP = torch.as_tensor(Y_UP_TO_Z_UP, dtype=torch.float32) @ Y_DOWN_TO_Y_UP
Z_UP_TO_Y_DOWN = Y_DOWN_TO_Z_UP.T


def matrix_from_rows(values: Tensor) -> Tensor:
    """(...,6) -> (...,3,3): the first two rows, orthonormalised, and their cross product."""
    return matrix_from_6d(values).transpose(-1, -2)


def rows_from_matrix(matrices: Tensor) -> Tensor:
    """(...,3,3) -> (...,6): the first two rows."""
    return matrices[..., :2, :].flatten(-2)


def mean_rotation(one: Tensor, other: Tensor) -> Tensor:
    """(...,3,3) the orthogonal matrix nearest to the mean of two rotations; the determinant is not looked at, as in the original."""
    u, _, v = torch.linalg.svd((one + other) / 2.0)
    return u @ v
