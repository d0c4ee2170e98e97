# SPDX-License-Identifier: GPL-3.0-or-later
"""The fit's fast kinematics and smoothing, with their gradients, against the plain ones that autograd goes through."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter1d

from smplit.body.kinematics import joint_transforms
from smplit.body.rotations import matrix_from_6d
from smplit.mocap.fit.curves import smoothed, smoother
from smplit.mocap.fit.pose_chain import frames_last, matrices_of, pose_chain, products, turned


@pytest.fixture
def pose():
    torch.manual_seed(0)
    return torch.randn(7, 22, 6, dtype=torch.float32).requires_grad_(), (0.3 * torch.randn(22, 3)).requires_grad_()


def _plain(sixd, rest):
    local = matrix_from_6d(sixd)
    return local, *joint_transforms(local, rest)


def _fast(sixd, rest):
    local = matrices_of(frames_last(sixd))
    return local, *pose_chain(local, rest)


def test_joints_and_rotations_are_those_of_the_plain_kinematics(pose):
    for fast, plain in zip(_fast(*pose), _plain(*pose), strict=True):
        torch.testing.assert_close(fast, plain, rtol=1e-5, atol=1e-5)


def test_gradients_by_pose_and_by_rest_joints_are_autograds(pose):
    weights = [torch.randn_like(values) for values in _plain(*pose)]

    def gradients(results):
        return torch.autograd.grad(sum((values * weight).sum() for values, weight in zip(results, weights, strict=True)), pose)

    for fast, plain in zip(gradients(_fast(*pose)), gradients(_plain(*pose)), strict=True):
        torch.testing.assert_close(fast, plain, rtol=1e-3, atol=1e-3)


def test_products_of_small_matrices_are_right_in_either_memory_order():
    torch.manual_seed(1)
    first, second, vectors = torch.randn(5, 4, 3, 3), torch.randn(5, 4, 3, 3), torch.randn(5, 6, 3)
    found = products(first.movedim(0, -1), second.movedim(0, -1)).movedim(-1, 0)
    torch.testing.assert_close(found, first @ second)
    turns = frames_last(first[:, 0])
    torch.testing.assert_close(turned(turns, vectors), vectors @ first[:, 0].transpose(1, 2))


def test_unknowns_are_smoothed_by_a_gaussian_whose_ends_are_held():
    values = np.random.default_rng(0).normal(size=(40, 3, 2))
    sigma = 1.5
    found = smoothed(torch.as_tensor(values, dtype=torch.float32), smoother(sigma, 40)).numpy()
    expected = gaussian_filter1d(values, sigma, axis=0, mode="nearest", radius=int(3.0 * sigma + 1.0))
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert smoother(0.2, 40) is None  # frames far apart
    short = smoothed(torch.as_tensor(values[:3], dtype=torch.float32), smoother(sigma, 3)).numpy()
    assert np.isfinite(short).all() and np.ptp(short) < np.ptp(values[:3])
