# SPDX-License-Identifier: GPL-3.0-or-later
"""Which body poses people take: a Gaussian mixture over local joint rotations.

After the mixture prior of SMPLify (Bogo et al. 2016), over 6D rotation features instead of axis
angles. Trained by tools/train_pose_prior.py on openly usable motion capture.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from safetensors.torch import load_file
from torch import Tensor

from smplit import models

# Body joints the prior knows: not the root, and not feet and wrists, which the recordings hardly move.
JOINTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 18, 19]


class PosePrior:
    """Mixture with `means` (K,D), `whitening` (K,D,D), `log_scale` (K,) and D = 6 len(JOINTS)."""

    def __init__(self, means: Tensor, whitening: Tensor, log_scale: Tensor):
        self._means, self._whitening, self._log_scale = means.float(), whitening.float(), log_scale.float()

    @classmethod
    @functools.cache
    def load(cls) -> PosePrior:
        """The shipped mixture.

        Raises:
            MissingModel: its file is not there.
        """
        values = load_file(models.find("pose_prior"))
        return cls(values["means"], values["whitening"], values["log_scale"])

    def components(self, local: Tensor) -> Tensor:
        """Most likely component (T,) of each pose; local rotations (T,22,3,3)."""
        x = _features(local.detach())
        off = torch.stack([((x - mean) @ whiten.T).square().sum(-1) for mean, whiten in zip(self._means, self._whitening, strict=True)], 1)
        return (self._log_scale - 0.5 * off).argmax(1)

    def choose(self, local: Tensor) -> ChosenPrior:
        """The most likely component for each pose (T,22,3,3), to be held for some steps."""
        components = self.components(local)
        groups = [(torch.nonzero(components == k)[:, 0], self._means[k], self._whitening[k]) for k in components.unique().tolist()]
        return ChosenPrior(groups)


@dataclass(frozen=True)
class ChosenPrior:
    """`groups`: frames (n,) that share a Gaussian, its mean (D,) and whitening (D,D)."""

    groups: list[tuple[Tensor, Tensor, Tensor]]

    def distance(self, local: Tensor) -> Tensor:
        """Squared Mahalanobis distance of poses (T,22,3,3), divided by D (about 1 for ordinary poses), summed over frames."""
        x = _features(local)
        return sum(((x[frames] - mean) @ whiten.T).square().sum() for frames, mean, whiten in self.groups) / x.shape[-1]


def _features(local: Tensor) -> Tensor:
    return local[:, JOINTS][..., :2].flatten(1)
