# SPDX-License-Identifier: GPL-3.0-or-later
"""Frames on a plan -> a body in the world whose planted feet stand still, chunk by chunk.

How a foot is held depends on its whole stance, of which a stream knows the end only later. So each chunk is worked out together
with the frames around it, and fades over from what the one before had foreseen.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d
from scipy.spatial.transform import Rotation
from torch import Tensor

from smplit.axes import axis_angle_from_matrix
from smplit.difftraj.features import FOOT_JOINTS, posed
from smplit.loco import frames as numbers
from smplit.loco.bend import planted
from smplit.loco.frames import as_tensor
from smplit.loco.plan import Plan
from smplit.loco.slope import on_ground
from smplit.mocap.runs import runs
from smplit.motion import BODY_JOINTS

FORESEEN = 20  # frames after a chunk that must be known
_REMEMBERED = 30  # frames before it that are looked at again
_SAID = 0.35  # contact from which on a sole may stand
_SLOW = 0.8  # m/s over the ground
_STRAYS = 0.1  # m from the middle of its stance: of who creeps, even a foot that goes ahead is slow
_LOW, _HELD_LOW = 0.04, 0.05  # m; a foot that stands is held a frame longer at both ends where it is still so low
_BRISKER, _BLUNT = 0.5, 2.0  # share, frames: feet that leave and land as people's do, not as their mean
_FREE, _GIVE = 0.035, 0.03  # m of sway; recorded walks sway 1 to 3 cm on average, 7 in turns
_LEGS = [
    channel for joint, name in enumerate(BODY_JOINTS) if any(part in name for part in ("hip", "knee", "ankle", "foot"))
    for channel in range(numbers.LOCAL.start + 6 * (joint - 1), numbers.LOCAL.start + 6 * joint)
]
_BLINK, _MOMENT = 2, 4  # frames: a pause no longer than the first is none, a stance shorter than the second neither


@dataclass
class Body:
    """T frames of a body in the world: local rotations (T,22,3,3), the root's in the world; pelvis (T,3) m; contacts (T,4) 0..1."""

    rotations: np.ndarray
    pelvis: np.ndarray
    contacts: np.ndarray

    def __len__(self) -> int:
        return len(self.pelvis)

    def __getitem__(self, rows: slice) -> Body:
        return Body(self.rotations[rows], self.pelvis[rows], self.contacts[rows])

    def poses(self) -> np.ndarray:
        """(T,22,3) rad."""
        return axis_angle_from_matrix(self.rotations)


class Feet:
    """`add` frames as they come, `take` what is finished. Memory does not grow with the walk.

    Args:
        size: leg length of `body` over that of the body whose frames these are.
        before: (n,CHANNELS) frames before the plan's first, which are looked at and never taken.
    """

    def __init__(self, plan: Plan, body, size: float = 1.0, before: Tensor | None = None):
        self.plan, self.body, self.size = plan, body, size
        self._shape = numbers.shape_of(body)
        self._rest = body.rest_joints().cpu().numpy().astype(np.float64)
        self._frames = torch.zeros(0, numbers.CHANNELS) if before is None else before[-_REMEMBERED:]
        self._first = -len(self._frames)  # frame of the plan that `_frames` begins with
        self._done = 0  # frames taken so far
        self._foreseen: Body | None = None

    def add(self, frames: Tensor) -> None:
        self._frames = torch.cat([self._frames, frames])

    @property
    def known(self) -> int:
        """Frames added so far."""
        return self._first + len(self._frames)

    @property
    def ready(self) -> int:
        """Frames that `take` would give."""
        return max(0, self.known - FORESEEN - self._done)

    def take(self, last: bool = False) -> Body:
        """All frames that are foreseen far enough; with `last` all there are on the plan."""
        until = len(self.plan) if last else self._done + self.ready
        held = self._held(last)
        here = held[self._done - self._first : until - self._first]
        if self._foreseen is not None and len(here):
            here = _faded(self._foreseen[: len(here)], here)
        self._foreseen = held[until - self._first :]
        self._done = until
        forget = max(0, until - _REMEMBERED - self._first)
        self._frames, self._first = self._frames[forget:], self._first + forget
        return here

    def _held(self, last: bool) -> Body:
        rows = self.plan.rows(np.arange(self._first, self.known))
        frames = self._frames
        if last and self.plan.rests[1]:
            frames = _arrived(frames)
        frames = torch.cat([_near(frames[:, numbers.SWAY]), frames[:, numbers.SWAY.stop :]], 1)
        frames[:, _LEGS] += _BRISKER * (frames[:, _LEGS] - _blurred(frames[:, _LEGS]))
        found = numbers.decode(frames, as_tensor(rows.place[:, :2]) / self.size, as_tensor(rows.facing))
        soles = posed(found[0], self._shape)[1][:, len(FOOT_JOINTS) :] + self.size * found[1][:, None]
        rotations, pelvis, contacts = (values.numpy().astype(np.float64) for values in found)
        contacts = standing(contacts, soles.numpy().astype(np.float64), self.plan.fps)
        pelvis *= self.size
        rotations, pelvis = planted(rotations, pelvis, contacts, np.zeros(len(pelvis)), self.body, self.plan.fps)
        rotations, pelvis = on_ground(rotations, pelvis, self.plan, np.arange(self._first, self.known), self._rest)
        return Body(rotations, pelvis, contacts)


def _blurred(values: Tensor) -> Tensor:
    return torch.from_numpy(gaussian_filter1d(values.numpy(), _BLUNT, axis=0, mode="nearest"))


def standing(contacts: np.ndarray, soles: np.ndarray, fps: float) -> np.ndarray:
    """(T,4) 0 or 1: which of the soles (T,4,3) m really stand: said to, slow, near the ground, and for longer than a moment; and a frame
    before and after that."""
    step = np.linalg.norm(np.diff(soles[..., :2], axis=0), axis=-1) * fps
    step = np.concatenate([step[:1], step, step[-1:]])
    speed = np.minimum(step[1:], step[:-1])
    stands = (contacts > _SAID) & (speed < _SLOW) & (soles[..., 2] < _LOW)
    for point in range(stands.shape[1]):
        for first, last in runs(~stands[:, point]):
            if first and last < len(stands) and last - first <= _BLINK:
                stands[first:last, point] = True
        for first, last in runs(stands[:, point]):
            middle = np.median(soles[first:last, point, :2], axis=0)
            stands[first:last, point] = np.linalg.norm(soles[first:last, point, :2] - middle, axis=1) < _STRAYS
        for first, last in runs(stands[:, point]):
            if last - first < _MOMENT and first and last < len(stands):
                stands[first:last, point] = False
    low = soles[..., 2] < _HELD_LOW
    longer = stands.copy()
    longer[:-1] |= stands[1:] & low[:-1]
    longer[1:] |= stands[:-1] & low[1:]
    return longer.astype(np.float64)


def _near(sway: Tensor) -> Tensor:
    """(T,2) in units: as it is up to `_FREE`, from there on ever less of it: nobody sways further than `_FREE` and `_GIVE` off the path."""
    far = sway.norm(dim=-1, keepdim=True) * float(numbers.UNITS[0])
    over = (far - _FREE).clamp(min=0)
    return sway * torch.where(over > 0, (_FREE + _GIVE * torch.tanh(over / _GIVE)) / far.clamp(min=1e-6), 1.0)


def _arrived(frames: Tensor) -> Tensor:
    """The last frame's pelvis exactly on the plan, the ones before it ever less so, over the remembered frames."""
    count = min(len(frames), FORESEEN + _REMEMBERED)
    ease = torch.linspace(0, 1, count)[:, None]
    ease = ease * ease * (3 - 2 * ease)
    frames = frames.clone()
    frames[-count:, numbers.SWAY] -= ease * frames[-1:, numbers.SWAY]
    return frames


def _faded(before: Body, after: Body) -> Body:
    """From `before` over to `after`; where `before` ends, `after` alone."""
    count = min(len(before), len(after))
    part = np.linspace(0, 1, count + 1)[1:]
    turn = Rotation.from_matrix((np.swapaxes(before.rotations[:count], -1, -2) @ after.rotations[:count]).reshape(-1, 3, 3)).as_rotvec()
    turn = Rotation.from_rotvec(turn * np.repeat(part, after.rotations.shape[1])[:, None]).as_matrix()
    rotations, pelvis = after.rotations.copy(), after.pelvis.copy()
    rotations[:count] = before.rotations[:count] @ turn.reshape(count, -1, 3, 3)
    pelvis[:count] += (1 - part)[:, None] * (before.pelvis[:count] - after.pelvis[:count])
    return Body(rotations, pelvis, after.contacts)
