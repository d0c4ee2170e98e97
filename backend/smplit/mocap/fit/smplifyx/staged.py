# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole published fit on any body: camera first, then five stages, every frame by itself (SPEC, "Camera" and "Stages")."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import torch
from torch import Tensor

from smplit.mocap.fit.smplifyx import energy
from smplit.mocap.fit.smplifyx.camera import Pinhole, first_translation, from_the_side, placing, turned_about
from smplit.mocap.fit.smplifyx.energy import BodyPrior, Terms
from smplit.mocap.fit.smplifyx.lbfgs import minimise
from smplit.mocap.fit.smplifyx.stages import STAGES, StageWeights

Parameters = dict[str, Tensor]


class PosedBody(Protocol):
    """A body with parameters `global_orient` 3, `body_pose` 63, `betas`, `left_hand_pose`, `right_hand_pose`, `expression`, `jaw_pose` 3."""

    sizes: dict[str, int]

    def points(self, parameters: Parameters) -> Tensor:
        """(F,118,3) m, the root's rest place at the origin's side of the camera: before the translation."""

    def hands(self, parameters: Parameters) -> tuple[Tensor, Tensor]:
        """What the hands' prior acts on, (F,n) each: left and right about their mean."""


@dataclass
class Fitted:
    """`parameters` and `translation` (F,3) m in camera axes; `energies` (F,) after the camera's step and after each stage."""

    parameters: Parameters
    translation: Tensor
    energies: list[Tensor] = field(default_factory=list)

    def better_of(self, other: Fitted, rows: Tensor) -> Fitted:
        """Frame by frame the lower energy; `other` holds the frames `rows` (n,) only."""
        wins = other.energies[-1] < self.energies[-1][rows]
        change, taken = rows[wins], torch.nonzero(wins)[:, 0]
        mix = lambda mine, theirs: mine.index_copy(0, change, theirs[taken])
        return Fitted(
            {name: mix(value, other.parameters[name]) for name, value in self.parameters.items()},
            mix(self.translation, other.translation), [mix(a, b) for a, b in zip(self.energies, other.energies, strict=True)],
        )


@dataclass
class StagedFit:
    """How to fit: `tolerance` is the relative gain of 30 steps below which a frame is done (published: 1e-9)."""

    body: PosedBody
    prior: BodyPrior
    camera: Pinhole
    rounds: int = 30
    tolerance: float = 1e-9
    check: Callable[[], None] = lambda: None

    def __call__(self, detected: Tensor) -> Fitted:
        """Detections (F,118,3), px and confidence. People seen from the side are also tried the other way round."""
        translation, orientation, placed = self._place(detected)
        fitted = self._stages(detected, orientation, translation, placed)
        side = torch.nonzero(from_the_side(detected))[:, 0]
        if len(side):
            turned = self._stages(detected[side], turned_about(orientation[side]), translation[side], placed[side])
            fitted = fitted.better_of(turned, side)
        return fitted

    def refit(self, detected: Tensor, fitted: Fitted) -> Fitted:
        """The last stage again with the shapes that `fitted` has: what each frame explained by a shape of its own becomes its place."""
        place = "translation"
        values, lowest = self._minimise(
            detected, {**fitted.parameters, place: fitted.translation}, fitted.translation, STAGES[-1], held=("betas",)
        )
        return Fitted(values, values.pop(place), [*fitted.energies, lowest])

    def _zeros(self, frames: int) -> Parameters:
        return {name: torch.zeros(frames, size, dtype=torch.float64) for name, size in self.body.sizes.items()}

    def _start(self, frames: int) -> Parameters:
        """Everything zero, and the pose the prior's mean."""
        return {**self._zeros(frames), "body_pose": self.prior.mean.double().expand(frames, -1).clone()}

    def _place(self, detected: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Translation and orientation (F,3) from the trunk alone, and the energy (F,)."""
        # The depth's guess comes before the mean pose: with it, lengths would be others.
        first = first_translation(self.body.points(self._zeros(len(detected))), detected, self.camera)
        start = self._start(len(detected))

        def step(values: Tensor, rows: Tensor) -> Tensor:
            posed = {**{name: value[rows] for name, value in start.items()}, "global_orient": values[:, 3:]}
            pixels = self.camera.project(self.body.points(posed), values[:, :3])
            return placing(pixels, detected[rows], values[:, 2], first[rows, 2], self.camera.height)

        values, lowest = minimise(step, torch.cat([first, start["global_orient"]], 1), self.rounds, tolerance=self.tolerance, check=self.check)
        return values[:, :3], values[:, 3:], lowest

    def _stages(self, detected: Tensor, orientation: Tensor, translation: Tensor, placed: Tensor) -> Fitted:
        parameters, energies = {**self._start(len(detected)), "global_orient": orientation}, [placed]
        for weights in STAGES:
            parameters, lowest = self._minimise(detected, parameters, translation, weights)
            energies.append(lowest)
        return Fitted(parameters, translation, energies)

    def _minimise(
        self, detected: Tensor, start: Parameters, translation: Tensor, weights: StageWeights, held: tuple[str, ...] = ()
    ) -> tuple[Parameters, Tensor]:
        free = [name for name in start if name not in held]
        sizes = [start[name].shape[1] for name in free]
        joints = weights.joint_weights()

        def stage(values: Tensor, rows: Tensor) -> Tensor:
            posed = dict(zip(free, values.split(sizes, 1), strict=True)) | {name: start[name][rows] for name in held}
            return self.stage_energy(posed, detected[rows], posed.get("translation", translation[rows]), weights, joints)

        together = torch.cat([start[name] for name in free], 1)
        values, lowest = minimise(stage, together, self.rounds, tolerance=self.tolerance, check=self.check)
        found = dict(zip(free, values.split(sizes, 1), strict=True))
        return {name: found.get(name, value) for name, value in start.items()}, lowest

    def stage_energy(self, posed: Parameters, detected: Tensor, translation: Tensor, weights: StageWeights, joints: Tensor) -> Tensor:
        """(F,) energy of one stage; `joints` (118,) from `StageWeights.joint_weights`."""
        pixels = self.camera.project(self.body.points(posed), translation)
        terms = Terms(posed["body_pose"], posed["betas"], posed["expression"], *self.body.hands(posed), posed["jaw_pose"])
        priors = energy.weighed(terms, self.prior(posed["body_pose"]), weights)
        return energy.data(pixels, detected, joints, self.camera.height) + sum(priors.values())
