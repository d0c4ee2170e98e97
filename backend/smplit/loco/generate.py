# SPDX-License-Identifier: GPL-3.0-or-later
"""Styled locomotion along a plan, as motion, all at once or while it is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from smplit import models
from smplit.body.model import BodyModel
from smplit.difftraj.features import JOINTS
from smplit.loco.feet import FORESEEN, Body, Feet
from smplit.loco.frames import shape_of
from smplit.loco.idle import Idle, load_idle
from smplit.loco.journey import Walker, journey
from smplit.loco.lap import lap
from smplit.loco.plan import Plan
from smplit.loco.styles import style_shares
from smplit.loco.weights import LocoWeights, load_weights
from smplit.motion import NUM_JOINTS, Motion

CHUNK, FIRST_CHUNK = 30, 10  # frames; something is to be seen at once


class Generator:
    """A locomotion network on a body: `Generator.load()(plan, "happy")` -> `Motion`."""

    def __init__(self, weights: LocoWeights, body: BodyModel, idle: Idle | None = None):
        self.weights, self.body = weights, body
        self._size = float(shape_of(body).leg) / weights.leg
        self._walker = Walker(weights, body, self._size, idle)

    @classmethod
    def load(cls, path: str | Path, body: BodyModel | None = None) -> Generator:
        """Reads weights; raises `BadInput` like `load_weights`."""
        return cls(load_weights(path), body or BodyModel.load(), load_idle(models.find("idle")))

    def __call__(self, plan: Plan, style: str, seed: int = 0, steps: int = 4, strength: float = 1.0) -> Motion:
        """The whole walk; see `chunks`."""
        parts = list(self.chunks(plan, style, seed, steps, strength))
        joined = Body(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("rotations", "pelvis", "contacts")))
        return self.motion(joined, plan.fps)

    def chunks(self, plan: Plan, style: str, seed: int = 0, steps: int = 4, strength: float = 1.0) -> Iterator[Body]:
        """The walk, some CHUNK frames at a time, FIRST_CHUNK at first.

        Args:
            style: as `style_shares` reads it.

        Raises:
            BadInput: a style that the network does not know (near names are listed).
        """
        shares = self.shares(style, plan.arc)
        if plan.laps:
            frames = lap(self.weights, plan, shares, seed, steps, strength, self._size)
        else:
            frames = journey(self._walker, plan, shares, seed, steps, strength)
        before = next(frames) if plan.laps else None
        feet, first, begun = Feet(plan, self.body, self._size, before), None, False
        for piece in frames:
            first = piece if first is None else torch.cat([first, piece])[:FORESEEN]
            feet.add(piece)
            if feet.ready >= (CHUNK if begun else FIRST_CHUNK):
                begun = True
                yield feet.take()
        if plan.laps:
            feet.add(first)  # after the lap comes the lap
        rest = feet.take(last=True)
        if len(rest):
            yield rest

    def shares(self, style: str, arc: np.ndarray) -> torch.Tensor:
        """(T,S) shares of the styles at `arc` (T,) m; see `style_shares`."""
        return torch.from_numpy(style_shares(style, self.weights.styles, arc))

    def motion(self, body: Body, fps: float) -> Motion:
        """A body's frames as a motion: hands flat, face at rest."""
        poses = np.zeros((len(body), NUM_JOINTS, 3), np.float32)
        poses[:, :JOINTS] = body.poses()
        rest = self.body.rest_joints()[0].cpu().numpy()
        return Motion(
            poses.reshape(len(body), -1), (body.pelvis - rest).astype(np.float32), fps, contacts=body.contacts.astype(np.float32),
            extras={"smplit_body": np.array(self.body.path.name)},
        )

