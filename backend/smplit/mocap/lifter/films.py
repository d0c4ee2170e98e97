# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded motion, filmed by cameras at random and seen by a detector that errs as the real one does. All on the device.

Little data, stretched honestly: mirrored, faster and slower, arms and trunks of other recordings, other bodies, any side. What
the detector gets wrong is taken from clips where it is known (`detections.Detections`), of somebody seen from a like side; without those,
from a plain formula.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from smplit.body.rotations import frame_from_axes
from smplit.difftraj.augment import Recordings
from smplit.difftraj.quaternions import matrices, multiply, quaternion_from_axis_angle
from smplit.difftraj.random_batch import RandomBatch
from smplit.mocap.clock import FPS
from smplit.mocap.fit.points import BLAZEPOSE_NAMES
from smplit.mocap.lifter.detections import Detections, hip_rows
from smplit.mocap.lifter.people import JOINTS, MIRRORED_JOINTS, People, joined, landmarks, mirrored_landmarks, pose
from smplit.mocap.lifter.sighting import FLIP, Sighting, View, in_view, look, mirrored
from smplit.motion import BODY_JOINTS

_UPPER = [i for i, n in enumerate(BODY_JOINTS) if i and not any(part in n for part in ("hip", "knee", "ankle", "foot"))]
_LEFT_ARM, _RIGHT_ARM = ([BODY_JOINTS.index(f"{s}_{n}") for n in ("collar", "shoulder", "elbow", "wrist")] for s in ("left", "right"))
_LIMBS = [("left_elbow", "left_wrist", "left_pinky", "left_index"), ("left_knee", "left_ankle", "left_heel", "left_foot_index")]
_POSE_NOISE = 0.25  # rad, slow, of joints that turn about all axes; others less
_NOISE_SHARE = {
    "spine": 0.4, "collar": 0.4, "neck": 0.5, "head": 0.5, "elbow": 0.7, "knee": 0.5, "wrist": 0.5, "ankle": 0.4, "foot": 0.1, "pelvis": 0.0,
}
_CANDIDATES = 10  # clips of errors among which the one from the most alike side is taken
_FOCAL_SPREAD = 0.2  # of the logarithm of a focal length that is guessed


@dataclass
class Truth:
    """What B windows of T frames show. Everything in the axes of `view`, the view from which the detections were made.

    Attributes:
        rotations: (B,T,22,3,3) local, the root's in the view; joints: (B,T,22,3) m from the pelvis; place: as `Lifted.place`.
        contacts: (B,T,4); up, velocity: (B,T,3); inside: (B,T) bool: the frame is in the recording.
    """

    people: People
    rotations: Tensor
    joints: Tensor
    place: Tensor
    contacts: Tensor
    up: Tensor
    velocity: Tensor
    inside: Tensor


@dataclass
class _Scene:
    """The world of B windows before anybody looks: quaternions (B,T,22,4), pelvis (B,T,3), cameras R (B,T,3,3), t (B,T,3)."""

    quaternions: Tensor
    pelvis: Tensor
    contacts: Tensor
    inside: Tensor
    people: People
    R: Tensor
    t: Tensor


class Films:
    """`Films(...)(generator)` -> the view of a batch of windows and their `Truth`.

    Args:
        recordings: clips of a motion store at 30 frames a second.
        detections: pairs of truth and detection; None: errors by formula.
        people: shapes to draw from.
        batch, frames: windows, and their length.
        paired: share of the windows that are pairs themselves.
        spoil: whether landmarks are dropped, frames left out, focal lengths misjudged.
    """

    def __init__(
        self, recordings: Recordings, detections: Detections | None, people: People, batch: int = 40, frames: int = 48, paired: float = 0.35,
        spoil: bool = True,
    ):
        self.recordings, self.detections, self.people = recordings, detections, people
        self.frames, self.spoil = frames, spoil
        self.pairs = round(batch * paired) if detections is not None else 0
        self.batch = batch
        names = [BLAZEPOSE_NAMES[i] for i in people.landmarks.tolist()]
        limbs = [[name.replace("left", side) for name in limb] for limb in _LIMBS for side in ("left", "right")]
        self.limbs = [[names.index(name) for name in limb] for limb in limbs]
        self.mirror = mirrored_landmarks(people.landmarks)

    def __call__(self, generator: torch.Generator) -> tuple[View, Truth]:
        scene, errors = self._recorded(RandomBatch(generator, self.batch - self.pairs))
        if self.pairs:
            filmed, own = self._filmed(RandomBatch(generator, self.pairs))
            scene, errors = _joined(scene, filmed), tuple(torch.cat(both) for both in zip(errors, own, strict=True))
        sighting, view, truth = self._seen(RandomBatch(generator, self.batch), scene, errors)
        which = torch.rand(self.batch, generator=generator, device=generator.device) < 0.5
        view, truth = self._mirrored(which, sighting, view, truth)
        return (self._misjudged(RandomBatch(generator, self.batch), view) if self.spoil else view), truth

    # -- worlds ---------------------------------------------------------------------------------------------------

    def _filmed(self, rand: RandomBatch) -> tuple[_Scene, tuple[Tensor, ...]]:
        """Windows of pairs, with the detector's errors of the very moment."""
        d = self.detections
        clips = (rand.many() * len(d)).long()
        rows, errors = self._errors_of(rand, clips)
        at = (clips[:, None], rows)
        turns = d.R[clips][:, None].expand(-1, self.frames, -1, -1)
        inside = torch.ones(rand.batch, self.frames, dtype=torch.bool, device=rand.device)
        t = d.t[clips][:, None].expand(-1, self.frames, -1)
        return _Scene(d.quaternions[at], d.pelvis[at], d.contacts[at], inside, d.people[clips], turns, t), errors

    def _errors_of(self, rand: RandomBatch, clips: Tensor) -> tuple[Tensor, tuple[Tensor, ...]]:
        d = self.detections
        room = d.quaternions.shape[1] - self.frames
        at = torch.arange(self.frames, device=rand.device)
        rows = (rand.many() * (max(room, 0) + 1)).long()[:, None] + at
        last = d.quaternions.shape[1] - 1
        rows = last - (rows - last).abs() if room < 0 else rows  # a longer window goes back the way it came
        pick = (clips[:, None], rows.clamp(0, last))
        e = d.errors
        return pick[1], (e.pixels[pick], e.depth[pick], e.confidence[pick], e.present[pick])

    def _recorded(self, rand: RandomBatch) -> tuple[_Scene, tuple[Tensor, ...]]:
        clips = torch.multinomial(self.recordings.weight, rand.batch, True, generator=rand.generator)
        speed = torch.exp(rand.uniform(-0.3, 0.3) * rand.each(0.5))
        room = self.recordings.length[clips] - self.frames * speed
        time = (rand.many() * room.clamp(min=0))[:, None] + torch.arange(self.frames, device=rand.device) * speed[:, None]
        inside = time <= (self.recordings.length[clips] - 1)[:, None]
        quaternions, pelvis, contacts = self.recordings.at(clips, time)
        if self.spoil:
            quaternions = _other_parts(rand, quaternions)
        rows = (rand.many() * len(self.people.betas)).long()
        people = self.people[rows]
        # Other legs carry the pelvis higher or lower.
        legs = people.bones[:, [4, 5, 7, 8], 1].abs().sum(-1) / self.people.bones[:, [4, 5, 7, 8], 1].abs().sum(-1).mean()
        pelvis = pelvis * legs[:, None, None]
        pelvis = pelvis - torch.cat([pelvis[:, self.frames // 2, :2], torch.zeros_like(pelvis[:, 0, :1])], -1)[:, None]
        R, t = _camera(rand, pelvis)
        return _Scene(quaternions, pelvis, contacts, inside, people, R, t), self._errors_for(rand, quaternions, pelvis, R, t)

    def _errors_for(self, rand: RandomBatch, quaternions: Tensor, pelvis: Tensor, R: Tensor, t: Tensor) -> tuple[Tensor, ...]:
        if self.detections is None:
            return _plain_errors(rand, self.frames, len(self.people.landmarks))
        middle = self.frames // 2
        ray = (R[:, middle] @ pelvis[:, middle, :, None])[..., 0] + t[:, middle]
        ahead = (R[:, middle] @ matrices(quaternions[:, middle, 0]))[..., 2]
        facing = torch.atan2(ahead[:, 0], ahead[:, 2]) - torch.atan2(ray[:, 0], ray[:, 2])
        candidates = (rand.many(_CANDIDATES) * len(self.detections)).long()
        off = torch.cos(self.detections.facing[candidates] - facing[:, None])
        chosen = candidates[torch.arange(rand.batch, device=rand.device), off.argmax(1)]
        _, (pixels, depth, confidence, present) = self._errors_of(rand, chosen)
        size = rand.uniform(0.6, 1.3)[:, None, None, None]
        return pixels * size, depth * size, confidence, present

    # -- what is seen of them ---------------------------------------------------------------------------------------

    def _seen(self, rand: RandomBatch, scene: _Scene, errors: tuple[Tensor, ...]) -> tuple[Sighting, View, Truth]:
        told = rand.each(0.8) if self.spoil else torch.ones(rand.batch, dtype=torch.bool, device=rand.device)
        sighting, scale, rotations, joints, pelvis = _detected(scene, errors, told)
        if self.spoil:
            sighting = self._spoilt(rand, sighting, scale)
        view = look(sighting, scene.people.landmarks)
        return sighting, view, _truth(scene, rotations, joints, pelvis, view)

    def _spoilt(self, rand: RandomBatch, sighting: Sighting, scale: Tensor) -> Sighting:
        """Limbs lost, trembling, fewer frames a second, gaps."""
        rays, deep, confidence, present = sighting.rays, sighting.depth, sighting.confidence, sighting.seen
        frames = self.frames
        at = torch.arange(frames, device=rand.device)

        def stretch(longest: int) -> Tensor:
            begin = rand.uniform(-longest, frames)[:, None]
            return (at >= begin) & (at < begin + rand.uniform(2, longest)[:, None])

        limb = (rand.many() * len(self.limbs)).long()
        mask = torch.zeros(rand.batch, rays.shape[2], device=rand.device)
        for number, rows in enumerate(self.limbs):
            mask[:, rows] += (limb == number).float()[:, None]
        lost = (mask[:, None] * (stretch(frames) & rand.each(0.2)[:, None])[..., None])[..., None]
        rays = rays + lost * 0.5 * scale[..., None, None] * rand.smooth(frames, rays.shape[2], 2)
        deep = deep + lost * 0.15 * rand.smooth(frames, rays.shape[2], 3)
        confidence = confidence * (1 - 0.85 * lost[..., 0])
        white = (rand.uniform(0, 0.03) * rand.each(0.5))[:, None, None, None]
        rays = rays + white * scale[..., None, None] * rand.normal(frames, rays.shape[2], 2)
        sparse = rand.each(0.2)
        if sparse.any():  # filmed at fewer frames a second
            step = int(2 + 4 * torch.rand(1, generator=rand.generator, device=rand.device))
            thin = lambda values: torch.where(sparse.view(-1, *[1] * (values.dim() - 1)), _sparse(values, step), values)
            rays, deep, confidence = thin(rays), thin(deep), thin(confidence)
        gone = stretch(12) & rand.each(0.15)[:, None]
        return replace(sighting, rays=rays, depth=deep, confidence=confidence * ~gone[..., None], seen=present & ~gone)

    def _mirrored(self, which: Tensor, sighting: Sighting, view: View, truth: Truth) -> tuple[View, Truth]:
        """Left and right exchanged in the windows `which` (B,)."""
        other = mirrored(sighting, self.mirror)
        pick = lambda values, flipped: torch.where(which.view(-1, *[1] * (values.dim() - 1)), flipped, values)
        names = ("rays", "confidence", "depth", "turns")
        seen = replace(sighting, **{name: pick(getattr(sighting, name), getattr(other, name)) for name in names})
        flip = FLIP.to(which.device)
        j, both = MIRRORED_JOINTS, flip[:, None] * flip
        people = replace(truth.people, bones=pick(truth.people.bones, truth.people.bones[:, j] * flip))
        return look(seen, people.landmarks), Truth(
            people, pick(truth.rotations, truth.rotations[:, :, j] * both), pick(truth.joints, truth.joints[:, :, j] * flip),
            pick(truth.place, truth.place * flip), pick(truth.contacts, truth.contacts[..., [2, 3, 0, 1]]), pick(truth.up, truth.up * flip),
            pick(truth.velocity, truth.velocity * flip), truth.inside,
        )

    def _misjudged(self, rand: RandomBatch, view: View) -> View:
        """The same picture under a wrong focal length: only what is known of distances and directions in the picture changes."""
        factor = torch.exp(_FOCAL_SPREAD * rand.normal() * rand.each(0.5))[:, None]
        inputs = view.inputs.clone()
        inputs[..., -6] += factor.log()
        inputs[..., -5:-3] *= factor[..., None]
        return View(inputs, view.axes, view.scale)


def _detected(scene: _Scene, errors: tuple[Tensor, ...], told: Tensor) -> tuple[Sighting, Tensor, Tensor, Tensor, Tensor]:
    """What the detector says with these errors; the true view's scale (B,T); rotations with the root in camera axes, joints from the
    pelvis and the pelvis (m, camera axes)."""
    pixels, depth_error, confidence, present = errors
    people = scene.people
    rotations = matrices(scene.quaternions)
    rotations = torch.cat([(scene.R @ rotations[:, :, 0])[:, :, None], rotations[:, :, 1:]], 2)
    pelvis = (scene.R @ scene.pelvis[..., None])[..., 0] + scene.t
    turned, joints = pose(rotations, people.bones)
    marks = landmarks(turned, joints, people) + pelvis[:, :, None]
    true = marks[..., :2] / marks[..., 2:].clamp(min=0.1)
    turns = scene.R[:, :1] @ scene.R.transpose(-1, -2)
    about = look(Sighting(true, confidence, torch.zeros_like(marks), told, present, turns), people.landmarks)
    rays = _out_of_view(in_view(true, about.axes) + pixels * about.scale[..., None, None], about.axes)
    deep = landmarks(turned, joints, people, in_depth=True)
    deep = (deep - deep[:, :, hip_rows(people)].mean(2, keepdim=True)) @ about.axes + depth_error
    return Sighting(rays, confidence, deep, told, present & scene.inside, turns), about.scale, rotations, joints, pelvis


def filmed(detections: Detections, frames: int) -> tuple[View, Truth, Tensor]:
    """Whole clips of pairs as they were detected: view, truth (`inside` where somebody was seen), the detector's own 3D (B,T,K,3) m."""
    rows = slice(0, frames)
    e = detections.errors
    batch, there = len(detections), e.present[:, rows]
    turns = detections.R[:, None].expand(-1, frames, -1, -1)
    scene = _Scene(
        detections.quaternions[:, rows], detections.pelvis[:, rows], detections.contacts[:, rows], there, detections.people, turns,
        detections.t[:, None].expand(-1, frames, -1),
    )
    told = torch.ones(batch, dtype=torch.bool, device=there.device)
    errors = e.pixels[:, rows], e.depth[:, rows], e.confidence[:, rows], there
    sighting, _, rotations, joints, pelvis = _detected(scene, errors, told)
    view = look(sighting, detections.people.landmarks)
    return view, _truth(scene, rotations, joints, pelvis, view), sighting.depth


def _other_parts(rand: RandomBatch, quaternions: Tensor) -> Tensor:
    """Upper bodies and arms of other windows, and slow noise on all joints but the root."""
    out = quaternions.clone()
    for share, joints, shift in ((0.25, _UPPER, 1), (0.25, _LEFT_ARM, 2), (0.25, _RIGHT_ARM, 3)):
        swap = rand.each(share)[:, None, None, None]
        out[:, :, joints] = torch.where(swap, quaternions.roll(shift, 0)[:, :, joints], out[:, :, joints])
    size = (rand.uniform(0, 1) * rand.each(0.6) * _POSE_NOISE)[:, None, None, None]
    shares = [next((share for key, share in _NOISE_SHARE.items() if key in name), 1.0) for name in BODY_JOINTS]
    noise = rand.smooth(quaternions.shape[1], JOINTS, 3) + rand.normal(1, JOINTS, 3)
    noise = noise * size * torch.tensor(shares, device=rand.device)[:, None]
    return multiply(out, quaternion_from_axis_angle(noise))


def _camera(rand: RandomBatch, pelvis: Tensor) -> tuple[Tensor, Tensor]:
    """World-to-camera R (B,T,3,3), t (B,T,3) m: standing, turning after the person, going along, or sliding by; held by hand or not."""
    frames = pelvis.shape[1]
    lag = torch.nn.functional.avg_pool1d(
        torch.nn.functional.pad(pelvis.transpose(1, 2), (10, 10), mode="replicate"), 21, 1
    ).transpose(1, 2)
    middle = pelvis.mean(1, keepdim=True)
    kind = rand.many()
    turning, along, sliding = ((kind >= low) & (kind < high) for low, high in ((0.45, 0.75), (0.75, 0.92), (0.92, 1.01)))
    where = lambda which, a, b: torch.where(which[:, None, None], a, b)
    target = where(turning | along, lag, middle.expand_as(lag)).clone()
    distance = torch.exp(rand.uniform(math.log(1.6), math.log(10.0)))
    angle = rand.uniform(0, 2 * math.pi)
    outward = torch.stack([angle.cos(), angle.sin(), torch.zeros_like(angle)], -1)
    across = torch.stack([-angle.sin(), angle.cos(), torch.zeros_like(angle)], -1)
    eye = where(along, lag, middle.expand_as(lag)) + (distance[:, None] * outward)[:, None]
    # Most cameras are held or stand at a person's height; every third looks from anywhere up to 40 degrees above.
    height = torch.where(rand.each(0.65), 1.45 + 0.45 * rand.normal(), rand.uniform(0.0, 0.85) * distance + 0.2).clamp(0.1, 6.0)
    eye = torch.cat([eye[..., :2], height[:, None, None].expand(-1, frames, 1)], -1)
    time = torch.linspace(-0.5, 0.5, frames, device=rand.device)[:, None]
    eye = eye + where(sliding, (across * (frames / FPS * rand.normal())[:, None])[:, None] * time, torch.zeros_like(eye))
    aim = (0.95 + 0.2 * rand.normal())[:, None]
    target = torch.cat([target[..., :2], aim[..., None].expand(-1, frames, 1)], -1)
    target = target + (0.2 * rand.normal() * distance)[:, None, None] * across[:, None]
    # Nobody comes nearer than 0.8 m, or behind the camera.
    near = ((eye - pelvis) * outward[:, None]).sum(-1).amin(1)
    eye = eye + ((0.8 - near).clamp(min=0)[:, None] * outward)[:, None]
    held = (rand.uniform(0, 1) * rand.each(0.4))[:, None, None]
    eye = eye + held * 0.03 * rand.smooth(frames, 3)
    z = torch.nn.functional.normalize(target - eye, dim=-1)
    down = torch.tensor([0.0, 0.0, -1.0], device=rand.device).expand_as(z)
    axes = frame_from_axes(torch.linalg.cross(down, z), down - (down * z).sum(-1, keepdim=True) * z)
    roll = torch.where(rand.each(0.8), 0.05 * rand.normal(), 0.25 * rand.normal())
    ahead = torch.tensor([0.0, 0.0, 1.0], device=rand.device)
    wobble = quaternion_from_axis_angle(held * 0.02 * rand.smooth(frames, 3) + roll[:, None, None] * ahead)
    R = matrices(wobble) @ axes.transpose(-1, -2)
    return R, -(R @ eye[..., None])[..., 0]


def _plain_errors(rand: RandomBatch, frames: int, count: int) -> tuple[Tensor, ...]:
    """Errors of an ordinary detector: slow and white in pixels, mostly slow and mostly along the view in depth."""
    pixels = 0.05 * rand.smooth(frames, count, 2) + 0.015 * rand.normal(frames, count, 2)
    depth = torch.tensor([0.02, 0.02, 0.06], device=rand.device) * rand.smooth(frames, count, 3)
    sure = (0.95 - 0.3 * rand.many(1, count) ** 3).expand(-1, frames, -1)
    return pixels, depth, sure, torch.ones(rand.batch, frames, dtype=torch.bool, device=rand.device)


def _out_of_view(rays: Tensor, axes: Tensor) -> Tensor:
    return in_view(rays, axes.transpose(-1, -2))


def _sparse(values: Tensor, step: int) -> Tensor:
    """(B,T,...) with only every `step`-th frame known, the others on straight lines between them."""
    frames = values.shape[1]
    time = torch.arange(frames, device=values.device)
    before = time // step * step
    after = (before + step).clamp(max=(frames - 1) // step * step)
    part = ((time - before) / step).view(1, -1, *[1] * (values.dim() - 2))
    return torch.lerp(values[:, before], values[:, after], part)


def _truth(scene: _Scene, rotations: Tensor, joints: Tensor, pelvis: Tensor, view: View) -> Truth:
    back = view.axes.transpose(-1, -2)
    turn = lambda vectors: (back @ vectors[..., None])[..., 0]
    root = back @ rotations[:, :, 0]
    seen = turn(pelvis)
    depth = seen[..., 2].clamp(min=0.1)
    place = torch.cat([seen[..., :2] / (depth * view.scale)[..., None], (depth * view.scale).log()[..., None]], -1)
    moved = torch.diff(scene.pelvis, dim=1) * FPS
    velocity = (scene.R @ torch.cat([moved, moved[:, -1:]], 1)[..., None])[..., 0]
    return Truth(
        scene.people, torch.cat([root[:, :, None], rotations[:, :, 1:]], 2), (back[:, :, None] @ joints[..., None])[..., 0], place,
        scene.contacts, turn(scene.R[..., 2]), turn(velocity), scene.inside,
    )


def _joined(a: _Scene, b: _Scene) -> _Scene:
    cat = lambda name: torch.cat([getattr(a, name), getattr(b, name)])
    return _Scene(cat("quaternions"), cat("pelvis"), cat("contacts"), cat("inside"), joined(a.people, b.people), cat("R"), cat("t"))
