# SPDX-License-Identifier: GPL-3.0-or-later
"""PReLU and padding of channels in operations that ONNX Runtime does fast. Both converters call it; by itself it rewrites files in place:

    python tools/quick_layers.py model_files/landmarks/face_mesh.onnx [...]

ONNX Runtime lays channels out in blocks for convolutions, and what else has no kernel for blocks takes whole chains of layers out of them.
A slope per channel took two thirds of the face networks' time, three paddings a fifth or more of what was left. The numbers are the same up to
rounding. Needs onnx; rewriting a rewritten file changes nothing.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def quicken(model: onnx.ModelProto) -> tuple[int, int]:
    """Rewrites a model's PReLUs and its paddings of channels; how many they were."""
    counts = quick_prelu(model), quick_padding(model)
    _drop_unused(model)
    return counts


def quick_prelu(model: onnx.ModelProto) -> int:
    """Rewrites PReLUs whose slopes are constants, one per channel; how many they were.

    x where x > 0, else slope x, is x + s relu(-|1 - slope| x) with s the sign of 1 - slope: two convolutions of one pixel and one channel
    each, which keep the blocks and take the rectifier and the sum along.
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    stored = {node.output[0]: node.input[0] for node in model.graph.node if node.op_type == "Cast"}  # half precision
    nodes, count = [], 0
    for node in model.graph.node:
        if node.op_type != "PRelu":
            nodes.append(node)
            continue
        entry, result, name = node.input[0], node.output[0], node.input[1]
        slope = numpy_helper.to_array(constants[stored.get(name, name)]).astype(np.float32)
        assert slope.shape[-2:] == (1, 1), f"{node.name} has a slope per pixel"
        bend = 1.0 - slope.reshape(-1, 1, 1, 1)
        for part, kernel in (("down", -np.abs(bend)), ("sign", np.sign(bend))):
            model.graph.initializer.append(numpy_helper.from_array(kernel.astype(np.float32), f"{result}.{part}"))
        one = {"group": len(bend), "kernel_shape": [1, 1]}
        nodes += [
            helper.make_node("Conv", [entry, f"{result}.down"], [f"{result}.turned"], name=f"{result}.turn", **one),
            helper.make_node("Relu", [f"{result}.turned"], [f"{result}.below"], name=f"{result}.cut"),
            helper.make_node("Conv", [f"{result}.below", f"{result}.sign"], [f"{result}.bent"], name=f"{result}.bend", **one),
            helper.make_node("Add", [f"{result}.bent", entry], [result], name=f"{result}.add"),
        ]
        count += 1
    _replace_nodes(model, nodes)
    return count


def quick_padding(model: onnx.ModelProto) -> int:
    """Rewrites paddings by channels of zeros behind the others; how many they were.

    Each is a convolution of one pixel with the identity, which keeps the blocks. Paddings of rows and columns stay: ONNX Runtime joins them
    to the convolutions behind them.
    """
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    channels = _channels(model)
    nodes, count = [], 0
    for node in model.graph.node:
        added = _added_channels(node, constants)
        if not added:
            nodes.append(node)
            continue
        entry, result = node.input[0], node.output[0]
        identity = np.eye(channels[entry] + added, channels[entry], dtype=np.float16)[:, :, None, None]
        model.graph.initializer.append(numpy_helper.from_array(identity, f"{result}.identity_half"))
        nodes += [
            helper.make_node("Cast", [f"{result}.identity_half"], [f"{result}.identity"], name=f"{result}.cast", to=TensorProto.FLOAT),
            helper.make_node("Conv", [entry, f"{result}.identity"], [result], name=f"{result}.widen", kernel_shape=[1, 1]),
        ]
        count += 1
    _replace_nodes(model, nodes)
    return count


def _added_channels(node: onnx.NodeProto, constants: dict[str, np.ndarray]) -> int:
    """How many channels of zeros a node puts behind those of pictures; 0 of one that does anything else."""
    if node.op_type != "Pad" or len(node.input) > 2 or node.attribute or node.input[1] not in constants:  # no more inputs or attributes: zeros
        return 0
    amounts = constants[node.input[1]]  # before and after, of (B,C,H,W)
    return int(amounts[5]) if len(amounts) == 8 and np.count_nonzero(amounts) == 1 else 0


def _channels(model: onnx.ModelProto) -> dict[str, int]:
    """Channels, where they are known, of each picture (B,C,H,W) between two layers. A copy is asked, so that no shapes are stored."""
    shapes = {value.name: value.type.tensor_type.shape.dim for value in onnx.shape_inference.infer_shapes(model).graph.value_info}
    return {name: shape[1].dim_value for name, shape in shapes.items() if len(shape) == 4 and shape[1].HasField("dim_value")}


def _drop_unused(model: onnx.ModelProto) -> None:
    """Constants, and the casts that make them single, that nothing listens to any more."""
    asked = {name for node in model.graph.node if node.op_type != "Cast" for name in node.input}
    nodes = [node for node in model.graph.node if node.op_type != "Cast" or node.output[0] in asked]
    asked |= {name for node in nodes for name in node.input}
    tensors = [tensor for tensor in model.graph.initializer if tensor.name in asked]
    del model.graph.initializer[:]
    model.graph.initializer.extend(tensors)
    _replace_nodes(model, nodes)


def _replace_nodes(model: onnx.ModelProto, nodes: list[onnx.NodeProto]) -> None:
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+")
    for path in parser.parse_args().models:
        model = onnx.load(path)
        prelus, paddings = quicken(model)
        onnx.checker.check_model(model)
        onnx.save(model, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        print(f"{path.name}: {prelus} PReLUs, {paddings} paddings rewritten, {path.stat().st_size / 1e6:.2f} MB, sha256 {digest}")


if __name__ == "__main__":
    main()
