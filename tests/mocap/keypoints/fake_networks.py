# SPDX-License-Identifier: GPL-3.0-or-later
"""ONNX files of known answer: networks that see nothing but coloured blobs, with the inputs and outputs of the published ones.

Each finds a colour by a 1x1 convolution that undoes the input's published normalisation, so a picture that was handed over in another
order or scale, flipped or elsewhere is not seen where it is.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx_writer import write

COLOURS = np.array([[1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]], np.float32)  # what red, green and blue are told by
MEAN, DEVIATION = np.array([123.675, 116.28, 103.53], np.float32), np.array([58.395, 57.12, 57.375], np.float32)


def picture(size: tuple[int, int], blobs: list[tuple[float, float, int]], spread: float = 5.0, grey: int = 0) -> np.ndarray:
    """(H,W,3) uint8 of `size` (W,H) with Gaussian blobs (x, y, colour): x, y px from the picture's CORNER, so pixel i lies at i + 0.5."""
    y, x = np.mgrid[: size[1], : size[0]] + 0.5
    image = np.full((size[1], size[0], 3), float(grey))
    for at_x, at_y, colour in blobs:
        strength = np.exp(-((x - at_x) ** 2 + (y - at_y) ** 2) / (2 * spread**2))
        image += strength[..., None] * (255.0 * np.eye(3)[colour] - image)
    return np.round(image).astype(np.uint8)


def _colour_filter(points: dict[int, int], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Weights (K,3,1,1) and bias (K,) that give 1 at a full blob of the colour of each of `points`, for normalised RGB."""
    weight, bias = np.zeros((count, 3, 1, 1), np.float32), np.zeros(count, np.float32)
    for point, colour in points.items():
        weight[point, :, 0, 0] = COLOURS[colour] * DEVIATION / 255.0
        bias[point] = COLOURS[colour] @ MEAN / 255.0
    return weight, bias


def _resample(source: int, places: np.ndarray) -> np.ndarray:
    """(source, len(places)): linear interpolation of a row at `places`, counted from its first value."""
    low = np.clip(np.floor(places).astype(int), 0, source - 2)
    matrix = np.zeros((source, len(places)), np.float32)
    part = np.clip(places - low, 0.0, 1.0)
    matrix[low, np.arange(len(places))], matrix[low + 1, np.arange(len(places))] = 1 - part, part
    return matrix


def write_heatmaps(
    path: Path, points: dict[int, int], count: int = 17, size: tuple[int, int] = (192, 256), batch: int | str = "batch", gain: float = 1.0
) -> Path:
    """ViTPose's ports: `gain` times the strength of each point's colour at the cells of UDP, the first and last cell on the first and last pixel."""
    width, height = size
    columns, rows = width // 4, height // 4
    weight, bias = _colour_filter(points, count)
    constants = {
        "w": weight, "b": bias, "across": gain * _resample(width, np.linspace(0, width - 1, columns)),
        "down": np.ascontiguousarray(_resample(height, np.linspace(0, height - 1, rows)).T),
    }
    nodes = [
        ("Conv", ["input_0", "w", "b"], ["c"], {}), ("Relu", ["c"], ["r"], {}), ("MatMul", ["r", "across"], ["m"], {}),
        ("MatMul", ["down", "m"], ["output_0"], {}),
    ]
    return write(path, {"input_0": (batch, 3, height, width)}, {"output_0": (batch, count, rows, columns)}, nodes, constants)


def write_simcc(
    path: Path, points: dict[int, int], count: int, size: tuple[int, int] = (192, 256), batch: int | str = "batch", gain: float = 1.0,
    half: bool = False,
) -> Path:
    """RTMPose's ports: `gain` times the strongest colour of each column and row, at two bins a pixel; `half`: takes float16."""
    width, height = size
    weight, bias = _colour_filter(points, count)
    constants = {
        "w": weight, "b": bias, "across": gain * _resample(width, np.arange(2 * width) / 2),
        "down": gain * _resample(height, np.arange(2 * height) / 2),
    }
    nodes = [
        ("Cast", ["input"], ["picture"], {"to": 1}), ("Conv", ["picture", "w", "b"], ["c"], {}), ("Relu", ["c"], ["r"], {}),
        ("ReduceMax", ["r"], ["columns"], {"axes": [2], "keepdims": 0}), ("ReduceMax", ["r"], ["rows"], {"axes": [3], "keepdims": 0}),
        ("MatMul", ["columns", "across"], ["simcc_x"], {}), ("MatMul", ["rows", "down"], ["simcc_y"], {}),
    ]
    outputs = {"simcc_x": (batch, count, 2 * width), "simcc_y": (batch, count, 2 * height)}
    return write(path, {"input": (batch, 3, height, width)}, outputs, nodes, constants, {"input": np.float16 if half else np.float32})


def write_detector(path: Path, head: str, side: int = 64, box: tuple[float, float] = (12.0, 20.0), name: str = "w") -> Path:
    """A detector that puts one person's box of `box` px (of its input) about the centre of all red; `name`: of its weights.

    It also reports a second, weaker box at nearly the same place, and a better one of another class.
    """
    cells = (side // 8) ** 2 + (side // 16) ** 2 + (side // 32) ** 2
    weight = {"yolo": COLOURS[0], "yolo_pose": COLOURS[0], "yolo_end": COLOURS[0]}.get(head, COLOURS[0, ::-1] / 255.0)
    bias = 0.0
    if name != "w":  # RTMDet: normalised BGR
        weight, bias = COLOURS[0, ::-1] * DEVIATION[::-1] / 255.0, float(COLOURS[0] @ MEAN / 255.0)
    y, x = np.mgrid[:side, :side].astype(np.float32) + 0.5
    base, on_x, on_y, shape = _rows(head, cells, box, side)
    constants = {
        name: np.asarray(weight, np.float32).reshape(1, 3, 1, 1), "b": np.array([bias], np.float32), "x": x[None, None], "y": y[None, None],
        "axes": np.array([1, 2, 3], np.int64), "base": base, "on_x": on_x, "on_y": on_y,
    }
    nodes = [("Conv", ["images", name, "b"], ["c"], {}), ("Relu", ["c"], ["r"], {}), ("ReduceSum", ["r", "axes"], ["all"], {"keepdims": 0})]
    for axis in ("x", "y"):
        nodes += [
            ("Mul", ["r", axis], [f"r{axis}"], {}), ("ReduceSum", [f"r{axis}", "axes"], [f"s{axis}"], {"keepdims": 0}),
            ("Div", [f"s{axis}", "all"], [f"c{axis}"], {}), ("Mul", [f"c{axis}", f"on_{axis}"], [f"o{axis}"], {}),
        ]
    nodes += [("Add", ["base", "ox"], ["sum"], {}), ("Add", ["sum", "oy"], ["output0"], {})]
    outputs, types = {"output0": shape}, {}
    if head == "mmdet":
        constants["classes"] = np.array([[1, 0, 0, 0]], np.int64)
        nodes.append(("Identity", ["classes"], ["labels"], {}))
        outputs["labels"], types["labels"] = (1, "n"), np.int64
    return write(path, {"images": (1, 3, side, side)}, outputs, nodes, constants, types)


def _rows(head: str, cells: int, box: tuple[float, float], side: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple]:
    """What the output holds apart from the place, what it takes of x and y, and its shape as the file tells it."""
    width, height = box
    if head in ("mmdet", "yolo_end"):
        rows, columns = (4, 5) if head == "mmdet" else (10, 6)
        base, on_x, on_y = (np.zeros((1, rows, columns), np.float32) for _ in range(3))
        for row, (score, kind) in enumerate(((0.95, 1), (0.9, 0), (0.6, 0))):
            base[0, row, :5] = -width / 2 + row, -height / 2, width / 2 + row, height / 2, score
            base[0, row, 5:], on_x[0, row, [0, 2]], on_y[0, row, [1, 3]] = kind, 1.0, 1.0
        return base, on_x, on_y, (1, "n" if head == "mmdet" else rows, columns)
    if head == "yolox":
        base, on_x, on_y = (np.zeros((1, cells, 7), np.float32) for _ in range(3))
        first = (side // 8) ** 2 + 1 * (side // 16) + 2  # the cell in column 2 and row 1 of stride 16
        for row, column, scores in ((first, 2, (0.95, 0.9, 0.1)), (first + 1, 3, (0.9, 0.8, 0.1)), (first - 1, 1, (1, 0.1, 1))):
            base[0, row] = -column, -1, np.log(width / 16), np.log(height / 16), *scores
            on_x[0, row, 0] = on_y[0, row, 1] = 1 / 16
        return base, on_x, on_y, (1, cells, 7)
    rows = 56 if head == "yolo_pose" else 84
    base, on_x, on_y = (np.zeros((1, rows, cells), np.float32) for _ in range(3))
    for column, (score, other) in zip((3, 7, 9), ((0.9, 0.0), (0.8, 0.0), (0.0, 0.95)), strict=True):
        base[0, 2:4, column], base[0, 4, column], on_x[0, 0, column], on_y[0, 1, column] = box, score, 1.0, 1.0
        if head == "yolo":
            base[0, 5, column] = other
        else:  # the left shoulder stands 4 px right of the middle and 8 above, seen for 0.7
            base[0, 5 + 15 : 5 + 18, column] = 4.0, -8.0, 0.7
            on_x[0, 5 + 15, column], on_y[0, 5 + 16, column] = 1.0, 1.0
    return base, on_x, on_y, (1, rows, cells)
