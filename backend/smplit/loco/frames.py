# SPDX-License-Identifier: GPL-3.0-or-later
"""A body on a plan, as numbers: each frame seen from the plan's own place and facing.

The plan is a point on the ground that moves along the path, with a facing. A frame says where the body is from there: how far
the pelvis sways off it, how high it is, how it is turned, every joint's rotation and place. What the network adds up over time is
thus never a path: it cannot drift off one.

Ahead is x, left is y, up is z. Lengths in m; all values are divided by `UNITS`, so that errors of 1 weigh alike.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from smplit.difftraj.features import JOINTS, BodyShape, posed, turn_level
from smplit.motion import BODY_JOINTS

SWAY, HEIGHT, ROOT = slice(0, 2), slice(2, 3), slice(3, 9)
LOCAL = slice(9, 9 + 6 * (JOINTS - 1))
PLACES = slice(LOCAL.stop, LOCAL.stop + 3 * (JOINTS - 1))
CONTACTS = slice(PLACES.stop, PLACES.stop + 4)
CHANNELS = CONTACTS.stop


def _units() -> Tensor:
    units = torch.empty(CHANNELS)
    units[SWAY] = units[HEIGHT] = 0.05
    units[ROOT] = units[LOCAL] = 0.15
    units[PLACES] = 0.05
    units[CONTACTS] = 1.0
    return units


UNITS = _units()


def _mirror() -> tuple[Tensor, Tensor]:
    """Which channel, times which sign, each channel is in a mirror."""
    other = [BODY_JOINTS.index(n.replace("left", "?").replace("right", "left").replace("?", "right")) for n in BODY_JOINTS]
    body, plan = torch.tensor([-1.0, 1.0, 1.0]), torch.tensor([1.0, -1.0, 1.0])
    column_pair = lambda rows, columns: (rows[:, None] * columns[None, :2]).T.reshape(-1)  # as `_six` lays them out
    index, sign = torch.arange(CHANNELS), torch.ones(CHANNELS)
    sign[SWAY] = plan[:2]
    sign[ROOT] = column_pair(plan, body)
    for joint in range(1, JOINTS):
        ours, theirs = joint - 1, other[joint] - 1
        rotation = slice(LOCAL.start + 6 * ours, LOCAL.start + 6 * ours + 6)
        index[rotation] = torch.arange(LOCAL.start + 6 * theirs, LOCAL.start + 6 * theirs + 6)
        sign[rotation] = column_pair(body, body)
        place = slice(PLACES.start + 3 * ours, PLACES.start + 3 * ours + 3)
        index[place] = torch.arange(PLACES.start + 3 * theirs, PLACES.start + 3 * theirs + 3)
        sign[place] = plan
    index[CONTACTS] = CONTACTS.start + torch.tensor([2, 3, 0, 1])
    return index, sign


_MIRROR_INDEX, _MIRROR_SIGN = _mirror()


def mirrored(frames: Tensor) -> Tensor:
    """(...,CHANNELS) -> the same with left and right exchanged; the plan's y and facing change their signs with it."""
    return frames[..., _MIRROR_INDEX.to(frames.device)] * _MIRROR_SIGN.to(frames.device)


def _six(matrices: Tensor) -> Tensor:
    """(...,3,3) -> (...,6): the first two columns."""
    return matrices[..., :2].transpose(-1, -2).flatten(-2)


def _rotations(six: Tensor) -> Tensor:
    """(...,6) -> (...,3,3), Gram-Schmidt (Zhou et al., On the Continuity of Rotation Representations, 2019)."""
    first = torch.nn.functional.normalize(six[..., :3], dim=-1)
    second = six[..., 3:] - (first * six[..., 3:]).sum(-1, keepdim=True) * first
    second = torch.nn.functional.normalize(second, dim=-1)
    return torch.stack([first, second, torch.linalg.cross(first, second)], -1)


def _turned(root: Tensor, angle: Tensor) -> Tensor:
    """Rotations (...,3,3) in world axes turned about the vertical by `angle` (...) rad."""
    return turn_level(root.transpose(-1, -2), angle[..., None]).transpose(-1, -2)


def encode(rotations: Tensor, pelvis: Tensor, contacts: Tensor, place: Tensor, facing: Tensor, shape: BodyShape) -> Tensor:
    """A body on a plan -> frames (T,CHANNELS).

    Args:
        rotations: (T,22,3,3) local, the root's in the world. pelvis: (T,3) m, world, from the ground up. contacts: (T,4).
        place: (T,2) m and facing: (T,) rad of the plan.
    """
    places = turn_level(posed(rotations, shape)[0][:, 1:], -facing[:, None])
    sway = turn_level(pelvis[:, :2] - place, -facing)
    root = _turned(rotations[:, 0], -facing)
    places = places + torch.nn.functional.pad(pelvis[:, None, 2:], (2, 0))
    values = torch.cat([sway, pelvis[:, 2:], _six(root), _six(rotations[:, 1:]).flatten(1), places.flatten(1), contacts], -1)
    return values / UNITS.to(values)


def decode(frames: Tensor, place: Tensor, facing: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Frames (T,CHANNELS) on a plan -> rotations (T,22,3,3), pelvis (T,3) m from the ground up, contacts (T,4) 0..1."""
    values = frames * UNITS.to(frames)
    root = _turned(_rotations(values[:, ROOT]), facing)
    local = _rotations(values[:, LOCAL].unflatten(-1, (JOINTS - 1, 6)))
    pelvis = torch.cat([place + turn_level(values[:, SWAY], facing), values[:, HEIGHT]], -1)
    return torch.cat([root[:, None], local], 1), pelvis, values[:, CONTACTS].clamp(0, 1)


def feet_on_plan(frames: Tensor) -> Tensor:
    """(...,CHANNELS) -> (...,4,3) m: ankles and toe joints in the plan's frame, in the order of `motion.CONTACT_NAMES`."""
    values = frames * UNITS.to(frames)
    places = values[..., PLACES].unflatten(-1, (JOINTS - 1, 3))
    feet = places[..., [BODY_JOINTS.index(n) - 1 for n in ("left_ankle", "left_foot", "right_ankle", "right_foot")], :]
    sway = torch.cat([values[..., SWAY], torch.zeros_like(values[..., :1])], -1)
    return feet + sway[..., None, :]


def shape_of(body) -> BodyShape:
    """Bones of a `BodyModel` at rest shape, in float32 on the CPU."""
    shape = BodyShape.of(body)
    return BodyShape(shape.bones.float().cpu(), shape.soles.float().cpu())


def as_tensor(values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.array(values, np.float32))
