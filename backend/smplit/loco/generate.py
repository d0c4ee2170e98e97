# SPDX-License-Identifier: GPL-3.0-or-later
"""Styled locomotion along a plan, as motion, all at once or while it is made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from smplit.body.model import BodyModel
from smplit.difftraj.features import JOINTS
from smplit.errors import BadInput
from smplit.loco.feet import Body, Feet
from smplit.loco.plan import Plan
from smplit.loco.rollout import rollout
from smplit.loco.weights import LocoWeights, load_weights
from smplit.motion import NUM_JOINTS, Motion

CHUNK = 30  # frames


class Generator:
    """A locomotion network on a body: `Generator.load()(plan, "happy")` -> `Motion`."""

    def __init__(self, weights: LocoWeights, body: BodyModel):
        self.weights, self.body = weights, body

    @classmethod
    def load(cls, path: str | Path, body: BodyModel | None = None) -> Generator:
        """Reads weights; raises `BadInput` like `load_weights`."""
        return cls(load_weights(path), body or BodyModel.load())

    def __call__(self, plan: Plan, style: str, seed: int = 0, steps: int = 4, strength: float = 1.0) -> Motion:
        """The whole walk; see `chunks`."""
        parts = list(self.chunks(plan, style, seed, steps, strength))
        joined = Body(*(np.concatenate([getattr(part, name) for part in parts]) for name in ("rotations", "pelvis", "contacts")))
        return self.motion(joined, plan.fps)

    def chunks(self, plan: Plan, style: str, seed: int = 0, steps: int = 4, strength: float = 1.0) -> Iterator[Body]:
        """The walk, CHUNK frames at a time (the last piece may be shorter or longer), the first after a few windows.

        Args:
            style: a name of `weights.styles`.

        Raises:
            BadInput: a style that the network does not know (near names are listed).
        """
        shares = self.shares(style)
        feet = Feet(plan, self.body)
        for frames in rollout(self.weights, plan, shares, seed, steps, strength):
            feet.add(frames)
            if feet.ready >= CHUNK:
                yield feet.take()
        rest = feet.take(last=True)
        if len(rest):
            yield rest

    def shares(self, style: str) -> torch.Tensor:
        """(S,) of one style."""
        styles = self.weights.styles
        if style not in styles:
            import difflib

            near = difflib.get_close_matches(style, styles, 3, 0.4)
            hint = f"Did you mean {' or '.join(near)}? " if near else ""
            raise BadInput(f"There is no style '{style}'.", f"{hint}There are: {', '.join(styles)}.", "unknown_style")
        return torch.nn.functional.one_hot(torch.tensor(styles.index(style)), len(styles)).float()

    def motion(self, body: Body, fps: float) -> Motion:
        """A body's frames as a motion: hands flat, face at rest."""
        poses = np.zeros((len(body), NUM_JOINTS, 3), np.float32)
        poses[:, :JOINTS] = body.poses()
        rest = self.body.rest_joints()[0].cpu().numpy()
        return Motion(
            poses.reshape(len(body), -1), (body.pelvis - rest).astype(np.float32), fps, contacts=body.contacts.astype(np.float32),
            extras={"smplit_body": np.array(self.body.path.name)},
        )

