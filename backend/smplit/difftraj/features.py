# SPDX-License-Identifier: GPL-3.0-or-later
"""What the trajectory network sees: local poses and the root's orientation, never where the root is.

Everything is in the heading frame (Z up, x ahead, y to the left, turning with the person) and in leg
lengths (thigh plus shin), so that a child and a giant look alike. The heading is the twist of the root
about the vertical, which only a person upside down lacks.

A *step* leads from a frame to the next; a clip of T frames has T steps here, the last one repeating
its predecessor.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from smplit.motion import BODY_JOINTS, PARENTS

JOINTS = len(BODY_JOINTS)
_J = {name: i for i, name in enumerate(BODY_JOINTS)}
FOOT_JOINTS = tuple(_J[name] for name in ("left_ankle", "left_foot", "right_ankle", "right_foot"))
POINTS = 2 * len(FOOT_JOINTS)  # the four foot joints, then the soles below them: heel, toe, heel, toe
# Turns the body frame (Y up, facing z) into a person who stands in the world facing x.
_STANDING = torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
INPUTS = 2 * 3 * (JOINTS - 1) + 3 + 1 + len(FOOT_JOINTS) + 3 + 1


def _levels() -> list[tuple[list[int], list[int]]]:
    """Joints by depth with their parents: one product per level."""
    depth = [0] * JOINTS
    for joint in range(1, JOINTS):
        depth[joint] = depth[PARENTS[joint]] + 1
    return [
        ([j for j in range(JOINTS) if depth[j] == d], [PARENTS[j] for j in range(JOINTS) if depth[j] == d])
        for d in range(1, max(depth) + 1)
    ]


_LEVELS = _levels()


@dataclass
class BodyShape:
    """One person's bones, or a batch of them.

    Attributes:
        bones: (...,22,3) m: each joint from its parent, at rest, body frame; zero for the pelvis.
        soles: (...,4,3) m: heel and toe points from the ankle and foot joints, left then right.
    """

    bones: Tensor
    soles: Tensor

    @classmethod
    def of(cls, model, betas: Tensor | None = None) -> BodyShape:
        """The shape of a `BodyModel` for `betas` (10,); the toe point lies between the big and the small toe."""
        from smplit.body.model import SURFACE_POINTS

        rest, surface = model.rest_joints(betas)[:JOINTS], model.rest_surface_points(betas)
        at = {name: surface[i] for i, name in enumerate(SURFACE_POINTS)}
        soles = []
        for side in ("left", "right"):
            soles.append(at[f"{side}_heel"] - rest[_J[f"{side}_ankle"]])
            soles.append((at[f"{side}_big_toe"] + at[f"{side}_small_toe"]) / 2 - rest[_J[f"{side}_foot"]])
        parents = torch.tensor([0, *PARENTS[1:JOINTS]], device=rest.device)
        return cls(rest - rest[parents], torch.stack(soles))

    @property
    def leg(self) -> Tensor:
        """(...) m: thigh plus shin, mean of both legs."""
        bones = self.bones[..., [_J["left_knee"], _J["left_ankle"], _J["right_knee"], _J["right_ankle"]], :]
        return torch.linalg.vector_norm(bones, dim=-1).sum(-1) / 2

    def __getitem__(self, rows) -> BodyShape:
        return BodyShape(self.bones[rows], self.soles[rows])


def posed(rotations: Tensor, shape: BodyShape) -> tuple[Tensor, Tensor]:
    """Forward kinematics about the pelvis.

    Args:
        rotations: (...,T,22,3,3) local rotations, the root's in the world.
        shape: bones of (...,22,3), the same for all T frames.

    Returns:
        joints (...,T,22,3) and foot points (...,T,8,3), m from the pelvis, in world axes.
    """
    bones, soles = shape.bones[..., None, :, :, None], shape.soles[..., None, :, :, None]
    turned: list[Tensor] = [rotations[..., 0, :, :]] * JOINTS
    place: list[Tensor] = [torch.zeros_like(rotations[..., 0, :, 0])] * JOINTS
    for joints, parents in _LEVELS:
        above = torch.stack([turned[p] for p in parents], -3)
        arms = (above @ bones[..., joints, :, :])[..., 0]
        below = above @ rotations[..., joints, :, :]
        for i, (joint, parent) in enumerate(zip(joints, parents, strict=True)):
            turned[joint] = below[..., i, :, :]
            place[joint] = place[parent] + arms[..., i, :]
    joints_at = torch.stack(place, -2)
    feet = torch.stack([turned[j] for j in FOOT_JOINTS], -3)
    on_joints = joints_at[..., list(FOOT_JOINTS), :]
    return joints_at, torch.cat([on_joints, on_joints + (feet @ soles)[..., 0]], -2)


def heading(root: Tensor) -> Tensor:
    """Root rotations (...,3,3), body frame to world -> (...) rad, 0 facing x: the twist about the vertical."""
    upright = root @ _STANDING.to(root).T
    return torch.atan2(upright[..., 1, 0] - upright[..., 0, 1], upright[..., 0, 0] + upright[..., 1, 1])


def turn_level(vectors: Tensor, angle: Tensor) -> Tensor:
    """Turns (...,2 or 3) about the vertical by `angle` (...) rad."""
    cos, sin = torch.cos(angle), torch.sin(angle)
    x, y = vectors[..., 0], vectors[..., 1]
    return torch.cat([torch.stack([cos * x - sin * y, sin * x + cos * y], -1), vectors[..., 2:]], -1)


def steps(values: Tensor) -> Tensor:
    """(...,T,C) -> (...,T,C): change to the next frame; the last repeats its predecessor (zero for one frame)."""
    if values.shape[-2] < 2:
        return torch.zeros_like(values)
    change = values[..., 1:, :] - values[..., :-1, :]
    return torch.cat([change, change[..., -1:, :]], -2)


@dataclass
class Seen:
    """The network's input and what its answer is put together from, B clips of T frames.

    Attributes:
        inputs: (B,T,INPUTS).
        foot_steps: (B,T,8,2) leg lengths/s: foot points against the pelvis, heading frame.
        lowest: (B,T) leg lengths: the lowest sole, from the pelvis (below zero).
        camera: (B,T,3): level velocity that a camera saw, leg lengths/s in the heading frame, and its confidence 0..1.
        valid: (B,T) bool: the frame's pose is known.
        heading: (B,T) rad.
    """

    inputs: Tensor
    foot_steps: Tensor
    lowest: Tensor
    camera: Tensor
    valid: Tensor
    heading: Tensor


def see(
    rotations: Tensor, shape: BodyShape, step_seconds: Tensor | float, valid: Tensor | None = None, camera: Tensor | None = None
) -> Seen:
    """Looks at B clips.

    Args:
        rotations: (B,T,22,3,3) local rotations, the root's in the world.
        shape: bones of (B,22,3).
        step_seconds: s between frames; (B,) or one for all.
        valid: (B,T) bool; None: all are.
        camera: (B,T,3) level velocity in m/s, world axes, and its confidence 0..1; None: no camera.
    """
    joints, points = posed(rotations, shape)
    batch, frames = rotations.shape[:2]
    leg = shape.leg[:, None]
    seconds = torch.as_tensor(step_seconds, dtype=joints.dtype, device=joints.device).reshape(-1, 1)
    if valid is None:
        valid = torch.ones(batch, frames, dtype=torch.bool, device=joints.device)
    facing = heading(rotations[:, :, 0])
    level = lambda values: turn_level(values, -facing[..., None])
    rate = lambda values: level(steps(values.flatten(2)).view_as(values)) / (leg * seconds)[..., None, None]
    yaw = steps(facing[..., None])
    yaw = torch.atan2(torch.sin(yaw), torch.cos(yaw)) / seconds[..., None]
    place = level(joints[:, :, 1:]) / leg[..., None, None]
    soles = points[:, :, len(FOOT_JOINTS) :, 2] / leg[..., None]
    if camera is None:
        camera = torch.zeros(batch, frames, 3, dtype=joints.dtype, device=joints.device)
    else:
        camera = torch.cat([turn_level(camera[..., :2], -facing) / leg[..., None], camera[..., 2:]], -1)
        camera = torch.where(camera[..., 2:] > 0, camera, 0.0)
    known = valid & torch.cat([valid[:, 1:], valid[:, -1:]], 1)  # both ends of the step
    shown = valid[..., None].to(joints.dtype)
    inputs = torch.cat([
        place.flatten(2) * shown, rate(joints[:, :, 1:]).flatten(2) * known[..., None], rotations[:, :, 0, 2, :] * shown,
        yaw * known[..., None], soles * shown, camera, shown,
    ], -1)
    return Seen(inputs, rate(points)[..., :2], soles.amin(-1), camera, known, facing)
