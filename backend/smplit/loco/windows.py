# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows of locomotion: the last third of a second, what the plan asks for, and the two thirds of a second to come.

A window to come is written as differences from the last known frame, in the components that such windows have in practice
(principal components in the units of `frames.UNITS`, the frames that are used first weighing most). The network then draws from
a space of a few hundred numbers in which nearly everything is a plausible movement.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from smplit.difftraj.features import turn_level
from smplit.loco.frames import CHANNELS, CONTACTS, HEIGHT, LOCAL, PLACES
from smplit.motion import BODY_JOINTS

PAST, FUTURE, APPLIED = 10, 20, 10  # frames at 30 a second; of a window to come, the first APPLIED are kept
AHEAD = 45  # frames of the plan that are looked at
_LOOKED_AT = tuple(range(-9, 0, 3)) + tuple(range(3, AHEAD + 1, 3))
CONTROL = 4 * len(_LOOKED_AT)


@dataclass
class Components:
    """Principal components of vectors: `write` (...,V) -> (...,D) of mean 0 and spread 1, `read` back.

    Attributes:
        mean: (V,); basis: (D,V), orthonormal in weighted units; spread: (D,); weight: (V,).
    """

    mean: Tensor
    basis: Tensor
    spread: Tensor
    weight: Tensor

    @classmethod
    def of(cls, vectors: Tensor, count: int, weight: Tensor | None = None) -> Components:
        """Of samples (N,V); `weight` (V,) says how much each entry's error counts."""
        weight = torch.ones(vectors.shape[1]) if weight is None else weight
        mean = vectors.mean(0)
        scaled = ((vectors - mean) * weight).double()
        values, axes = torch.linalg.eigh(scaled.T @ scaled / len(scaled))
        order = torch.argsort(values, descending=True)[:count]
        return cls(mean, axes[:, order].T.float(), values[order].clamp(min=1e-8).sqrt().float(), weight)

    def write(self, vectors: Tensor) -> Tensor:
        return ((vectors - self.mean) * self.weight) @ self.basis.T / self.spread

    def read(self, numbers: Tensor) -> Tensor:
        return (numbers * self.spread) @ self.basis / self.weight + self.mean


def future_weight() -> Tensor:
    """(FUTURE*CHANNELS,): later frames, which the next window overwrites, count less; so do contacts; feet and what moves them more:
    a centimetre is seen there."""
    channels = torch.ones(CHANNELS)
    channels[CONTACTS] = 0.5
    channels[: HEIGHT.stop] = 1.75
    for side in ("left", "right"):
        for part in ("ankle", "foot"):
            first = PLACES.start + 3 * (BODY_JOINTS.index(f"{side}_{part}") - 1)
            channels[first : first + 3] = 2.5
        for part in ("hip", "knee", "ankle"):
            first = LOCAL.start + 6 * (BODY_JOINTS.index(f"{side}_{part}") - 1)
            channels[first : first + 6] = 1.6
    return (torch.linspace(1.0, 0.5, FUTURE)[:, None] * channels).flatten()


def control(place: Tensor, facing: Tensor, now: int | Tensor) -> Tensor:
    """What the plan asks for, seen from its place and facing `now`.

    Args:
        place: (...,T,2) m, facing: (...,T) rad; `now` is a frame with 9 before and AHEAD after it.

    Returns:
        (...,CONTROL): places in m, and cosine and sine of the facing.
    """
    at = [now + offset for offset in _LOOKED_AT]
    facing_now = facing[..., now]
    ways = turn_level(place[..., at, :] - place[..., now, None, :], -facing_now[..., None])
    turn = facing[..., at] - facing_now[..., None]
    return torch.cat([ways, torch.cos(turn)[..., None], torch.sin(turn)[..., None]], -1).flatten(-2)


def mirrored_control(values: Tensor) -> Tensor:
    """(...,CONTROL) of the mirrored plan."""
    return values * values.new_tensor([1.0, -1.0, 1.0, -1.0]).repeat(len(_LOOKED_AT))


def past_vector(past: Tensor) -> Tensor:
    """(...,PAST,CHANNELS) -> (...,(PAST-1)*CHANNELS): how the last frames differ from the last."""
    return (past[..., :-1, :] - past[..., -1:, :]).flatten(-2)
