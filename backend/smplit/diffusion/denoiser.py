# SPDX-License-Identifier: GPL-3.0-or-later
"""The transformer that denoises motion: one trunk for MDM, DiffTraj and LOCO (Tevet et al. 2023, MDM, section 3).

Parts keep the names of the published models' state dicts, so that their checkpoints load with a strict
check. Plain torch modules: `.to()`, `.train()` and the like return the network, as everywhere in torch.

Layouts: motion is (B,J,F,T): joints, features of each, frames last. Tokens are (B,N,D).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from smplit.errors import BadInput

_LONGEST = 5000  # positions in the table, as in the published checkpoints
_NAMES_SHOWN = 12


class PositionalEncoding(nn.Module):
    """Sines and cosines of a token's place (Vaswani et al. 2017, section 3.5); the table is `pe` (5000,1,D)."""

    def __init__(self, width: int):
        super().__init__()
        place = torch.arange(_LONGEST, dtype=torch.float32)[:, None]
        rate = torch.exp(torch.arange(0, width, 2, dtype=torch.float32) * (-math.log(10000.0) / width))
        table = torch.zeros(_LONGEST, width)
        table[:, 0::2], table[:, 1::2] = torch.sin(place * rate), torch.cos(place * rate)
        self.register_buffer("pe", table[:, None])

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens + self.pe[: tokens.shape[1], 0]


class TimestepEmbedder(nn.Module):
    """A timestep (B,) becomes one token (B,1,D). Its table is the trunk's own, and so lies in the state dict twice."""

    def __init__(self, positions: PositionalEncoding, width: int):
        super().__init__()
        self.sequence_pos_encoder = positions
        self.time_embed = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, timesteps: Tensor) -> Tensor:
        return self.time_embed(self.sequence_pos_encoder.pe[timesteps])


class InputProcess(nn.Module):
    """(B,J,F,T) motion -> (B,T,D): one token a frame."""

    def __init__(self, channels: int, width: int):
        super().__init__()
        self.poseEmbedding = nn.Linear(channels, width)

    def forward(self, motion: Tensor) -> Tensor:
        return self.poseEmbedding(frame_vectors(motion))


class OutputProcess(nn.Module):
    """(B,T,D) tokens -> (B,J,F,T) motion."""

    def __init__(self, joints: int, features: int, width: int):
        super().__init__()
        self.joints, self.features = joints, features
        self.poseFinal = nn.Linear(width, joints * features)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.poseFinal(tokens).unflatten(-1, (self.joints, self.features)).permute(0, 2, 3, 1)


def encoder(width: int, layers: int, heads: int = 4, feed_forward: int = 1024, dropout: float = 0.1) -> nn.TransformerEncoder:
    """The published models' transformer: norms after each part, exact GELU."""
    layer = nn.TransformerEncoderLayer(width, heads, feed_forward, dropout, activation="gelu", batch_first=True)
    return nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)


class MotionDenoiser(nn.Module):
    """What the networks have in common. A subclass embeds its own conditions and calls `decode`.

    Args:
        joints, features: J and F of the motion.
        width: D of the tokens; `layers`, `heads`, `feed_forward`, `dropout` of the encoder.
    """

    def __init__(
        self, joints: int, features: int = 1, width: int = 512, layers: int = 8, heads: int = 4, feed_forward: int = 1024, dropout: float = 0.1
    ):
        super().__init__()
        self.sequence_pos_encoder = PositionalEncoding(width)
        self.seqTransEncoder = encoder(width, layers, heads, feed_forward, dropout)
        self.embed_timestep = TimestepEmbedder(self.sequence_pos_encoder, width)
        self.input_process = InputProcess(joints * features, width)
        self.output_process = OutputProcess(joints, features, width)
        self.dropout = nn.Dropout(dropout)

    def decode(self, before: Sequence[Tensor], frames: Tensor, padded: Tensor | None = None) -> Tensor:
        """Tokens before the frames [(B,n,D)...] and of the frames (B,T,D) -> x0 (B,J,F,T), read off the frames' tokens.

        `padded` (B,N) bool: true for tokens of the whole sequence that no other may look at.
        """
        tokens = self.dropout(self.sequence_pos_encoder(torch.cat([*before, frames], 1)))
        encoded = self.seqTransEncoder(tokens, src_key_padding_mask=padded)
        return self.output_process(encoded[:, -frames.shape[1] :])


def frame_vectors(motion: Tensor) -> Tensor:
    """(B,J,F,T) -> (B,T,J*F): one vector a frame."""
    return motion.permute(0, 3, 1, 2).flatten(2)


def load_strictly(network: nn.Module, weights: dict[str, Tensor], source: str | Path) -> None:
    """Fills the network with a checkpoint that has exactly its names and shapes.

    Raises:
        BadInput: it has not; lists which names are missing, unknown or of another shape.
    """
    own = network.state_dict()
    wrong = {
        "missing": [name for name in own if name not in weights],
        "unknown": [name for name in weights if name not in own],
        "of another shape": [
            f"{name} {tuple(weights[name].shape)} instead of {tuple(own[name].shape)}"
            for name in own if name in weights and weights[name].shape != own[name].shape
        ],
    }
    if any(wrong.values()):
        listed = "; ".join(f"{what}: {_some(names)}" for what, names in wrong.items() if names)
        raise BadInput(
            f"'{source}' does not fit {type(network).__name__}. {listed}.",
            "Use the checkpoint of this model, and the options it was trained with.", "weights_do_not_fit",
        )
    network.load_state_dict(weights)


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
    return ", ".join(names[:_NAMES_SHOWN]) + more
