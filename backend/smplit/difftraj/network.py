# SPDX-License-Identifier: GPL-3.0-or-later
"""The trajectory network: how fast a body travels, from how it moves.

A velocity learned by heart does not carry over to strangers' gaits; which foot stands does. So the
network weighs witnesses: its own guess, what a camera saw, and eight foot points, each of which says
"the body moves so that I stand still", but for a slow slip that the network allows it. The weighted
mean of what they say is the velocity. Dilated convolutions over time: positions are relative, any
length goes through in one pass, memory grows linearly.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from smplit.difftraj import hypotheses
from smplit.difftraj.blocks import Block
from smplit.difftraj.features import INPUTS, POINTS, Seen

DILATIONS = (1, 2, 4, 8, 16, 8, 2)
MARGIN = sum(DILATIONS) + sum(hypotheses.DILATIONS)  # frames on either side that an answer and its hypotheses depend on
_MOST_SLIP = 0.5  # leg lengths/s of a foot point that counts as standing
_CONTACTS = 4


@dataclass
class Answer:
    """What the network says of B clips of T frames; lengths in leg lengths, seconds, heading frame.

    Attributes:
        velocity: (B,T,2) level velocity of the pelvis over the step to the next frame: what all witnesses say.
        own: (B,T,2) the network's own guess alone.
        contacts: (B,T,4) logits, in the order of `motion.CONTACT_NAMES`.
        height: (B,T) of the pelvis over the floor.
        tilt: (B,T,2) rad about the heading frame's x and y: what to turn the root by to make it level.
        features: (B,T,width) what all of this was read from; `hypotheses` reads on.
        flow_error: (B,T,2) of the hypotheses on a `Trial`; None without one.
    """

    velocity: Tensor
    own: Tensor
    contacts: Tensor
    height: Tensor
    tilt: Tensor
    features: Tensor
    flow_error: Tensor | None = None


@dataclass
class Trial:
    """What the hypotheses are trained on: the true velocity (B,T,2), noise (B,T,2) and the flow's moment (B,) 0..1."""

    velocity: Tensor
    noise: Tensor
    moment: Tensor


class TrajectoryNetwork(nn.Module):
    """`TrajectoryNetwork()(seen)` -> `Answer`. `mean` and `std` (INPUTS,) are those of the training data's inputs."""

    def __init__(self, width: int = 160):
        super().__init__()
        self.width = width
        self.register_buffer("mean", torch.zeros(INPUTS))
        self.register_buffer("std", torch.ones(INPUTS))
        self.enter = nn.Linear(INPUTS, width)
        self.blocks = nn.ModuleList(Block(width, dilation) for dilation in DILATIONS)
        self.norm = nn.LayerNorm(width)
        witnesses = POINTS + 2
        self._split = (2, 2 * POINTS, witnesses, _CONTACTS, 1, 2)
        self.leave = nn.Linear(width, sum(self._split))
        nn.init.zeros_(self.leave.bias)
        self.hypotheses = hypotheses.Hypotheses(width)
        with torch.no_grad():
            self.leave.weight *= 0.1

    def forward(self, seen: Seen, trial: Trial | None = None) -> Answer:
        values = self.enter((seen.inputs - self.mean) / self.std)
        for block in self.blocks:
            values = block(values)
        features = self.norm(values)
        own, slip, weights, contacts, clearance, tilt = self.leave(features).float().split(self._split, -1)
        slip = _MOST_SLIP * torch.tanh(slip).unflatten(-1, (POINTS, 2))
        says = torch.cat([own[..., None, :], seen.camera[..., None, :2], slip - seen.foot_steps], -2)
        absent = torch.cat([
            torch.zeros_like(seen.valid)[..., None], (seen.camera[..., 2] <= 0)[..., None],
            ~seen.valid[..., None].expand(*seen.valid.shape, POINTS),
        ], -1)
        weights = weights.masked_fill(absent, -torch.inf).softmax(-1)
        says = torch.where(absent[..., None], 0.0, says)
        velocity = (weights[..., None] * says).sum(-2)
        flow_error = None
        if trial is not None:  # in here, because DistributedDataParallel sees to what forward uses
            flow_error = self.hypotheses.flow_error(features.detach(), (trial.velocity - velocity).detach(), trial.noise, trial.moment)
        return Answer(velocity, own, contacts, clearance[..., 0] - seen.lowest, tilt, features, flow_error)
