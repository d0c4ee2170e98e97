# SPDX-License-Identifier: GPL-3.0-or-later
"""Which published network an ONNX file is, told from its inputs and outputs. No heavy imports: the model manager asks too.

What the exports look like (B: batch, K: 17 COCO, 26 Halpe or 133 COCO-WholeBody points; `None` where a length is free):

- ViTPose (Xu et al. 2022; export of easy_ViTPose): image (B,3,256,192) -> heat maps (B,K,64,48), a quarter of the image's size.
- RTMPose, DWPose, RTMW (Jiang et al. 2023, Yang et al. 2023, Jiang et al. 2024; exports of MMDeploy): image (B,3,H,W), 256x192 or
  384x288 -> `simcc_x` (B,K,2W) and `simcc_y` (B,K,2H): MMPose's `simcc_split_ratio` is 2.
- Ultralytics YOLOv8/YOLO11 (and their end-to-end heads): image (B,3,S,S) -> (B,4+classes,N), poses (B,56,N), N = 8400 at 640;
  with non-maximum suppression inside (B,300,6): corners, score, class.
- YOLOX (Ge et al. 2021; the project's own export without decoding): image (B,3,S,S) -> (B,N,5+classes), N = 8400 at 640.
- RTMDet (Lyu et al. 2022) and YOLOX exported by MMDeploy, as rtmlib uses them: -> boxes with scores (B,N,5), often classes (B,N).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from smplit.errors import BadInput
from smplit.mocap.keypoints.onnx_header import OnnxHeader, Port, read_header

POINT_COUNTS = (17, 26, 133)
_HEATMAP_STRIDE, _SIMCC_RATIO = 4, 2
_STRIDES = (8, 16, 32)  # of every detector here
_USUAL_SIDE = 640  # px of a detector's free input
_POSE_ROWS = 4 + 1 + 17 * 3  # Ultralytics: box, score, 17 points with scores
_EXPECTED = (
    "Heat maps (B,K,H/4,W/4) of ViTPose, or SimCC (B,K,2W) and (B,K,2H) of RTMPose, DWPose or RTMW, with K = 17, 26 or 133 points; or boxes: "
    "(B,4+classes,N) or (B,56,N) of YOLOv8 and YOLO11, (B,N,5+classes) of YOLOX, (B,N,5) of MMDeploy's exports of RTMDet and YOLOX."
)


@dataclass(frozen=True)
class OnnxKind:
    """A network that can be used.

    Attributes:
        model: its name in the registry of model files: "vitpose", "rtmpose", "rtmw" or "yolo".
        head: what its outputs mean: "heatmaps", "simcc", "yolo", "yolo_pose", "yolo_end", "yolox" or "mmdet".
        points: how many keypoints it gives; 0 for boxes alone.
        size: (width, height) px of its input.
        batch: whether it takes several pictures at once.
        half: whether its input is float16.
        normalised: whether a detector wants mean and deviation of ImageNet taken out (RTMDet) rather than 0..255 (YOLOX).
    """

    model: str
    head: str
    points: int
    size: tuple[int, int]
    batch: bool
    half: bool = False
    normalised: bool = False

    @property
    def title(self) -> str:
        """For people: what it is."""
        width, height = self.size
        if self.model == "yolo":
            return f"person detector ({self.head}), {width}x{height}"
        return f"{'ViTPose' if self.head == 'heatmaps' else 'RTMPose, DWPose or RTMW'}, {self.points} points, {height}x{width}"


def kind_of(model: str | Path | Any) -> OnnxKind:
    """The kind of an ONNX file, or of an `onnxruntime.InferenceSession`.

    A session does not tell RTMDet from YOLOX (`normalised`); the file does, by the names of its weights.

    Raises:
        BadInput: not an ONNX file, or a network that is not used here; says what was expected.
    """
    name = "The network"
    if isinstance(model, str | Path):
        name, header = f"'{model}'", read_header(model)
    else:
        header = OnnxHeader(_ports(model.get_inputs()), _ports(model.get_outputs()), [])
    problem = "it does not take one picture (B,3,H,W)"
    if len(header.inputs) == 1 and len(header.inputs[0].shape) == 4 and header.inputs[0].shape[1] in (3, None):
        picture, outputs = header.inputs[0], header.outputs
        try:
            kind = _landmarks(picture, outputs) or _boxes(picture, outputs)
        except _Unusable as error:
            kind, problem = None, str(error)
        else:
            problem = f"it gives {', '.join(_written(port) for port in outputs)}"
        if kind is not None:
            detector = any("rtm_" in weight for weight in header.weights) or (isinstance(model, str | Path) and "rtmdet" in Path(model).name.lower())
            return OnnxKind(**kind, batch=picture.shape[0] is None, half=picture.type == "float16", normalised=kind["head"] == "mmdet" and detector)
    raise BadInput(f"{name} is no network that SMPLit can use for landmarks or boxes: {problem}.", f"Expected: {_EXPECTED}", "unknown_onnx")


class _Unusable(Exception):
    pass


def _ports(values: Sequence[Any]) -> list[Port]:
    lengths = lambda shape: tuple(n if isinstance(n, int) and n > 0 else None for n in shape or ())
    types = {"tensor(float)": "float32", "tensor(float16)": "float16"}
    return [Port(v.name, lengths(v.shape), types.get(v.type, "other")) for v in values]


def _written(port: Port) -> str:
    return f"{port.name} ({','.join('?' if n is None else str(n) for n in port.shape)})"


def _landmarks(picture: Port, outputs: list[Port]) -> dict | None:
    """Top-down networks: heat maps, or SimCC of both axes."""
    height, width = picture.shape[2:]
    if len(outputs) == 1 and len(outputs[0].shape) == 4:
        head, stride = "heatmaps", _HEATMAP_STRIDE
        points, rows, columns = outputs[0].shape[1:]
        width, height = width or stride * (columns or 48), height or stride * (rows or 64)
        fits = columns in (None, width // stride) and rows in (None, height // stride)
    elif len(outputs) == 2 and all(len(port.shape) == 3 for port in outputs) and outputs[0].shape[1] in (None, outputs[1].shape[1]):
        head, points, (across, down) = "simcc", outputs[1].shape[1], (port.shape[2] for port in outputs)
        width, height = width or (across or 0) // _SIMCC_RATIO, height or (down or 0) // _SIMCC_RATIO
        fits = across in (None, _SIMCC_RATIO * width) and down in (None, _SIMCC_RATIO * height) and width > 0 and height > 0
        if not fits and points in POINT_COUNTS:
            raise _Unusable(f"its SimCC outputs {across}, {down} are not twice its input {width}x{height}, x first")
    else:
        return None
    if points not in POINT_COUNTS:
        raise _Unusable(f"it gives {points or 'an unknown number of'} points; 17 (COCO), 26 (Halpe) or 133 (COCO-WholeBody) are used")
    if not fits:
        return None
    model = "vitpose" if head == "heatmaps" else "rtmw" if points == 133 else "rtmpose"
    return {"model": model, "head": head, "points": points, "size": (width, height)}


def _boxes(picture: Port, outputs: list[Port]) -> dict | None:
    """Detectors of people."""
    height, width = (length or _USUAL_SIDE for length in picture.shape[2:])
    first = outputs[0].shape
    if len(first) != 3 or (len(outputs) > 1 and not (len(outputs) == 2 and first[2] == 5 and len(outputs[1].shape) == 2)):
        return None
    cells = sum((height // stride) * (width // stride) for stride in _STRIDES)
    _, rows, columns = first
    if columns == 5 and rows != cells:
        head = "mmdet"
    elif columns == 6 and (rows is None or rows < cells):
        head = "yolo_end"
    elif columns is not None and columns > 5 and rows in (None, cells):
        head = "yolox"
    elif rows is not None and rows >= 5 and columns in (None, cells):
        head = "yolo_pose" if rows == _POSE_ROWS else "yolo"
    elif columns is not None and rows == 3 * cells:
        raise _Unusable("it looks like YOLOv5, whose boxes are laid out otherwise")
    else:
        return None
    return {"model": "yolo", "head": head, "points": 17 if head == "yolo_pose" else 0, "size": (width, height)}
