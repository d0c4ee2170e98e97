# SPDX-License-Identifier: GPL-3.0-or-later
"""Added detectors: a box of known place comes back from letterbox, network and decoding where the picture has it."""

from __future__ import annotations

import fake_networks
import numpy as np
import pytest

from smplit.errors import BadInput
from smplit.mocap.keypoints.blazepose import BodyLandmarks
from smplit.mocap.keypoints.movenet import Detection
from smplit.mocap.keypoints.person_boxes import BoxDetector, PointedBoxes

_KINDS = [("yolo", "w"), ("yolo_pose", "w"), ("yolo_end", "w"), ("yolox", "w"), ("mmdet", "w"), ("mmdet", "bbox_head.rtm_cls.0.weight")]
_SIDE = 160


def detector(path, head: str, name: str) -> BoxDetector:
    return BoxDetector(fake_networks.write_detector(path / "net.onnx", head, _SIDE, (24.0, 40.0), name))


@pytest.mark.parametrize(("head", "name"), _KINDS)
@pytest.mark.parametrize("size", [(640, 400), (300, 500), (96, 64)])
def test_a_person_is_found_where_the_red_is(tmp_path, head, name, size):
    scale = _SIDE / max(size)  # px of the input a px of the picture
    at = np.array([0.7 * size[0] + 0.3, 0.4 * size[1] + 0.8])
    image = fake_networks.picture(size, [(*at, 0), (0.2 * size[0], 0.5 * size[1], 2)], spread=3.0 / scale)
    people = detector(tmp_path, head, name)(image)
    # Another class and a second box at the same place are nobody; of equals the better one stays.
    assert len(people) == 1
    assert people[0].score == pytest.approx({"yolox": 0.95 * 0.9}.get(head, 0.9), abs=1e-5)
    shift = 1.0 if head in ("mmdet", "yolo_end") else 0.0  # those put their second row a pixel to the right
    box = np.array([at - np.array([12, 20]) / scale, at + np.array([12, 20]) / scale]) + (shift / scale, 0)
    np.testing.assert_allclose(people[0].box.reshape(2, 2), np.clip(box, 0, size), atol=0.2 / min(scale, 1.0))


@pytest.mark.parametrize(
    ("head", "name", "white", "grey", "red", "above"),
    [
        ("yolo", "w", (1, 1, 1), (114 / 255,) * 3, (1, 0, 0), 30),  # RGB 0..1, in the middle
        ("yolox", "w", (255,) * 3, (114,) * 3, (0, 0, 255), 0),  # BGR 0..255, at the top
        ("mmdet", "bbox_head.rtm_cls.0.weight", (2.6400, 2.4286, 2.2489), (0.1825, -0.0399, -0.1657), (-1.8044, -2.0357, 2.2489), 0),
    ],
)
def test_the_network_is_handed_what_its_authors_handed_it(tmp_path, head, name, white, grey, red, above):
    """The third row: MMDetection's mean 103.53, 116.28, 123.675 and deviation 57.375, 57.12, 58.395 of blue, green and red."""
    image = np.full((100, 160, 3), 255, np.uint8)
    image[50:] = 255, 0, 0
    added = detector(tmp_path, head, name)
    inner, handed = added._network, []
    added._network = lambda batch: (handed.append(batch), inner(batch))[1]
    added(image)
    (batch,) = handed
    assert batch.shape == (1, 3, 160, 160) and batch.dtype == np.float32
    for row, colour in ((above + 10, white), (above + 90, red), (above + 110, grey), (above - 1, grey)):
        np.testing.assert_allclose(batch[0, :, row, 80], colour, atol=1e-3)


def test_points_of_a_pose_detector_come_along(tmp_path):
    image = fake_networks.picture((640, 400), [(320.5, 210.0, 0)], spread=12.0)
    (person,) = detector(tmp_path, "yolo_pose", "w")(image)
    np.testing.assert_allclose(person.keypoints[5], (320.5 + 16, 210.0 - 32, 0.7), atol=0.5)
    assert (person.keypoints[[0, 11], 2] == 0).all()


def test_swapped_colours_are_noticed(tmp_path):
    """Each network wants its own order of colours; handed over wrongly, blue would be found for red."""
    image = fake_networks.picture((640, 400), [(150.0, 200.0, 2), (500.0, 200.0, 0)], spread=12.0)
    for head, name in _KINDS:
        (person,) = detector(tmp_path, head, name)(image)
        assert person.box[[0, 2]].mean() > 450, (head, name)


def test_a_landmark_network_is_no_detector(tmp_path):
    from smplit.mocap.keypoints.choose import choose_detector
    from smplit.mocap.options import CaptureOptions

    fake_networks.write_simcc(tmp_path / "landmarks" / "yolo.onnx", {0: 0}, 17)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(BadInput, match="finds no people"):
        patch.setenv("SMPLIT_MODEL_FILES", str(tmp_path))
        choose_detector(CaptureOptions(), None)


class _Boxes:
    def __init__(self, boxes):
        self.boxes = boxes

    def __call__(self, image):
        return [Detection(np.array(box, np.float32), 0.9, np.zeros((17, 3), np.float32)) for box in self.boxes]


class _Landmarker:
    """Says where it looked; sees somebody only in pictures whose left half it looks at."""

    def __init__(self):
        self.looks = []

    def __call__(self, image, regions):
        self.looks.append(regions)
        return [
            BodyLandmarks(np.full((33, 2), r.x), np.full(33, 0.8), np.zeros((33, 3)), float(r.x < 200), np.array([[r.x, r.y], [r.x, r.y - 50]]))
            for r in regions
        ]


def test_boxes_alone_get_points_and_boxes_without_a_body_go():
    landmarker = _Landmarker()
    people = PointedBoxes(_Boxes([(80, 40, 160, 280), (300, 40, 380, 280)]), landmarker)(np.zeros((400, 500, 3), np.uint8))
    assert len(people) == 1 and people[0].keypoints.shape == (17, 3)
    np.testing.assert_allclose(people[0].box, (80, 40, 160, 280))
    np.testing.assert_allclose(people[0].keypoints, np.tile([120, 120, 0.8], (17, 1)), rtol=1e-6)
    first = landmarker.looks[0][0]
    assert (first.x, first.y) == (120, 160) and first.side >= 1.25 * 240


def test_a_box_cut_by_the_pictures_lower_edge_has_its_hips_there_unless_it_is_tall():
    landmarker = _Landmarker()
    PointedBoxes(_Boxes([(10, 200, 190, 400), (10, 20, 110, 400)]), landmarker)(np.zeros((400, 500, 3), np.uint8))
    upper, whole = landmarker.looks[0]
    assert upper.y == 400 and upper.side >= 2 * 200 and whole.y == 210
