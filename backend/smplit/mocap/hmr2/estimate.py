# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures of people -> bodies before the crop's camera, and the features that the published WHAM takes. `steady.py` makes a motion of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from smplit.body.rotations import matrix_from_6d
from smplit.errors import BadInput
from smplit.mocap.hmr2.load import load_network
from smplit.mocap.hmr2.network import Hmr2Network
from smplit.models import MODELS, find
from smplit.models.looking import problem_of

_FITTING = {"cuda": torch.float16}  # what the backbone multiplies in; elsewhere float32


@dataclass
class Hmr2Output:
    """N pictures; rows of NaN where the network was not asked.

    Attributes:
        token: (N,1024), WHAM's image feature when the network is HMR2.0a and the crop WHAM's.
        rotations: (N,24,3,3) local, SMPL's joints, the root's in the axes of the crop's camera.
        betas: (N,10) SMPL's shape; cam: (N,3) scale and shift, see `camera`.
    """

    token: np.ndarray
    rotations: np.ndarray
    betas: np.ndarray
    cam: np.ndarray


class Hmr2:
    """`Hmr2.load()(crops)` -> `Hmr2Output`.

    A picture takes 2.6 s on one thread of a Xeon of 2023 in float32, and 0.65 s in bfloat16, which that processor multiplies in
    hardware (processor time; other work ran beside it). On two threads both together worked 2.6 to 3.8 s, and 0.8 to 1.4 s.
    """

    def __init__(self, network: Hmr2Network, device: str = "cpu", precision: torch.dtype | None = None):
        """`precision` of the backbone's products; None: float16 on CUDA, float32 elsewhere.

        Against float32, on weights by formula at the published depth: float16 turns joints by 0.03 degrees in the mean and 0.1 at
        most, bfloat16 by 0.4 and 3. The latter is worth it on processors that multiply it in hardware, and only there.
        """
        self.device = torch.device(device)
        kind = precision or _FITTING.get(self.device.type, torch.float32)
        self.network = network.multiply_in(kind).to(self.device).eval()

    @classmethod
    def load(
        cls, path: str | Path | None = None, device: str = "cpu", which: str = "hmr2a", precision: torch.dtype | None = None
    ) -> Hmr2:
        """A checkpoint of the user's. `which`, "hmr2a" or "hmr2b", is looked for in the model files when no path is given.

        The published WHAM knows the features of HMR2.0a alone; to it those of 2.0b are noise.

        Raises:
            BadInput, MissingModel: as `load.load_network`, `models.find`.
        """
        path = Path(path or find(which))
        network = load_network(path)
        if problem := problem_of(MODELS[which], path):  # both have the same tensors
            raise BadInput(f"'{path}' is not {which}: {problem}.", "Delete it, and add the right one with 'smplit models add'.", "wrong_model")
        return cls(network, device, precision)

    @torch.inference_mode()
    def __call__(self, crops: Tensor) -> Hmr2Output:
        """(B,3,256,256) of `crops.blurred_crop` or `mocap.wham.crop.person_crop`: RGB, ImageNet's normalisation."""
        answer = self.network(crops.to(self.device, torch.float32))
        rotations = matrix_from_6d(answer.pose.unflatten(-1, (24, 6)))
        return Hmr2Output(*(values.cpu().numpy() for values in (answer.token, rotations, answer.betas, answer.cam)))
