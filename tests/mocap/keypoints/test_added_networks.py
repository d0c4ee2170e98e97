# SPDX-License-Identifier: GPL-3.0-or-later
"""A whole observation pass with added networks, on a real clip with a green spot painted on it that such a network sees."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from pathlib import Path

import av
import fake_networks
import numpy as np
import pytest

from smplit.mocap.observe import observe
from smplit.mocap.options import CaptureOptions
from smplit.progress import Reporter
from smplit.video.decode import VideoReader

pytestmark = pytest.mark.slow
_CLIP = Path(__file__).parents[4] / "shared" / "videos" / "halfbody_sign_hands.mp4"
_FRAMES = 8
_GREEN = 1
_RIGHT_WRIST = 16


def spot(frame: int, size: tuple[int, int]) -> np.ndarray:
    """(2,) px, from the picture's corner: a place near the middle, going right."""
    return np.array([0.45 * size[0] + 2.3 * frame, 0.6 * size[1] + 0.4])


@pytest.fixture(scope="module")
def clip(tmp_path_factory) -> Path:
    """The first frames of the clip without any green, but for the spot; colours at full resolution, so that it stays where it is."""
    if not _CLIP.exists():
        pytest.skip("needs halfbody_sign_hands.mp4 of ../shared/videos")
    path = tmp_path_factory.mktemp("clip") / "spot.mp4"
    with VideoReader(_CLIP) as reader, av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options={"preset": "ultrafast", "crf": "0"})
        stream.width, stream.height, stream.pix_fmt = reader.info.width, reader.info.height, "yuv444p"
        for number, frame in zip(range(_FRAMES), reader, strict=False):
            image = frame.image.astype(np.float32)
            image[..., _GREEN] = np.minimum(image[..., _GREEN], image[..., [0, 2]].max(-1))
            height, width = image.shape[:2]
            y, x = np.mgrid[:height, :width] + 0.5
            at = spot(number, (width, height))
            strength = np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * 8.0**2))[..., None]
            painted = image + strength * (np.array([0, 255, 0]) - image)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.round(painted).astype(np.uint8), format="rgb24")))
        container.mux(stream.encode())
    return path


def look(clip: Path, **options):
    (shot,) = observe(clip, CaptureOptions(face="none", camera="static", **options), Reporter())
    return shot.people[0]


@pytest.fixture(scope="module")
def plain(clip):
    """What the shipped networks alone see."""
    return look(clip)


@pytest.fixture
def files(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("SMPLIT_MODEL_FILES", str(tmp_path))
    return tmp_path / "landmarks"


@pytest.mark.parametrize("name", ["vitpose", "rtmpose", "rtmw"])
def test_what_an_added_network_sees_is_in_the_result_to_half_a_pixel_and_the_rest_is_blazeposes(clip, plain, files, name):
    wrist = {10: _GREEN}
    if name == "vitpose":
        # Surer than BlazePose of its own wrist, which is a hand's length away from the spot.
        fake_networks.write_heatmaps(files / "vitpose.onnx", wrist, gain=1.5)
    elif name == "rtmpose":
        fake_networks.write_simcc(files / "rtmpose.onnx", wrist, 26)
    else:
        fake_networks.write_simcc(files / "rtmw.onnx", wrist, 133, (288, 384))
    person = look(clip)
    with VideoReader(clip) as reader:
        size = reader.info.width, reader.info.height
    expected = np.array([spot(frame, size) for frame in range(len(person))])
    error = person.body[:, _RIGHT_WRIST] - expected
    # The spot's flat top in eight bits leaves the peak half a pixel of play from frame to frame, but not on average.
    assert np.abs(error).max() < 1.0 and np.abs(np.mean(error, 0)).max() < 0.3
    assert person.body_confidence[:, _RIGHT_WRIST].min() > 0.5
    # Points it gives without confidence, and the 3D, stay.
    others = np.delete(np.arange(33), [_RIGHT_WRIST, 18, 20, 22])  # the hand comes along with its wrist
    np.testing.assert_array_equal(person.body[:, others], plain.body[:, others])
    np.testing.assert_array_equal(person.body_world, plain.body_world)
    np.testing.assert_array_equal(person.boxes, plain.boxes)


def test_a_hand_that_a_whole_body_network_sees_is_in_the_result(clip, files):
    """All 21 points of the left hand on the spot: no hand network finds one of that shape, so its 3D must not pretend to be it."""
    fake_networks.write_simcc(files / "rtmw.onnx", dict.fromkeys(range(91, 112), _GREEN), 133, (288, 384))
    person = look(clip)
    with VideoReader(clip) as reader:
        size = reader.info.width, reader.info.height
    expected = np.array([spot(frame, size) for frame in range(len(person))])
    there = np.linalg.norm(person.hands[:, 0] - expected[:, None], axis=-1).max(1) < 1.0
    assert there.mean() > 0.5 and (person.hands_world[there, 0] == 0).all() and person.hand_confidence[there, 0].min() > 0.5
    assert (look(clip, hands="none").hand_confidence == 0).all()


def test_shipped_networks_by_name_give_the_same_arrays_with_and_without_added_files(clip, plain, files):
    fake_networks.write_simcc(files / "rtmw.onnx", {10: _GREEN}, 133)
    fake_networks.write_detector(files / "yolo.onnx", "yolo")
    named = look(clip, landmarks="blazepose", boxes="movenet")
    for field in fields(plain):
        np.testing.assert_array_equal(getattr(named, field.name), getattr(plain, field.name))


def test_a_detector_of_boxes_alone_finds_the_person(clip, plain, files):
    """It says that somebody is about the green spot; BlazePose sees who."""
    fake_networks.write_detector(files / "yolo.onnx", "mmdet", 160, (90.0, 110.0))
    _paint_green_red(files / "yolo.onnx")
    person = look(clip)
    assert person.seen.all() and len(person) == _FRAMES
    sure = plain.body_confidence > 0.8
    assert np.median(np.linalg.norm(person.body - plain.body, axis=-1)[sure]) < 0.02 * np.ptp(plain.boxes[0, 1::2])


def _paint_green_red(path: Path) -> None:
    """Lets a fake detector, which looks for red, look for green: swaps the weights of both in the file."""
    red, green = (np.asarray(fake_networks.COLOURS[colour, ::-1] / 255.0, np.float32).tobytes() for colour in (0, _GREEN))
    content = path.read_bytes()
    assert content.count(red) == 1
    path.write_bytes(content.replace(red, green))
