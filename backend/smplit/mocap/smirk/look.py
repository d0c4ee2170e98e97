# SPDX-License-Identifier: GPL-3.0-or-later
"""SMIRK in the second look at a video: one crop of every face."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from torch import Tensor

from smplit import models
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.smirk.crop import cut, squares
from smplit.mocap.smirk.load import load_network
from smplit.mocap.smirk.network import Smirk

_TOLD = ("expression", "eyelids", "jaw")


class SmirkLook:
    """An `image_pass.ImageNetwork`. Its answers are `expression` (N,1,50), `eyelids` (N,1,2) and `jaw` (N,1,3), see `SmirkFace`."""

    name = "smirk"
    slots = 1
    seconds = 0.0  # 0.02 on one core: nobody need be told

    def __init__(self, network: Smirk, device: str = "cpu"):
        self._network, self._device = network, device
        self.batch = 8 if device == "cpu" else 32  # on a processor, more at once leave its cache

    @classmethod
    def load(cls, path: str | Path | None = None, device: str = "cpu") -> SmirkLook:
        """From a file; None takes the one that was added.

        Raises:
            BadInput: weights of another network.
            MissingModel: none was added.
        """
        return cls(load_network(path or models.find("smirk"), device), device)

    def plan(self, landmarks: PersonLandmarks, camera: CameraMotion, times: np.ndarray) -> np.ndarray | None:
        """(N,3) px: the squares of `crop.squares`; None where no frame shows a face."""
        where = squares(landmarks.face, landmarks.face_confidence, times)
        return where if np.isfinite(where).any() else None

    def crops(self, image: np.ndarray, plan: np.ndarray, row: int) -> list[tuple[int, Tensor]]:
        return [(0, cut(image, plan[row]))] if np.isfinite(plan[row]).all() else []

    def look(self, crops: Tensor) -> dict[str, np.ndarray]:
        told = self._network.expressed(crops.to(self._device))
        return {name: values.cpu().numpy() for name, values in zip(_TOLD, told, strict=True)}
