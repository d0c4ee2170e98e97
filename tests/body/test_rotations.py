# SPDX-License-Identifier: GPL-3.0-or-later
"""Rotations that fits differentiate through, against roma's, and what importing them costs."""

from __future__ import annotations

import subprocess
import sys

import roma
import torch

from smplit.body.rotations import matrix_from_rotvec


def _turns_of_all_sizes() -> torch.Tensor:
    torch.manual_seed(0)
    axes = torch.nn.functional.normalize(torch.randn(8, 50, 3, dtype=torch.float64), dim=-1)
    return axes * torch.tensor([1e-9, 1e-4, 0.01, 0.3, 1.0, 2.0, 3.14, 5.0])[:, None, None]


def test_rotation_vectors_become_the_matrices_that_roma_makes_of_them():
    turns = _turns_of_all_sizes()
    torch.testing.assert_close(matrix_from_rotvec(turns), roma.rotvec_to_rotmat(turns), rtol=0, atol=1e-12)
    single = turns.float()
    torch.testing.assert_close(matrix_from_rotvec(single), roma.rotvec_to_rotmat(turns).float(), rtol=0, atol=1e-6)


def test_a_rotation_at_rest_has_the_gradient_of_a_small_one():
    def gradient(turn):
        turn = torch.as_tensor(turn, dtype=torch.float64).requires_grad_()
        weights = torch.arange(9.0, dtype=torch.float64).view(3, 3)
        return torch.autograd.grad((matrix_from_rotvec(turn) * weights).sum(), turn)[0]

    torch.testing.assert_close(gradient([0.0, 0.0, 0.0]), torch.tensor([2.0, -4.0, 2.0], dtype=torch.float64))  # of the skew matrix alone
    turn = _turns_of_all_sizes()[3:, :5].requires_grad_()
    assert torch.autograd.gradcheck(matrix_from_rotvec, turn)


def test_a_capture_is_imported_without_torchs_compiler():
    code = "import sys, smplit.mocap.pipeline; sys.exit('torch._dynamo' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
