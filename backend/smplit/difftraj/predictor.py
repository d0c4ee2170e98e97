# SPDX-License-Identifier: GPL-3.0-or-later
"""A trained trajectory network, its file, and the path that its answers are put together to."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from smplit.body.model import BodyModel
from smplit.difftraj.contact_lock import Trust, level_path, pelvis_height
from smplit.difftraj.features import FOOT_JOINTS, BodyShape, posed, see, turn_level
from smplit.difftraj.network import MARGIN, TrajectoryNetwork
from smplit.errors import BadInput
from smplit.export.whole_file import whole_file

FORMAT = "smplit-difftraj-1"
_PIECE = 4000  # frames that go through the network at once
_FLOW_STEPS = 8


@dataclass
class Path3D:
    """A trajectory at the network's rate.

    Attributes:
        times: (T,) s from the clip's start.
        pelvis: (T,3) m, world; starts at x = y = 0.
        contacts: (T,4) 0..1 in the order of `motion.CONTACT_NAMES`.
        own: (T,2) m: the path of the network's own velocity, without any foot.
        tilt: (T,2) rad about the world's x and y: what would make the root level.
    """

    times: np.ndarray
    pelvis: np.ndarray
    contacts: np.ndarray
    own: np.ndarray
    tilt: np.ndarray


class TrajectoryPredictor:
    """A trained network and what its answers are put together with."""

    def __init__(self, network: TrajectoryNetwork, body: BodyModel, trust: Trust | None = None, device: str = "cpu"):
        self.network = network.eval().to(device)
        self.body = body
        self.trust = trust or Trust()
        self.device = device

    @classmethod
    def load(cls, path: str | Path, body: BodyModel | None = None, device: str = "cpu") -> TrajectoryPredictor:
        """Reads weights of `save_weights`; `body` stands on the floor, the best body model found when not given.

        Raises:
            BadInput: no such file, not our weights, or weights that do not fit (they are listed).
        """
        path = Path(path)
        if not path.is_file():
            raise BadInput(f"'{path}' is not a file.", "Name weights made by 'smplit train difftraj'.", "no_such_file")
        try:
            with safe_open(path, framework="pt") as file:
                metadata = file.metadata() or {}
            entries = load_file(path)
        except (SafetensorError, OSError) as error:
            raise BadInput(f"'{path}' cannot be read as safetensors ({error}).", "Copy the file again.", "damaged_weights") from error
        if metadata.get("format") != FORMAT:
            raise BadInput(f"'{path}' holds no trajectory network of ours.", "Name weights made by 'smplit train difftraj'.", "wrong_weights")
        network = TrajectoryNetwork(int(metadata["width"]))
        expected = network.state_dict()
        wrong = sorted(set(expected) ^ set(entries)) or sorted(n for n in expected if expected[n].shape != entries[n].shape)
        if wrong:
            raise BadInput(f"'{path}': entries that do not fit: {', '.join(wrong)}.", "Train again with this version.", "wrong_weights")
        network.load_state_dict({name: value.float() for name, value in entries.items()})
        return cls(network, body or BodyModel.load(), device=device)

    @torch.no_grad()
    def predict(
        self, rotations: Tensor, shape: BodyShape, seconds: float, valid: Tensor | None = None, camera: Tensor | None = None,
        noise: Tensor | None = None,
    ) -> Path3D:
        """Args: rotations (T,22,3,3) local, root in the world, every `seconds`; valid (T,) bool; camera (T,3) as in `features.see`;
        noise (T,2) normal: another hypothesis than the likeliest."""
        shape = BodyShape(shape.bones.to(self.device), shape.soles.to(self.device))
        said = [self._piece(rotations, shape, seconds, valid, camera, noise, first) for first in range(0, len(rotations), _PIECE)]
        velocity, own, contacts, height, tilt, soles = (np.concatenate(parts) for parts in zip(*said, strict=True))
        level = level_path(velocity, soles[..., :2], contacts, seconds, self.trust)
        stands = soles[..., 2] - _above_ground(self.body)
        pelvis = np.concatenate([level, pelvis_height(height, stands, contacts, seconds, self.trust)[:, None]], 1)
        alone = np.concatenate([np.zeros((1, 2)), own[:-1] * seconds]).cumsum(0)
        return Path3D(np.arange(len(rotations)) * seconds, pelvis, contacts, alone, tilt)

    def _piece(
        self, rotations: Tensor, shape: BodyShape, seconds: float, valid: Tensor | None, camera: Tensor | None, noise: Tensor | None, first: int
    ) -> tuple[np.ndarray, ...]:
        """What the network says of frames `first ...`: in pieces, with all the frames around them that they depend on, so that
        memory stays small and no seam shows. Velocity, own velocity (n,2) m/s, contacts (n,4), height (n,) m, tilt (n,2) rad, and
        the soles (n,4,3) m from the pelvis; world axes."""
        frames = len(rotations)
        wanted = torch.arange(first - MARGIN, min(first + _PIECE, frames) + MARGIN)
        rows = wanted.clamp(0, frames - 1)
        there = wanted == rows  # before and after the clip nothing is known, as in training
        if valid is not None:
            there = there & valid[rows]
        on_device = lambda values: values[rows][None].to(self.device)
        turned = on_device(rotations)
        seen = see(turned, shape[None], seconds, there[None].to(self.device), None if camera is None else on_device(camera))
        answer = self.network(seen)
        velocity = answer.velocity
        if noise is not None:
            velocity = velocity + self.network.hypotheses.sample(answer.features, on_device(noise), _FLOW_STEPS)
        soles = posed(turned, shape[None])[1][:, :, len(FOOT_JOINTS) :]
        leg = float(shape.leg)
        world = lambda level: turn_level(level, seen.heading)
        parts = (
            world(velocity) * leg, world(answer.own) * leg, torch.sigmoid(answer.contacts), answer.height * leg, world(answer.tilt), soles,
        )
        return tuple(part[0, MARGIN:-MARGIN].cpu().double().numpy() for part in parts)


def _above_ground(body: BodyModel) -> np.ndarray:
    """(4,) m: how high the points of `BodyShape.soles` lie over the ground that the body's rest pose stands on."""
    shape, rest = BodyShape.of(body), body.rest_joints()
    at_rest = rest[list(FOOT_JOINTS), 1] + shape.soles[:, 1]
    return at_rest.cpu().double().numpy() - float(body.ground())


def save_weights(network: TrajectoryNetwork, path: Path, card: dict[str, str]) -> None:
    """Half precision safetensors; `card` (data, licence ...) goes into the metadata."""
    entries = {name: value.detach().cpu().half().contiguous() for name, value in network.state_dict().items()}
    with whole_file(path) as temporary:
        save_file(entries, temporary, {"format": FORMAT, "width": str(network.width), "card": json.dumps(card, sort_keys=True)})
