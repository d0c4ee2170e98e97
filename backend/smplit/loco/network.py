# SPDX-License-Identifier: GPL-3.0-or-later
"""The locomotion network: draws the movement to come, given the movement so far, the plan and a style.

Rectified flow (Liu et al., Flow Straight and Fast, 2022) over the components of a window (see `windows`), predicting the clean
window: one step gives the mean of what may follow, more steps draw from it. The body is a multilayer perceptron whose layers are
scaled and shifted by moment and style (adaptive norm, Peebles and Xie 2023): a window's components have no order in time, and a
plan of two milliseconds on one core is what live editing needs.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from smplit.loco.frames import CHANNELS
from smplit.loco.windows import CONTROL, FUTURE, PAST, Components, past_vector

_MOMENTS = 32
_STYLE = 64


class _Layer(nn.Module):
    """Residual layer; `about` (B,A) scales and shifts its normalised input and gates its output."""

    def __init__(self, width: int, about: int):
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.adapt = nn.Linear(about, 3 * width)
        self.enter, self.leave = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        nn.init.zeros_(self.adapt.weight)
        nn.init.zeros_(self.adapt.bias)

    def forward(self, values: Tensor, about: Tensor) -> Tensor:
        scale, shift, gate = self.adapt(about).chunk(3, -1)
        inner = self.norm(values) * (1 + scale) + shift
        return values + (1 + gate) * self.leave(nn.functional.gelu(self.enter(inner)))


class LocoNetwork(nn.Module):
    """`LocoNetwork(styles)(noised, moment, past, control, style)` -> the clean window's components.

    Args:
        styles: how many. components, past_components: how many numbers a window to come and the past are written in.
    """

    def __init__(self, styles: int, width: int = 360, layers: int = 5, components: int = 320, past_components: int = 64):
        super().__init__()
        self.sizes = {"styles": styles, "width": width, "layers": layers, "components": components, "past_components": past_components}
        inputs = 2 * CHANNELS + past_components + CONTROL
        for name, vector, count in (("future", FUTURE * CHANNELS, components), ("past", (PAST - 1) * CHANNELS, past_components)):
            self.register_buffer(f"{name}_mean", torch.zeros(vector))
            self.register_buffer(f"{name}_basis", torch.zeros(count, vector))
            self.register_buffer(f"{name}_spread", torch.ones(count))
            self.register_buffer(f"{name}_weight", torch.ones(vector))
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("std", torch.ones(inputs))
        about = 128
        self.style = nn.Linear(styles, _STYLE, bias=False)
        self.no_style = nn.Parameter(torch.zeros(_STYLE))
        self.about = nn.Sequential(nn.Linear(_STYLE + 2 * _MOMENTS, about), nn.SiLU(), nn.Linear(about, about), nn.SiLU())
        self.enter = nn.Linear(inputs + components, width)
        self.layers = nn.ModuleList(_Layer(width, about) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, components)
        self.register_buffer("frequencies", torch.exp(torch.linspace(0, math.log(200.0), _MOMENTS)), persistent=False)

    def components(self, name: str) -> Components:
        """Of "future" or "past"."""
        return Components(*(getattr(self, f"{name}_{part}") for part in ("mean", "basis", "spread", "weight")))

    def see(self, past: Tensor, control: Tensor) -> Tensor:
        """Past frames (B,PAST,CHANNELS) and control (B,CONTROL) -> (B,inputs), normalised."""
        last = past[:, -1]
        raw = torch.cat([last, last - past[:, -2], self.components("past").write(past_vector(past)), control], -1)
        return (raw - self.mean) / self.std

    def embed_style(self, style: Tensor, known: Tensor | None = None) -> Tensor:
        """Style shares (B,S) -> (B,E); `known` (B,) bool: where not, any style."""
        embedded = self.style(style)
        return embedded if known is None else torch.where(known[:, None], embedded, self.no_style)

    def forward(self, noised: Tensor, moment: Tensor, seen: Tensor, style: Tensor) -> Tensor:
        """Args: noised (B,D); moment (B,) 1 for noise, 0 for clean; seen (B,inputs) of `see`; style (B,E) of `embed_style`."""
        waves = moment[:, None] * self.frequencies
        about = self.about(torch.cat([style, torch.cos(waves), torch.sin(waves)], -1))
        values = self.enter(torch.cat([seen, noised], -1))
        for layer in self.layers:
            values = layer(values, about)
        return self.leave(self.norm(values))

    def draw(self, seen: Tensor, style: Tensor, noise: Tensor, steps: int = 4, strength: float = 1.0) -> Tensor:
        """A window's components (B,D) out of `noise` (B,D), in `steps` steps; in one, the mean, whatever the noise. `strength`: 1 for the
        style as it is, 0 for any style, more to exaggerate (classifier-free guidance, Ho and Salimans 2022)."""
        values = noise if steps > 1 else torch.zeros_like(noise)
        guided = strength != 1.0
        if guided:  # both at once: it is reading the weights that takes the time
            seen, style = torch.cat([seen, seen]), torch.cat([style, self.no_style.expand_as(style)])
        for step in range(steps, 0, -1):
            moment = values.new_full((len(seen),), step / steps)
            clean = self(torch.cat([values, values]) if guided else values, moment, seen, style)
            if guided:
                told, any_style = clean.chunk(2)
                clean = any_style + strength * (told - any_style)
            values = clean + (values - clean) * ((step - 1) / step)
        return values

    def window(self, numbers: Tensor, last: Tensor) -> Tensor:
        """Components (B,D) after the frame `last` (B,CHANNELS) -> frames (B,FUTURE,CHANNELS)."""
        return self.components("future").read(numbers).unflatten(-1, (FUTURE, CHANNELS)) + last[:, None]
