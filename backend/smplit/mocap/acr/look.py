# SPDX-License-Identifier: GPL-3.0-or-later
"""ACR at the second look at a video (`mocap.image_pass`): one crop of a person where the hands are together, two where they are apart."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from smplit.mocap.acr.decode import decode
from smplit.mocap.acr.load import load_network
from smplit.mocap.acr.network import Acr, quicker
from smplit.mocap.acr.picture import cut_square
from smplit.mocap.acr.regions import HandSquares, hand_squares, picture_size
from smplit.mocap.observations import CameraMotion, PersonLandmarks


class AcrLook:
    """Slot 0 is the left hand's square and slot 1 the right hand's; a square for both is slot 0 alone."""

    name, slots = "ACR", 2

    def __init__(self, network: Acr, device: str = "cpu"):
        self._network, self._device = network, device
        # Pictures of 512 x 512: more at once gains nothing on a processor.
        self.batch, self.seconds = (1, 1.0) if device == "cpu" else (16, 0.0)

    @classmethod
    def load(cls, path: str | Path | None = None, device: str = "cpu") -> AcrLook:
        """The user's file, or the one that `smplit models` knows.

        Raises:
            BadInput, MissingModel: as `load_network`, `models.find`.
        """
        from smplit.models import find

        return cls(quicker(load_network(path or find("acr"), device)), device)

    def plan(self, landmarks: PersonLandmarks, camera: CameraMotion, times: np.ndarray) -> HandSquares | None:
        """The squares; None: nothing of the arms is ever seen."""
        return hand_squares(landmarks, times, picture_size(camera))

    def crops(self, image: np.ndarray, plan: HandSquares, row: int) -> list[tuple[int, Tensor]]:
        """(512,512,3) uint8 RGB of each slot that is wanted."""
        wanted = [0] if plan.shared(row) else np.flatnonzero(plan.squares[row, :, 2] > 0)
        return [(int(slot), torch.from_numpy(cut_square(image, plan.squares[row, slot]))) for slot in wanted]

    @torch.no_grad()
    def look(self, crops: Tensor) -> dict[str, np.ndarray]:
        """(B,512,512,3) -> `found` (B,2) 0 or 1, `scores` (B,2) and `parameters` (B,2,109) of the left and the right hand in each."""
        maps, _ = self._network(crops.to(self._device).float())
        hands = decode(maps)
        named = {"found": hands.found, "scores": hands.scores, "parameters": hands.parameters}
        return {name: values.float().cpu().numpy() for name, values in named.items()}
