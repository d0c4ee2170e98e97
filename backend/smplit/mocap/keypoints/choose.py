# SPDX-License-Identifier: GPL-3.0-or-later
"""Which networks find people and their landmarks: the shipped ones, or more accurate ones that the user added.

`auto` takes what its authors published as the most accurate. Networks of 133 points come first, because feet and hands are more than a
little accuracy of the body's own points; then the highest average precision (AP, %):

| network | COCO-WholeBody val | network | COCO val |
|---|---|---|---|
| RTMW-x, 384x288 | 70.2 | ViTPose-H | 79.1 |
| RTMW-l, 384x288 | 70.1 | RTMPose-x, 384x288 | 78.8 |
| RTMW-x, 256x192 | 67.2 | ViTPose-L, RTMPose-l, 384x288 | 78.3 |
| DWPose-l, 384x288 | 66.5 | RTMPose-l, 256x192 | 76.5 |
| RTMW-l, 256x192 | 66.0 | ViTPose-B, RTMPose-m, 256x192 | 75.8 |
| RTMW-m, 256x192 | 58.2 | ViTPose-S | 73.8 |

Sources: RTMW, Jiang et al. 2024, and MMPose 1.3.2's model list; DWPose, Yang et al. 2023; ViTPose, Xu et al. 2022, and its model list;
RTMPose, Jiang et al. 2023, and MMPose's model list. All with the mirrored picture averaged in, which is not done here, and with
detectors and training data of their own. An ONNX file does not tell its size by letter: its bytes do, against the parameters of the
published ones.
"""

from __future__ import annotations

import logging
import math
from pathlib import Path

from smplit.errors import BadInput
from smplit.mocap.keypoints.blazepose import BodyLandmarker
from smplit.mocap.keypoints.movenet import PeopleDetector
from smplit.mocap.keypoints.onnx_kinds import OnnxKind, kind_of
from smplit.mocap.keypoints.person_boxes import BoxDetector, PointedBoxes
from smplit.mocap.keypoints.refine import LandmarkRefiner
from smplit.mocap.keypoints.top_down import TopDownLandmarker
from smplit.mocap.options import CaptureOptions
from smplit.models import find, find_all

_log = logging.getLogger(__name__)
# (head, whole body, tall input): [(million parameters, AP, name)]. Halpe's 26 points stand with COCO's 17.
_PUBLISHED = {
    ("simcc", True, True): [(33, 66.5, "DWPose-l"), (57, 70.1, "RTMW-l"), (92, 70.2, "RTMW-x")],
    ("simcc", True, False): [(33, 58.2, "RTMW-m"), (57, 66.0, "RTMW-l"), (92, 67.2, "RTMW-x")],
    ("simcc", False, True): [(13.7, 76.6, "RTMPose-m"), (28, 78.3, "RTMPose-l"), (49, 78.8, "RTMPose-x")],
    ("simcc", False, False): [(3.3, 68.5, "RTMPose-t"), (5.5, 72.2, "RTMPose-s"), (13.6, 75.8, "RTMPose-m"), (27.7, 76.5, "RTMPose-l")],
    # No published figure of ViTPose's 133 points was at hand: they stand after the others, bigger before smaller.
    ("heatmaps", True, False): [(24, 0.1, "ViTPose-S"), (86, 0.2, "ViTPose-B"), (307, 0.3, "ViTPose-L"), (632, 0.4, "ViTPose-H")],
    ("heatmaps", False, False): [(24, 73.8, "ViTPose-S"), (86, 75.8, "ViTPose-B"), (307, 78.3, "ViTPose-L"), (632, 79.1, "ViTPose-H")],
}
_ADDED = ("rtmw", "vitpose", "rtmpose")


def choose_refiner(options: CaptureOptions) -> LandmarkRefiner | None:
    """The added landmark network that `options.landmarks` means; None: BlazePose alone.

    Raises:
        MissingModel: it names one that is not there.
        BadInput: the file is not such a network.
    """
    if options.landmarks == "blazepose":
        return None
    if options.landmarks == "auto":
        added = [path for name in _ADDED for path in find_all(name)]
        if not added:
            return None
    else:
        added = find_all(options.landmarks) or [find(options.landmarks)]
    path = max(added, key=lambda path: accuracy(path, _landmark_kind(path))[0])
    kind = _landmark_kind(path)
    _log.info("landmarks: %s, '%s', by its size %s", kind.title, path, accuracy(path, kind)[1])
    return LandmarkRefiner(TopDownLandmarker(path, options.device), hands=options.hands != "none")


def choose_detector(options: CaptureOptions, landmarker: BodyLandmarker) -> PeopleDetector | BoxDetector | PointedBoxes:
    """Who finds people, as `options.boxes` says.

    Raises:
        MissingModel: it names one that is not there.
        BadInput: the file is not such a network.
    """
    path = None
    if options.boxes != "movenet":
        path = find("yolo") if options.boxes == "yolo" else next(iter(find_all("yolo")), None)
    if path is None:
        return PeopleDetector(options.device)
    kind = kind_of(path)
    if kind.model != "yolo":
        raise BadInput(f"'{path}' finds no people: it is {kind.title}.", "Put a YOLO, YOLOX or RTMDet file in its place.", "wrong_model")
    _log.info("people: %s, '%s'", kind.title, path)
    detector = BoxDetector(path, options.device)
    return detector if kind.points else PointedBoxes(detector, landmarker)


def accuracy(path: Path, kind: OnnxKind) -> tuple[tuple[bool, float], str]:
    """(whole body, published AP of the nearest published network), which `auto` sorts by; and that network's name."""
    whole, tall = kind.points == 133, kind.head == "simcc" and kind.size[1] >= 320
    # Weights of more than 2 GB lie in a file of their own beside it: NAME.onnx.data, NAME.onnx_data, NAME.data.
    beside = [file for file in path.parent.glob(f"{path.stem}.*") if file != path and file.suffix != ".onnx"]
    millions = sum(file.stat().st_size for file in (path, *beside)) / (2e6 if kind.half else 4e6)
    rows = _PUBLISHED[kind.head, whole, tall]
    _, precision, name = min(rows, key=lambda row: abs(math.log(max(millions, 1e-3) / row[0])))
    return (whole, precision), name


def _landmark_kind(path: Path) -> OnnxKind:
    kind = kind_of(path)
    if kind.model == "yolo":
        raise BadInput(f"'{path}' gives no landmarks: it is a {kind.title}.", "Put a ViTPose, RTMPose or RTMW file in its place.", "wrong_model")
    return kind
