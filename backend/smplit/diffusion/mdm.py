# SPDX-License-Identifier: GPL-3.0-or-later
"""MDM, the published motion diffusion model that DiffTraj and LOCO grew from (Tevet et al. 2023).

Written from its behaviour; the state-dict names are the published ones. Text comes as an embedding
(CLIP's, 512 numbers): no text encoder is part of this network.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from smplit.diffusion.denoiser import MotionDenoiser


class _ActionTable(nn.Module):
    """One learned row per action."""

    def __init__(self, actions: int, width: int):
        super().__init__()
        self.action_embedding = nn.Parameter(torch.randn(actions, width))


class MDM(MotionDenoiser):
    """One token of time and condition, then one a frame.

    Args:
        joints, features: of the motion: 263 and 1 for HumanML3D, 25 and 6 for rotations.
        text_width: numbers of the text embedding, 0 without text.
        actions: number of action classes, 0 without.
    """

    def __init__(self, joints: int, features: int = 1, text_width: int = 0, actions: int = 0, width: int = 512, layers: int = 8):
        super().__init__(joints, features, width, layers)
        if text_width:
            self.embed_text = nn.Linear(text_width, width)
        if actions:
            self.embed_action = _ActionTable(actions, width)

    def forward(
        self, x: Tensor, timesteps: Tensor, *, text: Tensor | None = None, action: Tensor | None = None,
        unconditional: bool = False, lengths: Tensor | None = None,
    ) -> Tensor:
        """x0 (B,J,F,T) of noised motion x (B,J,F,T).

        Args:
            timesteps: (B,) int64; text: (B,E) embedding; action: (B,) int64, whichever the network knows.
            unconditional: as if the condition were not known. A dropped text is a zero embedding, whose
                bias stays; a dropped action adds nothing.
            lengths: (B,) frames that are motion; later ones are not looked at. Without it all are, as
                the published checkpoints were trained.
        """
        token = self.embed_timestep(timesteps)
        if text is not None:
            token = token + self.embed_text(torch.zeros_like(text) if unconditional else text)[:, None]
        if action is not None and not unconditional:
            token = token + self.embed_action.action_embedding[action][:, None]
        frames = self.input_process(x)
        padded = None
        if lengths is not None:
            places = torch.arange(frames.shape[1] + 1, device=x.device)
            padded = places > lengths[:, None]  # place 0 is the condition's
        return self.decode([token], frames, padded)


def guided(conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance of x0 (Ho and Salimans 2022): away from what would be without the condition."""
    return unconditional + scale * (conditional - unconditional)
