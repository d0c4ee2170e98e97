# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lifter sees does not depend on where in the picture somebody stands, or how large."""

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from smplit.mocap.lifter.people import People
from smplit.mocap.lifter.sighting import INPUTS, LANDMARKS, Sighting, in_view, look


@pytest.fixture
def used(body):
    return People.of(body, torch.zeros(1, 10)).landmarks


def _sighting(points: torch.Tensor, turns: torch.Tensor | None = None) -> Sighting:
    """Points (T,K,3) m in camera axes, all seen."""
    frames = len(points)
    still = torch.eye(3).expand(1, frames, 3, 3) if turns is None else turns[None]
    return Sighting(
        (points[..., :2] / points[..., 2:])[None].float(), torch.ones(1, frames, LANDMARKS), torch.zeros(1, frames, LANDMARKS, 3),
        torch.ones(1, dtype=torch.bool), torch.ones(1, frames, dtype=torch.bool), still.float(),
    )


@pytest.fixture
def points():
    torch.manual_seed(0)
    return 0.4 * torch.randn(8, LANDMARKS, 3).cumsum(0) * 0.2 + torch.tensor([0.0, 0.0, 5.0])


def test_a_camera_that_looks_aside_sees_the_same_landmarks(points, used):
    straight = look(_sighting(points), used)
    aside = torch.as_tensor(Rotation.from_euler("y", 25, degrees=True).as_matrix(), dtype=torch.float32)
    turned = look(_sighting(points @ aside.T), used)
    torch.testing.assert_close(turned.inputs[..., : 2 * LANDMARKS], straight.inputs[..., : 2 * LANDMARKS], atol=4e-2, rtol=0)
    torch.testing.assert_close(turned.scale, straight.scale, rtol=2e-2, atol=0)
    # The view turned with the camera, so bodies are the same in its axes.
    torch.testing.assert_close(turned.axes.transpose(-1, -2) @ aside, straight.axes.transpose(-1, -2), atol=2e-2, rtol=0)


def test_somebody_twice_as_far_away_looks_the_same_but_for_the_scale(points, used):
    near = look(_sighting(points * torch.tensor([0.1, 0.1, 1.0])), used)  # flat: perspective plays no part
    far = look(_sighting(points * torch.tensor([0.1, 0.1, 2.0])), used)
    torch.testing.assert_close(far.inputs[..., : 2 * LANDMARKS], near.inputs[..., : 2 * LANDMARKS], atol=5e-2, rtol=0)
    assert float((near.scale / far.scale).mean()) == pytest.approx(2.0, rel=0.02)


def test_a_pan_is_seen_as_turning(points, used):
    rate = 0.5  # rad/s
    steps = Rotation.from_rotvec(np.outer(np.arange(8) * rate / 30, [0, 1, 0])).as_matrix()
    view = look(_sighting(points[:1].expand(8, -1, -1), torch.as_tensor(steps)), used)
    torch.testing.assert_close(view.inputs[0, :, -3:], torch.tensor([0.0, rate, 0.0]).expand(8, 3), atol=0.02, rtol=0)


def test_unseen_frames_say_nothing(points, used):
    sighting = _sighting(points)
    sighting.seen[:, 3] = False
    inputs = look(sighting, used).inputs
    assert inputs.shape[-1] == INPUTS
    assert (inputs[0, 3, : 6 * LANDMARKS] == 0).all() and (inputs[0, 2, : 2 * LANDMARKS] != 0).any()


def test_rays_come_back_from_the_view(points, used):
    sighting = _sighting(points)
    axes = look(sighting, used).axes
    there = in_view(sighting.rays, axes)
    torch.testing.assert_close(in_view(there, axes.transpose(-1, -2)), sighting.rays, atol=1e-5, rtol=0)
