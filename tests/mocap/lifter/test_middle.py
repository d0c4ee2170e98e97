# SPDX-License-Identifier: GPL-3.0-or-later
"""The middle of what the lifter says of a picture and of its mirror image."""

from __future__ import annotations

import roma
import torch

from smplit.body.rotations import matrix_from_6d
from smplit.mocap.lifter.network import Lifted, mean


def _answer(seed: int) -> Lifted:
    draw = torch.Generator().manual_seed(seed)
    normal = lambda *shape: torch.randn(2, 7, *shape, generator=draw)
    return Lifted(matrix_from_6d(normal(22, 6)), normal(10), normal(3), normal(4), normal(3), normal(3), normal(22, 2))


def test_rotations_between_two_answers_are_the_nearest_to_both():
    first, second = _answer(0), _answer(1)
    middle = mean(first, second)
    expected = roma.special_procrustes((first.rotations + second.rotations).double() / 2.0)
    torch.testing.assert_close(middle.rotations.double(), expected, rtol=0, atol=1e-4)  # some are nearly half a turn apart
    assert middle.rotations.dtype == torch.float32
    torch.testing.assert_close(middle.betas, (first.betas + second.betas) / 2.0)
    torch.testing.assert_close(mean(first, first).rotations, first.rotations, rtol=0, atol=1e-6)
