# SPDX-License-Identifier: GPL-3.0-or-later
"""What a detector would see of a body: noise on 17 keypoints, keypoints that are missed, boxes (SPEC, section 6)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from smplit import models
from smplit.difftraj.random_batch import RandomBatch
from smplit.errors import BadInput
from smplit.mocap.wham.boxes import boxes_of_keypoints, smoothed_boxes
from smplit.mocap.wham.network import KEYPOINTS

_BIAS, _JITTER, _PEAK, _PEAK_CHANCE = 0.1, 0.05, 0.3, 0.005
_MISSED = 0.03
_SCALES, _SHIFT = (0.8, 1.4), 0.05
# A keypoint and one without which it is not seen either, from the trunk outwards.
_LEANS_ON = (
    (0, 5), (0, 6), (1, 0), (2, 0), (3, 1), (4, 2), (7, 5), (8, 6), (9, 7), (10, 8), (13, 11), (14, 12), (15, 13), (16, 14),
)


@dataclass
class NoiseTable:
    """Spread of each keypoint's errors, (17,) each: `bias` of a clip, `jitter` of a frame, `peak` of rare ones, `rarity` of these.

    The original measured them (its file `coco_aug_dict.pth`); these numbers are a substitute that a user of it found to serve.
    """

    bias: Tensor
    jitter: Tensor
    peak: Tensor
    rarity: Tensor

    @classmethod
    def substitute(cls, device: str | torch.device = "cpu") -> NoiseTable:
        return cls(*(torch.full((KEYPOINTS,), value, device=device) for value in (0.025, 0.012, 0.25, 1.0)))

    @classmethod
    def load(cls, path: str | Path, device: str | torch.device = "cpu") -> NoiseTable:
        """The original's file.

        Raises:
            BadInput: unreadable, or a table is missing or of another size.
        """
        found = models.load_weights(path)
        tables = []
        for name in ("bias", "jittering", "peak", "pmask"):
            if name not in found or found[name].numel() != KEYPOINTS:
                raise BadInput(f"'{path}' holds no '{name}' of 17 numbers.", "Use the original's coco_aug_dict.pth.", "bad_noise_table")
            tables.append(found[name].flatten().float().to(device))
        return cls(*tables)


def noisy(rand: RandomBatch, keypoints: Tensor, table: NoiseTable) -> Tensor:
    """Keypoints (B,F,17,3) m with a detector's errors."""
    frames = keypoints.shape[1]
    bias = rand.normal(1, KEYPOINTS, 3) * table.bias[:, None] * _BIAS
    jitter = rand.normal(frames, KEYPOINTS, 3) * table.jitter[:, None] * _JITTER
    rare = rand.many(frames, KEYPOINTS) * table.rarity < _PEAK_CHANCE
    peak = rand.normal(1, 1, 3) * table.peak[:, None] * _PEAK
    return keypoints + bias + jitter + torch.where(rare[..., None], peak, 0.0)


def missed(rand: RandomBatch, frames: int) -> Tensor:
    """(B,F,17) bool: keypoints that a detector does not find, with all that hangs on them."""
    return with_what_hangs_on(rand.many(frames, KEYPOINTS) < _MISSED)


def with_what_hangs_on(mask: Tensor) -> Tensor:
    """(...,17) bool: a missed shoulder hides its arm, and the nose, which hides the face."""
    whole = mask.clone()
    for keypoint, root in _LEANS_ON:
        whole[..., keypoint] |= whole[..., root]
    return whole


def spoilt_boxes(rand: RandomBatch, keypoints: Tensor) -> Tensor:
    """(B,F,17,2) px -> (B,F,3): around all keypoints, larger or smaller and off the middle as a whole, smoothed."""
    boxes = boxes_of_keypoints(keypoints, torch.ones(keypoints.shape[:-1], dtype=torch.bool, device=keypoints.device), margin=1.0)
    side = boxes[..., 2:] * rand.uniform(*_SCALES)[:, None, None]
    shift = (2.0 * rand.many(1, 2) - 1.0) * _SHIFT * side * 200.0
    return smoothed_boxes(torch.cat([boxes[..., :2] + shift, side], -1))
