# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches of the second stage of WHAM's training: windows of sequences, with a share of recorded motion that has no images."""

from __future__ import annotations

from dataclasses import fields, replace

import torch
from torch import Tensor

from smplit.difftraj.quaternions import matrices, quaternion_from_axis_angle
from smplit.mocap.wham.body import SmplBody
from smplit.mocap.wham.boxes import normalised
from smplit.mocap.wham.camera import BOX_UNIT, project
from smplit.mocap.wham.camera_turn import angular_velocity
from smplit.mocap.wham.lift import Scene
from smplit.mocap.wham.network import KEYPOINTS, Inputs
from smplit.mocap.wham.rotations import Z_UP_TO_Y_DOWN, rows_from_matrix
from smplit.training.wham_losses import Targets
from smplit.training.wham_sequences import Sequence
from smplit.training.wham_windows import FRAMES, MotionWindows

MOTION_SHARE = 0.2
_UNSURE = 0.6  # confidence below which a keypoint of a real video is masked
_COMMON = 14


class VideoWindows:
    """`VideoWindows(sets, body)(generator)` -> one batch on the device.

    Args:
        sets: data sets, each drawn equally often; of a set, a sequence as often as it has windows.
        motion: recorded motion to mix in at `MOTION_SHARE`, made with features; None for none. Of it path and contacts are taught alone.
        vertices: also give the true surface, for the loss that looks at it.
    """

    def __init__(
        self, sets: list[list[Sequence]], body: SmplBody, batch: int, frames: int = FRAMES, device: str = "cpu", motion: MotionWindows | None = None,
        vertices: bool = False,
    ):
        self.sets, self.body, self.frames, self.device, self.motion, self.vertices = sets, body, frames, device, motion, vertices
        self.videos = batch - (motion.size if motion else 0)
        self._weights = [torch.tensor([len(one) - frames for one in members], dtype=torch.float32) for members in sets]

    def __call__(self, generator: torch.Generator) -> tuple[Inputs, Scene, Targets]:
        draw = torch.Generator().manual_seed(int(torch.randint(2**62, (), generator=generator, device=self.device)))  # files are read by the CPU
        clips = [self._clip(*self._where(draw)) for _ in range(self.videos)]
        if self.motion is None:
            return _stacked(clips)
        inputs, scene, truth = self.motion(generator)
        nobody = torch.zeros_like(truth.has_smpl)
        untaught = lambda points: torch.cat([points[..., :-1], torch.zeros_like(points[..., -1:])], -1)
        truth = replace(truth, has_smpl=nobody, keypoints=untaught(truth.keypoints), pixels=untaught(truth.pixels))
        if self.vertices:
            surface = clips[0][2].vertices
            truth = replace(truth, vertices=surface.new_zeros(len(nobody), *surface.shape[1:]), has_vertices=nobody)
        return _stacked([*clips, (inputs, scene, truth)])

    def _where(self, draw: torch.Generator) -> tuple[Sequence, int]:
        number = int(torch.randint(len(self.sets), (), generator=draw))
        member = int(torch.multinomial(self._weights[number], 1, generator=draw))
        sequence = self.sets[number][member]
        return sequence, int(torch.randint(len(sequence) - self.frames, (), generator=draw))

    def _clip(self, sequence: Sequence, first: int) -> tuple[Inputs, Scene, Targets]:
        """One window as a batch of one; its first frame initialises."""
        rows = slice(first, first + self.frames + 1)
        piece = lambda name: sequence.piece(name, rows).to(self.device)
        keypoints, boxes = piece("keypoints"), sequence.boxes(rows).to(self.device)
        size, K = (sequence.whole(name).to(self.device) for name in ("size", "K"))
        x = normalised(keypoints[..., :2], boxes, size)
        camera = piece("camera") @ Z_UP_TO_Y_DOWN.T.to(self.device) if "camera" in sequence.names else None
        turn = x.new_zeros(self.frames, 6) if camera is None else angular_velocity(camera)[:-1]
        truth = self._truth(sequence, rows, keypoints, boxes, K, camera, turn)
        start = _matrices(sequence.piece("start_pose", slice(first, first + 1)).to(self.device))
        root = rows_from_matrix(start[:, 0] if camera is None else camera[:1].transpose(-1, -2) @ start[:, 0])
        known = self.body(start, x.new_zeros(1, 10)).keypoints[:, :KEYPOINTS].flatten(1)
        inputs = Inputs(
            x[None, 1:], keypoints[None, 1:, :, 2] < _UNSURE, torch.cat([known, x[:1]], -1), rows_from_matrix(start), root, turn[None],
            piece("features")[None, 1:],
        )
        return inputs, Scene(K[None], boxes[None, 1:], size[None]), truth

    def _truth(
        self, sequence: Sequence, rows: slice, keypoints: Tensor, boxes: Tensor, K: Tensor, camera: Tensor | None, turn: Tensor
    ) -> Targets:
        """What is taught of a window, as a batch of one."""
        frames, device = self.frames, self.device
        zeros, flag = lambda *shape: torch.zeros(1, *shape, device=device), lambda value: torch.tensor([value], device=device)
        has_smpl, has_path = "pose" in sequence.names, "world_place" in sequence.names
        unturned = torch.eye(3, device=device).expand(frames + 1, 3, 3) if camera is None else camera
        pixels = torch.cat([keypoints[1:], zeros(frames, _COMMON, 3)[0]], 1)
        contact = sequence.piece("contact", rows)[None, 1:].to(device) if "contact" in sequence.names else zeros(frames, 4) - 1.0
        truth = Targets(
            zeros(frames, 24, 6), zeros(frames, 10), zeros(frames, KEYPOINTS + _COMMON, 4), pixels[None], _in_crop(pixels, boxes[1:])[None], contact,
            zeros(frames + 1, 6), zeros(frames, 3), unturned[None], turn[None], flag(has_smpl), flag(has_path),
        )
        if self.vertices:
            truth = replace(truth, vertices=zeros(frames, self.body.vertices, 3), has_vertices=flag(has_smpl))
        if not has_smpl:
            return truth
        pose = _matrices(sequence.piece("pose", rows).to(device))
        betas = sequence.whole("betas").to(device).expand(frames, 10)
        posed = self.body(pose[1:], betas, self.vertices)
        sure = zeros(frames, KEYPOINTS + _COMMON, 1) + 1.0
        place = sequence.piece("place", rows)[None, 1:].to(device)
        seen = torch.cat([project(posed.keypoints[None] + place[:, :, None], K[None]), sure], -1)
        truth = replace(
            truth, pose=rows_from_matrix(pose[None, 1:]), betas=betas[None], keypoints=torch.cat([posed.keypoints[None], sure], -1), pixels=seen,
            crop=_in_crop(seen[0], boxes[1:])[None],
        )
        if self.vertices:
            truth = replace(truth, vertices=posed.vertices[None])
        roots = unturned.transpose(-1, -2) @ pose[:, 0]
        if has_path:
            way = sequence.piece("world_place", rows).to(device) @ Z_UP_TO_Y_DOWN.T.to(device)
            velocity = (roots[:-1].transpose(-1, -2) @ (way[1:] - way[:-1])[..., None])[..., 0]
            truth = replace(truth, root=rows_from_matrix(roots[None]), velocity=velocity[None])
        return truth


def _matrices(axis_angle: Tensor) -> Tensor:
    return matrices(quaternion_from_axis_angle(axis_angle))


def _in_crop(pixels: Tensor, boxes: Tensor) -> Tensor:
    """(F,K,3) px and confidence -> in half sides of the crop."""
    side = boxes[:, None, 2:] * BOX_UNIT
    return torch.cat([(pixels[..., :2] - boxes[:, None, :2]) / (side / 2.0), pixels[..., 2:]], -1)


def _stacked(clips: list[tuple[Inputs, Scene, Targets]]) -> tuple[Inputs, Scene, Targets]:
    """One batch of all."""
    joined = []
    for parts in zip(*clips, strict=True):
        kind = type(parts[0])
        values = {entry.name: [getattr(part, entry.name) for part in parts] for entry in fields(kind)}
        joined.append(kind(**{name: None if found[0] is None else torch.cat(found) for name, found in values.items()}))
    return tuple(joined)
