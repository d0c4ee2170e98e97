# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the lifter on windows whose truth is known, by METRICS.md's definitions."""

from __future__ import annotations

import torch
from torch import Tensor

from smplit.mocap.lifter.films import Truth
from smplit.mocap.lifter.network import Lifted
from smplit.mocap.lifter.people import pose


def aligned_error(joints: Tensor, true: Tensor) -> Tensor:
    """(N,J,3) m both -> (N,J) m after the best similarity of each frame (Umeyama 1991)."""
    a, b = joints - joints.mean(1, keepdim=True), true - true.mean(1, keepdim=True)
    u, s, v = torch.linalg.svd(a.transpose(1, 2) @ b)
    sign = torch.ones_like(s)
    sign[:, 2] = torch.sign(torch.linalg.det(u @ v))
    rotation = u @ (sign[..., None] * v)
    scale = (s * sign).sum(-1) / (a**2).sum((1, 2)).clamp(min=1e-9)
    return (scale[:, None, None] * (a @ rotation) - b).norm(dim=-1)


def figures(lifted: Lifted, truth: Truth, rows: slice) -> dict[str, float]:
    """MPJPE and PA-MPJPE (mm), the root's angle, up's angle (degrees), depth error (%), contacts (% right), speed error (cm/s), jitter ratio."""
    inside = truth.inside[rows]
    _, joints = pose(lifted.rotations[rows], truth.people.bones[rows])
    true = truth.joints[rows]
    error = (joints - true).norm(dim=-1).mean(-1)[inside]
    aligned = aligned_error(joints[inside], true[inside])
    turn = lifted.rotations[rows][:, :, 0].transpose(-1, -2) @ truth.rotations[rows][:, :, 0]
    cosine = ((turn.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1)[inside]
    up = (lifted.up[rows] * truth.up[rows]).sum(-1).clamp(-1, 1)[inside]
    depth = (lifted.place[rows][..., 2] - truth.place[rows][..., 2]).abs()[inside]
    contacts = ((lifted.contacts[rows] > 0) == (truth.contacts[rows] > 0.5)).float().mean(-1)[inside]
    velocity = (lifted.velocity[rows] - truth.velocity[rows]).norm(dim=-1)[inside]
    jerk = lambda values: torch.diff(values, n=3, dim=1).norm(dim=-1).mean()
    return {
        "mpjpe_mm": 1000 * float(error.mean()), "pa_mpjpe_mm": 1000 * float(aligned.mean()), "root_deg": float(torch.rad2deg(cosine.acos()).mean()),
        "up_deg": float(torch.rad2deg(up.acos()).mean()), "depth_percent": 100 * float(depth.mean()), "contacts_percent": 100 * float(contacts.mean()),
        "velocity_cm_s": 100 * float(velocity.mean()), "jitter_ratio": float(jerk(joints) / jerk(true)),
    }
