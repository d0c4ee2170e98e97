# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipe of the lifter (WHAM's first stage, ours): its data, its loss, how it is judged, what is shipped of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from smplit.body.model import BodyModel
from smplit.difftraj.augment import FPS as STORE_FPS
from smplit.difftraj.augment import Recordings
from smplit.errors import BadInput
from smplit.evaluation.lifting import figures
from smplit.mocap.lifter.detections import Detections
from smplit.mocap.lifter.films import Films, Truth
from smplit.mocap.lifter.network import Lifted, Lifter
from smplit.mocap.lifter.people import People, pose
from smplit.mocap.lifter.sighting import View
from smplit.mocap.lifter.weights import save_weights
from smplit.motion import BODY_JOINTS

# How often each part of the open pack is seen: kinds of motion count, not hours. A body of 13 joints teaches no spine and no wrists.
SHARES = {"cmu": 0.55, "bandai": 0.27, "reactidle": 0.1, "deepmimic": 0.04, "ase": 0.03, "style100": 0.01}
_SHAPES = 256
_STATISTICS_BATCHES = 12
_JUDGED_BATCHES = 4
_TURN_WEIGHT = {"pelvis": 3.0, "wrist": 0.3, "foot": 0.2, "collar": 0.5, "spine1": 0.5, "spine2": 0.5, "spine3": 0.5, "neck": 0.5, "ankle": 0.7}
_PARTS = {
    "joints": 12.0, "turns": 0.5, "steps": 0.25, "betas": 0.02, "place": 2.0, "contacts": 0.1, "up": 3.0, "velocity": 0.3, "spread": 0.05,
}


class LifterRecipe:
    """What the trainer needs of the lifter.

    Args:
        store: a `MotionStore` at 30 frames a second; train: clip indices.
        detections: pairs of truth and detection of clips among `train`, or None.
        judged, judged_detections: clips and pairs of others, for the figures on the way.
        width, batch, frames: channels of the network, windows in a batch, frames of a window.
        base: a network to go on from; its width counts.

    Raises:
        BadInput: a store of another frame rate, or nothing to train on.
    """

    name = "lifter"

    def __init__(
        self, store, train: Sequence[int], detections: Detections | None, judged: Sequence[int] = (), judged_detections: Detections | None = None,
        device: str = "cpu", width: int = 320, batch: int = 40, frames: int = 48, body: BodyModel | None = None, base: Lifter | None = None,
    ):
        if abs(store.fps - STORE_FPS) > 1e-6:
            raise BadInput(f"'{store.path}' is at {store.fps:g} frames a second.", f"Make it with --fps {STORE_FPS:g}.", "wrong_fps")
        if not train:
            raise BadInput("There is nothing to train on.", "Split the data again.", "bad_split")
        self.device = device
        body = body or BodyModel.load()
        people = People.of(body, _shapes()).to(device)
        rest = body.rest_joints()[0].cpu()
        films = lambda clips, pairs, **more: Films(
            recordings_of(store, clips, rest, device), pairs.to(device) if pairs else None, people, batch, frames, **more
        )
        self.batch = films(train, detections)
        self.judged = []
        if judged:
            generator = torch.Generator(device).manual_seed(1)
            of_judged = films(judged, judged_detections, paired=0.5 if judged_detections else 0.0, spoil=False)
            self.judged = [of_judged(generator) for _ in range(_JUDGED_BATCHES)]
        self.pairs = of_judged.pairs if judged else 0
        self.model = base or Lifter(width)
        self._begun = base is not None
        weights = torch.ones(len(BODY_JOINTS))
        for i, name in enumerate(BODY_JOINTS):
            weights[i] = _TURN_WEIGHT.get(name.replace("left_", "").replace("right_", ""), 1.0)
        self.turn_weights = weights.to(device)

    def prepare(self, generator: torch.Generator) -> None:
        """Measures the inputs' mean and spread, once; a network to go on from keeps its own."""
        if self._begun:
            return
        inputs = torch.cat([self.batch(generator)[0].inputs.flatten(0, 1) for _ in range(_STATISTICS_BATCHES)])
        self.model.mean.copy_(inputs.mean(0))
        self.model.std.copy_(inputs.std(0).clamp(min=0.05))

    def loss(self, model: nn.Module, batch: tuple[View, Truth]) -> dict[str, Tensor]:
        """Named parts of the loss, each times its weight."""
        view, truth = batch
        parts = losses(model(view), truth, self.turn_weights)
        return {name: _PARTS[name] * value for name, value in parts.items()}

    @torch.no_grad()
    def evaluate(self, model: nn.Module) -> dict[str, float]:
        """Figures of windows that are not trained on: of pairs ("pair_"), and of other motions under transplanted errors."""
        found: dict[str, list[float]] = {}
        for view, truth in self.judged:
            lifted = model(view)
            split = len(truth.inside) - self.pairs
            for prefix, rows in (("", slice(0, split)), ("pair_", slice(split, None))):
                if rows.start == len(truth.inside):
                    continue
                for name, value in figures(lifted, truth, rows).items():
                    found.setdefault(prefix + name, []).append(value)
        return {name: sum(values) / len(values) for name, values in found.items()}

    def export(self, model: nn.Module, path: Path, card: dict[str, str]) -> None:
        save_weights(model, path, card)


def losses(lifted: Lifted, truth: Truth, turn_weights: Tensor) -> dict[str, Tensor]:
    """Parts of the loss, unweighted: joints m, turns squared (matrix entries), steps m/s, and so on."""
    inside = truth.inside.float()
    share = inside / inside.sum().clamp(min=1)
    mean = lambda values: (values * share).sum()
    _, joints = pose(lifted.rotations, truth.people.bones)
    error = joints - truth.joints
    turns = ((lifted.rotations - truth.rotations) ** 2).sum((-1, -2)) @ turn_weights / turn_weights.sum()
    both = truth.inside[:, 1:] & truth.inside[:, :-1]
    steps = (torch.diff(error, dim=1).norm(dim=-1).mean(-1) * 30.0 * both).sum() / both.sum().clamp(min=1)
    across, along = error[..., :2].norm(dim=-1).detach(), error[..., 2].abs().detach()
    sigma = lifted.spread.clamp(-6, 1)
    spread = (across / sigma[..., 0].exp() + 2 * sigma[..., 0] + along / sigma[..., 1].exp() + sigma[..., 1])[:, :, 1:].mean(-1)
    contacts = nn.functional.binary_cross_entropy_with_logits(lifted.contacts, (truth.contacts > 0.5).float(), reduction="none").mean(-1)
    return {
        "joints": mean(error.norm(dim=-1)[:, :, 1:].mean(-1)), "turns": mean(turns), "steps": steps,
        "betas": mean(((lifted.betas - truth.people.betas[:, None]) ** 2).mean(-1)), "place": mean((lifted.place - truth.place).abs().mean(-1)),
        "contacts": mean(contacts), "up": mean(1 - (lifted.up * truth.up).sum(-1)),
        "velocity": mean((lifted.velocity - truth.velocity).abs().mean(-1)), "spread": mean(spread),
    }


def recordings_of(store, clips: Sequence[int], rest_pelvis: Tensor, device: str) -> Recordings:
    """Recordings weighed by `SHARES` of the parts of the pack they come from; parts of other packs by their length."""
    recordings = Recordings.of(store, list(clips), rest_pelvis, device)
    names = [next((key for key in SHARES if store.clips[i].part.startswith(key)), "") for i in clips]
    weight = recordings.length.float()
    for key in set(names):
        rows = torch.tensor([i for i, name in enumerate(names) if name == key], device=weight.device)
        weight[rows] *= SHARES.get(key, 0.5) / weight[rows].sum()
    recordings.weight = weight
    return recordings


def _shapes() -> Tensor:
    return (torch.randn(_SHAPES, 10, generator=torch.Generator().manual_seed(5))).clamp(-2.5, 2.5)
