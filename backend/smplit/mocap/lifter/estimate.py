# SPDX-License-Identifier: GPL-3.0-or-later
"""One person's landmarks through one shot -> body motion in the camera's axes, on the video's own times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from smplit.body.model import BodyModel
from smplit.mocap.clock import even_times, interpolated, turned
from smplit.mocap.lifter.network import MARGIN, Lifted, Lifter, mean, unmirrored
from smplit.mocap.lifter.people import People, mirrored_landmarks
from smplit.mocap.lifter.sighting import Sighting, View, look, mirrored
from smplit.mocap.observations import CameraMotion, PersonLandmarks

_PIECE = 3000  # frames that go through the network at once


@dataclass
class LiftedBody:
    """T frames of one person.

    Attributes:
        rotations: (T,22,3,3) local rotations, the root's in camera axes; pelvis: (T,3) m in camera axes.
        betas: (10,); spread: (T,22,2) m, the joints' expected error across the view and along it.
    """

    rotations: np.ndarray
    pelvis: np.ndarray
    betas: np.ndarray
    spread: np.ndarray


class BodyLifter:
    """`BodyLifter.load(model)(landmarks, camera, times)` -> `LiftedBody`."""

    def __init__(self, network: Lifter, model: BodyModel, device: str = "cpu", flip: bool = True):
        """`flip`: also look at the mirrored picture, and take the middle of both answers."""
        self.network, self.device, self.flip = network, device, flip
        self._used = People.of(model, torch.zeros(1, 10)).landmarks.to(device)
        self._swap = mirrored_landmarks(self._used)

    @classmethod
    def load(cls, model: BodyModel, path: str | None = None, device: str = "cpu") -> BodyLifter:
        """The shipped weights, or those of a file.

        Raises:
            BadInput, MissingModel: as `lifter.weights.load_weights`, `models.find`.
        """
        from smplit.mocap.lifter.weights import load_weights
        from smplit.models import find

        return cls(load_weights(path or find("lifter"), device), model, device)

    @torch.no_grad()
    def __call__(self, landmarks: PersonLandmarks, camera: CameraMotion, times: np.ndarray) -> LiftedBody:
        """Args: landmarks of T frames; camera of the same frames; times (T,) s, increasing."""
        clock = np.asarray(times, np.float64) - times[0]
        grid = even_times(clock)
        sighting = self._sighting(landmarks, camera, clock, grid)
        view = look(sighting, self._used)
        lifted = self._lift(view)
        if self.flip:
            lifted = mean(lifted, unmirrored(self._lift(look(mirrored(sighting, self._swap), self._used))))
        return _on_video_times(lifted, view, sighting, grid, clock, camera, landmarks.seen.astype(bool))

    def _sighting(self, landmarks: PersonLandmarks, camera: CameraMotion, clock: np.ndarray, grid: np.ndarray) -> Sighting:
        used, K = self._used.cpu().numpy(), camera.K
        seen = landmarks.seen.astype(bool)
        known = seen if seen.any() else np.ones_like(seen)
        rays = (landmarks.body[:, used] - K[:2, 2]) / np.array([K[0, 0], K[1, 1]])
        at = lambda values: interpolated(values[known], clock[known], grid)
        confidence = interpolated(landmarks.body_confidence[:, used] * seen[:, None], clock, grid)
        nearest = np.rint(np.interp(grid, clock, np.arange(len(clock)))).astype(int)
        turns = turned(np.transpose(camera.rotation, (0, 2, 1)), clock, grid)
        tensor = lambda values: torch.as_tensor(np.asarray(values, np.float32), device=self.device)[None]
        told = torch.ones(1, dtype=torch.bool, device=self.device)
        there = torch.as_tensor(seen[nearest], device=self.device)[None]
        return Sighting(tensor(at(rays)), tensor(confidence), tensor(at(landmarks.body_world[:, used])), told, there, tensor(turns))

    def _lift(self, view: View) -> Lifted:
        frames = view.inputs.shape[1]
        pieces = []
        for first in range(0, frames, _PIECE):
            begin, end = max(0, first - MARGIN), min(frames, first + _PIECE + MARGIN)
            lifted = self.network(View(view.inputs[:, begin:end], view.axes[:, begin:end], view.scale[:, begin:end]))
            rows = slice(first - begin, min(frames, first + _PIECE) - begin)
            pieces.append([getattr(lifted, name)[:, rows] for name in Lifted.__dataclass_fields__])
        return Lifted(*(torch.cat(parts, 1) for parts in zip(*pieces, strict=True)))


def _on_video_times(
    lifted: Lifted, view: View, sighting: Sighting, grid: np.ndarray, clock: np.ndarray, camera: CameraMotion, seen: np.ndarray
) -> LiftedBody:
    to_first = sighting.turns[0] @ view.axes[0]
    root = (to_first @ lifted.rotations[0, :, 0]).double().cpu().numpy()
    locals_ = lifted.rotations[0].double().cpu().numpy()
    locals_[:, 0] = root  # between frames it is followed in the first camera's axes
    turns = turned(locals_, grid, clock)
    turns[:, 0] = camera.rotation @ turns[:, 0]
    at = lambda values: interpolated(np.asarray(values), grid, clock)
    pelvis = (view.axes @ lifted.pelvis(view.scale)[..., None])[0, ..., 0].double().cpu().numpy()
    weight = seen[:, None] if seen.any() else np.ones_like(seen)[:, None]
    betas = (at(lifted.betas[0].double().cpu().numpy()) * weight).sum(0) / weight.sum()
    return LiftedBody(turns, at(pelvis), betas.astype(np.float32), np.exp(at(lifted.spread[0].cpu().numpy())))
