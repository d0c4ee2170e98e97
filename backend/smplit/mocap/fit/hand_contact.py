# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands and forearms stay out of the trunk and of each other: capsules instead of meshes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from smplit.body.model import BodyModel

_SPINE = (3, 6, 9)  # joints that carry a capsule across belly, ribs and chest
_TRUNK_RADIUS = 0.09  # m
_FOREARM_RADIUS, _PALM_RADIUS, _FINGER_RADIUS = 0.035, 0.014, 0.007  # m
# Capsules of a hand as pairs of MediaPipe's landmarks: palm, then fingers.
_PALM = ((0, 5), (0, 9), (0, 13), (0, 17))
_FINGERS = ((5, 8), (9, 12), (13, 16), (17, 20), (2, 4))
_ENDS = torch.tensor([*_PALM, *_FINGERS])
_RADII = torch.tensor([_PALM_RADIUS] * len(_PALM) + [_FINGER_RADIUS] * len(_FINGERS))


@dataclass
class Trunk:
    """Capsules across the body's front: `ends` (3,2,3) m from their joints, in rest axes."""

    ends: Tensor

    @classmethod
    def of(cls, body: BodyModel, rest: Tensor) -> Trunk:
        """Just under the front of the mean shape's skin, at the height of each joint of the spine of `rest` (55,3) m."""
        skin = body.v_template[np.isin(body.weights.argmax(1), (0, *_SPINE))]
        mean = body.rest_joints().cpu()
        ends = []
        for joint in _SPINE:
            level = skin[np.abs(skin[:, 1] - float(mean[joint, 1])) < _TRUNK_RADIUS / 2]
            front = float(np.percentile(level[:, 2], 95)) - _TRUNK_RADIUS
            wide = max(float(np.percentile(level[:, 0], 95)) - _TRUNK_RADIUS, 0.0)
            middle = torch.tensor([0.0, float(mean[joint, 1]), front]) - mean[joint]
            ends.append(torch.stack([middle + torch.tensor([wide, 0.0, 0.0]), middle - torch.tensor([wide, 0.0, 0.0])]))
        return cls(torch.stack(ends).to(rest))

    def places(self, turns: Tensor, joints: Tensor) -> Tensor:
        """(T,22,3,3) global rotations and (T,22,3) m joints -> capsules (T,3,2,3) m."""
        turned = (turns[:, list(_SPINE), None] @ self.ends[None, ..., None])[..., 0]
        return joints[:, list(_SPINE), None] + turned


def overlap(trunk: Tensor, arms: Tensor, hands: Tensor) -> Tensor:
    """Squared depths in m2 to which capsules sink into each other, (T,).

    Args:
        trunk: (T,3,2,3) m, `Trunk.places`; arms: (T,2,4,3) m, collar to wrist; hands: (T,2,21,3) m.
    """
    hand = hands.movedim(0, -1)[:, _ENDS].movedim(-1, 0)  # (T,2,9,2,3); frames last in memory, as in `pose_chain`
    limbs = torch.cat([arms[:, :, 2:], hand.flatten(1, 2)], 1)  # (T,20,2,3)
    radii = torch.cat([torch.full((2,), _FOREARM_RADIUS), _RADII, _RADII])
    against_trunk = _sunk(limbs[:, :, None], trunk[:, None], radii[:, None] + _TRUNK_RADIUS)
    against_other = _sunk(hand[:, 0, :, None], hand[:, 1, None], _RADII[:, None] + _RADII)
    return against_trunk.sum((1, 2)) + against_other.sum((1, 2))


def _sunk(first: Tensor, second: Tensor, reach: Tensor) -> Tensor:
    """Squared lack of distance between segments (...,2,3) that must keep `reach` (...) m; the two broadcast."""
    a, u = first[..., 0, :], first[..., 1, :] - first[..., 0, :]
    b, v = second[..., 0, :], second[..., 1, :] - second[..., 0, :]
    with torch.no_grad():  # the nearest places: their change with the segments is of second order
        uu, vv, uv = (u * u).sum(-1), (v * v).sum(-1), (u * v).sum(-1)
        w = a - b
        uw, vw = (u * w).sum(-1), (v * w).sum(-1)
        s = ((uv * vw - vv * uw) / (uu * vv - uv * uv).clamp(min=1e-12)).clamp(0.0, 1.0)
        t = ((uv * s + vw) / vv.clamp(min=1e-12)).clamp(0.0, 1.0)
        s = ((uv * t - uw) / uu.clamp(min=1e-12)).clamp(0.0, 1.0)
    apart = (a + s[..., None] * u - b - t[..., None] * v).square().sum(-1).clamp(min=1e-10).sqrt()
    return torch.relu(reach - apart).square()
