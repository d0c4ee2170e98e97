# SPDX-License-Identifier: GPL-3.0-or-later
"""What the lifter sees: landmarks as a camera would show them that looks straight at the person.

A person walks through the picture, the camera turns: none of that is posture. So landmarks are seen along the *view*, the
direction to the person's trunk, and in units of their spread. The view's own turning goes in beside them, and what comes out is in
the view's axes (x right, y down, z away), until it is turned back (after CLIFF, Li et al. 2022).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from smplit.body.rotations import rotation_between
from smplit.mocap.clock import FPS
from smplit.mocap.fit.points import BLAZEPOSE_NAMES

LANDMARKS = 25
INPUTS = LANDMARKS * 6 + 8
_TRUNK = ("left_shoulder", "right_shoulder", "left_hip", "right_hip")
_TRUNK_WEIGHT, _OTHER_WEIGHT = 1.0, 0.15
_CENTRE_SECONDS, _SCALE_SECONDS = 0.1, 0.35  # deviations of the Gaussians that steady the view
_FARTHEST = 8.0  # in units of the spread: a landmark further out says no more


@dataclass
class Sighting:
    """Detections of B people over T frames at 30 a second.

    Attributes:
        rays: (B,T,K,2) = (pixel - principal point) / focal length; confidence: (B,T,K) 0..1.
        depth: (B,T,K,3) m, the detector's own 3D, about the hips; told: (B,) bool: it is there.
        seen: (B,T) bool: somebody was detected (otherwise the rest is led over from neighbours).
        turns: (B,T,3,3) from each frame's camera axes to the first one's.
    """

    rays: Tensor
    confidence: Tensor
    depth: Tensor
    told: Tensor
    seen: Tensor
    turns: Tensor


FLIP = torch.tensor([-1.0, 1.0, 1.0])  # mirrors x


def mirrored(sighting: Sighting, swap: Tensor) -> Sighting:
    """The picture in a mirror. `swap` (K,): each landmark's twin, `people.mirrored_landmarks`."""
    flip = FLIP.to(sighting.rays.device)
    return Sighting(
        sighting.rays[:, :, swap] * flip[:2], sighting.confidence[:, :, swap], sighting.depth[:, :, swap] * flip, sighting.told, sighting.seen,
        sighting.turns * (flip[:, None] * flip),
    )


@dataclass
class View:
    """How the people were looked at.

    Attributes:
        inputs: (B,T,INPUTS); axes: (B,T,3,3) from the view's axes to the camera's; scale: (B,T) spread of the landmarks, in the unit of `rays`.
    """

    inputs: Tensor
    axes: Tensor
    scale: Tensor


def look(sighting: Sighting, used: Tensor) -> View:
    """Turns to the person. `used` (K,): the landmarks' index among BlazePose's 33."""
    weight = sighting.confidence**2 * sighting.seen[..., None] + 1e-3
    trunk = torch.tensor([_TRUNK_WEIGHT if BLAZEPOSE_NAMES[i] in _TRUNK else _OTHER_WEIGHT for i in used.tolist()], device=weight.device)
    on_trunk = weight * trunk
    total = on_trunk.sum(-1, keepdim=True)
    centre = _steady((on_trunk[..., None] * sighting.rays).sum(2) / total, total, _CENTRE_SECONDS)
    axes = towards(centre)
    rays = in_view(sighting.rays, axes)
    spread = ((weight[..., None] * rays**2).sum((2, 3)) / weight.sum(-1)).clamp(min=1e-8)
    scale = _steady(spread.log()[..., None] / 2, total, _SCALE_SECONDS)[..., 0].exp()
    places = (rays / scale[..., None, None]).clamp(-_FARTHEST, _FARTHEST)
    shown = sighting.seen[..., None].float()
    turning = _rate(sighting.turns @ axes)
    told = sighting.told[:, None, None].float() * shown
    inputs = torch.cat([
        places.flatten(2) * shown, sighting.confidence * shown, sighting.depth.flatten(2) * 3.0 * told, told, shown,
        scale.log()[..., None], centre, turning,
    ], -1)
    return View(inputs, axes, scale)


def towards(centre: Tensor) -> Tensor:
    """(...,2) rays -> (...,3,3) the smallest turn from the optical axis to them: view axes to camera axes."""
    ray = torch.cat([centre, torch.ones_like(centre[..., :1])], -1)
    return rotation_between(torch.tensor([0.0, 0.0, 1.0], device=centre.device).expand_as(ray), ray)


def in_view(rays: Tensor, axes: Tensor) -> Tensor:
    """Rays (B,T,K,2) of the camera -> the same in the view's axes (B,T,3,3)."""
    full = torch.cat([rays, torch.ones_like(rays[..., :1])], -1) @ axes
    return full[..., :2] / full[..., 2:].clamp(min=0.1)


def _steady(values: Tensor, weight: Tensor, seconds: float) -> Tensor:
    """(B,T,C) smoothed over time by a Gaussian of `seconds`; weight (B,T,1)."""
    sigma = seconds * FPS
    reach = min(int(3 * sigma + 1), values.shape[1] - 1)
    taps = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=values.device) / sigma) ** 2)[None, None]

    def along(rows: Tensor) -> Tensor:
        curves = rows.transpose(1, 2).flatten(0, 1)[:, None]
        return torch.nn.functional.conv1d(curves, taps, padding=reach)[:, 0].unflatten(0, (rows.shape[0], -1)).transpose(1, 2)

    return along(values * weight) / along(weight).clamp(min=1e-9)


def _rate(turns: Tensor) -> Tensor:
    """(B,T,3,3) axes against axes that stand still -> (B,T,3) rad/s about the view's own axes, to the next frame."""
    if turns.shape[1] < 2:
        return turns.new_zeros(*turns.shape[:2], 3)
    step = turns[:, :-1].transpose(-1, -2) @ turns[:, 1:]
    # Of small turns: the skew part is the rotation vector.
    rate = torch.stack([step[..., 2, 1] - step[..., 1, 2], step[..., 0, 2] - step[..., 2, 0], step[..., 1, 0] - step[..., 0, 1]], -1) * (0.5 * FPS)
    return torch.cat([rate, rate[:, -1:]], 1)
