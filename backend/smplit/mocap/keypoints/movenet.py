# SPDX-License-Identifier: GPL-3.0-or-later
"""People in a picture: MoveNet multipose lightning (Google, Apache-2.0), up to six with 17 COCO points."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from smplit.mocap.keypoints.sessions import Network

_SIDE = 256  # px of the longer side; 32 must divide both sides
_LEAST_SCORE = 0.25


@dataclass(frozen=True)
class Detection:
    """One person: `box` (4,) px x0, y0, x1, y1; `score` 0..1; `keypoints` (17,3) px, px, 0..1 (COCO order)."""

    box: np.ndarray
    score: float
    keypoints: np.ndarray


class PeopleDetector:
    """`detector(image)` -> people, best first."""

    def __init__(self, device: str = "cpu", threads: int | None = None):
        self._network = Network("movenet", device, threads)

    def __call__(self, image: np.ndarray) -> list[Detection]:
        height, width = image.shape[:2]
        scale = _SIDE / max(height, width)
        resized = cv2.resize(image, (max(1, round(width * scale)), max(1, round(height * scale))), interpolation=cv2.INTER_AREA)
        canvas = np.zeros((-(-resized.shape[0] // 32) * 32, -(-resized.shape[1] // 32) * 32, 3), np.uint8)
        canvas[: resized.shape[0], : resized.shape[1]] = resized
        rows = self._network(canvas[None].astype(np.int32))[0][0]
        size = np.array([canvas.shape[1], canvas.shape[0]], np.float32) / np.array(
            [resized.shape[1] / width, resized.shape[0] / height], np.float32
        )
        people = []
        for row in rows[rows[:, 55] >= _LEAST_SCORE]:
            points = row[:51].reshape(17, 3)
            keypoints = np.concatenate([points[:, 1::-1] * size, points[:, 2:]], 1)
            box = np.concatenate([row[[52, 51]] * size, row[[54, 53]] * size])
            people.append(Detection(box.astype(np.float32), float(row[55]), keypoints.astype(np.float32)))
        return _without_duplicates(sorted(people, key=lambda p: -p.score))


def _without_duplicates(people: list[Detection]) -> list[Detection]:
    """MoveNet sometimes reports one person twice: same place, nearly the same points."""
    kept: list[Detection] = []
    for person in people:
        if all(keypoint_distance(person, other) > 0.12 for other in kept):
            kept.append(person)
    return kept


def keypoint_distance(first: Detection, second: Detection) -> float:
    """Mean distance of points that both see, in box diagonals; 1 when they share none."""
    both = (first.keypoints[:, 2] > 0.2) & (second.keypoints[:, 2] > 0.2)
    if both.sum() < 3:
        centres = [(p.box[:2] + p.box[2:]) / 2 for p in (first, second)]
        return float(np.linalg.norm(centres[0] - centres[1]) / max(_diagonal(first), _diagonal(second)))
    gap = np.linalg.norm(first.keypoints[both, :2] - second.keypoints[both, :2], axis=-1).mean()
    return float(gap / max(_diagonal(first), _diagonal(second)))


def _diagonal(person: Detection) -> float:
    return float(max(np.linalg.norm(person.box[2:] - person.box[:2]), 1.0))
