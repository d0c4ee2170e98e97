# SPDX-License-Identifier: GPL-3.0-or-later
"""Added ONNX files are recognised from what they take and give, whatever they are called."""

from __future__ import annotations

import subprocess
import sys

import fake_networks
import numpy as np
import onnxruntime
import pytest
from onnx_writer import write

from smplit.errors import BadInput
from smplit.mocap.keypoints.onnx_header import read_header
from smplit.mocap.keypoints.onnx_kinds import kind_of
from smplit.models import find


def ports(path, inputs, outputs):
    """A file of these ports whose outputs are constants: never run, only recognised."""
    nodes = [("Identity", ["zero"], [name], {}) for name in outputs]
    return write(path / "some.onnx", inputs, outputs, nodes, {"zero": np.zeros(1, np.float32)}, {"labels": np.int64})


@pytest.mark.parametrize(
    ("inputs", "outputs", "expected"),
    [
        ((1, 3, 256, 192), {"o": (1, 17, 64, 48)}, ("vitpose", "heatmaps", 17, (192, 256), False)),
        (("batch_size", 3, 256, 192), {"o": ("batch_size", 133, 64, 48)}, ("vitpose", "heatmaps", 133, (192, 256), True)),
        (("b", 3, "h", "w"), {"o": ("b", 17, "y", "x")}, ("vitpose", "heatmaps", 17, (192, 256), True)),
        (("batch", 3, 256, 192), {"simcc_x": ("batch", 17, 384), "simcc_y": ("batch", 17, 512)}, ("rtmpose", "simcc", 17, (192, 256), True)),
        ((1, 3, 384, 288), {"simcc_x": (1, 26, 576), "simcc_y": (1, 26, 768)}, ("rtmpose", "simcc", 26, (288, 384), False)),
        (("b", 3, "h", "w"), {"simcc_x": ("b", 133, 576), "simcc_y": ("b", 133, 768)}, ("rtmw", "simcc", 133, (288, 384), True)),
        (("b", 3, 384, 288), {"simcc_x": ("b", 133, "m"), "simcc_y": ("b", 133, "n")}, ("rtmw", "simcc", 133, (288, 384), True)),
        ((1, 3, 640, 640), {"output0": (1, 84, 8400)}, ("yolo", "yolo", 0, (640, 640), False)),
        ((1, 3, 640, 640), {"output0": (1, 5, 8400)}, ("yolo", "yolo", 0, (640, 640), False)),
        ((1, 3, 640, 640), {"output0": (1, 56, 8400)}, ("yolo", "yolo_pose", 17, (640, 640), False)),
        (("b", 3, "h", "w"), {"output0": ("b", 84, "anchors")}, ("yolo", "yolo", 0, (640, 640), True)),
        ((1, 3, 640, 640), {"output0": (1, 300, 6)}, ("yolo", "yolo_end", 0, (640, 640), False)),
        ((1, 3, 640, 640), {"output": (1, 8400, 85)}, ("yolo", "yolox", 0, (640, 640), False)),
        ((1, 3, 416, 416), {"output": (1, 3549, 85)}, ("yolo", "yolox", 0, (416, 416), False)),
        (("b", 3, "h", "w"), {"dets": ("b", "n", 5), "labels": ("b", "n")}, ("yolo", "mmdet", 0, (640, 640), True)),
        ((1, 3, 416, 416), {"dets": (1, "n", 5)}, ("yolo", "mmdet", 0, (416, 416), False)),
    ],
)
def test_published_ports_are_recognised(tmp_path, inputs, outputs, expected):
    kind = kind_of(ports(tmp_path, {"x": inputs}, outputs))
    assert (kind.model, kind.head, kind.points, kind.size, kind.batch) == expected


@pytest.mark.parametrize(
    ("inputs", "outputs", "named"),
    [
        ((1, 3, 256, 256), {"simcc_x": (1, 21, 512), "simcc_y": (1, 21, 512)}, "21 points"),  # RTMPose for hands
        ((1, 3, 256, 192), {"o": (1, 25, 64, 48)}, "25 points"),
        ((1, 3, 256, 192), {"simcc_x": (1, 17, 512), "simcc_y": (1, 17, 384)}, "x first"),
        ((1, 3, 640, 640), {"output0": (1, 25200, 85)}, "YOLOv5"),
        ((1, 3, 384, 288), {"x": (1, 133, 576), "y": (1, 133, 768), "z": (1, 133, 576)}, "z (1,133,576)"),  # RTMW3D
        ((1, 3, 224, 224), {"o": (1, 1000)}, "o (1,1000)"),
        ((1, 256, 192, 3), {"o": (1, 17, 64, 48)}, "(B,3,H,W)"),
    ],
)
def test_other_networks_are_refused_with_what_they_are_and_what_was_expected(tmp_path, inputs, outputs, named):
    with pytest.raises(BadInput) as refused:
        kind_of(ports(tmp_path, {"x": inputs}, outputs))
    assert named in refused.value.message and "ViTPose" in refused.value.remedy and "YOLO" in refused.value.remedy
    assert refused.value.code == "unknown_onnx"


@pytest.mark.parametrize("name", ["movenet", "blazepose", "hand", "face_mesh"])
def test_shipped_networks_have_their_own_places_and_are_not_taken_for_added_ones(name):
    with pytest.raises(BadInput):
        kind_of(find(name))


def test_a_header_says_what_onnx_runtime_says_of_a_real_file():
    path = find("movenet")
    session, header = onnxruntime.InferenceSession(str(path)), read_header(path)
    lengths = lambda values: [tuple(n if isinstance(n, int) else None for n in value.shape) for value in values]
    assert [port.name for port in header.inputs] == [value.name for value in session.get_inputs()]
    assert [port.shape for port in header.outputs] == lengths(session.get_outputs())
    assert len(header.weights) > 50


def test_a_session_is_the_kind_that_its_file_is(tmp_path):
    path = fake_networks.write_simcc(tmp_path / "any name.onnx", {0: 0}, 26)
    assert kind_of(onnxruntime.InferenceSession(str(path))) == kind_of(path)


def test_old_exports_list_weights_among_the_inputs_which_are_no_pictures(tmp_path):
    constants = {"w": np.ones((17, 3, 4, 4), np.float32)}
    path = write(
        tmp_path / "old.onnx", {"x": (1, 3, 256, 192), "w": (17, 3, 4, 4)}, {"o": (1, 17, 64, 48)},
        [("Conv", ["x", "w"], ["o"], {"strides": [4, 4]})], constants,
    )
    assert kind_of(path).model == "vitpose"


def test_rtmdet_is_told_from_yolox_by_its_weights_names_or_else_the_files(tmp_path):
    assert kind_of(fake_networks.write_detector(tmp_path / "a.onnx", "mmdet", name="bbox_head.rtm_cls.0.weight")).normalised
    assert not kind_of(fake_networks.write_detector(tmp_path / "b.onnx", "mmdet")).normalised
    assert kind_of(fake_networks.write_detector(tmp_path / "rtmdet-m.onnx", "mmdet")).normalised


@pytest.mark.parametrize("damage", ["cut", "text", "empty", "lying length", "tiny fields"])
def test_a_damaged_or_foreign_file_is_bad_input_at_once(tmp_path, damage):
    whole = fake_networks.write_simcc(tmp_path / "whole.onnx", {0: 0}, 17).read_bytes()
    contents = {
        "cut": whole[: len(whole) // 2], "text": b"once upon a time there was a file", "empty": b"",
        "lying length": whole[:2] + b"\x3a\xff\xff\xff\xff\xff\xff\xff\xff\x7f" + whole[4:],
        "tiny fields": b"\x3a\x80\x80\x80\x01" + b"\x08\x01" * (1 << 20),
    }
    path = tmp_path / "bad.onnx"
    path.write_bytes(contents[damage])
    with pytest.raises(BadInput, match="not an ONNX file"):
        read_header(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"nowhere\.onnx"):
        kind_of(tmp_path / "nowhere.onnx")


def test_asking_for_the_kind_loads_neither_torch_nor_onnx_runtime():
    code = "import sys; import smplit.mocap.keypoints.onnx_kinds; print({'torch', 'onnxruntime', 'cv2'} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "set()"
