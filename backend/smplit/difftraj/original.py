# SPDX-License-Identifier: GPL-3.0-or-later
"""The published DiffTraj from end to end: a motion's local poses -> windows -> diffusion -> a way through the world.

For users who have the published checkpoint. Two things differ from the original by intent: sampling
visits the timesteps the network was trained on (`sampling_schedule`), and the network runs once a step,
because the original's guidance compares two equal outputs. `original_schedule` brings the first back, for goldens.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from smplit.datasets.resample import resampled
from smplit.difftraj.original_features import CONSTANT_POSITIONS, Statistics, decode_root, heading_steps, joint_positions, root_heading
from smplit.difftraj.original_files import load_network, load_statistics
from smplit.difftraj.original_network import ROOT_AND_CONTACTS, OriginalDenoiser
from smplit.diffusion.gaussian import GaussianDiffusion
from smplit.diffusion.schedules import Schedule, cosine_betas, strided_timesteps
from smplit.motion import Motion

WINDOW, OVERLAP = 200, 32
FPS = 30.0
STEPS = 100
_TRAINED_STEPS = 1000
_TOGETHER = 32  # windows in one batch: half an hour of motion needs no more memory than half a minute
_BODY = 22


def sampling_schedule(steps: int = STEPS, original: bool = False) -> Schedule:
    """The steps of sampling, of the 1000 that the published networks were trained on.

    The original builds a schedule of `steps` steps of its own and tells the network t < `steps`, so that it
    takes noise for signal; with `original` it is that one.
    """
    if original:
        return Schedule.of(cosine_betas(steps))
    return Schedule.of(cosine_betas(_TRAINED_STEPS)).respaced(strided_timesteps(_TRAINED_STEPS, steps))


def window_count(frames: int) -> int:
    """Windows that cover a motion."""
    return max(1, -(-(frames - OVERLAP) // (WINDOW - OVERLAP)))


def split_windows(values: np.ndarray) -> np.ndarray:
    """(T,C) -> (N,200,C), each sharing 32 frames with the next; the last frame is repeated to fill the last."""
    count = window_count(len(values))
    frames = np.arange(count)[:, None] * (WINDOW - OVERLAP) + np.arange(WINDOW)
    return values[np.minimum(frames, len(values) - 1)]


def merge_windows(windows: np.ndarray, frames: int) -> np.ndarray:
    """(N,200,C) -> (T,C): shared frames fade from one window to the next."""
    rising = np.linspace(0, 1, OVERLAP)[:, None]
    merged = np.zeros((len(windows) * (WINDOW - OVERLAP) + OVERLAP, windows.shape[-1]))
    for index, window in enumerate(windows):
        weight = np.ones((WINDOW, 1))
        if index > 0:
            weight[:OVERLAP] = rising
        if index < len(windows) - 1:
            weight[-OVERLAP:] = 1 - rising
        first = index * (WINDOW - OVERLAP)
        merged[first : first + WINDOW] += weight * window
    return merged[:frames]


class OriginalDiffTraj:
    """A published network with the statistics it was trained with.

    Args:
        network: filled with weights.
        condition, output: statistics of its 68 inputs and of its 11 or 13 outputs.
    """

    def __init__(self, network: OriginalDenoiser, condition: Statistics, output: Statistics, device: str = "cpu"):
        self.network = network.to(device).eval()
        self.condition, self.output, self.device = condition, output, device

    @classmethod
    def load(cls, checkpoint: str | Path, statistics: str | Path, device: str = "cpu") -> OriginalDiffTraj:
        """The published files: `model*.pt` and the mean/std npz it was trained with.

        Raises:
            BadInput: one cannot be read, or the two do not belong together; says which names do not fit.
        """
        network = load_network(checkpoint)
        return cls(network, *load_statistics(statistics, network.outputs), device)

    def sample(
        self, condition: np.ndarray, noise: Tensor, schedule: Schedule, progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> np.ndarray:
        """The network's outputs (T,11 or 13) for conditions (T,68), both in their own units.

        `noise` is (N,11 or 13,1,200), one for each of the `window_count(T)` windows; `progress(done, total)` counts network calls.
        """
        known = torch.as_tensor(split_windows(self.condition.normalised(condition)), dtype=torch.float32).transpose(1, 2)[:, :, None]
        diffusion = GaussianDiffusion(schedule)
        batches = list(zip(known.split(_TOGETHER), noise.split(_TOGETHER), strict=True))
        windows = []
        for index, (part, start) in enumerate(batches):
            given = part.to(self.device)
            motion = diffusion.ddim_sample_loop(
                lambda x, t, given=given: self.network(x, t, given), start.to(self.device),
                lambda done, index=index: progress(index * len(schedule) + done, len(batches) * len(schedule)),
            )
            windows.append(motion[:, :, 0].transpose(1, 2).cpu().numpy().astype(np.float64))
        return self.output.restored(merge_windows(np.concatenate(windows), len(condition)))

    def trajectory(
        self, root: Rotation, body: np.ndarray, rest_joints: np.ndarray, noise: Tensor, schedule: Schedule, keep_heading: bool = False,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> tuple[np.ndarray, Rotation]:
        """A way for local poses at 30 frames a second: (T,3) m `trans` and T root rotations, in a world of its own.

        It starts near x = y = 0, facing about +X. Of `root` only the heading's steps are looked at.

        Args:
            root: T rotations in the world, Z up; body: (T,21,3,3) local rotations; rest_joints: (22,3) m.
            noise: see `sample`.
            keep_heading: turn as `root` does, instead of as the network says; the older kind always does.
        """
        turns = heading_steps(root)
        positions = joint_positions(None, body, rest_joints)
        values = self.sample(np.concatenate([positions.reshape(len(body), -1), turns], -1), noise, schedule, progress)
        if keep_heading or self.network.outputs == ROOT_AND_CONTACTS:
            values = np.concatenate([values[:, :9], turns], -1)
        return decode_root(values)

    def with_trajectory(
        self, motion: Motion, rest_joints: np.ndarray, *, steps: int = STEPS, seed: int = 0, keep_heading: bool = False,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> Motion:
        """The same local poses with the network's way; place and facing of the first frame stay the input's.

        Args:
            motion: any frame rate; the network sees it at its 30 a second.
            rest_joints: (J,3) m of `motion`'s body, J at least 22.
            seed: other noise, another of the ways that are possible.
        """
        poses = self._at_own_rate(motion)
        known_rest = self._rest_joints(rest_joints)
        body = Rotation.from_rotvec(poses[:, 1:].reshape(-1, 3)).as_matrix().reshape(-1, _BODY - 1, 3, 3)
        shape = (window_count(len(poses)), self.network.outputs, 1, WINDOW)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        trans, root = self.trajectory(
            Rotation.from_rotvec(poses[:, 0]), body, known_rest, noise, sampling_schedule(steps), keep_heading, progress,
        )
        trans = trans + known_rest[0] - rest_joints[0]  # the pelvis stays where the network put it, on this body
        trans, root = _started_as(motion, trans, root)
        turned, moved = resampled(root.as_rotvec()[:, None], trans, FPS, motion.fps)
        result = np.array(motion.poses, np.float32)
        result[:, :3] = turned[: len(motion), 0]
        return dataclasses.replace(motion, poses=result, trans=moved[: len(motion)].astype(np.float32))

    @staticmethod
    def _at_own_rate(motion: Motion) -> np.ndarray:
        """(N,22,3) rad at 30 frames a second; the last pose is held so that the last frame lies among them."""
        hold = 0 if motion.fps == FPS else math.ceil(motion.fps / FPS)
        poses = np.asarray(motion.poses[:, : 3 * _BODY], np.float64).reshape(-1, _BODY, 3)
        held = np.concatenate([poses, np.repeat(poses[-1:], hold, 0)])
        return resampled(held, np.zeros((len(held), 3)), motion.fps, FPS)[0]

    def _rest_joints(self, rest_joints: np.ndarray) -> np.ndarray:
        """(22,3) m: this body's bones on the pelvis that the network knows.

        Pelvis, hips and first spine joint never moved in training, so each body but those of the training
        lies many standard deviations off there; the mean of the training is the nearest thing to it.
        """
        fitted = np.array(rest_joints[:_BODY], np.float64)
        fixed = self.condition.mean[: 3 * CONSTANT_POSITIONS].reshape(CONSTANT_POSITIONS, 3)
        legs_and_spine = ((1, (4, 7, 10)), (2, (5, 8, 11)), (3, (6, 9, *range(12, _BODY))))
        for joint, hanging in legs_and_spine:
            fitted[list(hanging)] += fixed[joint] - fitted[joint]
        fitted[:CONSTANT_POSITIONS] = fixed
        return fitted


def _started_as(motion: Motion, trans: np.ndarray, root: Rotation) -> tuple[np.ndarray, Rotation]:
    """The way moved and turned on the floor so that its first frame has the place and the heading of `motion`'s."""
    first = Rotation.from_rotvec(np.asarray(motion.poses[:1, :3], np.float64))
    turn = Rotation.from_rotvec([0, 0, float((root_heading(first) - root_heading(root[:1]))[0])])
    place = np.array([*motion.trans[0, :2], 0.0])
    return turn.apply(trans - [*trans[0, :2], 0.0]) + place, turn * root
