# SPDX-License-Identifier: GPL-3.0-or-later
"""HMR2's network: a ViT-H over the crop, and a decoder whose one query becomes a SMPL body.

State-dict names are those of the published checkpoints, of `backbone.*` and `smpl_head.*`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import gelu, scaled_dot_product_attention

from smplit.mocap.wham.crop import FEATURE_COLUMNS, SIDE

DEPTH = 32  # blocks of the published backbone
WIDTH, HEADS = 1280, 16
PATCH, PADDING = 16, 2  # px; with the padding 16 x 12 patches still fit, two pixels further up and left
PATCHES = 16 * 12
TOKEN = 1024  # numbers of the query, WHAM's image feature
LAYERS, HEAD_WIDTH, DECODER_HEADS = 6, 512, 8
POSE, BETAS, CAMERA = 24 * 6, 10, 3


@dataclass
class Answer:
    """Of B crops: token (B,1024), pose (B,144) 6D columns with joint 0 in camera axes, betas (B,10), cam (B,3) scale and shift in the crop."""

    token: Tensor
    pose: Tensor
    betas: Tensor
    cam: Tensor


class Attention(nn.Module):
    """Of the patches to each other."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        query, key, value = self.qkv(tokens).unflatten(-1, (3, HEADS, -1)).permute(2, 0, 3, 1, 4)  # (B,heads,N,80) each
        return self.proj(scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class Mlp(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1 = nn.Linear(WIDTH, 4 * WIDTH)
        self.fc2 = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(gelu(self.fc1(tokens)))


class Block(nn.Module):
    """Norms and sums stay in float32 when the products are in half precision: rounding does not add up over 32 blocks."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(WIDTH, eps=1e-6), nn.LayerNorm(WIDTH, eps=1e-6)
        self.attn, self.mlp = Attention(), Mlp()

    def forward(self, tokens: Tensor) -> Tensor:
        kind = self.attn.qkv.weight.dtype
        tokens = tokens + self.attn(self.norm1(tokens).to(kind))
        return tokens + self.mlp(self.norm2(tokens).to(kind))


class PatchEmbed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, WIDTH, PATCH, stride=PATCH, padding=PADDING)

    def forward(self, crops: Tensor) -> Tensor:
        """(B,3,256,192) -> (B,192,1280), row by row."""
        return self.proj(crops).flatten(2).transpose(1, 2)


class Backbone(nn.Module):
    """(B,3,256,256) crops -> (B,192,1280) image tokens."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed()
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + PATCHES, WIDTH))
        self.blocks = nn.ModuleList(Block() for _ in range(depth))
        self.last_norm = nn.LayerNorm(WIDTH, eps=1e-6)

    def forward(self, crops: Tensor) -> Tensor:
        tokens = self.patch_embed(crops[..., FEATURE_COLUMNS])
        # The first place was a class token's. There is none, but every patch was trained with its place added.
        tokens = tokens + self.pos_embed[:, 1:] + self.pos_embed[:, :1]
        for block in self.blocks:
            tokens = block(tokens)
        return self.last_norm(tokens)


class SelfAttention(nn.Module):
    """Of the query to itself alone: whatever the scores, it gets its own value."""

    def __init__(self) -> None:
        super().__init__()
        self.to_qkv = nn.Linear(TOKEN, 3 * HEAD_WIDTH, bias=False)
        self.to_out = nn.Sequential(nn.Linear(HEAD_WIDTH, TOKEN))

    def forward(self, query: Tensor, _: Tensor) -> Tensor:
        return self.to_out(nn.functional.linear(query, self.to_qkv.weight[2 * HEAD_WIDTH :]))


class CrossAttention(nn.Module):
    """Of the query to the image tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.to_q = nn.Linear(TOKEN, HEAD_WIDTH, bias=False)
        self.to_kv = nn.Linear(WIDTH, 2 * HEAD_WIDTH, bias=False)
        self.to_out = nn.Sequential(nn.Linear(HEAD_WIDTH, TOKEN))

    def forward(self, query: Tensor, image: Tensor) -> Tensor:
        heads = lambda values: values.unflatten(-1, (DECODER_HEADS, -1)).transpose(1, 2)
        key, value = self.to_kv(image).chunk(2, -1)
        found = scaled_dot_product_attention(heads(self.to_q(query)), heads(key), heads(value))
        return self.to_out(found.transpose(1, 2).flatten(2))


class FeedForward(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        # Names 0 and 3: between them lie a GELU and a dropout, of which only the places matter.
        self.net = nn.Sequential(nn.Linear(TOKEN, TOKEN), nn.GELU(), nn.Identity(), nn.Linear(TOKEN, TOKEN))

    def forward(self, query: Tensor, _: Tensor) -> Tensor:
        return self.net(query)


class Normed(nn.Module):
    """A part of a decoder layer behind its norm."""

    def __init__(self, part: nn.Module) -> None:
        super().__init__()
        self.norm, self.fn = nn.LayerNorm(TOKEN, eps=1e-5), part

    def forward(self, query: Tensor, image: Tensor) -> Tensor:
        return query + self.fn(self.norm(query), image)


class Layers(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList(Normed(part()) for part in (SelfAttention, CrossAttention, FeedForward)) for _ in range(LAYERS)
        )


class Decoder(nn.Module):
    """One query, the same for all pictures, looks at the image tokens six times."""

    def __init__(self) -> None:
        super().__init__()
        self.to_token_embedding = nn.Linear(1, TOKEN)  # of a zero: its bias alone counts
        self.pos_embedding = nn.Parameter(torch.zeros(1, 1, TOKEN))
        self.transformer = Layers()

    def forward(self, image: Tensor) -> Tensor:
        """(B,192,1280) -> (B,1024)."""
        query = (self.to_token_embedding.bias + self.pos_embedding).expand(len(image), 1, TOKEN)
        for layer in self.transformer.layers:
            for part in layer:
                query = part(query, image)
        return query[:, 0]


class SmplHead(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.transformer = Decoder()
        self.decpose, self.decshape, self.deccam = nn.Linear(TOKEN, POSE), nn.Linear(TOKEN, BETAS), nn.Linear(TOKEN, CAMERA)
        self.register_buffer("init_body_pose", torch.zeros(1, POSE))
        self.register_buffer("init_betas", torch.zeros(1, BETAS))
        self.register_buffer("init_cam", torch.zeros(1, CAMERA))

    def forward(self, image: Tensor) -> Answer:
        token = self.transformer(image)
        return Answer(
            token, self.decpose(token) + self.init_body_pose, self.decshape(token) + self.init_betas, self.deccam(token) + self.init_cam
        )


class Hmr2Network(nn.Module):
    """The published network: 670 million parameters in 503 tensors at depth 32."""

    def __init__(self, depth: int = DEPTH) -> None:
        super().__init__()
        self.backbone = Backbone(depth)
        self.smpl_head = SmplHead()

    def forward(self, crops: Tensor) -> Answer:
        """(B,3,256,256) crops, RGB with ImageNet's normalisation; columns 32 to 223 are looked at."""
        if crops.shape[1:] != (3, SIDE, SIDE):
            raise ValueError(f"crops of shape {tuple(crops.shape)} instead of (B,3,{SIDE},{SIDE})")
        return self.smpl_head(self.backbone(crops))

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = True) -> Any:
        """As torch's, but takes over the tensors themselves: 2.7 GB are not there twice."""
        return super().load_state_dict(state_dict, strict, assign)

    def multiply_in(self, kind: torch.dtype) -> Hmr2Network:
        """Makes the backbone's products, which are nearly all of the work, run in another precision; returns itself."""
        for block in self.backbone.blocks:
            block.attn.to(kind)
            block.mlp.to(kind)
        return self
