# SPDX-License-Identifier: GPL-3.0-or-later
"""33 body landmarks with depth: BlazePose full (Bazarevsky et al. 2020; Google, Apache-2.0)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from smplit.mocap.keypoints.movenet import Detection
from smplit.mocap.keypoints.regions import Region, upright_angle
from smplit.mocap.keypoints.sessions import Network, sigmoid

_INPUT = 256
_MARGIN = 1.25  # of the circle through the auxiliary points
_COCO_HIPS, _COCO_SHOULDERS = [11, 12], [5, 6]


@dataclass(frozen=True)
class BodyLandmarks:
    """`pixels` (33,2) px; `confidence` (33,) 0..1; `world` (33,3) m hip-centred, camera axes;
    `presence` 0..1; `circle` (2,2) px: its centre (the hips) and a point on it, above the head of an
    upright person: the body's reach, and so where to look in the next frame (`region_from_circle`)."""

    pixels: np.ndarray
    confidence: np.ndarray
    world: np.ndarray
    presence: float
    circle: np.ndarray


def region_from_detection(person: Detection) -> Region:
    """First region of a new person: a circle about the hips that holds every confident point."""
    points, sure = person.keypoints[:, :2], person.keypoints[:, 2] > 0.2
    hips, shoulders = points[_COCO_HIPS].mean(0), points[_COCO_SHOULDERS].mean(0)
    if person.keypoints[_COCO_HIPS, 2].max() < 0.15:  # head and shoulders only: hips lie below the picture
        width = np.linalg.norm(points[_COCO_SHOULDERS[0]] - points[_COCO_SHOULDERS[1]])
        hips = shoulders + np.array([0.0, 1.4 * max(width, 0.3 * (person.box[3] - person.box[1]))])
    size = person.box[2:] - person.box[:2]
    reach = np.linalg.norm(points[sure] - hips, axis=-1).max() * 1.1 if sure.any() else 0.0
    radius = max(float(reach), 0.5 * float(size.max()))
    return Region(float(hips[0]), float(hips[1]), 2.0 * _MARGIN * radius, 0.0)


def region_from_circle(circle: np.ndarray) -> Region:
    """Region of a body from its circle (2,2) px, turned so that the body stands upright in it."""
    centre, rim = circle
    return Region(float(centre[0]), float(centre[1]), 2.0 * _MARGIN * float(np.linalg.norm(rim - centre)), upright_angle(centre, rim))


class BodyLandmarker:
    """`landmarker(image, regions)` -> landmarks of every region, in one batch."""

    def __init__(self, device: str = "cpu", threads: int | None = None):
        self._network = Network("blazepose", device, threads)

    def __call__(self, image: np.ndarray, regions: list[Region]) -> list[BodyLandmarks]:
        if not regions:
            return []
        crops = np.stack([region.crop(image, _INPUT, cv2.BORDER_REPLICATE) for region in regions])
        raw, flags, heatmaps, world = self._network(crops)
        return [
            _decode(raw[i].reshape(39, 5), float(flags[i, 0]), heatmaps[i], world[i].reshape(39, 3), region)
            for i, region in enumerate(regions)
        ]


def _decode(raw: np.ndarray, presence: float, heatmap: np.ndarray, world: np.ndarray, region: Region) -> BodyLandmarks:
    pixels = region.to_image(_refine(raw[:, :2] / _INPUT, heatmap))
    # Column 3 says "visible", 4 says "inside the picture": a landmark must be both.
    confidence = np.minimum(sigmoid(raw[:33, 3]), sigmoid(raw[:33, 4]))
    return BodyLandmarks(pixels[:33], confidence, region.turn(world[:33]), presence, pixels[33:35])


def _refine(points: np.ndarray, heatmap: np.ndarray, reach: int = 3) -> np.ndarray:
    """Moves (39,2) points (0..1) to the centre of mass of their heat map around them, where it is sure."""
    size = heatmap.shape[0]
    refined = points.copy()
    cells = np.floor(points * size).astype(int)
    for k, (column, row) in enumerate(cells):
        if not (0 <= column < size and 0 <= row < size):
            continue
        x0, x1, y0, y1 = max(0, column - reach), min(size, column + reach + 1), max(0, row - reach), min(size, row + reach + 1)
        weights = sigmoid(heatmap[y0:y1, x0:x1, k])
        if weights.max() >= 0.5:
            total = weights.sum()
            refined[k, 0] = (weights.sum(0) * np.arange(x0, x1)).sum() / total / size
            refined[k, 1] = (weights.sum(1) * np.arange(y0, y1)).sum() / total / size
    return refined
