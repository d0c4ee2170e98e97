# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole way with its rests: standing where the plan stands, walking in between, and what leads from the one to the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from smplit.body.model import BodyModel
from smplit.difftraj.features import FOOT_JOINTS, BodyShape, posed
from smplit.loco import frames as numbers
from smplit.loco.feet import Body, standing
from smplit.loco.frames import as_tensor, shape_of
from smplit.loco.idle import Idle
from smplit.loco.plan import Plan
from smplit.loco.rollout import rollout
from smplit.loco.set_off import set_off
from smplit.loco.stance import Stance, Standing
from smplit.loco.weights import LocoWeights
from smplit.mocap.runs import runs

_STILL = 3e-4  # m a frame
_LEAST_REST, _LEAST_WALK = 12, 24  # frames: a shorter halt under way is the network's, a shorter walk is steps on the spot
_LEAST_WAY = 0.45  # m, of a walk
_WITHIN = 40  # frames in which both feet have made their first step
_PIECE = 30  # frames of standing at once
_WALK, _ORDINARY = 70, 1.0  # frames, m/s: of the walk that a stance is the mean of


@dataclass(frozen=True)
class Walker:
    """Who walks: a network, a body, `size` times as long in the leg as the network's own, and how that body idles."""

    weights: LocoWeights
    body: BodyModel
    size: float
    idle: Idle | None
    _stances: dict[tuple[float, ...], Stance] = field(default_factory=dict)

    @cached_property
    def rest(self) -> np.ndarray:
        """(J,3) m: the body's joints at rest."""
        return self.body.rest_joints().cpu().numpy().astype(np.float64)

    def seen(self, frames: Tensor, planned: Plan) -> tuple[Body, np.ndarray]:
        """Frames (K,CHANNELS) on the rows of a plan as a body in the world, and whether each foot stands, (K,2) bool: left, right."""
        rotations, pelvis, contacts = numbers.decode(frames, as_tensor(planned.place[:, :2]) / self.size, as_tensor(planned.facing))
        pelvis = self.size * pelvis
        soles = posed(rotations, self._shape)[1][:, len(FOOT_JOINTS) :] + pelvis[:, None]
        rotations, pelvis, contacts, soles = (v.numpy().astype(np.float64) for v in (rotations, pelvis, contacts, soles))
        return Body(rotations, pelvis, contacts), standing(contacts, soles, planned.fps).reshape(-1, 2, 2).max(2) > 0

    def told(self, body: Body, planned: Plan) -> Tensor:
        """A body in the world -> frames (K,CHANNELS) on the rows of a plan, as the network writes them."""
        shape = BodyShape(self._shape.bones / self.size, self._shape.soles / self.size)
        place, facing = as_tensor(planned.place[:, :2] / self.size), as_tensor(planned.facing)
        return numbers.encode(as_tensor(body.rotations), as_tensor(body.pelvis / self.size), as_tensor(body.contacts), place, facing, shape)

    @cached_property
    def _shape(self) -> BodyShape:
        return shape_of(self.body)

    def stance(self, style: Tensor, strength: float) -> Stance:
        """How a mixture of styles (S,) stands."""
        key = (*style.tolist(), strength)
        if key not in self._stances:
            self._stances[key] = self._found(style, strength)
        return self._stances[key]

    def _found(self, style: Tensor, strength: float) -> Stance:
        walks = [self.weights.speeds.get(name, {}).get("walk", [0, _ORDINARY, 0])[1] for name in self.weights.styles]
        way = np.zeros((_WALK, 3))
        way[:, 0] = np.arange(_WALK) / 30.0 * float(style @ torch.tensor(walks)) * self.size
        straight = Plan(way, way[:, 1], way[:, 0], way[:, 1], way, 30.0, False, False, (False, False))
        walk = torch.cat(list(rollout(self.weights, straight, style[None], steps=1, strength=strength, size=self.size)))
        return Stance.of(walk[_WALK // 4 :], self.body, self.size)


def rests(plan: Plan) -> list[tuple[int, int]]:
    """First and past-the-last frame of every rest of a plan, walks of no length between two rests being part of them."""
    still = np.linalg.norm(np.diff(plan.place, axis=0, append=plan.place[-1:]), axis=1) < _STILL
    last = len(plan)
    still[-1] = last < 2 or still[-2] or plan.rests[1]
    found = [[a, b] for a, b in runs(still) if b - a >= _LEAST_REST or (a == 0 and plan.rests[0]) or (b == last and plan.rests[1])]
    if plan.rests[0] and (not found or found[0][0]):
        found.insert(0, [0, 1])
    if plan.rests[1] and (not found or found[-1][1] < last):
        found.append([last - 1, last])
    out: list[list[int]] = []
    for rest in found:
        if out:
            way = np.linalg.norm(np.diff(plan.place[out[-1][1] - 1 : rest[0] + 1], axis=0), axis=1).sum()
            if way < _LEAST_WAY or rest[0] - out[-1][1] < _LEAST_WALK:
                out[-1][1] = rest[1]
                continue
        out.append(rest)
    return [(a, b) for a, b in out]


def journey(walker: Walker, plan: Plan, style: Tensor, seed: int = 0, steps: int = 4, strength: float = 1.0) -> Iterator[Tensor]:
    """Frames (n,CHANNELS) of a body on `plan`, which has no laps; arguments as of `rollout`."""
    resting = rests(plan)
    stood: Standing | None = None
    at, walks = 0, 0
    for number, (first, last) in enumerate([*resting, (len(plan), len(plan))]):
        stands = None
        if last > first:
            stands = Standing(
                plan, first, last, walker.stance(style[first % len(style)], strength), walker.idle, seed + number, first > 0, last < len(plan)
            )
        if first > at:
            yield from _Walk(walker, plan, at, first, stood, stands).frames(style, seed + 1000 * walks, steps, strength)
            walks += 1
        for begin in range(first, last, _PIECE):
            rows = np.arange(begin, min(begin + _PIECE, last))
            yield walker.told(stands.at(rows), plan.rows(rows))
        at, stood = last, stands


@dataclass(frozen=True)
class _Walk:
    """Frames `first` to `last` (exclusive) of a plan, walked, between two times of standing, either of which may be missing."""

    walker: Walker
    plan: Plan
    first: int
    last: int
    stood: Standing | None
    will_stand: Standing | None

    def frames(self, style: Tensor, seed: int, steps: int, strength: float) -> Iterator[Tensor]:
        count = self.last - self.first
        most = min(_WITHIN, count // 2 if self.stood and self.will_stand else count)
        at, ahead = 0, torch.zeros(0, numbers.CHANNELS)  # frames given, and made but not given
        setting_off = self.stood is not None
        pieces = rollout(self.walker.weights, self.plan, style, seed, steps, strength, self.walker.size, self.first, self.last)
        for piece in pieces:
            ahead = torch.cat([ahead, piece])
            if setting_off:
                if len(ahead) < most:
                    continue
                ahead, setting_off = torch.cat([self._between(self.stood, ahead[:most], at, False), ahead[most:]]), False
            free = min(len(ahead), count - at - (most if self.will_stand else 0))
            if free > 0:
                yield ahead[:free]
                at, ahead = at + free, ahead[free:]
        if self.will_stand:
            ahead = self._between(self.will_stand, ahead, at, True)
        if len(ahead):
            yield ahead

    def _between(self, standing: Standing, frames: Tensor, at: int, backwards: bool) -> Tensor:
        """Walked frames, `at` after the walk's first, joined to the standing before or, `backwards`, after them; see `set_off`."""
        rows = self.first + at + np.arange(len(frames))
        planned = self.plan.rows(rows)
        walked, stands = self.walker.seen(frames, planned)
        edge = standing.first if backwards else standing.last - 1
        way = slice(None, None, -1 if backwards else 1)
        stood, places = standing.carried(edge, planned)
        found = set_off(stood[way], places, walked[way], stands[way], self.walker.rest, self.plan.fps, self.walker.size)
        return self.walker.told(found[way], planned)
