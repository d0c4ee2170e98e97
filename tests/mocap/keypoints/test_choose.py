# SPDX-License-Identifier: GPL-3.0-or-later
"""Which networks a capture uses: the user's word, else the most accurate file there is, else the shipped ones."""

from __future__ import annotations

import fake_networks
import numpy as np
import pytest

from smplit.errors import BadInput, MissingModel
from smplit.mocap.keypoints.choose import accuracy, choose_detector, choose_refiner
from smplit.mocap.keypoints.movenet import PeopleDetector
from smplit.mocap.keypoints.onnx_kinds import OnnxKind
from smplit.mocap.keypoints.person_boxes import BoxDetector, PointedBoxes
from smplit.mocap.options import CHOICES, CaptureOptions

_PLACES = {"rtmw": "landmarks/rtmw.onnx", "vitpose": "landmarks/vitpose.onnx", "rtmpose": "landmarks/rtmpose.onnx", "yolo": "landmarks/yolo.onnx"}


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("SMPLIT_MODEL_FILES", str(tmp_path))

    def add(*names: str) -> None:
        for name in names:
            path = tmp_path / _PLACES[name]
            if name == "vitpose":
                fake_networks.write_heatmaps(path, {0: 0})
            elif name == "yolo":
                fake_networks.write_detector(path, "yolo")
            else:
                fake_networks.write_simcc(path, {0: 0}, {"rtmw": 133, "rtmpose": 17}[name])

    return add


def chosen(**options) -> str | None:
    refiner = choose_refiner(CaptureOptions(**options))
    return None if refiner is None else refiner._landmarker.kind.model


def test_without_added_files_the_shipped_networks_work_alone(files):
    assert chosen() is None
    assert type(choose_detector(CaptureOptions(), None)) is PeopleDetector


def test_whole_bodies_come_first_then_what_was_published_as_more_accurate(files):
    files("rtmpose")
    assert chosen() == "rtmpose"
    files("vitpose")
    assert chosen() == "vitpose"  # the smallest ViTPose 73.8, the smallest RTMPose 68.5
    files("rtmw")
    assert chosen() == "rtmw"
    assert chosen(landmarks="rtmpose") == "rtmpose" and chosen(landmarks="vitpose") == "vitpose"
    assert chosen(landmarks="blazepose") is None


def test_of_several_sizes_of_one_network_the_most_accurate_is_taken(files, tmp_path, caplog):
    files("rtmpose")
    larger = tmp_path / "landmarks" / "rtmpose-x.onnx"  # its weights would lie beside it
    larger.write_bytes((tmp_path / _PLACES["rtmpose"]).read_bytes())
    (tmp_path / "landmarks" / "rtmpose-x.data").write_bytes(bytes(4 * 27_700_000))
    caplog.set_level("INFO")
    for options in (CaptureOptions(), CaptureOptions(landmarks="rtmpose")):
        choose_refiner(options)
        assert str(larger) in caplog.messages[-1] and "RTMPose-l" in caplog.messages[-1]


def test_an_added_detector_finds_people_unless_the_user_says_otherwise(files, tmp_path):
    files("yolo")
    assert type(choose_detector(CaptureOptions(), None)) is PointedBoxes
    assert type(choose_detector(CaptureOptions(boxes="movenet"), None)) is PeopleDetector
    fake_networks.write_detector(tmp_path / _PLACES["yolo"], "yolo_pose")
    assert type(choose_detector(CaptureOptions(boxes="yolo"), None)) is BoxDetector


@pytest.mark.parametrize("name", ["vitpose", "rtmpose", "rtmw", "yolo"])
def test_a_file_that_is_named_and_not_there_is_missing_and_says_where_to_get_it(files, name):
    with pytest.raises(MissingModel) as missing:
        if name == "yolo":
            choose_detector(CaptureOptions(boxes="yolo"), None)
        else:
            choose_refiner(CaptureOptions(landmarks=name))
    assert name in missing.value.message and "github.com" in missing.value.remedy


def test_a_detector_in_a_landmark_networks_place_is_refused(files, tmp_path):
    fake_networks.write_detector(tmp_path / _PLACES["rtmw"], "yolo")
    with pytest.raises(BadInput, match="gives no landmarks"):
        choose_refiner(CaptureOptions())


def test_a_file_that_cannot_be_run_is_bad_input(files, tmp_path):
    """Its frame is an ONNX file's, but an operator of it does not exist."""
    from onnx_writer import write

    ports = {"input": (1, 3, 256, 192)}, {"output": (1, 17, 64, 48)}
    write(tmp_path / _PLACES["vitpose"], *ports, [("Nothing", ["input"], ["output"], {})], {"w": np.zeros(1, np.float32)})
    with pytest.raises(BadInput, match="cannot be run"):
        choose_refiner(CaptureOptions())


def test_every_choice_of_the_options_is_understood(files):
    files("rtmw", "vitpose", "rtmpose", "yolo")
    for name in CHOICES["landmarks"]:
        choose_refiner(CaptureOptions(landmarks=name))
    for name in CHOICES["boxes"]:
        choose_detector(CaptureOptions(boxes=name), None)


@pytest.mark.parametrize(
    ("head", "points", "size", "megabytes", "name"),
    [
        ("heatmaps", 17, (192, 256), 343, "ViTPose-B"), ("heatmaps", 17, (192, 256), 2550, "ViTPose-H"), ("simcc", 17, (192, 256), 54, "RTMPose-m"),
        ("simcc", 26, (288, 384), 195, "RTMPose-x"), ("simcc", 133, (288, 384), 134, "DWPose-l"), ("simcc", 133, (288, 384), 369, "RTMW-x"),
    ],
)
def test_a_files_size_tells_which_published_network_it_is(tmp_path, head, points, size, megabytes, name):
    """Sizes of published exports: 4 bytes a parameter; the files of RTMW-x and DWPose-l as their distributors list them."""
    path = tmp_path / "some.onnx"
    with path.open("wb") as file:
        file.truncate(megabytes * 1_000_000)
    assert accuracy(path, OnnxKind("", head, points, size, True))[1] == name


def test_weights_beside_a_file_count_to_its_size(tmp_path):
    path = tmp_path / "vitpose.onnx"
    path.write_bytes(b"small")
    with (tmp_path / "vitpose.onnx.data").open("wb") as file:
        file.truncate(1_228_000_000)
    assert accuracy(path, OnnxKind("vitpose", "heatmaps", 17, (192, 256), True))[1] == "ViTPose-L"
