# SPDX-License-Identifier: GPL-3.0-or-later
"""HMR2 at the second look at a video (`mocap.image_pass`): for its own body, or for the features that the published WHAM takes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from smplit.mocap.clock import filled
from smplit.mocap.hmr2.crops import blurred_crop, box_around
from smplit.mocap.hmr2.estimate import Hmr2, Hmr2Output
from smplit.mocap.image_pass import Looked
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.wham.boxes import SEEN, boxes_of_enough, evenly_smoothed_boxes
from smplit.mocap.wham.crop import person_crop
from smplit.mocap.wham.from_landmarks import coco_keypoints

FEATURES, BODY = "HMR2 features", "HMR2"  # names among the answers
_CPU_SECONDS = 2.5  # a picture, on one core of a processor of 2023


class _Look:
    """`plan`: (N,3) boxes, centre px and side by 200; NaN where nothing is to be seen."""

    def __init__(self, network: Hmr2):
        self._network = network
        on_cpu = network.device.type == "cpu"
        self.batch, self.seconds = (1, _CPU_SECONDS) if on_cpu else (32, 0.0)

    def look(self, crops: Tensor) -> dict[str, np.ndarray]:
        """(B,3,256,256) -> `token` (B,1024), `rotations` (B,24,3,3), `betas` (B,10), `cam` (B,3)."""
        return vars(self._network(crops))


class BodyLook(_Look):
    """The authors' own crop of the tracked box."""

    name, slots = BODY, 1

    def plan(self, landmarks: PersonLandmarks, camera: CameraMotion, times: np.ndarray) -> np.ndarray:
        boxes = box_around(landmarks.boxes)
        boxes[~landmarks.seen.astype(bool) | ~(boxes[:, 2] > 0)] = np.nan
        return boxes

    def crops(self, image: np.ndarray, plan: np.ndarray, row: int) -> list[tuple[int, Tensor]]:
        return [(0, blurred_crop(image, plan[row]))] if np.isfinite(plan[row]).all() else []


class FeatureLook(_Look):
    """WHAM's crop of the box around the keypoints. Slot 1 is the mirrored crop, where WHAM looks at the mirrored video too."""

    name, slots = FEATURES, 2

    def __init__(self, network: Hmr2, mirror: bool):
        super().__init__(network)
        self._mirror = mirror
        self.seconds *= 1 + mirror

    def plan(self, landmarks: PersonLandmarks, camera: CameraMotion, times: np.ndarray) -> np.ndarray:
        keypoints = coco_keypoints(landmarks)
        raw = boxes_of_enough(torch.as_tensor(keypoints.pixels), torch.as_tensor(keypoints.confidence > SEEN)).numpy()
        raw[~(keypoints.confidence > SEEN).any(-1)] = np.nan
        known = np.isfinite(raw).all(-1)
        if not known.any() or len(raw) < 2:
            return raw
        boxes = evenly_smoothed_boxes(torch.as_tensor(filled(raw, known, times)), 1.0 / float(np.median(np.diff(times)))).numpy()
        boxes[~known] = np.nan
        return boxes

    def crops(self, image: np.ndarray, plan: np.ndarray, row: int) -> list[tuple[int, Tensor]]:
        if not np.isfinite(plan[row]).all():
            return []
        crop = person_crop(image, plan[row])
        return [(0, crop), (1, crop.flip(-1))] if self._mirror else [(0, crop)]


def output_of(looked: Looked) -> Hmr2Output:
    """What was said of N frames of one person, not mirrored; NaN where the network was not asked."""
    return Hmr2Output(**{name: values[:, 0] for name, values in looked.answers.items()})
