# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies of many shapes at once, with the landmarks that the detector reports of them."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from smplit.body.model import BodyModel
from smplit.mocap.fit.points import BLAZEPOSE_NAMES, body_points
from smplit.motion import BODY_JOINTS, PARENTS

JOINTS = len(BODY_JOINTS)
_PARENTS = torch.tensor([0, *PARENTS[1:JOINTS]])


def _levels() -> list[tuple[list[int], list[int]]]:
    depth = [0] * JOINTS
    for joint in range(1, JOINTS):
        depth[joint] = depth[PARENTS[joint]] + 1
    by_depth = [[j for j in range(1, JOINTS) if depth[j] == d] for d in range(1, max(depth) + 1)]
    return [(joints, [PARENTS[j] for j in joints]) for joints in by_depth]


_LEVELS = _levels()
_PER_PERSON = ("betas", "bones", "marks", "deep")


@dataclass
class People:
    """S shapes of one body model.

    Attributes:
        betas: (S,10); bones: (S,22,3) m, each joint from its parent at rest, body frame, zero for the pelvis.
        marks: (S,K,3) m, landmarks from the joint they follow, at rest; where pixels show them. `deep`: where the
            detector's own 3D puts them.
        joints: (K,) the followed joint; landmarks: (K,) their index among BlazePose's 33.
        mean, directions: (22,3) m, (22,3,10): bones are linear in the shape.
    """

    betas: Tensor
    bones: Tensor
    marks: Tensor
    deep: Tensor
    joints: Tensor
    landmarks: Tensor
    mean: Tensor
    directions: Tensor

    @classmethod
    def of(cls, model: BodyModel, betas: Tensor) -> People:
        """The people with shapes `betas` (S,10)."""
        def bones_of(shape: Tensor) -> Tensor:
            rest = model.rest_joints(shape)[:JOINTS]
            return rest - rest[_PARENTS.to(rest.device)]

        bones, marks, deep = [], [], []
        for shape in betas:
            points = body_points(model, shape)
            bones.append(bones_of(shape))
            marks.append(points.offsets)
            deep.append(points.depth_offsets)
        mean = bones_of(torch.zeros(10))
        directions = torch.stack([bones_of(one) - mean for one in torch.eye(10)], -1)
        index = torch.tensor(points.joints), torch.tensor(points.landmarks)
        return cls(betas, torch.stack(bones), torch.stack(marks), torch.stack(deep), *index, mean, directions)

    def bones_of(self, betas: Tensor) -> Tensor:
        """(...,10) -> (...,22,3) m"""
        return self.mean + (self.directions @ betas[..., None, :, None])[..., 0]

    def __getitem__(self, rows: Tensor) -> People:
        return replace(self, **{name: getattr(self, name)[rows] for name in _PER_PERSON})

    def to(self, device: str) -> People:
        return People(*(getattr(self, field.name).to(device) for field in fields(self)))


def joined(a: People, b: People) -> People:
    """The shapes of `a`, then those of `b`."""
    return replace(a, **{name: torch.cat([getattr(a, name), getattr(b, name)]) for name in _PER_PERSON})


def pose(rotations: Tensor, bones: Tensor) -> tuple[Tensor, Tensor]:
    """Forward kinematics about the pelvis: local rotations (B,T,22,3,3), bones (B,22,3) -> global rotations, joints (B,T,22,3) m."""
    turned: list[Tensor] = [rotations[:, :, 0]] * JOINTS
    place: list[Tensor] = [torch.zeros_like(rotations[:, :, 0, :, 0])] * JOINTS
    for joints, parents in _LEVELS:
        above = torch.stack([turned[p] for p in parents], 2)
        arms = (above @ bones[:, None, joints, :, None])[..., 0]
        below = above @ rotations[:, :, joints]
        for i, (joint, parent) in enumerate(zip(joints, parents, strict=True)):
            turned[joint] = below[:, :, i]
            place[joint] = place[parent] + arms[:, :, i]
    return torch.stack(turned, 2), torch.stack(place, 2)


def landmarks(turned: Tensor, joints: Tensor, people: People, in_depth: bool = False) -> Tensor:
    """(B,T,K,3) m: the landmarks of posed bodies (`pose`'s results), `people` of B shapes."""
    marks = people.deep if in_depth else people.marks
    return joints[:, :, people.joints] + (turned[:, :, people.joints] @ marks[:, None, :, :, None])[..., 0]


MIRRORED_JOINTS = [BODY_JOINTS.index(n.replace("left", "?").replace("right", "left").replace("?", "right")) for n in BODY_JOINTS]


def mirrored_landmarks(used: Tensor) -> Tensor:
    """(K,) where the mirror image of each used landmark is among them."""
    names = [BLAZEPOSE_NAMES[i] for i in used.tolist()]
    swap = lambda name: name.replace("left", "?").replace("right", "left").replace("?", "right")
    return torch.tensor([names.index(swap(name)) for name in names], device=used.device)
