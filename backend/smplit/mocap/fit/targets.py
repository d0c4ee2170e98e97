# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that the whole-clip fit's energies compare a body with, frame by frame."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace

from torch import Tensor

from smplit.mocap.fit import pose_chain

_OF_ALL_FRAMES = ("K",)


@dataclass
class Targets:
    """T frames, K landmarks, P limbs; camera axes unless said. None where nobody says anything.

    `pixels` (T,K,2) px and `weights` (T,K) of landmarks; `legs` (T,) 0..1 trust in the legs; `directions` (T,P,3) of limbs and their
    weights (T,P); `times` (T,) s; `to_first` (T,3,3) camera to the first frame's axes, `centre` (T,3) m the camera's place in them;
    `K` (3,3) px; `wrists` (T,2,3,3), `heads` (T,3,3), `head_places` (T,3) m and their weights; `head_alone` (T,) 0..1 how much of a
    close-up it is; `turns` (T,22,3,3) the lifter's local rotations; `alone` (T,) bool, nobody else is near.
    """

    pixels: Tensor
    weights: Tensor
    legs: Tensor
    directions: Tensor
    direction_weights: Tensor
    times: Tensor
    to_first: Tensor
    centre: Tensor
    K: Tensor
    wrists: Tensor | None
    wrist_weights: Tensor | None
    heads: Tensor | None
    head_places: Tensor | None
    head_weights: Tensor | None
    head_alone: Tensor
    turns: Tensor | None
    alone: Tensor

    def of(self, frames: slice | Tensor) -> Targets:
        """Those of some frames."""
        return self._each(lambda values: values[frames])

    def frames_last(self) -> Targets:
        """The same, in memory as `pose_chain` wants it."""
        return self._each(pose_chain.frames_last)

    def _each(self, change: Callable[[Tensor], Tensor]) -> Targets:
        values = {field.name: getattr(self, field.name) for field in fields(self) if field.name not in _OF_ALL_FRAMES}
        return replace(self, **{name: change(value) for name, value in values.items() if value is not None})
