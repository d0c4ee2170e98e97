# SPDX-License-Identifier: GPL-3.0-or-later
"""The cameras that the published WHAM's first stage films recorded motion with (SPEC, section 6). World y down, m, rad."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from smplit.difftraj.quaternions import matrices, quaternion_from_axis_angle
from smplit.difftraj.random_batch import RandomBatch
from smplit.mocap.wham.rotations import matrix_from_rows, rows_from_matrix

SIZE = 1000.0  # px, both sides of the picture
FOCAL = SIZE * math.sqrt(2.0)
_HALF_FIELD = SIZE / 2.0 / FOCAL
_NEAREST, _PUSHED_TO = 0.5, 1.0  # m
_WIDEST = 1.2 / math.sqrt(2.0)  # |x / z| and |y / z| of a person
_DEGREES = math.pi / 180.0
_PITCH, _PITCH_SPREAD, _ROLL_SPREAD = 5.0 * _DEGREES, 22.5 * _DEGREES, 7.5 * _DEGREES
_DEPTH, _OFF_CENTRE = (2.0, 12.0), 0.25
_TURN, _SHIFT, _MOVES, _JITTER = (22.5 * _DEGREES, 45.0 * _DEGREES, 22.5 * _DEGREES), 1.0, 0.75, 0.2


def intrinsics(batch: int, device: torch.device | str) -> Tensor:
    """(B,3,3) px."""
    K = torch.tensor([[FOCAL, 0.0, SIZE / 2.0], [0.0, FOCAL, SIZE / 2.0], [0.0, 0.0, 1.0]], device=device)
    return K.expand(batch, 3, 3)


def looking(yaw: Tensor, pitch: Tensor, roll: Tensor) -> Tensor:
    """(B,) each -> (B,3,3) world to camera: yaw about the vertical first, roll about the line of sight last."""
    about = lambda axis, angle: matrices(quaternion_from_axis_angle(angle[:, None] * torch.eye(3, device=angle.device)[axis]))
    return about(2, roll) @ about(0, pitch) @ about(1, yaw)


def standing(depth: Tensor, off_centre: Tensor) -> Tensor:
    """Depth (B,) m and (B,2) in half fields -> (B,3) where the world's origin is before the camera."""
    return torch.cat([off_centre * depth[:, None] * _HALF_FIELD, depth[:, None]], -1)


def turned(rotation: Tensor, turn: Tensor) -> Tensor:
    """(B,3,3) after the world was turned by axis-angle (B,3)."""
    return rotation @ matrices(quaternion_from_axis_angle(turn))


def moving(start: Tensor, end: Tensor, part: Tensor) -> Tensor:
    """Numbers (B,D) from start to end by `part` (B,F) -> (B,F,D)."""
    return start[:, None] + (end - start)[:, None] * part[..., None]


def cameras(rand: RandomBatch, frames: int) -> tuple[Tensor, Tensor]:
    """Rotations (B,F,3,3) and shifts (B,F,3), world to camera."""
    start = looking(rand.uniform(0.0, 2.0 * math.pi), _PITCH + _PITCH_SPREAD * rand.normal(), _ROLL_SPREAD * rand.normal())
    place = standing(rand.uniform(*_DEPTH), _OFF_CENTRE * rand.normal(2))
    end = turned(start, rand.normal(3) * torch.tensor(_TURN, device=rand.device))
    goal = place + _SHIFT * rand.normal(3)
    still = ~rand.each(_MOVES)
    end, goal = torch.where(still[:, None, None], start, end), torch.where(still[:, None], place, goal)
    rotations = matrix_from_rows(moving(rows_from_matrix(start), rows_from_matrix(end), _progress(rand, frames)))
    return rotations, moving(place, goal, _progress(rand, frames))


def _progress(rand: RandomBatch, frames: int) -> Tensor:
    """(B,F) from 0 to 1; inner frames come up to a fifth of a step early or late."""
    steps = max(frames - 1, 1)
    even = torch.arange(frames, device=rand.device) / steps
    late = (2.0 * rand.many(frames) - 1.0) * _JITTER / steps
    late[:, 0] = late[:, -1] = 0.0
    return even + late


def before_camera(rotations: Tensor, shifts: Tensor, places: Tensor) -> Tensor:
    """Places (B,F,3) m of the world in camera axes; people who come too near or too far out are pushed back, all frames alike."""
    seen = (rotations @ places[..., None])[..., 0] + shifts
    nearest = seen[..., 2].amin(1, keepdim=True)
    seen = _pushed(seen, torch.where(nearest < _NEAREST, _PUSHED_TO - nearest, 0.0))
    across = seen[..., :2].abs().amax(-1)
    ratio, frame = (across / seen[..., 2]).max(1, keepdim=True)
    needed = across.gather(1, frame) / _WIDEST - seen[..., 2].gather(1, frame)
    return _pushed(seen, torch.where(ratio > _WIDEST, needed, 0.0))


def _pushed(places: Tensor, back: Tensor) -> Tensor:
    """(B,F,3) with `back` (B,1) m added to all depths."""
    return torch.cat([places[..., :2], places[..., 2:] + back[..., None]], -1)
