# SPDX-License-Identifier: GPL-3.0-or-later
"""Windows of recorded motion, changed in every way that leaves their trajectory known. All of it on the device.

Little data, stretched honestly: mirrored, faster and slower, another recording's upper body, other
bodies' bones (the standing foot keeps its motion, so the path changes with the legs), filmed at fewer frames
a second. Then spoilt as input is: noisy joints, a yaw that drifts, a tilted up, missing frames, a camera
that sees the path more or less well. What is to be predicted is never spoilt.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from smplit.difftraj.features import FOOT_JOINTS, JOINTS, BodyShape, Seen, heading, posed, see, steps, turn_level
from smplit.difftraj.quaternions import blend, matrices, multiply, quaternion_from_axis_angle
from smplit.difftraj.random_batch import RandomBatch
from smplit.motion import BODY_JOINTS

FPS = 30.0  # of the network: any other rate is resampled by time, before and after
_UPPER = [i for i, name in enumerate(BODY_JOINTS) if i and not any(part in name for part in ("hip", "knee", "ankle", "foot"))]
_LEGS = [i for i, name in enumerate(BODY_JOINTS) if any(part in name for part in ("hip", "knee", "ankle", "foot"))]
_MIRROR = [BODY_JOINTS.index(n.replace("left", "?").replace("right", "left").replace("?", "right")) for n in BODY_JOINTS]
_JOINT_NOISE = 0.025  # rad: turns joints so that they are 1.5 cm off (tests measure it)
_TRAVELS = 0.2  # leg lengths/s
_YAW_NOISE = 0.0087  # rad a frame: 0.5 degrees


@dataclass
class Targets:
    """The truth of B windows of T frames; leg lengths, seconds, true heading frame.

    Attributes:
        velocity: (B,T,2); contacts: (B,T,4) 0 or 1; height: (B,T) of the pelvis over the floor;
        tilt: (B,T,2) rad; heading: (B,T) rad, true; inside: (B,T) bool: the frame is in the recording.
        noise: (B,T,2) normal, and moment: (B,) 0..1, for the hypotheses.
    """

    velocity: Tensor
    contacts: Tensor
    height: Tensor
    tilt: Tensor
    heading: Tensor
    inside: Tensor
    noise: Tensor
    moment: Tensor


@dataclass
class Recordings:
    """Clips of a motion store on the device.

    Attributes:
        quaternions: (N,22,4) w, x, y, z; root: (N,3) m: pelvis; contacts: (N,4) 0 or 1.
        first, length: (C,) of the clips in use; weight: (C,) how often each is drawn.
    """

    quaternions: Tensor
    root: Tensor
    contacts: Tensor
    first: Tensor
    length: Tensor
    weight: Tensor

    @classmethod
    def of(cls, store, clips: list[int], rest_pelvis: Tensor, device: str) -> Recordings:
        """The clips `clips` of a `MotionStore` at 30 frames a second; `rest_pelvis` (3,) m of the store's body."""
        ranges = [store.frames(index) for index in clips]
        rows = torch.cat([torch.arange(part.start, part.stop) for part in ranges]).numpy()
        length = torch.tensor([part.stop - part.start for part in ranges])
        hints = torch.tensor([store.clips[index].weight_hint for index in clips])
        tensor = lambda values: torch.as_tensor(values, dtype=torch.float32, device=device)
        return cls(
            quaternion_from_axis_angle(tensor(store.poses[rows])), tensor(store.trans[rows]) + rest_pelvis.to(device),
            tensor(store.contacts[rows]), (length.cumsum(0) - length).to(device), length.to(device), (length * hints).to(device),
        )

    def at(self, clips: Tensor, time: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Poses (B,T,22,4), pelvis (B,T,3) m, contacts (B,T,4) of `clips` (B,) at `time` (B,T) frames, held at the ends."""
        last = (self.length[clips] - 1)[:, None]
        time = torch.minimum(time.clamp(min=0), last)
        before = time.floor().long()
        after, part = torch.minimum(before + 1, last), (time - before)[..., None]
        rows = self.first[clips][:, None] + before, self.first[clips][:, None] + after
        between = lambda values: torch.lerp(values[rows[0]], values[rows[1]], part)
        pose = blend(self.quaternions[rows[0]], self.quaternions[rows[1]], part[..., None])
        return pose, between(self.root), between(self.contacts)


class Windows:
    """`Windows(recordings, body, shapes)(generator)` -> one batch of `Seen` and `Targets`.

    Args:
        body: shape of the body the recordings are for.
        shapes: (S,22,3) other people's bones.
        batch, frames: windows and their length.
    """

    def __init__(self, recordings: Recordings, body: BodyShape, shapes: BodyShape, batch: int = 24, frames: int = 160):
        self.recordings, self.body, self.shapes = recordings, body, shapes
        self.batch, self.frames = batch, frames

    def __call__(self, generator: torch.Generator) -> tuple[Seen, Targets]:
        rand = RandomBatch(generator, self.batch)
        clips, time = self._when(rand)
        pose, root, contacts = self.recordings.at(clips, time)
        if rand.coin(0.2):  # filmed at 12 to 29 frames a second, by whole batches: it costs another look-up
            pose = self._sparse(rand, clips, time)
        inside = (time >= 0) & (time <= (self.recordings.length[clips] - 1)[:, None])
        swap = rand.each(0.3)
        pose[:, :, _UPPER] = torch.where(swap[:, None, None, None], pose.roll(1, 0)[:, :, _UPPER], pose[:, :, _UPPER])
        pose, root, contacts = _mirrored(pose, root, contacts, rand.each(0.5))
        shape, targets = self._truth(rand, pose, root, contacts, inside)
        unseen = rand.each(0.12)
        seen_pose = _spoilt(rand, _without_legs(pose, targets, unseen), targets)
        valid = inside & ~_gaps(rand, self.frames)
        step = torch.full((self.batch,), 1 / FPS, device=root.device)
        camera = _camera(rand, targets, shape, unseen)
        return see(matrices(seen_pose), shape, step, valid, camera), targets

    def _when(self, rand: RandomBatch) -> tuple[Tensor, Tensor]:
        """Clips (B,) and times (B,T) in frames: windows reach over a clip's ends by up to a quarter."""
        clips = torch.multinomial(self.recordings.weight, self.batch, True, generator=rand.generator)
        speed = torch.exp(rand.uniform(-0.25, 0.25) * rand.each(0.5))
        span = self.frames * speed
        over = span / 4
        room = self.recordings.length[clips] - span + 2 * over
        first = torch.where(room > 0, rand.uniform(0, 1) * room - over, rand.uniform(0, 1) * room)
        return clips, first[:, None] + torch.arange(self.frames, device=first.device) * speed[:, None]

    def _sparse(self, rand: RandomBatch, clips: Tensor, time: Tensor) -> Tensor:
        stride = 30.0 / rand.uniform(12, 29)[:, None]
        phase = rand.uniform(0, 1)[:, None] * stride
        before = ((time - phase) / stride).floor() * stride + phase
        poses = [self.recordings.at(clips, moment)[0] for moment in (before, before + stride)]
        return blend(*poses, ((time - before) / stride)[..., None, None])

    def _truth(self, rand: RandomBatch, pose: Tensor, root: Tensor, contacts: Tensor, inside: Tensor) -> tuple[BodyShape, Targets]:
        """Another body's bones, and its path: whatever the standing foot did, it still does."""
        rotations = matrices(pose)
        pick = (rand.many() * len(self.shapes.bones)).long()
        other = rand.each(0.6)[:, None, None]
        own = BodyShape(self.body.bones.expand(self.batch, -1, -1), self.body.soles.expand(self.batch, -1, -1))
        shape = BodyShape(
            torch.where(other, self.shapes.bones[pick], own.bones), torch.where(other, self.shapes.soles[pick], own.soles)
        )
        size = (shape.leg / own.leg)[:, None, None]
        before, after = (posed(rotations, s)[1] for s in (own, shape))
        drag = (steps(before.flatten(2)).view_as(before) * size[..., None] - steps(after.flatten(2)).view_as(after))[..., :2]
        soles = slice(len(FOOT_JOINTS), None)
        weight = contacts[..., None]
        moved = steps(root)[..., :2] * size + (drag[:, :, soles] * weight).sum(-2) / weight.sum(-2).clamp(min=1)
        facing = heading(rotations[:, :, 0])
        leg = shape.leg[:, None]
        lowest = lambda points: points[:, :, soles, 2].amin(-1)
        height = root[..., 2] * size[..., 0] + lowest(before) * size[..., 0] - lowest(after)
        velocity = turn_level(moved, -facing) * FPS / leg[..., None]
        step_inside = inside & torch.cat([inside[:, 1:], inside[:, -1:]], 1)
        tilt = torch.zeros_like(velocity)
        return shape, Targets(
            velocity, (contacts > 0.5).float(), height / leg, tilt, facing, step_inside, rand.normal(self.frames, 2), rand.many()
        )


def _mirrored(pose: Tensor, root: Tensor, contacts: Tensor, which: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Left and right exchanged in the windows `which` (B,), the world mirrored across x."""
    flip = which[:, None, None]
    other = pose[:, :, _MIRROR] * pose.new_tensor([1.0, 1.0, -1.0, -1.0])
    return (
        torch.where(flip[..., None], other, pose), torch.where(flip, root * root.new_tensor([-1.0, 1.0, 1.0]), root),
        torch.where(flip, contacts[..., [2, 3, 0, 1]], contacts),
    )


def _without_legs(pose: Tensor, targets: Targets, which: Tensor) -> Tensor:
    """Straight legs in the windows `which` (B,), as where a picture shows no legs. Who then travels has no planted feet."""
    gone = pose.clone()
    gone[:, :, _LEGS] = pose.new_tensor([1.0, 0.0, 0.0, 0.0])
    travels = which[:, None] & (targets.velocity.norm(dim=-1) > _TRAVELS)
    targets.contacts = torch.where(travels[..., None], 0.0, targets.contacts)
    return torch.where(which[:, None, None, None], gone, pose)


def _spoilt(rand: RandomBatch, pose: Tensor, targets: Targets) -> Tensor:
    """Joint noise, white and smooth; a yaw that drifts; an up that leans, which `targets.tilt` then tells."""
    frames = pose.shape[1]
    size = (rand.uniform(0, 1.5) * rand.each(0.65))[:, None, None, None] * _JOINT_NOISE
    share = rand.uniform(0, 1)[:, None, None, None]
    noise = share.sqrt() * rand.normal(frames, JOINTS, 3) + (1 - share).sqrt() * rand.smooth(frames, JOINTS, 3)
    noise[:, :, 0] = 0
    lean = (rand.normal(1, 2) + 0.5 * rand.smooth(frames, 2)) * (rand.uniform(0, 0.07) * rand.each(0.35))[:, None, None]
    yaw = (rand.normal(frames, 1) * (rand.uniform(0, 1.2) * _YAW_NOISE * rand.each(0.5))[:, None, None]).cumsum(1)
    targets.tilt = -turn_level(lean, -targets.heading)
    root = quaternion_from_axis_angle(torch.cat([torch.zeros_like(lean), yaw], -1))
    root = multiply(root, multiply(quaternion_from_axis_angle(torch.cat([lean, torch.zeros_like(yaw)], -1)), pose[:, :, 0]))
    spoilt = multiply(pose, quaternion_from_axis_angle(noise * size))
    return torch.cat([root[:, :, None], spoilt[:, :, 1:]], 2)


def _gaps(rand: RandomBatch, frames: int) -> Tensor:
    """(B,T) bool: frames that are missing: a stretch of up to half a second in a quarter of the windows, and single ones."""
    at = torch.arange(frames, device=rand.device)
    first, length = rand.uniform(0, frames), rand.uniform(1, 15) * rand.each(0.25)
    stretch = (at >= first[:, None]) & (at < (first + length)[:, None])
    single = rand.many(frames) < (rand.uniform(0, 0.1) * rand.each(0.15))[:, None]
    return stretch | single


def _camera(rand: RandomBatch, targets: Targets, shape: BodyShape, needed: Tensor) -> Tensor:
    """(B,T,3): a velocity in m/s, world axes, as a camera sees it, and its confidence; absent in four of five windows,
    but for most of those whose legs are not seen, `needed` (B,)."""
    world = turn_level(targets.velocity, targets.heading) * shape.leg[:, None, None]
    frames = world.shape[1]
    doubt = rand.uniform(0, 1)[:, None, None]
    scale = 1 + 0.3 * doubt * rand.normal(1, 1)
    error = doubt * (0.5 * rand.smooth(frames, 2) + 0.5 * rand.normal(frames, 2))
    there = (rand.each(0.2) | (needed & rand.each(0.7)))[:, None] & ~_gaps(rand, frames)
    confidence = (1 - 0.9 * doubt).expand(-1, frames, -1) * there[..., None]
    return torch.cat([world * scale + error, confidence], -1)
