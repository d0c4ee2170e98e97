# SPDX-License-Identifier: GPL-3.0-or-later
"""Landmarks of people in boxes, by a network that the user added: ViTPose, RTMPose, DWPose or RTMW.

The crop is MMPose's (`GetBBoxCenterScale`, `TopdownAffine`): the box, grown to 1.25 of its size and then to the input's
proportions, sampled without turning, black where the picture ends; RGB less ImageNet's mean, over its deviation (`bgr_to_rgb=True`
in the published configurations: the networks learned RGB, though rtmlib hands them BGR). MMPose counts pixels from the centre of
the first one; SMPLit counts from its corner, and half a pixel is taken off and put on here.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from smplit.mocap.keypoints.onnx_kinds import OnnxKind, kind_of
from smplit.mocap.keypoints.point_decoding import BLUNT, SHARP, decode_heatmaps, decode_simcc, sharpness_of
from smplit.mocap.keypoints.sessions import Network

_PADDING = 1.25
MEAN, DEVIATION = np.array([123.675, 116.28, 103.53], np.float32), np.array([58.395, 57.12, 57.375], np.float32)  # RGB, 0..255


class PersonCrop:
    """Where the input of `kind` looks, for a person's box (4,) px x0, y0, x1, y1.

    ViTPose was trained with UDP: the crop's first and last pixels' centres lie on the grown box's edges. The others put the box's
    middle on pixel W/2, H/2.
    """

    def __init__(self, box: np.ndarray, kind: OnnxKind):
        width, height = kind.size
        self._middle = (box[:2] + box[2:]) / 2.0 - 0.5
        across, down = np.maximum(box[2:] - box[:2], 1.0) * _PADDING
        across, down = max(across, down * width / height), max(down, across * height / width)
        last = np.array([width - 1.0, height - 1.0]) if kind.head == "heatmaps" else np.array([width, height], float)
        self._centre, self._scale = last / 2.0, np.array([across, down]) / last  # px of the picture a px of the crop
        self._size = width, height

    def cut(self, image: np.ndarray) -> np.ndarray:
        """(H,W,3) uint8 RGB -> (3,h,w) float32, as the networks want it."""
        corner = self._middle - self._centre * self._scale
        matrix = np.array([[self._scale[0], 0.0, corner[0]], [0.0, self._scale[1], corner[1]]])
        patch = cv2.warpAffine(image, matrix, self._size, flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_CONSTANT)
        return ((patch.astype(np.float32) - MEAN) / DEVIATION).transpose(2, 0, 1)

    def to_image(self, points: np.ndarray) -> np.ndarray:
        """(...,2) px of the crop, from its first pixel's centre -> px of the picture, from its corner."""
        return self._middle + (points - self._centre) * self._scale + 0.5


class TopDownLandmarker:
    """`landmarker(image, boxes)` -> points and confidence of everybody, in one batch where the file allows it."""

    def __init__(self, path: Path, device: str = "cpu", threads: int | None = None):
        """`path`: the ONNX file.

        Raises:
            BadInput: not such a network, or it cannot be run.
        """
        self.kind = kind_of(path)
        self._network = Network(path, device, threads)
        self._sharpness = SHARP

    def __call__(self, image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """image (H,W,3) uint8 RGB, boxes (P,4) px -> points (P,K,2) px, confidence (P,K) 0..1."""
        crops = [PersonCrop(box, self.kind) for box in np.asarray(boxes, np.float64)]
        if not crops:
            return np.zeros((0, self.kind.points, 2), np.float32), np.zeros((0, self.kind.points), np.float32)
        batch = np.stack([crop.cut(image) for crop in crops]).astype(np.float16 if self.kind.half else np.float32)
        parts = [batch] if self.kind.batch else np.split(batch, len(batch))
        answers = [self._network(np.ascontiguousarray(part)) for part in parts]
        outputs = [np.concatenate(each).astype(np.float32) for each in zip(*answers, strict=True)]
        points, confidence = self._decode(outputs)
        points = np.stack([crop.to_image(own) for crop, own in zip(crops, points, strict=True)])
        return points.astype(np.float32), confidence.astype(np.float32)

    def _decode(self, outputs: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        if self.kind.head == "heatmaps":
            return decode_heatmaps(outputs[0], self.kind.size)
        # The file does not tell which loss it was trained with. Blunt logits are known by their height, once and for all.
        if self._sharpness == SHARP and sharpness_of(*outputs) == BLUNT:
            self._sharpness = BLUNT
        return decode_simcc(*outputs, self._sharpness)
