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
from scipy.interpolate import CubicSpline
from scipy.spatial.transform import Rotation, Slerp
from torch import Tensor

from smplit.difftraj.original_features import Statistics, decode_root, heading_steps, joint_positions, on_known_pelvis, root_heading
from smplit.difftraj.original_files import load_network, load_statistics
from smplit.difftraj.original_network import ROOT_AND_CONTACTS, OriginalDenoiser
from smplit.difftraj.original_windows import WINDOW, merge_windows, split_windows, window_count
from smplit.diffusion.gaussian import GaussianDiffusion
from smplit.diffusion.schedules import Schedule, cosine_betas, strided_timesteps
from smplit.motion import Motion

FPS = 30.0
STEPS = 100
_TRAINED_STEPS = 1000
_TOGETHER = 32  # windows in one batch: half an hour of motion needs no more memory than half a minute
_BODY = 22
_POSITIONS = 3 * _BODY  # numbers of the condition that are joint positions


def sampling_schedule(steps: int = STEPS, original: bool = False) -> Schedule:
    """The steps of sampling, of the 1000 that the published networks were trained on.

    The original builds a schedule of `steps` steps of its own and tells the network t < `steps`, so that it
    takes noise for signal; with `original` it is that one.
    """
    if original:
        return Schedule.of(cosine_betas(steps))
    return Schedule.of(cosine_betas(_TRAINED_STEPS)).respaced(strided_timesteps(_TRAINED_STEPS, steps))


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
            motion: any frame rate or frame times; the network sees it at its 30 a second.
            rest_joints: (J,3) m of `motion`'s body, J at least 22.
            seed: other noise, another of the ways that are possible.

        Raises:
            BadInput: `steps` is not in 1..1000.
        """
        times = np.arange(len(motion)) / motion.fps if motion.frame_times is None else np.asarray(motion.frame_times, np.float64)
        times = times - times[0]
        own_times = np.arange(math.ceil(times[-1] * FPS - 1e-6) + 1) / FPS
        poses = np.asarray(motion.poses[:, : 3 * _BODY], np.float64).reshape(-1, _BODY, 3)
        local = np.stack([_rotations_at(Rotation.from_rotvec(poses[:, joint]), times, own_times).as_matrix() for joint in range(_BODY)], 1)
        known_rest = on_known_pelvis(rest_joints[:_BODY], self.condition.mean[:_POSITIONS])
        shape = (window_count(len(local)), self.network.outputs, 1, WINDOW)
        noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed))
        trans, root = self.trajectory(
            Rotation.from_matrix(local[:, 0]), local[:, 1:], known_rest, noise, sampling_schedule(steps), keep_heading, progress,
        )
        trans = trans + known_rest[0] - rest_joints[0]  # the pelvis stays where the network put it, on this body
        trans, root = _started_as(motion, trans, root)
        result = np.array(motion.poses, np.float32)
        result[:, :3] = _rotations_at(root, own_times, times).as_rotvec()
        return dataclasses.replace(motion, poses=result, trans=_places_at(trans, own_times, times).astype(np.float32))


def _started_as(motion: Motion, trans: np.ndarray, root: Rotation) -> tuple[np.ndarray, Rotation]:
    """The way moved and turned on the floor so that its first frame has the place and the heading of `motion`'s."""
    first = Rotation.from_rotvec(np.asarray(motion.poses[:1, :3], np.float64))
    turn = Rotation.from_rotvec([0, 0, float((root_heading(first) - root_heading(root[:1]))[0])])
    place = np.array([*motion.trans[0, :2], 0.0])
    return turn.apply(trans - [*trans[0, :2], 0.0]) + place, turn * root


def _rotations_at(rotations: Rotation, times: np.ndarray, wanted: np.ndarray) -> Rotation:
    """Rotations known at `times` (T,) s, turned on along the shortest arc to `wanted` (N,) s; the last one is held."""
    if len(times) == 1:
        return rotations[np.zeros(len(wanted), int)]
    return Slerp(times, rotations)(np.minimum(wanted, times[-1]))


def _places_at(places: np.ndarray, times: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Places (T,3) m known at `times` (T,) s on a smooth line through them, at `wanted` (N,) s."""
    if len(times) > 3:
        return CubicSpline(times, places)(wanted)
    return np.stack([np.interp(wanted, times, column) for column in places.T], 1)
