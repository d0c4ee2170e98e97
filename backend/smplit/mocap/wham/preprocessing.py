# SPDX-License-Identifier: GPL-3.0-or-later
"""One person's track, at 30 frames a second, as the network takes it; and its mirror image."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from smplit.mocap.wham.body import SmplBody
from smplit.mocap.wham.boxes import SEEN, normalised
from smplit.mocap.wham.camera_turn import angular_velocity, unturned
from smplit.mocap.wham.lift import Scene
from smplit.mocap.wham.mirror import mirrored_boxes, mirrored_keypoints, mirrored_rotations
from smplit.mocap.wham.network import KEYPOINTS, Inputs
from smplit.mocap.wham.rotations import rows_from_matrix


@dataclass
class Start:
    """The body in the first frame.

    Attributes:
        rotations: (24,3,3) local, the root's in camera axes; betas: (10,).
        keypoints: (17,3) m about the hips, camera axes; of `rotations` and `betas` when None.
        world_root: (3,3) root in the network's world (y down); None: that of the camera, as in the original.
    """

    rotations: Tensor
    betas: Tensor
    keypoints: Tensor | None = None
    world_root: Tensor | None = None


@dataclass
class Track:
    """F frames of one person at 30 a second.

    Attributes:
        keypoints: (F,17,2) px, COCO order, finite also where unseen; confidence: (F,17) 0..1.
        boxes: (F,3) centre px and side by 200; size: (2,) px, width and height; K: (3,3) px.
        camera: (F,3,3) world to camera; None for one that does not turn.
        features: (F,1024) of the crops, or None.
    """

    keypoints: Tensor
    confidence: Tensor
    boxes: Tensor
    size: Tensor
    K: Tensor
    start: Start
    camera: Tensor | None = None
    features: Tensor | None = None

    def mirrored(self, start: Start, features: Tensor | None = None) -> Track:
        """Of the mirrored picture. What an image network says of it, start and features, is not the mirror image of what it
        says of the picture, so it is given. The camera turns as before: of the answer only pose, shape and contact are taken.
        """
        width = float(self.size[0])
        swapped = mirrored_keypoints(torch.cat([self.keypoints, self.confidence[..., None]], -1), width)
        return replace(
            self, keypoints=swapped[..., :2], confidence=swapped[..., 2], boxes=mirrored_boxes(self.boxes, width), start=start, features=features
        )


def mirrored_start(start: Start) -> Start:
    """The mirror image of a start, where there is no image network to look again."""
    sides = torch.tensor([-1.0, 1.0, 1.0], dtype=start.rotations.dtype, device=start.rotations.device)
    turned = lambda matrix: None if matrix is None else matrix * sides[:, None] * sides
    keypoints = None if start.keypoints is None else mirrored_keypoints(start.keypoints, 0.0)
    return Start(mirrored_rotations(start.rotations), start.betas, keypoints, turned(start.world_root))


def network_inputs(track: Track, body: SmplBody, fps: float = 30.0) -> tuple[Inputs, Scene]:
    """A batch of one."""
    start = track.start
    keypoints = start.keypoints
    if keypoints is None:
        keypoints = body(start.rotations[None], start.betas[None]).keypoints[0, :KEYPOINTS]
    x = normalised(track.keypoints, track.boxes, track.size)
    turn = unturned(len(x)).to(x) if track.camera is None else angular_velocity(track.camera, fps)
    root = start.rotations[0] if start.world_root is None else start.world_root
    inputs = Inputs(
        x[None], (track.confidence < SEEN)[None], torch.cat([keypoints.flatten(), x[0]])[None], rows_from_matrix(start.rotations)[None],
        rows_from_matrix(root)[None], turn[None], None if track.features is None else track.features[None],
    )
    return inputs, Scene(track.K[None], track.boxes[None], track.size[None])
