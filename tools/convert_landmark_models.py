# SPDX-License-Identifier: GPL-3.0-or-later
"""Makes model_files/landmarks/*.onnx from the TFLite files of the PyPI wheel mediapipe 0.10.21.

A development tool, run once; its output is committed. Needs its own environment:

    pip install tensorflow-cpu==2.19.* tf2onnx onnx onnxruntime "numpy<2.2"
    pip download --no-deps mediapipe==0.10.21 && unzip mediapipe-*.whl -d wheel
    python tools/convert_landmark_models.py wheel/mediapipe/modules --movenet movenet-multipose.onnx

Weights are stored in half precision (as the TFLite files hold them) and cast to single precision when a session starts, so results are
those of single-precision arithmetic. `quick_layers` says what becomes of PReLUs and padded channels. The first dimension is made free, so
that several people, hands or faces go through in one call.
"""

from __future__ import annotations

import argparse
import hashlib
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnx.utils
import onnxruntime
from onnx import TensorProto, helper, numpy_helper
from quick_layers import quicken

SOURCES = {
    "blazepose_full.onnx": "pose_landmark/pose_landmark_full.tflite",
    "hand_full.onnx": "hand_landmark/hand_landmark_full.tflite",
    "face_mesh.onnx": "face_landmark/face_landmark.tflite",
}
# The person mask (Identity_2) is not used; without it a third of the pose network's time is saved.
KEPT_OUTPUTS = {"blazepose_full.onnx": ["Identity", "Identity_1", "Identity_3", "Identity_4"]}
OUTPUT = Path(__file__).resolve().parents[1] / "model_files" / "landmarks"
_SMALL = 32  # elements: shapes, scales and scalars stay as they are


def convert(tflite: Path) -> onnx.ModelProto:
    """TFLite -> ONNX through tf2onnx, the maintained converter."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "model.onnx"
        subprocess.run(
            [sys.executable, "-m", "tf2onnx.convert", "--tflite", str(tflite), "--output", str(target), "--opset", "13"], check=True
        )
        return onnx.load(target)


def free_batch(model: onnx.ModelProto) -> None:
    """Lets the first dimension of inputs and outputs vary; reshapes that fix it to 1 infer it."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type != "Reshape" or node.input[1] not in constants:
            continue
        shape = numpy_helper.to_array(constants[node.input[1]]).copy()
        if len(shape) > 1 and shape[0] == 1 and -1 not in shape:
            shape[0] = -1
            name = f"{node.name}_free_shape"
            model.graph.initializer.append(numpy_helper.from_array(shape, name))
            node.input[1] = name
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_param = "batch"
    del model.graph.value_info[:]


def halve_weights(model: onnx.ModelProto) -> None:
    """Stores big single-precision initialisers as half precision followed by a Cast."""
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or np.prod(tensor.dims) <= _SMALL:
            continue
        name = tensor.name
        half = numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), f"{name}_half")
        tensor.CopyFrom(half)
        casts.append(helper.make_node("Cast", [f"{name}_half"], [name], name=f"{name}_cast", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def compare(before: onnx.ModelProto, after: onnx.ModelProto, batch: int) -> float:
    """Largest output difference relative to the output's size, on a random picture."""
    rng = np.random.default_rng(0)
    sessions = [onnxruntime.InferenceSession(m.SerializeToString(), providers=["CPUExecutionProvider"]) for m in (before, after)]
    entry = sessions[0].get_inputs()[0]
    shape = [1 if not isinstance(d, int) else d for d in entry.shape]
    kind = np.int32 if "int32" in entry.type else np.float32
    if kind is np.int32:
        shape[1:3] = 256, 256
    one = rng.random(shape) * (255 if kind is np.int32 else 1)
    outputs = [sessions[0].run(None, {entry.name: one.astype(kind)})]
    outputs.append(sessions[1].run(None, {entry.name: np.repeat(one.astype(kind), batch, 0)}))
    return max(float(np.abs(a[0] - b[-1]).max() / (np.abs(a).max() + 1e-9)) for a, b in zip(*outputs, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("modules", type=Path, help="mediapipe/modules of the unpacked wheel")
    parser.add_argument("--movenet", type=Path, required=True, help="MoveNet multipose as ONNX (see model_files/landmarks/README.md)")
    arguments = parser.parse_args()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    for name, source in [*SOURCES.items(), ("movenet_multipose.onnx", None)]:
        original = onnx.load(arguments.movenet) if source is None else convert(arguments.modules / source)
        if name in KEPT_OUTPUTS:
            inputs = [value.name for value in original.graph.input]
            original = onnx.utils.Extractor(original).extract_model(inputs, KEPT_OUTPUTS[name])
        model = onnx.ModelProto()
        model.CopyFrom(original)
        if source is not None:
            free_batch(model)
        halve_weights(model)
        quicken(model)
        onnx.checker.check_model(model)
        difference = compare(original, model, batch=1 if source is None else 2)
        target = OUTPUT / name
        onnx.save(model, target)
        digest = hashlib.sha256(target.read_bytes()).hexdigest()
        print(f"{name}: {target.stat().st_size / 1e6:.2f} MB, difference {difference:.1e}, sha256 {digest}")


if __name__ == "__main__":
    main()
