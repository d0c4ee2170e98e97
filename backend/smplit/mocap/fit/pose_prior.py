# SPDX-License-Identifier: GPL-3.0-or-later
"""Which body poses people take: a Gaussian mixture over local joint rotations, ours or SMPLify's own.

After the mixture prior of SMPLify (Bogo et al. 2016). Ours is over 6D rotation features instead of axis angles, trained by
tools/train_pose_prior.py on openly usable motion capture; the published one is a file of the user's own.
"""

from __future__ import annotations

import functools
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from smplit import models
from smplit.body.rotations import rotvec_from_matrix
from smplit.errors import BadInput
from smplit.mocap.fit.vposer import VPoserPrior

# Body joints that our prior knows: not the root, and not feet and wrists, which the recordings hardly move.
JOINTS = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 13, 14, 15, 16, 17, 18, 19]
PRIORS = ("auto", "open", "gmm", "vposer")
_SMPL_NUMBERS, _SMPLX_NUMBERS = 69, 63  # axis angles of SMPL's 23 joints; SMPL-X has no hands among its body's

Features = Callable[[Tensor], Tensor]  # local rotations (T,22,3,3) -> (T,D)


def prior_named(name: str) -> str:
    """Which of `PRIORS` "auto" is: VPoser or SMPLify's mixture where the user has added it, else ours. A name stays what it is.

    Raises:
        BadInput: there is no such prior.
    """
    if name not in PRIORS:
        raise BadInput(f"'{name}' is not a pose prior.", f"Choose {', '.join(PRIORS)}.", "bad_option")
    if name != "auto":
        return name
    return "vposer" if models.there("vposer") else "gmm" if models.there("gmm_prior") else "open"


def load_pose_prior(name: str = "auto") -> PosePrior | VPoserPrior:
    """For the fit over a clip.

    Raises:
        BadInput: no such prior, or a file that is none.
        MissingModel: its file is not there.
    """
    name = prior_named(name)
    return VPoserPrior.load() if name == "vposer" else PosePrior.load(name)


class PosePrior:
    """Mixture with `means` (K,D), `whitening` (K,D,D) and `log_scale` (K,): log weight plus log determinant of the whitening."""

    def __init__(self, means: Tensor, whitening: Tensor, log_scale: Tensor, features: Features | None = None):
        self._means, self._whitening, self._log_scale = means.float(), whitening.float(), log_scale.float()
        self.features = features or columns

    @classmethod
    def load(cls, name: str = "open") -> PosePrior:
        """A mixture: `gmm` or `open` of `prior_named`."""
        return cls._published(models.find("gmm_prior")) if name == "gmm" else cls._ours(models.find("pose_prior"))

    @classmethod
    @functools.cache
    def _ours(cls, path: Path) -> PosePrior:
        values = load_file(path)
        return cls(values["means"], values["whitening"], values["log_scale"])

    @classmethod
    def _published(cls, path: Path) -> PosePrior:
        means, covariances, weights = read_mixture(path)
        spread, directions = torch.linalg.eigh(covariances)
        whitening = directions.transpose(1, 2) / spread.sqrt()[..., None]
        return cls(means, whitening, weights.log() - 0.5 * spread.log().sum(1), axis_angles)

    @property
    def weights(self) -> Tensor:
        """(K,) adding up to 1."""
        return torch.softmax(self._log_scale - torch.linalg.slogdet(self._whitening)[1], 0)

    @property
    def mean(self) -> Tensor:
        """(D,) features of the mixture's mean."""
        return self.weights @ self._means

    def distances(self, features: Tensor) -> Tensor:
        """Squared Mahalanobis distances (T,K) from every component; features (T,D)."""
        pairs = zip(self._means.to(features.dtype), self._whitening.to(features.dtype), strict=True)
        return torch.stack([((features - mean) @ whiten.T).square().sum(-1) for mean, whiten in pairs], 1)

    def rarity(self, features: Tensor) -> Tensor:
        """(T,): minus the log of the likeliest component's share of the density, up to a constant; 0 at the likeliest pose."""
        return (0.5 * self.distances(features) + self._log_scale.max() - self._log_scale).min(1).values

    def components(self, local: Tensor) -> Tensor:
        """Most likely component (T,) of each pose; local rotations (T,22,3,3)."""
        return (self._log_scale - 0.5 * self.distances(self.features(local.detach()))).argmax(1)

    def choose(self, local: Tensor) -> ChosenPrior:
        """The most likely component for each pose (T,22,3,3), to be held for some steps."""
        components = self.components(local)
        groups = [(torch.nonzero(components == k)[:, 0], self._means[k], self._whitening[k]) for k in components.unique().tolist()]
        return ChosenPrior(groups, self.features)


@dataclass(frozen=True)
class ChosenPrior:
    """`groups`: frames (n,) that share a Gaussian, its mean (D,) and whitening (D,D)."""

    groups: list[tuple[Tensor, Tensor, Tensor]]
    features: Features

    def distance(self, local: Tensor) -> Tensor:
        """Squared Mahalanobis distance of poses (T,22,3,3), divided by D (about 1 for ordinary poses), summed over frames."""
        x = self.features(local)
        return sum(((x[frames] - mean) @ whiten.T).square().sum() for frames, mean, whiten in self.groups) / x.shape[-1]


def columns(local: Tensor) -> Tensor:
    """(T,22,3,3) -> (T,102): the first two columns of each known joint's rotation."""
    return local.movedim(0, -1)[JOINTS, :, :2].flatten(0, 2).T


def axis_angles(local: Tensor) -> Tensor:
    """(T,22,3,3) -> (T,63) rad."""
    return rotvec_from_matrix(local[:, 1:22]).flatten(1)


def read_mixture(path: Path) -> tuple[Tensor, Tensor, Tensor]:
    """SMPLify's mixture, converted (`smplit models add`): means (K,63), covariances (K,63,63), weights (K,) adding up to 1.

    SMPL's last two joints are hands that SMPL-X has not got: to leave numbers of a Gaussian out is to marginalise it.

    Raises:
        BadInput: the file is not such a mixture.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            means, covariances, weights = (torch.as_tensor(archive[name], dtype=torch.float64) for name in ("means", "covars", "weights"))
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise BadInput(f"'{path}' cannot be read as a pose prior ({error}).", "Add gmm_08.pkl again with 'smplit models add'.") from error
    weights = weights.flatten()
    count, numbers = len(weights), means.shape[-1]
    fits = means.shape == (count, numbers) and covariances.shape == (count, numbers, numbers) and numbers in (_SMPL_NUMBERS, _SMPLX_NUMBERS)
    if not fits or not all(torch.isfinite(values).all() for values in (means, covariances, weights)) or (weights <= 0).any():
        raise BadInput(f"'{path}' holds no mixture over {_SMPL_NUMBERS} numbers.", "Add gmm_08.pkl again with 'smplit models add'.")
    covariances = covariances[:, :_SMPLX_NUMBERS, :_SMPLX_NUMBERS]
    if torch.linalg.eigvalsh(covariances).min() <= 0:
        raise BadInput(f"'{path}': a covariance has no inverse.", "Add gmm_08.pkl again with 'smplit models add'.")
    return means[:, :_SMPLX_NUMBERS], covariances, weights / weights.sum()
