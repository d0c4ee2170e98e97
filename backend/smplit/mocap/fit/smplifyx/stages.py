# SPDX-License-Identifier: GPL-3.0-or-later
"""The published schedule: in all stages everything is free, and only the weights change."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from smplit.mocap.fit.smplifyx.joints import COUNT, FACE, HANDS, HIPS, NECK

BENDING = 3.17  # times the stage's `pose`; enters unsquared


@dataclass(frozen=True)
class StageWeights:
    """One stage. All of them enter squared; `jaw` has one for each axis; `hand_points` and `face_points` scale the landmarks."""

    pose: float
    shape: float
    expression: float
    hands: float
    jaw: tuple[float, float, float]
    hand_points: float
    face_points: float

    def joint_weights(self) -> Tensor:
        """(118,) weight of every landmark; neck and hips, which annotators click elsewhere, have none."""
        weights = torch.ones(COUNT, dtype=torch.float64)
        weights[[NECK, *HIPS]] = 0.0
        weights[HANDS], weights[FACE] = self.hand_points, self.face_points
        return weights


STAGES = (
    StageWeights(404.0, 100.0, 100.0, 404.0, (4040.0, 40400.0, 40400.0), 0.0, 0.0),
    StageWeights(404.0, 50.0, 50.0, 404.0, (4040.0, 40400.0, 40400.0), 0.0, 0.0),
    StageWeights(57.4, 10.0, 10.0, 57.4, (574.0, 5740.0, 5740.0), 0.0, 0.0),
    StageWeights(4.78, 5.0, 5.0, 4.78, (47.8, 478.0, 478.0), 0.1, 0.0),
    StageWeights(4.78, 5.0, 5.0, 4.78, (47.8, 478.0, 478.0), 2.0, 2.0),
)
