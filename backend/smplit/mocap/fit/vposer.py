# SPDX-License-Identifier: GPL-3.0-or-later
"""VPoser v2 as a pose prior: how far a pose's code is from the middle of all codes (Pavlakos et al. 2019, section 3.2).

Written from the published architecture, after the names and shapes of its file; no published file was at hand, so that
nothing here was compared with its authors' numbers. Poses are coded and not codes decoded: a fit of rotations stays one.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn

from smplit import models
from smplit.body.rotations import matrix_from_6d, rotvec_from_matrix
from smplit.diffusion.denoiser import load_strictly

_JOINTS, _WIDTH, _CODE = 21, 512, 32
_DEVIATION = "encoder_net.8.logvar."  # how sure the encoder is: the prior asks for its mean alone
_COUNTS = "num_batches_tracked"  # of the training


class VPoser(nn.Module):
    """`code` (N,63) rad axis angles of SMPL-X's 21 body joints -> (N,32), and `pose` back; codes of ordinary poses are about normal."""

    def __init__(self) -> None:
        super().__init__()
        mean = nn.Module()
        mean.mu = nn.Linear(_WIDTH, _CODE)
        # Numbers are the places of the published list; those without numbers of their own hold none.
        self.encoder_net = nn.Sequential(OrderedDict({
            "1": nn.BatchNorm1d(3 * _JOINTS), "2": nn.Linear(3 * _JOINTS, _WIDTH), "3": nn.LeakyReLU(), "4": nn.BatchNorm1d(_WIDTH),
            "6": nn.Linear(_WIDTH, _WIDTH), "7": nn.Linear(_WIDTH, _WIDTH), "8": mean,
        }))
        self.decoder_net = nn.Sequential(OrderedDict({
            "0": nn.Linear(_CODE, _WIDTH), "1": nn.LeakyReLU(), "3": nn.Linear(_WIDTH, _WIDTH), "4": nn.LeakyReLU(),
            "5": nn.Linear(_WIDTH, 6 * _JOINTS),
        }))

    def code(self, pose: Tensor) -> Tensor:
        return self.encoder_net[-1].mu(self.encoder_net[:-1](pose))

    def pose(self, code: Tensor) -> Tensor:
        columns = self.decoder_net(code).unflatten(-1, (_JOINTS, 3, 2)).transpose(-1, -2)  # two columns, interleaved
        return rotvec_from_matrix(matrix_from_6d(columns.flatten(-2))).flatten(-2)


def load_vposer(path: str | Path) -> VPoser:
    """The network of a file that `smplit models add` converted.

    Raises:
        BadInput: unreadable, or of another network.
    """
    given = {name: value.float() for name, value in models.load_weights(path).items() if not name.startswith(_DEVIATION)}
    network = VPoser()
    counts = {name: value for name, value in network.state_dict().items() if name.endswith(_COUNTS)}
    load_strictly(network, counts | given, path)
    return network.eval().requires_grad_(False)


class VPoserPrior:
    """For the fit over a clip, as `pose_prior.PosePrior`; called with (F,63) rad for SMPLify-X's."""

    def __init__(self, network: VPoser):
        self._network = network
        self.mean = network.pose(torch.zeros(1, _CODE))[0].double()  # (63,)

    @classmethod
    def load(cls) -> VPoserPrior:
        """Raises: BadInput, MissingModel as `load_vposer`, `models.find`."""
        return cls(load_vposer(models.find("vposer")))

    def choose(self, local: Tensor) -> VPoserPrior:
        """There is nothing to choose."""
        return self

    def distance(self, local: Tensor) -> Tensor:
        """Squared length of the codes of poses (T,22,3,3), divided by their 32 numbers, summed over frames."""
        return self(rotvec_from_matrix(local[:, 1:]).flatten(1)).sum() / _CODE

    def __call__(self, pose: Tensor) -> Tensor:
        """(F,63) rad -> (F,) |z|^2."""
        return self._network.code(pose.float()).square().sum(-1).to(pose.dtype)
