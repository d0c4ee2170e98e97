# SPDX-License-Identifier: GPL-3.0-or-later
"""What the detector said of people whose truth is known: pairs made by `tools/render_detections.py`.

They serve twice: as clips to train on, and as a store of errors that other motions are seen with, seen from a like side.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from smplit.body.model import BodyModel
from smplit.difftraj.quaternions import blend, matrices, quaternion_from_axis_angle
from smplit.errors import BadInput
from smplit.mocap.lifter.people import People, landmarks, pose
from smplit.mocap.lifter.sighting import Sighting, in_view, look

_LEAST_PRESENT = 0.6  # share of a clip's frames in which somebody must have been found


@dataclass
class Errors:
    """How detections differ from the truth, in the view's axes.

    Attributes:
        pixels: (C,T,K,2) in units of the view's scale; depth: (C,T,K,3) m; confidence: (C,T,K); present: (C,T) bool.
    """

    pixels: Tensor
    depth: Tensor
    confidence: Tensor
    present: Tensor


@dataclass
class Detections:
    """C clips of T frames at 30 a second (filmed at 15, led over in between).

    Attributes:
        quaternions: (C,T,22,4) local, the root's in the world; pelvis: (C,T,3) m; contacts: (C,T,4).
        R: (C,3,3), t: (C,3) m world-to-camera of a camera that stands still.
        people: C shapes; errors: of the detector; facing: (C,) rad, where the person looks in the middle of the clip, about the
            view's vertical.
    """

    quaternions: Tensor
    pelvis: Tensor
    contacts: Tensor
    R: Tensor
    t: Tensor
    people: People
    errors: Errors
    facing: Tensor

    def __len__(self) -> int:
        return len(self.facing)

    @classmethod
    def read(cls, folder: Path, store, model: BodyModel, sources: Collection[int] | None = None) -> Detections:
        """All files of a folder.

        Args:
            store: the `MotionStore` that was filmed.
            sources: only clips of these recordings; None: of all.

        Raises:
            BadInput: no files, or of another store.
        """
        files = sorted(Path(folder).glob("pairs_*_????.npz"))
        if not files:
            raise BadInput(f"'{folder}' holds no 'pairs_*.npz'.", "Make them with tools/render_detections.py.", "no_detections")
        clips = [clip for path in files for clip in _clips(path, store) if sources is None or clip["source"] in sources]
        if not clips:
            raise BadInput(f"'{folder}' holds no clip of the recordings in use.", "Film more of them, or leave --detections out.", "no_detections")
        longest = max(len(clip["present"]) for clip in clips)
        clips = [clip for clip in clips if len(clip["present"]) == longest and clip["present"].mean() >= _LEAST_PRESENT]
        stack = lambda name: torch.as_tensor(np.stack([clip[name] for clip in clips]))
        people = People.of(model, stack("betas"))
        rest = torch.stack([model.rest_joints(shape)[0] for shape in people.betas])
        present = stack("present")
        known = lambda values: _between(_led_over(values, present))
        quaternions = _between_turns(quaternion_from_axis_angle(stack("poses")))
        pelvis = _between(stack("trans") + rest[:, None])
        contacts = _between(stack("contacts").float())
        R, t = stack("R").float(), stack("t").float()
        used = people.landmarks
        found = known(stack("rays")[:, :, used]), known(stack("world")[:, :, used])
        confidence = _between(stack("confidence")[:, :, used] * present[..., None])
        there = _between(present[..., None].float())[..., 0] > 0.99
        errors, facing = _errors(quaternions, pelvis, R, t, people, *found, confidence, there)
        return cls(quaternions, pelvis, contacts, R, t, people, errors, facing)

    def part(self, rows: Tensor) -> Detections:
        """Some of the clips."""
        errors = Errors(*(getattr(self.errors, n)[rows] for n in ("pixels", "depth", "confidence", "present")))
        return Detections(
            self.quaternions[rows], self.pelvis[rows], self.contacts[rows], self.R[rows], self.t[rows], self.people[rows], errors, self.facing[rows]
        )

    def to(self, device: str) -> Detections:
        """The same on another device."""
        errors = Errors(*(getattr(self.errors, n).to(device) for n in ("pixels", "depth", "confidence", "present")))
        moved = (getattr(self, n).to(device) for n in ("quaternions", "pelvis", "contacts", "R", "t"))
        return Detections(*moved, self.people.to(device), errors, self.facing.to(device))


def _clips(path: Path, store) -> list[dict]:
    with np.load(path, allow_pickle=False) as archive:
        arrays = {name: archive[name] for name in archive.files}
    first, clips = arrays["first"], []
    for c in range(len(first) - 1):
        rows = slice(int(first[c]), int(first[c + 1]))
        clip = {n: arrays[n][rows] for n in ("poses", "trans", "rays", "confidence", "world", "present")}
        clip |= {n: arrays[n][c] for n in ("betas", "R", "t")}
        frames = store.frames(int(arrays["source"][c]))
        at = frames.start + int(arrays["start"][c]) + 2 * np.arange(rows.stop - rows.start)
        if at[-1] >= frames.stop:
            raise BadInput(f"'{path}' was filmed from another motion store.", "Film this one with tools/render_detections.py.", "other_store")
        clip["contacts"], clip["source"] = store.contacts[at], int(arrays["source"][c])
        clips.append(clip)
    return clips


def _between(values: Tensor) -> Tensor:
    """(C,T,...) at 15 frames a second -> (C,2T-1,...) at 30."""
    out = values.new_zeros(values.shape[0], 2 * values.shape[1] - 1, *values.shape[2:])
    out[:, ::2] = values
    out[:, 1::2] = (values[:, 1:] + values[:, :-1]) / 2
    return out


def _between_turns(quaternions: Tensor) -> Tensor:
    out = quaternions.new_zeros(quaternions.shape[0], 2 * quaternions.shape[1] - 1, *quaternions.shape[2:])
    out[:, ::2] = quaternions
    out[:, 1::2] = blend(quaternions[:, :-1], quaternions[:, 1:], torch.tensor(0.5))
    return out


def _led_over(values: Tensor, present: Tensor) -> Tensor:
    """(C,T,...): frames that are not `present` (C,T) take the last (or first) one that is."""
    at = torch.arange(present.shape[1]).expand_as(present)
    last = torch.where(present, at, -1).cummax(1).values
    first = present.float().argmax(1)[:, None].expand_as(last)
    pick = torch.where(last >= 0, last, first)
    return values[torch.arange(len(values))[:, None], pick]


def _errors(quaternions, pelvis, R, t, people: People, rays, depth, confidence, present) -> tuple[Errors, Tensor]:
    turned, joints = pose(matrices(quaternions), people.bones)
    seen = lambda points: (points + pelvis[:, :, None]) @ R[:, None].transpose(-1, -2) + t[:, None, None]
    marks = seen(landmarks(turned, joints, people))
    true = marks[..., :2] / marks[..., 2:].clamp(min=0.1)
    still = torch.eye(3).expand(*pelvis.shape[:2], 3, 3)
    told = torch.ones(len(true), dtype=torch.bool)
    view = look(Sighting(true, confidence, depth, told, present, still), people.landmarks)
    pixels = (in_view(rays, view.axes) - in_view(true, view.axes)) / view.scale[..., None, None]
    deep = landmarks(turned, joints, people, in_depth=True) @ R[:, None].transpose(-1, -2)
    hips = hip_rows(people)
    deep = (deep - deep[:, :, hips].mean(2, keepdim=True)) @ view.axes
    root = view.axes.transpose(-1, -2) @ R[:, None] @ matrices(quaternions[:, :, 0])
    middle = root[:, root.shape[1] // 2, :, 2]
    return Errors(pixels, depth - deep, confidence, present), torch.atan2(middle[:, 0], middle[:, 2])


def hip_rows(people: People) -> list[int]:
    """Where BlazePose's hips (23, 24) are among the used landmarks."""
    used = people.landmarks.tolist()
    return [used.index(23), used.index(24)]
