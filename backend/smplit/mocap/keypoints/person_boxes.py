# SPDX-License-Identifier: GPL-3.0-or-later
"""People found by a detector that the user added: YOLOv8, YOLO11, YOLOX or RTMDet, in MoveNet's place.

What each wants, from its authors' own code and configurations:

- Ultralytics YOLO: RGB 0..1, the picture scaled into the middle of a square of grey 114; class 0 is a person.
- YOLOX: BGR 0..255, the picture at the top left of grey 114; raw outputs are (x + cell) stride, (y + cell) stride, exp(w) stride,
  exp(h) stride, objectness, classes, for strides 8, 16, 32.
- RTMDet (MMDetection): as YOLOX, less ImageNet's mean and over its deviation in BGR. MMDeploy's exports of both give corners and
  score, best first, and end with empty boxes of score 0.

Scaling keeps corners on corners, so a box needs no half pixel. Where a detector gives boxes alone, BlazePose looks into each of them
for the points that tell people apart (`PointedBoxes`).
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from smplit.mocap.keypoints.blazepose import BodyLandmarker, region_from_circle
from smplit.mocap.keypoints.bodies import COCO_OF_BLAZEPOSE, LEAST_PRESENCE
from smplit.mocap.keypoints.movenet import Detection
from smplit.mocap.keypoints.onnx_kinds import OnnxKind, kind_of
from smplit.mocap.keypoints.regions import Region
from smplit.mocap.keypoints.sessions import Network
from smplit.mocap.keypoints.top_down import DEVIATION, MEAN

_GREY = 114
_STRIDES = (8, 16, 32)
_LEAST_SCORE = 0.25
_SAME = 0.65  # intersection over union of two boxes that are one person
_MOST = 100  # people of a picture
_PERSON = 0  # COCO's first class
_ROOM = 1.25  # BlazePose's regions are that much larger than the circle about a body
_UPPER_BODY = 1.6  # a box this many times taller than wide or less, cut by the picture's lower edge, ends near the hips


class BoxDetector:
    """`detector(image)` -> people, best first; points without confidence where the network gives boxes alone."""

    def __init__(self, path: Path, device: str = "cpu", threads: int | None = None):
        """`path`: the ONNX file.

        Raises:
            BadInput: not such a network, or it cannot be run.
        """
        self.kind = kind_of(path)
        self._network = Network(path, device, threads)
        self._centred = self.kind.head.startswith("yolo") and self.kind.head != "yolox"

    def __call__(self, image: np.ndarray) -> list[Detection]:
        canvas, scale, corner = self._letterbox(image)
        outputs = self._network(self._input(canvas))
        boxes, scores, points = _decode([output[0].astype(np.float32) for output in outputs], self.kind)
        boxes = (boxes.reshape(-1, 2, 2) - corner) / scale
        boxes = np.clip(boxes, 0, (image.shape[1], image.shape[0])).reshape(-1, 4).astype(np.float32)
        points[..., :2] = (points[..., :2] - corner) / scale
        return [Detection(boxes[i], float(scores[i]), points[i]) for i in _different(boxes)]

    def _letterbox(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The input's picture (h,w,3), the scale (2,) put on, and where the picture's corner lies (2,) px."""
        size, given = np.array(self.kind.size), np.array(image.shape[1::-1])
        fitted = np.maximum(1, np.round(given * (size / given).min()).astype(int))
        corner = (size - fitted) // 2 if self._centred else np.zeros(2, int)
        canvas = np.full((size[1], size[0], 3), _GREY, np.uint8)
        canvas[corner[1] : corner[1] + fitted[1], corner[0] : corner[0] + fitted[0]] = cv2.resize(image, fitted, interpolation=cv2.INTER_LINEAR)
        return canvas, fitted / given, corner.astype(float)

    def _input(self, canvas: np.ndarray) -> np.ndarray:
        """(h,w,3) RGB -> (1,3,h,w)."""
        values = canvas.astype(np.float32)
        if self._centred:
            values /= 255.0
        else:
            values = ((values - MEAN) / DEVIATION if self.kind.normalised else values)[..., ::-1]
        batch = np.ascontiguousarray(values.transpose(2, 0, 1)[None])
        return batch.astype(np.float16) if self.kind.half else batch


class PointedBoxes:
    """`detector(image)` -> the people of a detector of boxes, each with the points that BlazePose sees there."""

    def __init__(self, detector: BoxDetector, landmarker: BodyLandmarker):
        self._detector, self._landmarker = detector, landmarker

    def __call__(self, image: np.ndarray) -> list[Detection]:
        people = self._detector(image)
        guesses = self._landmarker(image, [_region_of(person.box, image.shape) for person in people])
        there = [i for i, body in enumerate(guesses) if body.presence >= LEAST_PRESENCE]
        bodies = self._landmarker(image, [region_from_circle(guesses[i].circle) for i in there])
        points = [np.concatenate([body.pixels, body.confidence[:, None]], 1)[COCO_OF_BLAZEPOSE] for body in bodies]
        return [replace(people[i], keypoints=own.astype(np.float32)) for i, own in zip(there, points, strict=True)]


def _region_of(box: np.ndarray, shape: tuple[int, ...]) -> Region:
    """Where BlazePose looks first: about the hips, which are in the middle of a whole body's box."""
    (x0, y0, x1, y1), (width, height) = box, box[2:] - box[:2]
    if y1 >= shape[0] - 2 and height <= _UPPER_BODY * width:
        return Region(float(x0 + x1) / 2, float(y1), float(2 * _ROOM * height), 0.0)
    return Region(float(x0 + x1) / 2, float(y0 + y1) / 2, float(_ROOM * max(width, height)), 0.0)


def _decode(outputs: list[np.ndarray], kind: OnnxKind) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outputs of one picture -> boxes (N,4) px of the input, scores (N,), points (N,17,3); those that may be people, best first."""
    rows = outputs[0].T if kind.head in ("yolo", "yolo_pose") else outputs[0]
    points = np.zeros((len(rows), 17, 3), np.float32)
    if kind.head in ("mmdet", "yolo_end"):
        boxes, scores = rows[:, :4], rows[:, 4]
        classes = rows[:, 5] if kind.head == "yolo_end" else outputs[1] if len(outputs) > 1 else np.zeros(len(rows))
        scores = np.where(classes.astype(int) == _PERSON, scores, 0.0)
    else:
        if kind.head == "yolox":
            rows = np.concatenate([_on_grid(rows[:, :4], kind.size), rows[:, 5:] * rows[:, 4:5]], 1)
        boxes = np.concatenate([rows[:, :2] - rows[:, 2:4] / 2, rows[:, :2] + rows[:, 2:4] / 2], 1)
        scores = rows[:, 4 + _PERSON]
        if kind.head == "yolo_pose":
            points = rows[:, 5:].reshape(-1, 17, 3).copy()
    best = np.argsort(-scores, kind="stable")
    best = best[scores[best] >= _LEAST_SCORE]
    return boxes[best], scores[best], points[best]


def _on_grid(raw: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """YOLOX's raw (N,4) -> centre, width and height (N,4) px."""
    cells, strides = [], []
    for stride in _STRIDES:
        y, x = np.mgrid[: size[1] // stride, : size[0] // stride]
        cells.append(np.stack([x.ravel(), y.ravel()], 1))
        strides.append(np.full((x.size, 1), stride, np.float32))
    strides = np.concatenate(strides)
    return np.concatenate([(raw[:, :2] + np.concatenate(cells)) * strides, np.exp(np.minimum(raw[:, 2:], 10.0)) * strides], 1)


def _different(boxes: np.ndarray) -> list[int]:
    """Rows of different people, of boxes in the order of their scores (non-maximum suppression)."""
    kept: list[int] = []
    for i in range(len(boxes)):
        if len(kept) < _MOST and all(_overlap(boxes[i], boxes[k]) < _SAME for k in kept):
            kept.append(i)
    return kept


def _overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Intersection over union."""
    sides = np.maximum(np.minimum(first[2:], second[2:]) - np.maximum(first[:2], second[:2]), 0.0)
    common = float(np.prod(sides))
    total = sum(float(np.prod(box[2:] - box[:2])) for box in (first, second)) - common
    return common / max(total, 1e-6)
