# SPDX-License-Identifier: GPL-3.0-or-later
"""Added landmark networks: a blob of known place comes back from crop, network and decoding where it is, to a fraction of a pixel."""

from __future__ import annotations

import fake_networks
import numpy as np
import pytest

from smplit.mocap.keypoints import point_decoding, top_down
from smplit.mocap.keypoints.onnx_kinds import OnnxKind
from smplit.mocap.keypoints.point_decoding import BLUNT, SHARP, decode_heatmaps, decode_simcc, sharpness_of
from smplit.mocap.keypoints.top_down import PersonCrop, TopDownLandmarker

_POINTS = {0: 0, 9: 1, 10: 2}  # nose red, left wrist green, right wrist blue
# A person each: a tall box, a wide one whose crop reaches beyond the picture.
_BLOBS = [(200.3, 110.8, 0), (262.4, 260.2, 1), (170.6, 290.9, 2)], [(520.2, 60.4, 0), (600.7, 120.6, 1), (440.1, 101.3, 2)]
_BOXES = np.array([[140.0, 60.0, 290.0, 360.0], [400.0, 20.0, 640.0, 170.0]])


def picture() -> np.ndarray:
    return fake_networks.picture((640, 400), [blob for person in _BLOBS for blob in person])


def expected() -> np.ndarray:
    """(2,3,2) px of both people's nose and wrists."""
    return np.array([[(x, y) for x, y, _ in person] for person in _BLOBS])


def network(path, kind: str, batch: int | str = "batch"):
    if kind == "vitpose":
        return fake_networks.write_heatmaps(path / "net.onnx", _POINTS, 17, batch=batch)
    count, size = (26, (192, 256)) if kind == "rtmpose" else (133, (288, 384))
    return fake_networks.write_simcc(path / "net.onnx", _POINTS, count, size, batch)


@pytest.mark.parametrize("kind", ["vitpose", "rtmpose", "rtmw"])
@pytest.mark.parametrize("batch", ["batch", 1])
def test_points_of_several_people_are_where_the_picture_has_them(tmp_path, kind, batch):
    points, confidence = TopDownLandmarker(network(tmp_path, kind, batch))(picture(), _BOXES)
    assert points.shape == (2, {"vitpose": 17, "rtmpose": 26, "rtmw": 133}[kind], 2)
    assert np.abs(points[:, [0, 9, 10]] - expected()).max() < 0.5
    assert confidence[:, [0, 9, 10]].min() > 0.8 and confidence.max() <= 1.0


def test_a_file_in_half_precision_is_handed_halves(tmp_path):
    landmarker = TopDownLandmarker(fake_networks.write_simcc(tmp_path / "net.onnx", _POINTS, 17, half=True))
    points, _ = landmarker(picture(), _BOXES)
    assert landmarker.kind.half and np.abs(points[:, [0, 9, 10]] - expected()).max() < 0.7  # colours are coarser


@pytest.mark.parametrize("kind", ["vitpose", "rtmpose"])
def test_a_systematic_shift_of_half_a_pixel_would_be_seen(tmp_path, kind):
    """Over 40 places the errors average out: what is left is the mean of a wrong pixel convention, if there is one."""
    landmarker = TopDownLandmarker(network(tmp_path, kind))
    rng, errors = np.random.default_rng(0), []
    for _ in range(40):
        x, y = rng.uniform(180, 250), rng.uniform(120, 300)
        points, _ = landmarker(fake_networks.picture((640, 400), [(x, y, 0)]), _BOXES[:1])
        errors.append(points[0, 0] - (x, y))
    assert np.abs(np.mean(errors, 0)).max() < 0.1


@pytest.mark.parametrize("mistake", ["swapped colours", "mirrored"])
def test_a_picture_in_other_colours_or_mirrored_is_noticed(tmp_path, mistake):
    wrong = picture()[..., ::-1] if mistake == "swapped colours" else picture()[:, ::-1]
    points, _ = TopDownLandmarker(network(tmp_path, "rtmpose"))(np.ascontiguousarray(wrong), _BOXES)
    assert np.linalg.norm(points[:, [0, 10]] - expected()[:, [0, 2]], axis=-1).min() > 20


def test_no_people_need_no_network(tmp_path):
    points, confidence = TopDownLandmarker(network(tmp_path, "rtmpose"))(picture(), np.zeros((0, 4)))
    assert points.shape == (0, 26, 2) and confidence.shape == (0, 26)


def ramp() -> np.ndarray:
    """Red is the column, green the row."""
    y, x = np.mgrid[:250, :250]
    return np.stack([x, y, 0 * x], -1).astype(np.uint8)


def seen(crop: np.ndarray) -> np.ndarray:
    """(3,h,w) input -> (h,w,2) columns and rows of the ramp."""
    raw = crop.transpose(1, 2, 0) * top_down.DEVIATION + top_down.MEAN
    return raw[..., :2]


def test_the_crop_is_one_and_a_quarter_of_the_box_in_the_inputs_proportions():
    """A box of 60x100 grows to 75x125, then to 93.75x125 (3:4); its middle is column 109.5, row 99.5 counted from pixel centres."""
    box = np.array([80.0, 50.0, 140.0, 150.0])
    simcc, heatmaps = (OnnxKind("", head, 17, (192, 256), True) for head in ("simcc", "heatmaps"))
    columns_rows = seen(PersonCrop(box, simcc).cut(ramp()))
    # MMPose: pixel W/2 of the crop looks at the middle, and pixels are 93.75/192 apart.
    np.testing.assert_allclose(columns_rows[128, 96], (109.5, 99.5), atol=0.6)
    np.testing.assert_allclose(columns_rows[-1, -1] - columns_rows[0, 0], (191 * 93.75 / 192, 255 * 125 / 256), atol=0.7)
    # UDP: the first and last pixels lie on the edges of the grown box.
    np.testing.assert_allclose(PersonCrop(box, simcc).to_image(np.array([191.0, 0.0])), (110 + 95 * 93.75 / 192, 100 - 62.5))
    columns_rows = seen(PersonCrop(box, heatmaps).cut(ramp()))
    np.testing.assert_allclose(PersonCrop(box, heatmaps).to_image(np.array([191.0, 0.0])), (110 + 93.75 / 2, 100 - 62.5))
    np.testing.assert_allclose(columns_rows[0, 0], (109.5 - 93.75 / 2, 99.5 - 62.5), atol=0.6)
    np.testing.assert_allclose(columns_rows[-1, -1], (109.5 + 93.75 / 2, 99.5 + 62.5), atol=0.6)


def test_beyond_the_picture_is_black():
    crop = PersonCrop(np.array([0.0, 0.0, 60.0, 100.0]), OnnxKind("", "simcc", 17, (192, 256), True)).cut(np.full((250, 250, 3), 200, np.uint8))
    np.testing.assert_allclose(crop[:, 0, 0], -top_down.MEAN / top_down.DEVIATION, rtol=1e-5)
    np.testing.assert_allclose(crop[:, 128, 96], (200 - top_down.MEAN) / top_down.DEVIATION, rtol=1e-5)


def gaussian(centre: float, bins: int, deviation: float = 6.0) -> np.ndarray:
    return np.exp(-((np.arange(bins) - centre) ** 2) / (2 * deviation**2))


@pytest.mark.parametrize(("gain", "kind"), [(1.0, SHARP), (10.0, BLUNT)])
def test_simcc_of_both_scales_of_logits_gives_the_same_points_and_confidence(gain, kind):
    across = gain * np.stack([gaussian(101.3, 384), 0.3 * gaussian(50, 384), gaussian(200.0, 384)])[None].astype(np.float32)
    down = gain * np.stack([gaussian(260.8, 512), gaussian(90, 512), gaussian(400.2, 512)])[None].astype(np.float32)
    assert sharpness_of(across, down) == kind
    points, confidence = decode_simcc(across, down, kind)
    np.testing.assert_allclose(points[0], np.array([[101.3, 260.8], [50, 90], [200, 400.2]]) / 2, atol=0.1)
    assert confidence[0, 0] > 0.95 and confidence[0, 2] > 0.95 and confidence[0, 1] < 0.5


def test_two_peaks_of_equal_height_are_worth_half_each_and_no_peak_nothing():
    row = np.maximum(gaussian(100, 384), gaussian(300, 384))[None, None].astype(np.float32)
    _, confidence = decode_simcc(row, gaussian(100, 512)[None, None].astype(np.float32), SHARP)
    chance = 25 / 384
    assert confidence[0, 0] == pytest.approx((0.5 - chance) / (1 - chance), abs=0.02)
    _, confidence = decode_simcc(np.zeros((1, 1, 384), np.float32), np.zeros((1, 1, 512), np.float32), SHARP)
    assert confidence[0, 0] < 1e-6


@pytest.mark.parametrize("place", [(20.0, 30.0), (20.4, 30.7), (0.6, 62.2), (46.9, 0.3)])
def test_heat_maps_are_read_between_their_cells(place):
    x, y = place
    columns, rows = np.meshgrid(np.arange(48), np.arange(64))
    heatmap = 0.8 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 2.0**2))
    points, confidence = decode_heatmaps(heatmap[None, None].astype(np.float32), (192, 256))
    inside = 3 < x < 44 and 3 < y < 60  # blurring bends a hill that the border cuts, by less than a cell (MMPose's decoding too)
    np.testing.assert_allclose(points[0, 0], (x * 191 / 47, y * 255 / 63), atol=0.1 if inside else 4.0)
    assert confidence[0, 0] == pytest.approx(0.8, abs=0.06)


def test_an_empty_heat_map_has_no_confidence_and_moves_nothing_to_nowhere():
    points, confidence = decode_heatmaps(np.zeros((1, 2, 64, 48), np.float32), (192, 256))
    assert np.isfinite(points).all() and (confidence == 0).all()


def test_blunt_logits_stay_blunt_in_a_frame_that_shows_nothing(tmp_path):
    """The scale of a network's logits is its own; a frame in which it is unsure must not be taken for a sharper network."""
    landmarker = TopDownLandmarker(fake_networks.write_simcc(tmp_path / "net.onnx", dict.fromkeys(range(133), 0), 133, gain=10.0))
    landmarker(picture(), _BOXES[:1])
    assert landmarker._sharpness == point_decoding.BLUNT
    _, confidence = landmarker(np.zeros_like(picture()), _BOXES[:1])
    assert landmarker._sharpness == point_decoding.BLUNT and confidence.max() < 0.1
