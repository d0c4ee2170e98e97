# SPDX-License-Identifier: GPL-3.0-or-later
"""From the fit's unknowns to joints, with gradients of its own: what every step of the fit spends its time on.

Values keep their (T,...) shapes but lie in memory with frames side by side (`frames_last`): products of many small matrices are
then a few long sums, five times as fast. Autograd would go back through the chain level by level; here one sum does.
"""

from __future__ import annotations

import torch
from torch import Tensor

from smplit.motion import PARENTS

BODY = 22
_PARENTS = PARENTS[:BODY]
_DEPTH = [0] * BODY
_ABOVE = torch.eye(BODY)  # row j has a one for joint j and for each joint above it
for _joint in range(1, BODY):
    _DEPTH[_joint] = _DEPTH[_PARENTS[_joint]] + 1
    _ABOVE[_joint] += _ABOVE[_PARENTS[_joint]]
_BELOW = _ABOVE.T.contiguous()
_FAR_BELOW = _BELOW - torch.eye(BODY)
_OF_DEPTH = [[_joint for _joint in range(BODY) if _DEPTH[_joint] == _depth] for _depth in range(1, max(_DEPTH) + 1)]
_LEVELS = [(torch.tensor(_joints), torch.tensor([_PARENTS[_joint] for _joint in _joints])) for _joints in _OF_DEPTH]
_CARRIERS = torch.tensor([0, *_PARENTS[1:]])  # the parent of each joint, and the root itself


def frames_last(values: Tensor) -> Tensor:
    """The same (T,...) values, in memory frame beside frame."""
    return values.movedim(0, -1).contiguous().movedim(-1, 0)


def turned(turns: Tensor, vectors: Tensor) -> Tensor:
    """Rotations (T,3,3) of vectors (T,K,3)."""
    return (turns[:, None] * vectors[:, :, None]).sum(-1)


def matrices_of(sixd: Tensor) -> Tensor:
    """(T,...,6) -> (T,...,3,3), as `rotations.matrix_from_6d`."""
    return _Orthonormal.apply(sixd)


def pose_chain(local: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    """Global rotations (T,22,3,3) and joints (T,22,3) m, as `kinematics.joint_transforms`; `local` (T,22,3,3), `rest` (22,3) m."""
    return _Chain.apply(local, torch.cat([rest[:1], rest[1:] - rest[_CARRIERS[1:]]]))


def products(first: Tensor, second: Tensor) -> Tensor:
    """Of matrices (...,3,3,T)."""
    return (first.unsqueeze(-2) * second.unsqueeze(-4)).sum(-3)


# Inside the functions below frames are the last axis of every tensor.


class _Orthonormal(torch.autograd.Function):
    @staticmethod
    def forward(ctx, sixd: Tensor) -> Tensor:
        first, second = sixd.movedim(0, -1).split(3, -2)
        x_scale = _inverse_length(first)
        x = first * x_scale
        along = _dot(x, second)
        across = second - along * x
        y_scale = _inverse_length(across)
        y = across * y_scale
        ctx.save_for_backward(x, y, second, x_scale, y_scale, along)
        return torch.stack([x, y, torch.linalg.cross(x, y, dim=-2)], -2).movedim(-1, 0)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, gradient: Tensor) -> Tensor:
        x, y, second, x_scale, y_scale, along = ctx.saved_tensors
        by_x, by_y, by_z = gradient.movedim(0, -1).unbind(-2)
        by_x = by_x + torch.linalg.cross(y, by_z, dim=-2)
        by_y = by_y + torch.linalg.cross(by_z, x, dim=-2)
        by_across = y_scale * (by_y - _dot(by_y, y) * y)
        shared = _dot(by_across, x)
        by_x = by_x - along * by_across - shared * second
        by_first = x_scale * (by_x - _dot(by_x, x) * x)
        return torch.cat([by_first, by_across - shared * x], -2).movedim(-1, 0)


class _Chain(torch.autograd.Function):
    @staticmethod
    def forward(ctx, local: Tensor, offsets: Tensor) -> tuple[Tensor, Tensor]:
        local = local.movedim(0, -1)
        turns = local.clone()
        for joints, parents in _LEVELS:
            turns.index_copy_(0, joints, products(turns.index_select(0, parents), local.index_select(0, joints)))
        # Each joint's offset from its parent, turned; the root's is its place.
        arms = (turns.index_select(0, _CARRIERS[1:]) * offsets[1:, None, :, None]).sum(2)
        arms = torch.cat([offsets[:1, :, None].expand(1, 3, arms.shape[-1]), arms])
        ctx.save_for_backward(turns, arms)
        return turns.movedim(-1, 0), (_ABOVE @ arms.flatten(1)).view_as(arms).movedim(-1, 0)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, by_turns: Tensor, by_places: Tensor) -> tuple[Tensor, Tensor | None]:
        turns, arms = ctx.saved_tensors
        around = turns.index_select(0, _CARRIERS)  # global rotation of each parent
        around[0] = torch.eye(3)[..., None]
        # What turns a joint about the world's axes turns all that hangs on it: the gradients of those below just add up.
        pushed = (_BELOW @ by_places.movedim(0, -1).flatten(1)).view_as(arms)
        levers = products(by_turns.movedim(0, -1), turns.transpose(1, 2))
        swung = pushed[:, :, None] * arms[:, None]  # a joint's own turn does not move its place
        total = (_BELOW @ levers.flatten(1) + _FAR_BELOW @ swung.flatten(1)).view_as(turns)
        by_local = products(products(around.transpose(1, 2), total), turns)
        by_offsets = (around * pushed[:, :, None]).sum((1, 3)) if ctx.needs_input_grad[1] else None
        return by_local.movedim(-1, 0), by_offsets


def _dot(first: Tensor, second: Tensor) -> Tensor:
    """Of (...,3,T), as (...,1,T)."""
    return (first * second).sum(-2, keepdim=True)


def _inverse_length(vectors: Tensor) -> Tensor:
    return _dot(vectors, vectors).clamp(min=1e-24).rsqrt()
