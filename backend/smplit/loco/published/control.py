# SPDX-License-Identifier: GPL-3.0-or-later
"""The published LOCO's fine-tuning network: a base without styles, and a copy of it that steers it by style.

A control branch in the manner of ControlNet (Zhang et al. 2023, section 3.1): what the copy's layers give is added
to the base's after the layer of the same number, each through a linear that starts at zero, so that training
begins with exactly the base. Written from its behaviour; state-dict names are the published ones.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from smplit.diffusion.denoiser import InputProcess, PositionalEncoding, TimestepEmbedder, encoder, frame_vectors
from smplit.loco.published.network import CONTROL, MOTION, OriginalLocoDenoiser


class OriginalControlDenoiser(OriginalLocoDenoiser):
    """Tokens of base and branch: [past, way ahead, time, frames]; the style is added to each of the branch's frames."""

    def __init__(self, styles: int = 100, width: int = 512, layers: int = 8):
        super().__init__(0, width, layers)
        self.styles = styles
        self.style_onehot_fc = nn.Linear(styles, width)
        self.c_input_process = InputProcess(MOTION, width)
        self.c_sequence_pos_encoder = PositionalEncoding(width)
        self.c_embed_timestep = TimestepEmbedder(self.c_sequence_pos_encoder, width)
        self.c_past_motion_encoder = nn.Linear(MOTION, width)
        self.c_ctrl_traj_encoder = nn.Linear(CONTROL, width)
        self.c_seqTransEncoder = encoder(width, layers)
        self.zero_convs = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        for linear in self.zero_convs:
            nn.init.zeros_(linear.weight)
            nn.init.zeros_(linear.bias)

    def copy_base(self) -> None:
        """Makes the branch a copy of the base as it is now: how fine-tuning begins."""
        base = self.state_dict()
        self.load_state_dict(base | {name: base[name.removeprefix("c_")] for name in base if name.startswith("c_")})

    def forward(self, x: Tensor, timesteps: Tensor, past_motion: Tensor, control: Tensor, style: Tensor | None = None) -> Tensor:
        """See `OriginalLocoDenoiser`; without a style the base answers alone."""
        past, way = frame_vectors(past_motion), frame_vectors(control)
        tokens = self._arranged(self.past_motion_encoder(past), self.ctrl_traj_encoder(way), self.embed_timestep(timesteps), self.input_process(x))
        if style is None:
            steering: list[Tensor | float] = [0.0] * len(self.zero_convs)
        else:
            frames = self.c_input_process(x) + self.style_onehot_fc(style)[:, None]
            branch = self._arranged(self.c_past_motion_encoder(past), self.c_ctrl_traj_encoder(way), self.c_embed_timestep(timesteps), frames)
            steering = []
            for layer, linear in zip(self.c_seqTransEncoder.layers, self.zero_convs, strict=True):
                branch = layer(branch)
                steering.append(linear(branch))
        for layer, addition in zip(self.seqTransEncoder.layers, steering, strict=True):
            tokens = layer(tokens) + addition
        return self.output_process(tokens[:, -x.shape[-1] :])

    def _arranged(self, *parts: Tensor) -> Tensor:
        return self.dropout(self.sequence_pos_encoder(torch.cat(parts, 1)))
