# SPDX-License-Identifier: GPL-3.0-or-later
"""PReLU in ONNX Runtime's fast operations: its own kernel for a slope per channel takes two thirds of the face networks' time.

    python tools/quick_prelu.py model_files/landmarks/face_mesh.onnx [...]

x where x > 0, else slope x, is x + s relu(-|1 - slope| x) with s the sign of 1 - slope: two convolutions of one pixel and one channel
each, which keep the convolutions' blocked layout and take the rectifier and the sum along. The numbers are the same up to rounding.
"""

from __future__ import annotations

import argparse
import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper


def quick_prelu(model: onnx.ModelProto) -> int:
    """Rewrites a model's PReLUs whose slopes are constants, one per channel; how many they were."""
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
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    _drop_unused(model)
    return count


def _drop_unused(model: onnx.ModelProto) -> None:
    """Constants, and the casts that make them single, that nothing listens to any more."""
    asked = {name for node in model.graph.node if node.op_type != "Cast" for name in node.input}
    nodes = [node for node in model.graph.node if node.op_type != "Cast" or node.output[0] in asked]
    asked |= {name for node in nodes for name in node.input}
    tensors = [tensor for tensor in model.graph.initializer if tensor.name in asked]
    del model.graph.node[:], model.graph.initializer[:]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(tensors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+")
    for path in parser.parse_args().models:
        model = onnx.load(path)
        count = quick_prelu(model)
        onnx.checker.check_model(model)
        onnx.save(model, path)
        print(f"{path.name}: {count} rewritten, {path.stat().st_size / 1e6:.2f} MB, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


if __name__ == "__main__":
    main()
