# SPDX-License-Identifier: GPL-3.0-or-later
"""Laps without a seam: the last steps are timed so that they lead into the first.

A lap seldom takes a whole number of strides. The walk is begun before the lap, so that it is known what the first frame comes from;
in the second half the steps come a little quicker or slower, until the lap ends with that. At the seam the pelvis is on the plan.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from smplit.loco.frames import CONTACTS, SWAY
from smplit.loco.plan import Plan
from smplit.loco.rollout import rollout
from smplit.loco.weights import LocoWeights
from smplit.loco.windows import APPLIED, PAST

RUN_IN = 6 * APPLIED  # frames before the lap
_ALIKE = 20  # frames that are compared, and faded over
_LONGEST_STRETCH = 300  # frames whose steps are retimed
_MOST = 24  # frames by which they are


def lap(weights: LocoWeights, plan: Plan, style: Tensor, seed: int = 0, steps: int = 4, strength: float = 1.0, size: float = 1.0) -> Iterator[Tensor]:
    """Frames of one lap; the first yield is the run-in (RUN_IN,CHANNELS) before it. All yields after it make len(plan) frames."""
    count = len(plan)
    stretch = min(count // 2, _LONGEST_STRETCH)
    run_in = torch.cat(list(rollout(weights, plan, style, seed, 1, strength, size, -RUN_IN, 0)))
    sway = run_in[-1, SWAY]
    before = _without(sway, run_in, -RUN_IN)
    yield before
    made = rollout(weights, plan, style, seed, steps, strength, size, 0, count + _MOST, run_in[-PAST:])
    ahead, given = before[:0], 0
    for frames in made:
        ahead = torch.cat([ahead, frames])
        free = min(len(ahead), count - stretch - given)
        if free > 0:
            yield _without(sway, ahead[:free], given)
            given, ahead = given + free, ahead[free:]
    yield _led_into(_without(sway, ahead, given), before, count - given)


def _without(sway: Tensor, frames: Tensor, first: int) -> Tensor:
    """The frames from `first` on, less `sway` (2,) in frame -1, the last of a lap, and ever less so before and after it."""
    near = np.clip(1 - np.abs(np.arange(first, first + len(frames)) + 1) / _ALIKE, 0, 1)
    frames = frames.clone()
    frames[:, SWAY] -= torch.from_numpy(near * near * (3 - 2 * near)).float()[:, None] * sway
    return frames


def _led_into(frames: Tensor, before: Tensor, count: int) -> Tensor:
    """The first `count` frames, or a few more or fewer of them in that time, so that they end like `before`."""
    frames_alike = min(_ALIKE, count)
    wanted = before[-frames_alike:, : CONTACTS.start]
    ends = range(max(frames_alike, count - _MOST), min(len(frames), count + _MOST) + 1)
    off = {end: float((frames[end - frames_alike : end, : CONTACTS.start] - wanted).square().mean()) for end in ends}
    end = min(off, key=off.get)
    at = torch.linspace(0, end - 1, count)
    low = at.floor().long().clamp(max=end - 2) if end > 1 else torch.zeros(count, dtype=torch.long)
    retimed = torch.lerp(frames[low], frames[(low + 1).clamp(max=end - 1)], (at - low)[:, None])
    part = torch.linspace(0, 1, frames_alike + 1)[1:, None]
    part = part * part * (3 - 2 * part)
    retimed[-frames_alike:] = torch.lerp(retimed[-frames_alike:], before[-frames_alike:], part)
    return retimed
