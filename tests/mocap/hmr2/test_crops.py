# SPDX-License-Identifier: GPL-3.0-or-later
"""Crops as 4D-Humans makes them (goldens/hmr2, hmr2_4dhumans), and how they differ from WHAM's."""

import cv2
import numpy as np
import pytest
from hmr2_goldens import assert_golden, difference, golden

from smplit.mocap.hmr2 import crops as module
from smplit.mocap.hmr2.crops import blurred_crop, box_around
from smplit.mocap.wham.crop import person_crop

PIXEL = 1e-5  # of numbers between -2.2 and 2.7


def picture():
    return np.ascontiguousarray(golden("4dhumans")["crop_img_bgr"][..., ::-1])


def corners(number):
    return golden("4dhumans")["crop_boxes_xyxy"][number]


@pytest.mark.parametrize("number", range(4))
def test_the_crop_of_a_box(number):
    """Small ones, wide ones, one that is blurred and reaches beyond the picture."""
    assert_golden("4dhumans", {f"crop{number}_center_size": box_around(corners(number)) * (1, 1, 200)}, 1e-4)  # px
    crop = blurred_crop(picture(), box_around(corners(number))).numpy()
    tell = [crop.mean(), crop.std(dtype=np.float64)]
    assert_golden("4dhumans", {f"crop{number}_stride4": crop[:, ::4, ::4], f"crop{number}_mean_std": tell}, PIXEL)


def test_the_goldens_reach_what_they_should():
    sizes = [golden("4dhumans")[f"crop{number}_center_size"][2] for number in range(4)]
    assert sum(size / 512 > 1.1 for size in sizes) == 1 and min(sizes) < 256


def off(number, crop):
    return difference("4dhumans", f"crop{number}_stride4", crop[:, ::4, ::4])


def test_a_wrong_crop_is_noticed(monkeypatch):
    box = box_around(corners(0))
    assert off(0, blurred_crop(picture()[..., ::-1], box)) > 1000 * PIXEL  # blue first
    assert off(0, blurred_crop(picture(), box + (0.5, 0.5, 0.0))) > 1000 * PIXEL  # half a pixel
    assert off(0, person_crop(picture(), box)) > 1000 * PIXEL  # WHAM's
    assert off(0, blurred_crop(picture(), (*box[:2], 120.0 / 200.0))) > 1000 * PIXEL  # of the width
    monkeypatch.setattr(module, "_SHARP", np.inf)
    assert off(2, blurred_crop(picture(), box_around(corners(2)))) > 1000 * PIXEL  # not blurred


def test_only_what_the_box_shows_is_blurred_and_looks_as_if_all_was():
    rng = np.random.default_rng(1)
    image = cv2.resize(rng.integers(0, 255, (90, 160, 3), dtype=np.uint8), (1920, 1080))
    for box in ((300.0, 500.0, 4.0), (1900.0, 60.0, 3.5), (960.0, 540.0, 5.0)):
        deviation = (box[2] * 200.0 / 512.0 - 1.0) / 2.0
        everywhere = module.gaussian_filter(image.astype(np.float64), (deviation, deviation, 0.0), truncate=4.0, mode="nearest")
        half = box[2] * 100.0
        warp = np.array([[128.0 / half, 0.0, 128.0 - 128.0 / half * box[0]], [0.0, 128.0 / half, 128.0 - 128.0 / half * box[1]]])
        whole = cv2.warpAffine(everywhere, warp, (256, 256), flags=cv2.INTER_LINEAR)
        crop = blurred_crop(image, np.array(box)).permute(1, 2, 0).numpy() * (0.229, 0.224, 0.225) + (0.485, 0.456, 0.406)
        assert np.abs(crop * 255.0 - whole).max() < 0.02  # of 255


@pytest.mark.parametrize("side", [64.0, 256.0, 500.0])
def test_where_a_point_of_the_picture_lies_in_either_crop(side):
    """A white spot about a point, counted from the corner of the first pixel; the place that the camera takes it to."""
    far = np.hypot(np.arange(600) + 0.5 - 350.0, (np.arange(600) + 0.5 - 300.0)[:, None])
    image = np.repeat(np.round(255.0 * np.exp(-((far / 8.0) ** 2)))[..., None], 3, 2).astype(np.uint8)
    box = np.array([340.0, 290.0, side / 200.0])
    expected = 128.0 + (np.array([350.0, 300.0]) - box[:2]) * 256.0 / side
    middle = lambda crop: np.array([np.average(np.arange(256) + 0.5, weights=(crop[0] - crop[0].min()).sum(axis).numpy()) for axis in (0, 1)])
    assert np.abs(middle(person_crop(image, box)) - expected).max() < 0.05
    assert np.allclose(middle(blurred_crop(image, box)) - expected, (1.0 - 256.0 / side) / 2.0, atol=0.05)


def test_a_box_beside_the_picture_is_black_and_one_of_nothing_is_refused():
    image = np.full((40, 60, 3), 255, np.uint8)
    for size in (0.2, 5.0):
        assert np.allclose(blurred_crop(image, np.array([5000.0, 20.0, size]))[:, 0, 0], [-0.485 / 0.229, -0.456 / 0.224, -0.406 / 0.225], atol=1e-6)
    for size in (0.0, -1.0, np.nan):
        with pytest.raises(ValueError, match="no size"):
            blurred_crop(image, np.array([30.0, 20.0, size]))
