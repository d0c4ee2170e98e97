# SPDX-License-Identifier: GPL-3.0-or-later
"""One person's keypoints through one shot -> body motion by the published WHAM, in the camera and in the world, on the video's times."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from smplit.body.rotations import rotation_between
from smplit.errors import BadInput
from smplit.mocap.clock import even_times, filled, interpolated, turned
from smplit.mocap.observations import CameraMotion
from smplit.mocap.wham.body import JOINTS, SmplBody
from smplit.mocap.wham.boxes import SEEN, boxes_of_keypoints, evenly_smoothed_boxes
from smplit.mocap.wham.lift import Lifted, lift
from smplit.mocap.wham.load import LIFTING, load_network, stage_of
from smplit.mocap.wham.network import FEATURE, KEYPOINTS, Wham
from smplit.mocap.wham.preprocessing import Start, Track, mirrored_start, network_inputs
from smplit.mocap.wham.rotations import Y_DOWN_TO_Z_UP, matrix_from_rows
from smplit.mocap.wham.smpl_files import find_body
from smplit.mocap.wham.temporal_smplify import lift_and_bend

BODY = 22  # SMPL's joints that SMPL-X has too


@dataclass
class Keypoints:
    """N frames: `pixels` (N,17,2) px in COCO's order, `confidence` (N,17) 0..1, 0 where nobody was seen."""

    pixels: np.ndarray
    confidence: np.ndarray


@dataclass
class Images:
    """What an image network says of N frames' crops (`crop.person_crop`): rows of NaN where it was not asked.

    `mirrored` is what it says of the mirrored crops; without it there is no mirrored evaluation.
    """

    features: np.ndarray  # (N,1024)
    mirrored: np.ndarray | None = None
    mirrored_start: Start | None = None  # the body in the mirrored first crop; None: the start's mirror image


@dataclass
class WhamBody:
    """N frames of one person, on the video's times.

    Attributes:
        rotations: (N,22,3,3) local, the root's in the axes of its frame's camera.
        pelvis: (N,3) m in the camera's axes, as the crop's camera sees it.
        betas: (10,) mean shape, of `body`.
        world_root: (N,3,3) and world_pelvis: (N,3) m in a world with z up that begins at the origin, heading as the first camera looks (+y).
        contacts: (N,4) 0..1: two points of the left foot, then two of the right.
        real_body: `betas` are SMPL's; else of the open body that stands in.
    """

    rotations: np.ndarray
    pelvis: np.ndarray
    betas: np.ndarray
    world_root: np.ndarray
    world_pelvis: np.ndarray
    contacts: np.ndarray
    real_body: bool


class WhamEstimator:
    """`WhamEstimator.load()(keypoints, camera, times, size, start)` -> `WhamBody`."""

    def __init__(self, network: Wham, body: SmplBody, real_body: bool, device: str = "cpu"):
        self.network, self.body, self.real_body, self.device = network.to(device).eval(), body, real_body, device
        self.stage = stage_of(network.state_dict())

    @classmethod
    def load(cls, checkpoint: str | Path | None = None, device: str = "cpu", stage: int | None = None) -> WhamEstimator:
        """Published weights found in the model files, or those of a file; the body found there, or the open one.

        Raises:
            BadInput, MissingModel: as `load.load_network`, `models.find` and `smpl_files.load_smpl`.
        """
        from smplit.models import find

        path = checkpoint or find("wham_published")
        network = load_network(path, stage)
        arrays, real = find_body(path)
        return cls(network, SmplBody(arrays, device), real, device)

    def __call__(
        self, keypoints: Keypoints, camera: CameraMotion, times: np.ndarray, size: tuple[int, int], start: Start, images: Images | None = None,
        up: np.ndarray | None = None, mirror: bool = True, bend: bool = False, check: Callable[[], None] = lambda: None,
    ) -> WhamBody:
        """A clip of any length.

        Args:
            keypoints: of N frames; camera: of the same frames; times: (N,) s, increasing.
            size: width and height of the picture, px.
            start: the body in the first frame, for example `from_landmarks.start_of_landmarks`; a `world_root` of None is made from `up`.
            images: what an image network says; of use to a network of stage 2 alone.
            up: (3,) in the axes of the shot's first camera, which `camera.rotation` starts from; None: that camera stands level.
            mirror: look at the mirror image too and average; bend: let Temporal SMPLify bend the result to the keypoints, as the original can.
            check: called now and then, may raise.

        Raises:
            BadInput: no keypoint is seen in any frame, or image features for a network that never learned to use them.
        """
        if images is not None and self.stage == LIFTING:
            raise BadInput(
                "This WHAM is of stage 1: it never learned to use image features.",
                "Use a checkpoint of stage 2, as wham_vit_w_3dpw.pth.tar, or give no images.", "wrong_stage",
            )
        times = np.asarray(times, np.float64)
        grid = even_times(times)
        world = world_axes(up)
        track = self._track(keypoints, camera, times, grid, size, start, images, world)
        check()
        mirrored = None
        if mirror and (images is None or images.mirrored is not None):
            features = None if images is None else self._features(images.mirrored, times, grid)
            begin = self._on_device(images.mirrored_start) if images and images.mirrored_start else mirrored_start(track.start)
            mirrored = network_inputs(track.mirrored(begin, features), self.body)[0]
        inputs, scene = network_inputs(track, self.body)
        if bend:
            seen = torch.cat([track.keypoints, track.confidence[..., None]], -1)[None]
            lifted = lift_and_bend(self.network, self.body, inputs, scene, seen, mirrored, check)
        else:
            lifted = lift(self.network, self.body, inputs, scene, mirrored, check=check)
        return self._on_video_times(lifted, camera, times, grid)

    def _track(
        self, keypoints: Keypoints, camera: CameraMotion, times: np.ndarray, grid: np.ndarray, size: tuple[int, int], start: Start,
        images: Images | None, world: np.ndarray,
    ) -> Track:
        """At 30 frames a second. Unseen keypoints lie between the frames that saw them, and are masked."""
        seen = keypoints.confidence > SEEN
        if not seen.any():
            raise BadInput("No keypoint of the person is seen in any frame.", "Choose another person or another part of the video.", "no_keypoints")
        pixels, confidence = resampled_keypoints(keypoints, times, grid)
        raw = boxes_of_keypoints(torch.as_tensor(pixels), torch.as_tensor(confidence > SEEN)).numpy()
        boxes = filled(raw, np.isfinite(raw).all(-1), grid)
        to_camera = turned(camera.rotation, times, grid) @ world.T
        on = lambda values: torch.as_tensor(np.asarray(values), dtype=torch.float32, device=self.device)
        begin = self._on_device(start)
        if begin.world_root is None:
            begin.world_root = on(to_camera[0].T) @ begin.rotations[0]
        return Track(
            on(pixels), on(confidence), on(evenly_smoothed_boxes(torch.as_tensor(boxes))), on(size), on(camera.K), begin, on(to_camera),
            None if images is None else self._features(images.features, times, grid),
        )

    def _on_device(self, start: Start) -> Start:
        on = lambda values: None if values is None else torch.as_tensor(values, dtype=torch.float32, device=self.device)
        return Start(on(start.rotations), on(start.betas), on(start.keypoints), on(start.world_root))

    def _features(self, features: np.ndarray, times: np.ndarray, grid: np.ndarray) -> Tensor:
        """(G,1024). Frames without an image get their neighbours': zeros would switch the integrator's shortcut off for all of the clip."""
        known = np.isfinite(features).all(-1)
        if features.shape[1:] != (FEATURE,) or not known.any():
            text = f"Image features have shape {features.shape}, {known.sum()} frames of them known."
            raise BadInput(text, f"Give {FEATURE} numbers a frame.", "bad_features")
        return torch.as_tensor(interpolated(filled(features, known, times), times, grid), dtype=torch.float32, device=self.device)

    def _on_video_times(self, lifted: Lifted, camera: CameraMotion, times: np.ndarray, grid: np.ndarray) -> WhamBody:
        numbers = lambda values: values[0].double().cpu().numpy()
        rotations = numbers(matrix_from_rows(lifted.pose.unflatten(-1, (JOINTS, 6))))[:, :BODY]
        world_root = numbers(matrix_from_rows(lifted.refined_root))
        root_joint = self.body.rest_joints(lifted.betas[0])[:, 0].double().cpu().numpy() - numbers(lifted.offset)
        to_world = world_root @ rotations[:, 0].transpose(0, 2, 1)
        world_pelvis = numbers(lifted.refined_place) + (to_world @ root_joint[..., None])[..., 0]
        # A root seen from a turning camera turns with it: between frames it is followed in the first camera's axes.
        at_grid = turned(camera.rotation, times, grid)
        rotations[:, 0] = at_grid.transpose(0, 2, 1) @ rotations[:, 0]
        found = turned(rotations, grid, times)
        found[:, 0] = camera.rotation @ found[:, 0]
        axes = Y_DOWN_TO_Z_UP.double().numpy()
        at = lambda values: interpolated(values, grid, times)
        return WhamBody(
            found, at(numbers(lifted.place) + root_joint), numbers(lifted.betas).mean(0), axes @ turned(world_root, grid, times),
            at(world_pelvis) @ axes.T, at(numbers(lifted.contact)).clip(0.0, 1.0), self.real_body,
        )


def world_axes(up: np.ndarray | None) -> np.ndarray:
    """(3,3) from the axes of the shot's first camera to the network's world (y down), by the smallest turn; identity when `up` is None."""
    if up is None:
        return np.eye(3)
    level = torch.tensor([0.0, -1.0, 0.0], dtype=torch.float64)
    return rotation_between(torch.as_tensor(np.asarray(up, np.float64)), level).numpy()


def resampled_keypoints(keypoints: Keypoints, times: np.ndarray, grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(G,17,2) px and (G,17): each keypoint on straight lines between the frames that saw it, with no confidence in between.

    A keypoint that nobody ever saw lies in the middle of those that were.
    """
    seen = keypoints.confidence > SEEN
    anywhere = seen.any(-1)
    centres = np.stack([keypoints.pixels[row][seen[row]].mean(0) for row in np.flatnonzero(anywhere)])
    pixels = np.repeat(interpolated(centres, times[anywhere], grid)[:, None], KEYPOINTS, 1)
    for point in np.flatnonzero(seen.any(0)):
        pixels[:, point] = interpolated(keypoints.pixels[seen[:, point], point], times[seen[:, point]], grid)
    # Between a frame that saw it and one that did not, a keypoint is not to be trusted: the smaller confidence of both counts.
    before = np.searchsorted(times, grid + 1e-9, side="right").clip(1, len(times)) - 1
    after = np.searchsorted(times, grid - 1e-9).clip(0, len(times) - 1)
    confidence = np.where(seen, keypoints.confidence, 0.0)
    return pixels, np.minimum(confidence[before], confidence[after])
