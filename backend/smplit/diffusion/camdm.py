# SPDX-License-Identifier: GPL-3.0-or-later
"""CAMDM, the published autoregressive locomotion model that LOCO grew from (Chen et al. 2024, section 4).

Written from its behaviour; the state-dict names are the published ones. Motion is local rotations, 6 numbers a
joint, and a last row of 6 whose first three are the root's place in metres; nothing is normalised.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from smplit.diffusion.denoiser import InputProcess, OutputProcess, PositionalEncoding, TimestepEmbedder, encoder

_SIX, _LEVEL = 6, 2


class _StyleTable(nn.Module):
    """One learned row per style."""

    def __init__(self, styles: int, width: int):
        super().__init__()
        self.action_embedding = nn.Parameter(torch.randn(styles, width))


class CamdmDenoiser(nn.Module):
    """Tokens: [time, style, path, facing, past, frames].

    Args:
        rows: joints and the root's place, 26 as published.
        styles, width, layers, heads, feed_forward, dropout: of the published checkpoints by default.
    """

    def __init__(
        self, rows: int = 26, styles: int = 100, width: int = 256, layers: int = 4, heads: int = 4, feed_forward: int = 1024, dropout: float = 0.2
    ):
        super().__init__()
        self.past_motion_process = InputProcess(rows * _SIX, width)
        self.future_motion_process = InputProcess(rows * _SIX, width)
        self.traj_trans_process = InputProcess(_LEVEL, width)
        self.traj_pose_process = InputProcess(_SIX, width)
        self.embed_style = _StyleTable(styles, width)
        self.sequence_pos_encoder = PositionalEncoding(width)
        self.embed_timestep = TimestepEmbedder(self.sequence_pos_encoder, width)
        self.seqEncoder = encoder(width, layers, heads, feed_forward, dropout)
        self.output_process = OutputProcess(rows, _SIX, width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, x: Tensor, timesteps: Tensor, past_motion: Tensor, traj_trans: Tensor, traj_pose: Tensor, style: Tensor, keep_past: Tensor | None = None
    ) -> Tensor:
        """x0 (B,J,6,F) of noised motion x (B,J,6,F).

        Args:
            timesteps, style: (B,) int64; past_motion: (B,J,6,P).
            traj_trans: (B,2,F) m, the root's path on the floor; traj_pose: (B,6,F), the facing as a turn about the vertical.
            keep_past: (B,) bool; where false the past is not known: zeros, whose layer's bias stays. Without it all are.
        """
        encoded = self.seqEncoder(self.tokens(x, timesteps, past_motion, traj_trans, traj_pose, style, keep_past))
        return self.output_process(encoded[:, -x.shape[-1] :])

    def tokens(
        self, x: Tensor, timesteps: Tensor, past_motion: Tensor, traj_trans: Tensor, traj_pose: Tensor, style: Tensor, keep_past: Tensor | None
    ) -> Tensor:
        """(B,N,D): what the encoder sees, positions added."""
        if keep_past is not None:
            past_motion = past_motion * keep_past.to(past_motion)[:, None, None, None]
        parts = [
            self.embed_timestep(timesteps), self.embed_style.action_embedding[style][:, None], self.traj_trans_process(traj_trans[:, :, None]),
            self.traj_pose_process(traj_pose[:, :, None]), self.past_motion_process(past_motion), self.future_motion_process(x),
        ]
        return self.dropout(self.sequence_pos_encoder(torch.cat(parts, 1)))
