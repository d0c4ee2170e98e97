# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipe of the trajectory network: its data, its loss, how it is judged, what is shipped of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from smplit.body.model import BodyModel
from smplit.difftraj.augment import FPS, Recordings, Targets, Windows
from smplit.difftraj.features import BodyShape, Seen, turn_level
from smplit.difftraj.network import Answer, TrajectoryNetwork, Trial
from smplit.difftraj.predictor import TrajectoryPredictor, save_weights
from smplit.errors import BadInput
from smplit.evaluation.trajectory import CLEAN, NOISY, Candidates, evaluate, summary

_HORIZONS = (8, 30, 90)  # frames over which predicted and true way are compared
_PARTS = {"velocity": 1.0, "own": 0.3, "way": 1.0, "bend": 0.3, "contacts": 0.25, "height": 2.0, "tilt": 1.0, "flow": 0.2}
_SHAPES = 256
_STATISTICS_BATCHES = 20


class DiffTrajRecipe:
    """What the trainer needs of the trajectory network.

    Args:
        store: a `MotionStore` at 30 frames a second.
        train, held_out: clip indices; no clip may be in both.
        quick: how many held-out clips the periodic evaluation looks at, spread evenly.
        frames: window length; batch: windows in a batch.
        base: a network to go on from; its width counts.

    Raises:
        BadInput: a store of another frame rate, nothing to train on, or clips in both parts.
    """

    name = "difftraj"

    def __init__(
        self, store, train: Sequence[int], held_out: Sequence[int], device: str = "cpu", width: int = 160, batch: int = 24,
        frames: int = 160, quick: int = 40, body: BodyModel | None = None, base: TrajectoryNetwork | None = None,
    ):
        if abs(store.fps - FPS) > 1e-6:
            raise BadInput(f"'{store.path}' is at {store.fps:g} frames a second.", f"Make it with --fps {FPS:g}.", "wrong_fps")
        if not train or set(train) & set(held_out):
            both = len(set(train) & set(held_out))
            raise BadInput(f"{len(train)} clips to train on, {both} of them also held out.", "Split the data again.", "bad_split")
        self.device = device
        self.body = body or BodyModel.load()
        own = BodyShape.of(self.body)
        recordings = Recordings.of(store, list(train), self.body.rest_joints()[0].cpu(), device)
        self.batch = Windows(recordings, _on(own, device), _on(_people(self.body), device), batch, frames)
        self.store, self.held_out = store, list(held_out)
        self.quick = self.held_out[:: max(1, len(self.held_out) // quick)] if quick else []
        self.model = base or TrajectoryNetwork(width)
        self._begun = base is not None

    def prepare(self, generator: torch.Generator) -> None:
        """Measures the inputs' mean and spread, once, before the first step; a constant channel keeps a spread of 0.05.
        A network to go on from keeps those that it knows."""
        if self._begun:
            return
        inputs = torch.cat([self.batch(generator)[0].inputs.flatten(0, 1) for _ in range(_STATISTICS_BATCHES)])
        self.model.mean.copy_(inputs.mean(0))
        self.model.std.copy_(inputs.std(0).clamp(min=0.05))

    def loss(self, model: nn.Module, batch: tuple[Seen, Targets]) -> dict[str, Tensor]:
        """The weighted parts of the loss; their sum is minimised."""
        seen, truth = batch
        parts = losses(model(seen, Trial(truth.velocity, truth.noise, truth.moment)), truth, seen.valid)
        return {name: weight * parts[name] for name, weight in _PARTS.items()}

    def evaluate(self, model: TrajectoryNetwork) -> dict[str, float]:
        """Held-out clips, clean and noisy: RTE, end drift and slide of the locked path, RTE of the velocity alone."""
        predictor = TrajectoryPredictor(model, self.body, device=self.device)
        candidates = Candidates(predictor, self.body, ("ours, legs as given", "velocity regression"))
        figures = {}
        for label, noise in (("clean", CLEAN), ("noisy", NOISY)):
            found = summary(evaluate(candidates, self.store, self.quick, noise))
            figures |= {f"{label}_{name}": found["ours, legs as given"][name] for name in ("rte", "end", "slide", "height")}
            figures[f"{label}_rte_regression"] = found["velocity regression"]["rte"]
        model.train()
        return figures

    def export(self, model: TrajectoryNetwork, path: Path, card: dict[str, str]) -> None:
        save_weights(model, path, card)


def _people(body: BodyModel) -> BodyShape:
    """Other people's bones: shape numbers drawn once, with a spread of 1, always the same ones."""
    betas = torch.randn(_SHAPES, 10, generator=torch.Generator().manual_seed(7))
    shapes = [BodyShape.of(body, row) for row in betas.to(body.device)]
    return BodyShape(torch.stack([s.bones for s in shapes]), torch.stack([s.soles for s in shapes]))


def _on(shape: BodyShape, device: str) -> BodyShape:
    return BodyShape(shape.bones.to(device), shape.soles.to(device))


def losses(answer: Answer, truth: Targets, valid: Tensor) -> dict[str, Tensor]:
    """Parts of the loss, unweighted, means over the frames that are in the recording (height, contacts: and known)."""
    inside = truth.inside.float()
    mean = lambda values, where: (values * where).sum() / where.sum().clamp(min=1)
    error = answer.velocity - truth.velocity
    known = inside * valid
    contacts = nn.functional.binary_cross_entropy_with_logits(answer.contacts, truth.contacts, reduction="none").mean(-1)
    bend = (error[:, 1:] - error[:, :-1]).norm(dim=-1)
    return {
        "velocity": mean(_robust(error), inside), "own": mean(_robust(answer.own - truth.velocity), inside),
        "way": _way(error, truth.heading, inside), "bend": mean(bend, inside[:, 1:] * inside[:, :-1]),
        "contacts": mean(contacts, known), "height": mean((answer.height - truth.height).abs(), known),
        "tilt": mean((answer.tilt - truth.tilt).norm(dim=-1), known), "flow": mean(answer.flow_error.square().mean(-1), inside),
    }


def _robust(error: Tensor) -> Tensor:
    return (error.square().sum(-1) + 1e-4).sqrt()


def _way(error: Tensor, heading: Tensor, inside: Tensor) -> Tensor:
    """How far off the way is over some horizons, leg lengths; each horizon counts by the square root of its seconds."""
    off = (turn_level(error, heading) / FPS * inside[..., None]).cumsum(1)
    total = error.new_zeros(())
    for frames in _HORIZONS:
        if frames >= off.shape[1]:
            continue
        whole = inside.cumsum(1)
        whole = (whole[:, frames:] - whole[:, :-frames] >= frames).float()
        way = _robust(off[:, frames:] - off[:, :-frames])
        total = total + (way * whole).sum() / whole.sum().clamp(min=1) / (frames / FPS) ** 0.5
    return total
