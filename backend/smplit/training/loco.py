# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipe of the locomotion network: windows of recordings, its loss, roll-outs of its own, and what is shipped of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from smplit.loco.corpus import Corpus
from smplit.loco.frames import mirrored
from smplit.loco.network import LocoNetwork
from smplit.loco.weights import save_weights
from smplit.loco.windows import AHEAD, APPLIED, FUTURE, PAST, Components, control, future_weight, mirrored_control, past_vector

_FITTED_ON = 20_000  # windows that the components are found from
_NO_STYLE = 0.1  # of windows whose style is not told
_AT_ONCE = 0.4  # of windows that start from noise alone: how one step is learnt
_DOUBT = 0.15  # largest share by which the past is drawn towards another movement
_RARE = 0.5  # power of a style's and gait's share of the windows: 1 as recorded, 0 all alike
_BENT = 0.7  # of windows that are not as recorded


@dataclass
class Batch:
    """B windows, then `turns` more after each, APPLIED frames apart.

    Attributes:
        past: (B,PAST,CHANNELS); future: (B,R,FUTURE,CHANNELS); control: (B,R,CONTROL); style: (B,S) shares; known: (B,) bool.
        noise: (B,R,D); moment: (B,) 0..1 of the first window.
    """

    past: Tensor
    future: Tensor
    control: Tensor
    style: Tensor
    known: Tensor
    noise: Tensor
    moment: Tensor


class LocoRecipe:
    """What the trainer needs of the locomotion network.

    Args:
        train, held_out: corpora; the second without bends, and with the styles of the first.
        turns: windows after one another that the network has to make, from its own past: 1, or more in the end of the training.
    """

    name = "loco"

    def __init__(
        self, train: Corpus, held_out: Corpus, device: str = "cpu", width: int = 360, layers: int = 5, batch: int = 256, turns: int = 1,
        base: LocoNetwork | None = None,
    ):
        self.device, self.size, self.turns = device, batch, turns
        self.train, self.held_out = _on(train, device), _on(held_out, device)
        self.weights, self.usable = self._chances(self.train, turns)
        self.model = base or LocoNetwork(len(train.styles), width, layers)
        self._begun = base is not None

    def prepare(self, generator: torch.Generator) -> None:
        """Finds the components of windows and the spread of the inputs, once; a network to go on from keeps its own."""
        if self._begun:
            return
        with torch.no_grad():
            picked = [self._windows(self.train, self._draw(generator, self.train), generator, 1) for _ in range(-(-_FITTED_ON // self.size))]
            past = torch.cat([part.past for part in picked])
            future = torch.cat([part.future[:, 0] for part in picked])
            asked = torch.cat([part.control[:, 0] for part in picked])
            model = self.model
            for name, vectors, weight in (
                ("future", (future - past[:, -1:]).flatten(1), future_weight()), ("past", past_vector(past), None),
            ):
                found = Components.of(vectors.cpu(), model.sizes["components" if name == "future" else "past_components"], weight)
                for part in ("mean", "basis", "spread", "weight"):
                    getattr(model, f"{name}_{part}").copy_(getattr(found, part))
            model.to(self.device)
            seen = model.see(past, asked)
            model.mean.copy_(seen.mean(0))
            model.std.copy_(seen.std(0).clamp(min=0.02))

    def batch(self, generator: torch.Generator) -> Batch:
        return self._windows(self.train, self._draw(generator, self.train), generator, self.turns)

    def loss(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Error of the components, each weighing by its spread; of the first window at a drawn moment, of later ones at once."""
        net: LocoNetwork = model.module if isinstance(model, nn.parallel.DistributedDataParallel) else model
        components = net.components("future")
        worth = components.spread / components.spread.mean()
        style = net.embed_style(batch.style, batch.known)
        past, parts = batch.past, {}
        for turn in range(batch.future.shape[1]):
            goal = components.write((batch.future[:, turn] - past[:, -1:]).flatten(1))
            moment = batch.moment if turn == 0 else torch.ones_like(batch.moment)
            noised = goal + (batch.noise[:, turn] - goal) * moment[:, None]
            found = model(noised, moment, net.see(past, batch.control[:, turn]), style)
            parts[f"window_{turn + 1}"] = ((found - goal).square() * worth).mean() / batch.future.shape[1]
            with torch.no_grad():
                past = torch.cat([past, net.window(found, past[:, -1])[:, :APPLIED]], 1)[:, -PAST:]
                if turn == 0:  # a window drawn at a moment near the clean one has seen the answer
                    past = torch.where((moment > 0.5)[:, None, None], past, batch.future[:, 0, APPLIED - PAST : APPLIED])
        return parts

    @torch.no_grad()
    def evaluate(self, model: LocoNetwork) -> dict[str, float]:
        """Held-out windows, unbent: error in units of `frames.UNITS` (5 cm, 0.15 rad) of the first APPLIED frames, and after three
        windows of its own, in one step and in four; beside it what standing still would give."""
        generator = torch.Generator(self.device).manual_seed(1)
        weights, usable = self._chances(self.held_out, 3)
        figures: dict[str, list[float]] = {}
        for _ in range(4):
            rows = usable[torch.multinomial(weights, self.size, True, generator=generator)]
            batch = self._windows(self.held_out, rows, generator, 3, clean=True)
            style = model.embed_style(batch.style)
            for steps in (1, 4):
                past = batch.past
                for turn in range(3):
                    numbers = model.draw(model.see(past, batch.control[:, turn]), style, batch.noise[:, turn], steps)
                    found = model.window(numbers, past[:, -1])[:, :APPLIED]
                    error = (found - batch.future[:, turn, :APPLIED]).square().mean().sqrt()
                    figures.setdefault(f"window_{turn + 1}_steps_{steps}", []).append(float(error))
                    past = torch.cat([past, found], 1)[:, -PAST:]
            still = (batch.past[:, -1:] - batch.future[:, 0, :APPLIED]).square().mean().sqrt()
            figures.setdefault("standing_still", []).append(float(still))
        return {name: sum(values) / len(values) for name, values in figures.items()}

    def export(self, model: LocoNetwork, path: Path, card: dict[str, str]) -> None:
        save_weights(model, path, card, self.train)

    def _chances(self, corpus: Corpus, turns: int) -> tuple[Tensor, Tensor]:
        """How often each start is drawn, and the rows of the starts with room for `turns` windows."""
        fits = corpus.room >= FUTURE + (turns - 1) * APPLIED
        rows = corpus.starts[fits]
        kind = corpus.style[rows] * len(corpus.gaits) + corpus.gait[rows]
        share = torch.bincount(kind, minlength=len(corpus.styles) * len(corpus.gaits)).float()
        bent = corpus.bent[rows]
        chance = share[kind] ** (_RARE - 1)
        if bent.any():
            chance = chance * torch.where(bent, _BENT / bent.float().mean(), (1 - _BENT) / (~bent).float().mean())
        return chance, rows

    def _draw(self, generator: torch.Generator, corpus: Corpus) -> Tensor:
        return self.usable[torch.multinomial(self.weights, self.size, True, generator=generator)]

    def _windows(self, corpus: Corpus, rows: Tensor, generator: torch.Generator, turns: int, clean: bool = False) -> Batch:
        random = lambda *shape: torch.rand(len(rows), *shape, generator=generator, device=self.device)
        frames = FUTURE + (turns - 1) * APPLIED
        span = rows[:, None] + torch.arange(1 - PAST, frames + 1, device=self.device)
        body = corpus.frames[span]
        now = [rows + APPLIED * turn for turn in range(turns)]
        asked = torch.stack([_control_at(corpus, row) for row in now], 1)
        if not clean:
            flip = random() < 0.5
            body = torch.where(flip[:, None, None], mirrored(body), body)
            asked = torch.where(flip[:, None, None], mirrored_control(asked), asked)
        past = body[:, :PAST]
        future = torch.stack([body[:, PAST + APPLIED * turn : PAST + APPLIED * turn + FUTURE] for turn in range(turns)], 1)
        known = random() >= _NO_STYLE
        if not clean:  # a past that is a little wrong, in the ways in which bodies differ
            past = past + (past.roll(1, 0)[:, -1:] - past[:, -1:]) * (random()[:, None, None] ** 2 * _DOUBT)
        style = nn.functional.one_hot(corpus.style[rows], len(corpus.styles)).float()
        components = self.model.sizes["components"]
        noise = torch.randn(len(rows), turns, components, generator=generator, device=self.device)
        moment = torch.where(random() < _AT_ONCE, 1.0, random())
        return Batch(past, future, asked, style, known, noise, moment)


def _control_at(corpus: Corpus, rows: Tensor) -> Tensor:
    span = rows[:, None] + torch.arange(-9, AHEAD + 1, device=rows.device)
    return control(corpus.place[span], corpus.facing[span], 9)


def _on(corpus: Corpus, device: str) -> Corpus:
    moved = {name: value.to(device) for name, value in vars(corpus).items() if isinstance(value, Tensor)}
    return Corpus(**{**vars(corpus), **moved})


