# SPDX-License-Identifier: GPL-3.0-or-later
"""WHAM over a clip: network, body, steadied feet, refined path. In pieces where a clip is long; pieces do not change the result."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from smplit.mocap.wham.blocks import LstmState
from smplit.mocap.wham.body import JOINTS, SmplBody
from smplit.mocap.wham.camera import place_in_camera
from smplit.mocap.wham.mirror import average_with_mirrored
from smplit.mocap.wham.network import Inputs, Memory, Prediction, Wham, has_every_feature
from smplit.mocap.wham.rotations import matrix_from_rows
from smplit.mocap.wham.world import feet_about_hips, rollout, steadied_velocity, weighted_feet_velocity

PIECE = 256  # frames that are worked on at once


@dataclass
class Scene:
    """The pictures of B clips: `K` (B,3,3) px, `bbox` (B,F,3) centre px and side by 200, `size` (B,2) px width and height."""

    K: Tensor
    bbox: Tensor
    size: Tensor

    def frames(self, rows: slice) -> Scene:
        return replace(self, bbox=self.bbox[:, rows])


@dataclass
class Lifted:
    """Bodies of B clips of F frames. World axes: y down.

    Attributes:
        kp3d: (B,F,17,3) m about the hips, camera axes, the encoder's own; pose: (B,F,144) 6D rows, root in camera axes;
            betas: (B,F,10); cam: (B,F,3); contact: (B,F,4).
        keypoints: (B,F,31,3) m about the hips, camera axes, the body's; offset: (B,F,3) m: the hips' middle in SMPL's own place,
            so that SMPL's `transl` is `place - offset`.
        place: (B,F,3) m of the hips' middle before the camera.
        root: (B,F,6), velocity: (B,F,3), first_place: (B,F,3) m, feet: (B,F,4,3) m: in the world, before refinement.
        steady: (B,F,3) velocity with the standing feet's slide taken away.
        refined_root: (B,F,6), refined_velocity: (B,F,3), refined_place: (B,F,3), refined_feet: (B,F,4,3): after it.
    """

    kp3d: Tensor
    pose: Tensor
    betas: Tensor
    cam: Tensor
    contact: Tensor
    keypoints: Tensor
    offset: Tensor
    place: Tensor
    root: Tensor
    velocity: Tensor
    first_place: Tensor
    feet: Tensor
    steady: Tensor
    refined_root: Tensor
    refined_velocity: Tensor
    refined_place: Tensor
    refined_feet: Tensor
    vertices: Tensor | None = None


@dataclass
class Path:
    """State between pieces: the world's part of it."""

    root: Tensor  # (B,6) refined, of the frame before
    refiner: LstmState | None = None
    place: Tensor | None = None  # (B,3) m
    refined_place: Tensor | None = None
    feet_about_hips: Tensor | None = None  # (B,4,3)
    feet: Tensor | None = None


def lift(
    network: Wham, body: SmplBody, inputs: Inputs, scene: Scene, mirrored: Inputs | None = None, piece: int = PIECE,
    check: Callable[[], None] = lambda: None,
) -> Lifted:
    """A whole clip, `piece` frames at once; `mirrored` are the inputs of the mirrored pictures, whose answer is averaged in.

    `check` is called between pieces and may raise.
    """
    pieces, path, first = [], Path(inputs.init_root), 0
    with torch.no_grad():
        for answer in answers(network, inputs, mirrored, piece):
            check()
            lifted, path = to_world(network, body, answer, scene.frames(slice(first, first + piece)), path)
            pieces.append(lifted)
            first += piece
    return _joined(pieces)


def answers(network: Wham, inputs: Inputs, mirrored: Inputs | None = None, piece: int = PIECE) -> Iterator[Prediction]:
    """What the network says of a clip, `piece` frames after one another."""
    count = len(inputs.x)
    both = _whole_clips(inputs if mirrored is None else _stacked(inputs, mirrored))
    memory: Memory | None = None
    for first in range(0, inputs.x.shape[1], piece):
        answer, memory = network(both.frames(slice(first, first + piece)), memory)
        if mirrored is not None:
            answer = average_with_mirrored(_some(answer, slice(count)), _some(answer, slice(count, None)))
        yield answer


def to_world(
    network: Wham, body: SmplBody, answer: Prediction, scene: Scene, path: Path, vertices: bool = False
) -> tuple[Lifted, Path]:
    """Body, feet and path of what the network answered, and the state after it.

    No gradient passes from the refined path to what it was refined from: refiner and network learn apart.
    """
    batch, frames = answer.pose.shape[:2]
    rotations = matrix_from_rows(answer.pose.view(batch, frames, JOINTS, 6))
    posed = body(rotations.flatten(0, 1), answer.betas.flatten(0, 1), vertices)
    split = lambda values: values.unflatten(0, (batch, frames))
    body_feet, camera_root, contact = split(posed.feet), rotations[:, :, 0], answer.contact
    roots = matrix_from_rows(answer.root)
    place = rollout(roots, answer.velocity, path.place)
    about_hips = feet_about_hips(body_feet, camera_root, roots[:, 1:])
    feet = about_hips + place[:, :, None]
    with torch.no_grad():
        steady = steadied_velocity(about_hips, path.feet_about_hips, contact, roots[:, 1:], answer.velocity)
        moves = weighted_feet_velocity(feet, path.feet, contact)
    refined_root, refined_velocity, refiner = network.trajectory_refiner(
        answer.context.detach(), moves, answer.root[:, 1:].detach(), steady, path.refiner
    )
    new_roots = matrix_from_rows(torch.cat([path.root[:, None], refined_root], 1))
    refined_place = rollout(new_roots, refined_velocity, path.refined_place)
    refined_feet = feet_about_hips(body_feet, camera_root, new_roots[:, 1:]) + refined_place[:, :, None]
    lifted = Lifted(
        answer.kp3d, answer.pose, answer.betas, answer.cam, contact, split(posed.keypoints), split(posed.offset),
        place_in_camera(answer.cam, scene.K, scene.bbox, scene.size), answer.root[:, 1:], answer.velocity, place, feet, steady,
        refined_root, refined_velocity, refined_place, refined_feet, split(posed.vertices) if vertices else None,
    )
    after = Path(refined_root[:, -1], refiner, place[:, -1], refined_place[:, -1], about_hips[:, -1], feet[:, -1])
    return lifted, after


def _whole_clips(inputs: Inputs) -> Inputs:
    """What is asked of whole clips is asked before they are cut."""
    return inputs if inputs.features is None else replace(inputs, residual=has_every_feature(inputs.features))


def _stacked(inputs: Inputs, mirrored: Inputs) -> Inputs:
    """One batch of both: an LSTM step reads its weights once for all of a batch."""
    pairs = {entry.name: (getattr(inputs, entry.name), getattr(mirrored, entry.name)) for entry in fields(Inputs)}
    return Inputs(**{name: None if one is None else torch.cat([one, other]) for name, (one, other) in pairs.items()})


def whole_answer(pieces: Iterable[Prediction]) -> Prediction:
    """Pieces after one another as one; each piece's first root is the last one of the piece before."""
    pieces = list(pieces)
    join = lambda name: torch.cat([getattr(one, name) for one in pieces], 1)
    root = torch.cat([pieces[0].root, *(one.root[:, 1:] for one in pieces[1:])], 1)
    return Prediction(**{entry.name: root if entry.name == "root" else join(entry.name) for entry in fields(Prediction)})


def _joined(pieces: list[Lifted]) -> Lifted:
    join = lambda name: torch.cat([getattr(one, name) for one in pieces], 1)
    return Lifted(**{entry.name: join(entry.name) for entry in fields(Lifted) if entry.name != "vertices"})


def _some(answer: Prediction, rows: slice) -> Prediction:
    return Prediction(**{entry.name: getattr(answer, entry.name)[rows] for entry in fields(Prediction)})
