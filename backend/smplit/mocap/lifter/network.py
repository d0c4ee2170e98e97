# SPDX-License-Identifier: GPL-3.0-or-later
"""The lifter: a clip of landmarks to a clip of body motion, in one pass.

WHAM (Shin et al. 2024) lifts frame by frame with recurrent networks, for live use. A video that lies on the disk has a future
too: here every frame looks at a second and a half on either side through dilated convolutions, each channel for itself, between
perceptrons that mix the channels. Positions are relative: any length goes through, and no state is carried.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from smplit.axes import axis_angle_from_matrix, matrix_from_axis_angle
from smplit.body.rotations import matrix_from_6d
from smplit.mocap.lifter.people import JOINTS, MIRRORED_JOINTS
from smplit.mocap.lifter.sighting import FLIP, INPUTS, View

DILATIONS = (1, 2, 4, 8, 2, 1)
_TAPS = 5
MARGIN = sum(DILATIONS) * (_TAPS // 2)  # frames on either side that an answer depends on
_OUTPUTS = (JOINTS * 6, 10, 3, 4, 3, 3, JOINTS * 2)


@dataclass
class Lifted:
    """B people over T frames, in the view's axes.

    Attributes:
        rotations: (B,T,22,3,3) local rotations, the root's in the view's axes.
        betas: (B,T,10) shape, as each frame has it.
        place: (B,T,3): where the pelvis is: its ray (x, y) in units of the scale, and log(depth in m x scale).
        contacts: (B,T,4) logits, in the order of `motion.CONTACT_NAMES`.
        up: (B,T,3) the world's up; velocity: (B,T,3) m/s of the pelvis against the world.
        spread: (B,T,22,2) log of the joints' expected error in m, across the view and along it.
    """

    rotations: Tensor
    betas: Tensor
    place: Tensor
    contacts: Tensor
    up: Tensor
    velocity: Tensor
    spread: Tensor

    def pelvis(self, scale: Tensor) -> Tensor:
        """(B,T,3) m in the view's axes; `scale` (B,T) of the view."""
        depth = self.place[..., 2].exp() / scale
        return torch.cat([self.place[..., :2] * (scale * depth)[..., None], depth[..., None]], -1)


def unmirrored(lifted: Lifted) -> Lifted:
    """What was said of a mirrored picture, as of the picture itself."""
    flip = FLIP.to(lifted.place.device)
    rotations = lifted.rotations[:, :, MIRRORED_JOINTS] * (flip[:, None] * flip)
    return Lifted(
        rotations, lifted.betas, lifted.place * flip, lifted.contacts[..., [2, 3, 0, 1]], lifted.up * flip, lifted.velocity * flip,
        lifted.spread[:, :, MIRRORED_JOINTS],
    )


def mean(a: Lifted, b: Lifted) -> Lifted:
    """The middle of two answers."""
    middle = lambda name: (getattr(a, name) + getattr(b, name)) / 2
    first, second = (answer.rotations.double().cpu().numpy() for answer in (a, b))
    between = axis_angle_from_matrix(np.swapaxes(first, -1, -2) @ second)
    rotations = torch.as_tensor(first @ matrix_from_axis_angle(between / 2)).to(a.rotations)
    up = nn.functional.normalize(middle("up"), dim=-1)
    return Lifted(rotations, middle("betas"), middle("place"), middle("contacts"), up, middle("velocity"), middle("spread"))


class _Mix(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.norm, self.up, self.down = nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, values: Tensor) -> Tensor:
        return values + self.down(nn.functional.gelu(self.up(self.norm(values))))


class _OverTime(nn.Module):
    def __init__(self, width: int, dilation: int):
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.taps = nn.Parameter(torch.randn(_TAPS, width) * 0.2)
        self.gate = nn.Parameter(torch.full((width,), 0.5))
        self.dilation = dilation

    def forward(self, values: Tensor) -> Tensor:
        reach = self.dilation * (_TAPS // 2)
        # Beyond its ends a clip stands still: zeros would be a posture.
        normed = self.norm(values)
        padded = torch.cat([normed[:, :1].expand(-1, reach, -1), normed, normed[:, -1:].expand(-1, reach, -1)], 1)
        frames = values.shape[1]
        out = sum(padded[:, k * self.dilation : k * self.dilation + frames] * self.taps[k] for k in range(_TAPS))
        return values + self.gate * out


class Lifter(nn.Module):
    """`Lifter()(view)` -> `Lifted`. `mean` and `std` (INPUTS,) are those of the training data's inputs."""

    def __init__(self, width: int = 320):
        super().__init__()
        self.width = width
        self.register_buffer("mean", torch.zeros(INPUTS))
        self.register_buffer("std", torch.ones(INPUTS))
        self.enter = nn.Linear(INPUTS, width)
        layers: list[nn.Module] = [_Mix(width)]
        for dilation in DILATIONS:
            layers += [_OverTime(width, dilation), _Mix(width)]
        self.layers = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, sum(_OUTPUTS))
        rest = torch.tensor([1.0, 0, 0, 0, 1, 0]).repeat(JOINTS)
        with torch.no_grad():
            self.leave.weight *= 0.1
            self.leave.bias.zero_()
            self.leave.bias[: JOINTS * 6] = rest
            self.leave.bias[-JOINTS * 2 :] = -3.0

    def forward(self, view: View) -> Lifted:
        values = self.layers(self.enter((view.inputs - self.mean) / self.std))
        turns, betas, place, contacts, up, velocity, spread = self.leave(self.norm(values)).float().split(_OUTPUTS, -1)
        return Lifted(
            matrix_from_6d(turns.unflatten(-1, (JOINTS, 6))), betas, place, contacts, nn.functional.normalize(up, dim=-1), velocity,
            spread.unflatten(-1, (JOINTS, 2)),
        )
