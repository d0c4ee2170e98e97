# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes model_files/landmarks/face_closer.onnx from the face mesh with attention of the PyPI wheel mediapipe 0.10.21.

A development tool, run once; its output is committed. Needs its own environment:

    pip install tflite onnx onnxruntime numpy
    python tools/convert_attention_mesh.py wheel/mediapipe/modules/face_landmark/face_landmark_with_attention.tflite

The usual converters refuse this file: between its first look at the face and its closer ones at lips and eyes lie three
operations of MediaPipe's own. They are small, and written here in ONNX's: a square is laid around some of the first look's
points (turned so that two of them are level, half as large again), its features are sampled, and what the closer look finds
there goes back to the picture. The network then puts the closer looks' points in the first look's places, as
MediaPipe does after it (x and y alone), so that it has the outputs of the mesh without attention: (B,1404) and (B,1).
Of the irises nothing is kept.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper

OUTPUT = Path(__file__).resolve().parents[1] / "model_files" / "landmarks" / "face_closer.onnx"
_TYPES = {tflite.TensorType.FLOAT32: np.float32, tflite.TensorType.FLOAT16: np.float16, tflite.TensorType.INT32: np.int32}
_KINDS = {number: name for name, number in vars(tflite.BuiltinOperator).items() if isinstance(number, int)}
_OPTIONS = {
    "CONV_2D": tflite.Conv2DOptions, "DEPTHWISE_CONV_2D": tflite.DepthwiseConv2DOptions, "MAX_POOL_2D": tflite.Pool2DOptions,
    "ADD": tflite.AddOptions,
}
_SIZE, _FEATURES, _CROP = 192, 48, 16  # px: picture, its features, those of a closer look
_LARGER = 1.5  # a square than the points it is laid around
_SMALL = 32  # elements: shapes, scales and scalars stay as they are
# The closer looks: the two points that are level, and where the file keeps the points around which the square is laid.
_LOOKS = ((61, 291), (33, 133), (362, 263))
_MESH, _REFINED, _FLAG = "output_mesh", ("conv_lips", "conv_left_eye", "conv_right_eye"), "conv_faceflag"
_FED = "p_re_lu_3"  # features that the closer looks sample
_SAMPLED = ("transform_tensor_bilinear_v2", "transform_tensor_bilinear_v2_1", "transform_tensor_bilinear_v2_2")


class Graph:
    """ONNX nodes and constants as they come; tensors are named after what the file calls them."""

    def __init__(self):
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, np.ndarray] = {}

    def add(self, kind: str, inputs: list, output: str, **attributes) -> str:
        """One node; inputs that are no names become constants."""
        names = []
        for number, value in enumerate(inputs):
            if not isinstance(value, str):
                self.constants[f"{output}.{number}"] = np.asarray(value)
                value = f"{output}.{number}"
            names.append(value)
        self.nodes.append(helper.make_node(kind, names, [output], name=f"{output}_node", **attributes))
        return output


def read(path: Path, graph: Graph) -> list[np.ndarray]:
    """All plain layers, pictures as channels, rows, columns; returns each look's points, in the order of its answers."""
    model = tflite.Model.GetRootAsModel(path.read_bytes(), 0)
    source = model.Subgraphs(0)
    known: dict[int, np.ndarray] = {}
    looks: list[np.ndarray] = []

    def name(tensor: int) -> str:
        return source.Tensors(tensor).Name().decode()

    def stored(tensor: int) -> np.ndarray | None:
        entry = source.Tensors(tensor)
        raw = model.Buffers(entry.Buffer()).DataAsNumpy()
        return None if isinstance(raw, int) else raw.view(_TYPES[entry.Type()]).reshape(entry.ShapeAsNumpy() if entry.ShapeLength() else ())

    graph.add("Transpose", ["picture"], name(source.Inputs(0)), perm=[0, 3, 1, 2])
    for number in range(source.OperatorsLength()):
        operator = source.Operators(number)
        code = model.OperatorCodes(operator.OpcodeIndex())
        kind = _KINDS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())]
        tensors = [operator.Inputs(i) for i in range(operator.InputsLength())]
        result = operator.Outputs(0)
        if kind == "DEQUANTIZE":
            known[result] = stored(tensors[0]).astype(np.float32)
        elif kind == "CUSTOM" and code.CustomCode() == b"Landmarks2TransformMatrix":
            looks.append(_points_of(bytes(operator.CustomOptionsAsNumpy()), *_LOOKS[len(looks)]))
        elif kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "MAX_POOL_2D", "ADD", "PRELU", "PAD"):
            options = _OPTIONS[kind]() if kind in _OPTIONS else None
            if options is not None:
                options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
            values = [known.get(tensor, stored(tensor)) for tensor in tensors[1:]]
            _layer(graph, kind, [name(tensor) for tensor in tensors], values, name(result), options)
    return looks


def _points_of(options: bytes, left: int, right: int) -> np.ndarray:
    """The list of points in an operation's options: its length and 16-bit numbers."""
    start = options.index(b"subset_idxs\0") + len(b"subset_idxs\0")
    count = int.from_bytes(options[start : start + 2], "little")
    points = np.frombuffer(options[start + 2 : start + 2 + 2 * count], "<u2").astype(np.int64)
    assert len(points) == count and {left, right} <= set(points.tolist()) and points.max() < 468
    return points


def _layer(graph: Graph, kind: str, names: list[str], values: list, result: str, options) -> None:
    entry = names[0]
    if kind == "ADD":
        graph.add("Add", names, result)
    elif kind == "PRELU":
        graph.add("PRelu", [entry, values[0].reshape(-1, 1, 1)], result)
    elif kind == "PAD":
        graph.add("Pad", [entry, np.array([0, 0, 0, 0, 0, values[0][3, 1], 0, 0], np.int64)], result)  # of channels
    elif kind == "MAX_POOL_2D":
        graph.add("MaxPool", [entry], result, kernel_shape=[2, 2], strides=[2, 2])
    else:
        kernel, bias = values
        deep = kind == "DEPTHWISE_CONV_2D"
        padding = "SAME_UPPER" if options.Padding() == tflite.Padding.SAME else "VALID"
        weights = kernel.transpose((3, 0, 1, 2) if deep else (0, 3, 1, 2))
        graph.add(
            "Conv", [entry, np.ascontiguousarray(weights), bias], result, auto_pad=padding, group=len(weights) if deep else 1,
            strides=[options.StrideH(), options.StrideW()],
        )


def look_closer(graph: Graph, look: int, points: np.ndarray) -> tuple[str, str, str]:
    """Samples the features of a look; returns its level axes (B,2,2), steps (B,1,2) and corner (B,1,2), in features' pixels."""
    made = lambda part: f"look{look}_{part}"
    left, right = _LOOKS[look]
    xy = graph.add("Mul", ["mesh_xy", np.float32(_FEATURES / _SIZE)], made("xy"))
    ends = [graph.add("Gather", [xy, np.array([end], np.int64)], made(f"end{end}"), axis=1) for end in (left, right)]
    level = graph.add("Sub", [ends[1], ends[0]], made("level"))
    along = graph.add("Div", [level, graph.add("ReduceL2", [level], made("length"), axes=[2], keepdims=1)], made("along"))  # (B,1,2)
    down = graph.add("MatMul", [along, np.array([[0, 1], [-1, 0]], np.float32)], made("down"))
    axes = graph.add("Concat", [along, down], made("axes"), axis=1)  # rows
    across = graph.add("Transpose", [axes], made("across"), perm=[0, 2, 1])
    turned = graph.add("MatMul", [graph.add("Gather", [xy, points], made("around"), axis=1), across], made("turned"))
    low, high = (graph.add(f"Reduce{end}", [turned], made(end), axes=[1], keepdims=1) for end in ("Min", "Max"))
    step = graph.add("Mul", [graph.add("Sub", [high, low], made("size")), np.float32(_LARGER / _CROP)], made("step"))
    middle = graph.add("Mul", [graph.add("Add", [low, high], made("sum")), np.float32(0.5)], made("middle"))
    corner = graph.add("Sub", [middle, graph.add("Mul", [step, np.float32(_CROP / 2)], made("half"))], made("corner"))
    grid = np.stack(np.meshgrid(np.arange(_CROP), np.arange(_CROP)), axis=-1).reshape(1, -1, 2).astype(np.float32) + 0.5
    where = graph.add("Add", [graph.add("Mul", [step, grid], made("grid")), corner], made("where"))
    where = graph.add("MatMul", [where, axes], made("where_xy"))
    unit = graph.add("Sub", [graph.add("Mul", [where, np.float32(2 / _FEATURES)], made("doubled")), np.float32(1)], made("unit"))
    square = graph.add("Reshape", [unit, np.array([-1, _CROP, _CROP, 2], np.int64)], made("square"))
    graph.add("GridSample", [_FED, square], _SAMPLED[look], align_corners=0, mode="bilinear", padding_mode="zeros")
    return axes, step, corner



def convert(path: Path) -> onnx.ModelProto:
    """The whole network, single precision."""
    graph = Graph()
    looks = read(path, graph)
    graph.add("Reshape", [_MESH, np.array([-1, 468, 3], np.int64)], "mesh")
    graph.add("Slice", ["mesh", np.array([0]), np.array([2]), np.array([2])], "mesh_xy")
    graph.add("Slice", ["mesh", np.array([2]), np.array([3]), np.array([2])], "mesh_z")
    moved = graph.add("Transpose", ["mesh_xy"], "moved", perm=[1, 0, 2])
    for look, points in enumerate(looks):
        axes, step, corner = look_closer(graph, look, points)
        seen = graph.add("Reshape", [_REFINED[look], np.array([-1, len(points), 2], np.int64)], f"look{look}_seen")
        scale = np.float32(_SIZE / _FEATURES)
        away = graph.add("Mul", [corner, scale], f"look{look}_away")
        along = graph.add("Add", [graph.add("Mul", [seen, step], f"look{look}_sized"), away], f"look{look}_set")
        placed = graph.add("MatMul", [along, axes], f"look{look}_placed")
        update = graph.add("Transpose", [placed], f"look{look}_update", perm=[1, 0, 2])
        moved = graph.add("ScatterND", [moved, points[:, None], update], f"moved{look}")
    graph.add("Concat", [graph.add("Transpose", [moved], "refined_xy", perm=[1, 0, 2]), "mesh_z"], "refined", axis=2)
    graph.add("Reshape", ["refined", np.array([-1, 3 * 468], np.int64)], "points")
    graph.add("Reshape", [_FLAG, np.array([-1, 1], np.int64)], "presence")
    inputs = [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["batch", _SIZE, _SIZE, 3])]
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", size]) for n, size in (("points", 1404), ("presence", 1))]
    constants = [numpy_helper.from_array(value, name) for name, value in graph.constants.items()]
    made = helper.make_graph(_in_order(graph.nodes, {"picture", *graph.constants}), "face_mesh_with_attention", inputs, outputs, constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _in_order(nodes: list[onnx.NodeProto], known: set[str]) -> list[onnx.NodeProto]:
    """Each node after those it listens to: the closer looks' layers were read before what feeds them was written."""
    waiting, ordered = list(nodes), []
    while waiting:
        ready = [node for node in waiting if known.issuperset(node.input)]
        assert ready, f"nothing makes {set(waiting[0].input) - known}"
        ordered += ready
        known = known.union(*(node.output for node in ready))
        waiting = [node for node in waiting if node not in ready]
    return ordered


def halve(model: onnx.ModelProto) -> None:
    """Big weights in half precision, as the file has them, each followed by a cast."""
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) > _SMALL:
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{name}_half"))
            casts.append(helper.make_node("Cast", [f"{name}_half"], [name], name=f"{name}_cast", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tflite", type=Path)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    model = convert(arguments.tflite)
    halve(model)
    onnx.checker.check_model(model)
    onnx.save(model, arguments.output)
    print(f"{arguments.output.stat().st_size / 1e6:.2f} MB, sha256 {hashlib.sha256(arguments.output.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
