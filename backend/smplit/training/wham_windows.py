# SPDX-License-Identifier: GPL-3.0-or-later
"""Recorded motion as the published WHAM's first stage is shown it: windows at other speeds, on other bodies, before virtual cameras."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from smplit.difftraj.augment import FPS, Recordings
from smplit.difftraj.quaternions import matrices, quaternion_from_axis_angle
from smplit.difftraj.random_batch import RandomBatch
from smplit.errors import BadInput
from smplit.mocap.wham.body import JOINTS, BodyPoints, SmplBody
from smplit.mocap.wham.boxes import normalised
from smplit.mocap.wham.camera import project
from smplit.mocap.wham.camera_turn import angular_velocity
from smplit.mocap.wham.lift import Scene
from smplit.mocap.wham.network import FEATURE, KEYPOINTS, Inputs
from smplit.mocap.wham.rotations import Z_UP_TO_Y_DOWN, matrix_from_rows, rows_from_matrix
from smplit.training.wham_cameras import SIZE, before_camera, cameras, intrinsics
from smplit.training.wham_keypoints import NoiseTable, missed, noisy, spoilt_boxes
from smplit.training.wham_losses import Targets

FRAMES = 81  # that are trained on; one before them initialises
_SHORTEST, _LONGEST = 2.0 / 3.0, 1.5  # of a window, when the motion is made slower or faster
_SHAPE_SPREAD, _POSE_SPREAD = 0.1, 0.01
_STANDS, _SHARPNESS = 0.01, 500.0  # m per frame at which a foot is half in contact
_TREADMILL = "tread"  # in a clip's name: the floor moves, so feet tell nothing


@dataclass
class Moving:
    """B people in the world (y down, m) over F+1 frames.

    Attributes:
        rotations: (B,F+1,24,3,3) local, the root's in the world; betas: (B,10).
        place: (B,F+1,3) of the hips' middle; keypoints: (B,F+1,31,3) and feet: (B,F+1,4,3) about it, world axes.
        start: (B,24,3,3) what is told of the first pose; treadmill: (B,) bool.
    """

    rotations: Tensor
    betas: Tensor
    place: Tensor
    keypoints: Tensor
    feet: Tensor
    start: Tensor
    treadmill: Tensor


class MotionWindows:
    """`MotionWindows(store, clips, body)(generator)` -> one batch, made on the device.

    Windows begin anywhere; the original goes through a fixed grid of them, a quarter window apart, in four epochs.

    Args:
        store: a `MotionStore` at 30 frames a second, for the body `body` is made of.
        rest_pelvis: (3,) m of that body's mean shape.
        frames: that are trained on.
        features: with the features of images that nobody saw: all zero, as motion has them in stage 2.

    Raises:
        BadInput: a store of another frame rate, or no clip long enough.
    """

    def __init__(
        self, store, clips: Sequence[int], body: SmplBody, rest_pelvis: Tensor, batch: int, frames: int = FRAMES, device: str = "cpu",
        table: NoiseTable | None = None, features: bool = False,
    ):
        if abs(store.fps - FPS) > 1e-6:
            raise BadInput(f"'{store.path}' is at {store.fps:g} frames a second.", f"Make it with --fps {FPS:g}.", "wrong_fps")
        self.shortest, self.longest = math.ceil(_SHORTEST * frames), int(_LONGEST * frames) + 1
        long_enough = [clip for clip in clips if store.frames(clip).stop - store.frames(clip).start >= self.shortest]
        if not long_enough:
            raise BadInput(f"'{store.path}' holds no clip of {self.shortest} frames or more.", "Process longer recordings.", "no_clips")
        self.clips, self.body, self.size, self.frames, self.features = long_enough, body, batch, frames, features
        self.table = table or NoiseTable.substitute(device)
        self.recordings = Recordings.of(store, long_enough, rest_pelvis, device)
        # As many windows of a clip as it has places for one.
        self.recordings.weight = (self.recordings.length - self.shortest + 1).float()
        self.treadmill = torch.tensor([_TREADMILL in store.clips[clip].name.lower() for clip in long_enough], device=device)

    def __call__(self, generator: torch.Generator) -> tuple[Inputs, Scene, Targets]:
        rand = RandomBatch(generator, self.size)
        return film(rand, self.body, self.moving(rand), self.table, self.features)

    def moving(self, rand: RandomBatch) -> Moving:
        """Windows of people, before they are filmed."""
        rotations, pelvis, clips = self._motion(rand)
        to_world = Z_UP_TO_Y_DOWN.to(rand.device)
        heading = matrices(quaternion_from_axis_angle(rand.uniform(0.0, 2.0 * math.pi)[:, None] * torch.tensor([0.0, 1.0, 0.0], device=rand.device)))
        to_world = (heading @ to_world)[:, None]
        rotations = torch.cat([(to_world @ rotations[:, :, 0])[:, :, None], rotations[:, :, 1:]], 2)
        betas = _SHAPE_SPREAD * rand.normal(10)
        posed = self._posed(rotations, betas)
        place = (to_world @ pelvis[..., None])[..., 0] + posed.offset - self.body.rest_joints(betas)[:, None, 0]
        wobble = matrices(quaternion_from_axis_angle(_POSE_SPREAD * rand.normal(JOINTS, 3)))
        return Moving(rotations, betas, place, posed.keypoints, posed.feet, rotations[:, 0] @ wobble, self.treadmill[clips])

    def _motion(self, rand: RandomBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Local rotations (B,F+1,24,3,3), pelvis (B,F+1,3) m, both z up, and the clips (B,)."""
        known = self.recordings
        clips = torch.multinomial(known.weight, self.size, replacement=True, generator=rand.generator)
        longest = known.length[clips].clamp(max=self.longest)
        taken = self.shortest + (rand.many() * (longest - self.shortest + 1)).floor()
        first = (rand.many() * (known.length[clips] - taken + 1)).floor()
        time = first[:, None] + (taken - 1)[:, None] * torch.linspace(0.0, 1.0, self.frames + 1, device=rand.device)
        before = time.floor().long().clamp(max=(known.length[clips] - 2)[:, None])
        rows = known.first[clips][:, None] + before
        part = (time - before)[..., None]
        rotations = between(matrices(known.quaternions[rows]), matrices(known.quaternions[rows + 1]), part[..., None])
        hands = torch.eye(3, device=rand.device).expand(*rotations.shape[:2], 2, 3, 3)
        return torch.cat([rotations, hands], 2), torch.lerp(known.root[rows], known.root[rows + 1], part), clips

    def _posed(self, rotations: Tensor, betas: Tensor) -> BodyPoints:
        batch, frames = rotations.shape[:2]
        posed = self.body(rotations.flatten(0, 1), betas[:, None].expand(-1, frames, -1).flatten(0, 1))
        return BodyPoints(*(values.unflatten(0, (batch, frames)) for values in (posed.keypoints, posed.feet, posed.offset)))


def between(one: Tensor, other: Tensor, part: Tensor) -> Tensor:
    """Rotations (...,3,3) between two, by their 6D rows; `part` (...,1)."""
    return matrix_from_rows(torch.lerp(rows_from_matrix(one), rows_from_matrix(other), part))


def resampled(rotations: Tensor, places: Tensor, frames: int) -> tuple[Tensor, Tensor]:
    """Rotations (L,J,3,3) and places (L,3), first and last kept -> (F,J,3,3), (F,3)."""
    time = torch.linspace(0.0, len(places) - 1.0, frames, dtype=torch.float64)
    before = time.floor().long().clamp(max=len(places) - 2)
    part = (time - before).to(places)[:, None]
    return between(rotations[before], rotations[before + 1], part[..., None]), torch.lerp(places[before], places[before + 1], part)


def contacts(feet: Tensor) -> Tensor:
    """Feet (...,F,4,3) m in the world -> (...,F,4) 0..1, by how far they come from the frame before to the next."""
    speed = (feet[..., 2:, :, :] - feet[..., :-2, :, :]).norm(dim=-1) / 2.0
    speed = torch.cat([speed[..., :1, :], speed, speed[..., -1:, :]], -2)
    return torch.sigmoid(_SHARPNESS * (_STANDS - speed))


def film(rand: RandomBatch, body: SmplBody, people: Moving, table: NoiseTable, features: bool = False) -> tuple[Inputs, Scene, Targets]:
    """People before virtual cameras: what a detector would see, and the truth. The first frame initialises."""
    batch, frames = people.place.shape[:2]
    R, shifts = cameras(rand, frames)
    K, size = intrinsics(batch, rand.device), torch.full((batch, 2), SIZE, device=rand.device)
    place = before_camera(R, shifts, people.place)
    keypoints = people.keypoints @ R.transpose(-1, -2)
    seen = project(noisy(rand, keypoints[:, :, :KEYPOINTS], table) + place[:, :, None], K)
    bbox = spoilt_boxes(rand, seen)
    x = normalised(seen, bbox, size)
    pose = torch.cat([(R @ people.rotations[:, :, 0])[:, :, None], people.rotations[:, :, 1:]], 2)
    start = torch.cat([(R[:, 0] @ people.start[:, 0])[:, None], people.start[:, 1:]], 1)
    known = body(start, people.betas).keypoints[:, :KEYPOINTS].flatten(1)
    root = rows_from_matrix(people.rotations[:, :, 0])
    turn = angular_velocity(R)[:, :-1]
    unseen = torch.zeros(batch, frames - 1, FEATURE, device=rand.device) if features else None
    inputs = Inputs(x[:, 1:], missed(rand, frames - 1), torch.cat([known, x[:, 0]], -1), rows_from_matrix(start), root[:, 0], turn, unseen)
    return inputs, Scene(K, bbox[:, 1:], size), _truth(people, pose, R, place, keypoints, K, root, turn)


def _truth(people: Moving, pose: Tensor, R: Tensor, place: Tensor, keypoints: Tensor, K: Tensor, root: Tensor, turn: Tensor) -> Targets:
    batch, frames = people.place.shape[:2]
    sure = keypoints.new_ones(batch, frames - 1, keypoints.shape[2], 1)
    steps = people.place[:, 1:] - people.place[:, :-1]
    velocity = (people.rotations[:, :-1, 0].transpose(-1, -2) @ steps[..., None])[..., 0]
    contact = torch.where(people.treadmill[:, None, None], -1.0, contacts(people.feet + people.place[:, :, None])[:, 1:])
    everybody = torch.ones(batch, dtype=torch.bool, device=place.device)
    pixels = project(keypoints + place[:, :, None], K)[:, 1:]
    return Targets(
        rows_from_matrix(pose[:, 1:]), people.betas[:, None].expand(-1, frames - 1, -1), torch.cat([keypoints[:, 1:], sure], -1),
        torch.cat([pixels, sure], -1), torch.zeros_like(torch.cat([pixels, sure], -1)), contact, root, velocity, R, turn, everybody, everybody,
    )
