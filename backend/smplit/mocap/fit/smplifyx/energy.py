# SPDX-License-Identifier: GPL-3.0-or-later
"""The terms of SMPLify-X, each (F,) for F frames that know nothing of each other (SPEC, "Energy").

Left out: the interpenetration of meshes, which the published fit needs CUDA for.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from smplit.mocap.fit.smplifyx.stages import BENDING, StageWeights

OUTLIER = 100.0  # px beyond which a landmark stops to count
DATA = 1000.0  # over the picture's height in px: the data's weight
# Number of the 63 of the body's pose and the sign that makes an unnatural bend large: left elbow, right elbow, left knee, right knee.
BENDS = ((52, 1.0), (55, -1.0), (9, -1.0), (12, -1.0))


class BodyPrior(Protocol):
    """How unlikely a pose is; `mean` (63,) is where the fit begins."""

    mean: Tensor

    def __call__(self, pose: Tensor) -> Tensor:
        """(F,63) rad -> (F,)."""


@dataclass
class Terms:
    """What the energy is made of besides landmarks, (F,...): pose 63, betas, expression, hands 2 x 45 about their mean, jaw 3, rad."""

    pose: Tensor
    betas: Tensor
    expression: Tensor
    left_hand: Tensor
    right_hand: Tensor
    jaw: Tensor


def robust(residual: Tensor, outlier: float = OUTLIER) -> Tensor:
    """Geman and McClure's: the square of small residuals, at most `outlier` squared."""
    square = residual.square()
    return outlier**2 * square / (square + outlier**2)


def data(projected: Tensor, detected: Tensor, weights: Tensor, height: float) -> Tensor:
    """Landmarks (F,J,2) px against detections (F,J,3) px and confidence; weights (J,) -> (F,)."""
    trust = (weights * detected[..., 2]).square()
    return (DATA / height) ** 2 * (trust[..., None] * robust(detected[..., :2] - projected)).sum((-1, -2))


def bends(pose: Tensor) -> Tensor:
    """(F,63) rad -> (F,4): how far elbows and knees bend the wrong way."""
    signed = torch.stack([sign * pose[..., index] for index, sign in BENDS], -1)
    return (2.0 * signed).exp()


def squares(values: Tensor) -> Tensor:
    """(F,n) -> (F,)."""
    return values.square().sum(-1)


class MixturePrior:
    """SMPLify's mixture of Gaussians over axis angles, (K,63); the most likely one counts.

    The published normalisation has 69 numbers for SMPL's 23 joints; the constant stays 69 whatever the dimension.
    """

    def __init__(self, means: Tensor, covariances: Tensor, weights: Tensor):
        """Args: means (K,D), covariances (K,D,D), weights (K,) that add up to 1; D = 63, or 69 of which the first 63 are used."""
        means, covariances, weights = means.double()[:, :63], covariances.double()[:, :63, :63], weights.double()
        spread = 0.5 * torch.linalg.slogdet(covariances)[1]  # log of the root of the determinant
        self.means, self.precisions = means, torch.linalg.inv(covariances)
        self.rarity = 0.5 * 69.0 * math.log(2.0 * math.pi) + spread - spread.min() - weights.log()
        self.mean = weights @ means

    def __call__(self, pose: Tensor) -> Tensor:
        off = pose[:, None] - self.means
        return (0.5 * torch.einsum("fki,kij,fkj->fk", off, self.precisions, off) + self.rarity).min(1).values


def weighed(values: Terms, pose_prior: Tensor, weights: StageWeights) -> dict[str, Tensor]:
    """The priors' terms (F,) of one stage; `pose_prior` (F,) is what a `BodyPrior`, or the square of VPoser's code, says."""
    jaw = torch.as_tensor(weights.jaw, dtype=values.jaw.dtype, device=values.jaw.device)
    return {
        "pose_prior": weights.pose**2 * pose_prior,
        "shape": weights.shape**2 * squares(values.betas),
        "angle": BENDING * weights.pose * bends(values.pose).sum(-1),
        "left_hand": weights.hands**2 * squares(values.left_hand),
        "right_hand": weights.hands**2 * squares(values.right_hand),
        "expression": weights.expression**2 * squares(values.expression),
        "jaw": squares(jaw * values.jaw),
    }
