# SPDX-License-Identifier: GPL-3.0-or-later
"""A small invented motion with everything a capture carries, and smplx's own skinning to compare with."""

import numpy as np
import pytest
import torch
from smplx.lbs import lbs

from smplit.body.model import BodyModel
from smplit.motion import Motion


@pytest.fixture(scope="session")
def body():
    return BodyModel.load()


@pytest.fixture
def motion(body):
    """24 frames: every joint swings smoothly, the root turns through 300 degrees and travels."""
    rng = np.random.default_rng(7)
    frames = 24
    phase = np.linspace(0, 2 * np.pi, frames)[:, None, None]
    axes = rng.normal(size=(1, 55, 3)) * 0.35
    poses = axes * np.sin(phase + rng.uniform(0, 6, size=(1, 55, 1)))
    poses[:, 0] = [np.pi / 2, 0, 0]
    poses[:, 0, 2] += np.linspace(0, 5.2, frames)
    expression = np.zeros((frames, len(body.expression_names)), np.float32)
    expression[:, body.expression_names.index("jawOpen")] = np.linspace(0, 0.8, frames)
    expression[:, body.expression_names.index("browInnerUp")] = 0.5
    return Motion(
        poses=poses.reshape(frames, 165).astype(np.float32),
        trans=np.stack([np.linspace(0, 1.5, frames), np.sin(phase[:, 0, 0]), np.full(frames, 1.2)], -1).astype(np.float32),
        fps=25.0, betas=rng.normal(size=10).astype(np.float32), expression=expression, expression_names=body.expression_names,
        valid=np.arange(frames) != 3, frame_times=2.0 + np.arange(frames) / 25.0,
        camera_R=np.tile(np.array([[1, 0, 0], [0, 0, -1], [0, 1, 0]], np.float32), (frames, 1, 1)),
        camera_t=np.tile(np.array([0.1, 1.3, 4.0], np.float32), (frames, 1)),
        camera_K=np.array([[900, 0, 480], [0, 900, 270], [0, 0, 1]], np.float32),
    )


@pytest.fixture(scope="session")
def smplx_skinning():
    return _smplx_skinning


def _smplx_skinning(body, motion, expression=False):
    """Without pose correctives: joints (T,55,3) and vertices (T,V,3) m in the world, from smplx's `lbs` on the file's arrays."""
    with np.load(body.path, allow_pickle=False) as archive:
        arrays = {name: torch.as_tensor(archive[name].astype(np.float64)) for name in ("v_template", "shapedirs", "J_regressor", "weights")}
        parents = torch.as_tensor(archive["kintree_table"][0].astype(np.int64))
    parents[0] = -1
    count = len(motion)
    coefficients = torch.as_tensor(np.tile(motion.betas[:10], (count, 1)), dtype=torch.float64)
    directions = arrays["shapedirs"][..., :10]
    if expression:
        coefficients = torch.cat([coefficients, torch.as_tensor(motion.expression, dtype=torch.float64)], 1)
        directions = torch.cat([directions, arrays["shapedirs"][..., 300 : 300 + motion.expression.shape[1]]], -1)
    correctives = torch.zeros(486, arrays["v_template"].shape[0] * 3, dtype=torch.float64)
    vertices, joints = lbs(
        coefficients, torch.as_tensor(motion.poses, dtype=torch.float64), arrays["v_template"], directions, correctives,
        arrays["J_regressor"], parents, arrays["weights"],
    )
    move = torch.as_tensor(motion.trans, dtype=torch.float64)[:, None]
    return (joints + move).numpy(), (vertices + move).numpy()
