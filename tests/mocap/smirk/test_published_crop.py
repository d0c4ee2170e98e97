# SPDX-License-Identifier: GPL-3.0-or-later
"""What SMIRK looks at is what the original cut (goldens/smirk, crop.npz), and steady where landmarks are lost for a moment."""

import numpy as np
import pytest
from formula_weights import bgr_frame, checksum
from smirk_goldens import golden

from smplit.mocap.smirk.crop import cut, into_crop, square_around, squares

_PLACES = ("inside", "border", "large", "tiny")


@pytest.fixture(scope="module")
def frame():
    """(480,640,3) RGB."""
    bgr = bgr_frame(480, 640)
    assert checksum(bgr) == int(golden("crop")["bgr_crc32"]) and bgr.shape == tuple(golden("crop")["bgr_shape"])
    return np.ascontiguousarray(bgr[..., ::-1])


def levels(crop):
    """(3,224,224) 0..1 -> the (56,56,3) levels that the goldens keep."""
    return np.round(255 * crop.numpy()).astype(int).transpose(1, 2, 0)[2::4, 2::4]


@pytest.mark.parametrize("boxes", [1.4, 1.6])
@pytest.mark.parametrize("place", _PLACES)
def test_a_crop_is_the_original_ones(frame, place, boxes):
    points = golden("crop")[f"{place}.kpts"]
    square = square_around(points, boxes)
    matrix = into_crop(square)
    assert np.allclose(matrix, golden("crop")[f"{place}.{boxes}.tform"], rtol=0, atol=1e-9)
    moved = np.concatenate([points[:8], np.ones((8, 1))], axis=1) @ matrix.T
    assert np.allclose(moved[:, :2], golden("crop")[f"{place}.{boxes}.kpts_crop_first8"], rtol=0, atol=1e-9)
    off = np.abs(levels(cut(frame, square)) - golden("crop")[f"{place}.{boxes}.crop_rgb_s4"].astype(int))
    assert off.max() <= 1 and (off > 0).mean() < 0.002


@pytest.mark.parametrize("place", _PLACES)
def test_blue_before_red_and_half_a_pixel_aside_are_noticed(frame, place):
    square, expected = square_around(golden("crop")[f"{place}.kpts"]), golden("crop")[f"{place}.1.4.crop_rgb_s4"].astype(int)
    aside = square + [0.5, 0.5, 0.0]
    assert np.abs(levels(cut(frame[..., ::-1], square)) - expected).max() > 20
    assert np.abs(levels(cut(frame, aside)) - expected).max() > 5


def test_irises_do_not_change_the_square_and_an_older_mesh_only_little():
    newer, older = golden("faces")["newer"][:, :2], golden("faces")["older"][:, :2]
    assert np.array_equal(square_around(newer), square_around(newer[:468]))
    off = np.abs(square_around(older[:468]) - square_around(newer))
    assert off[2] < 0.1 * square_around(newer)[2] and off[:2].max() < 0.05 * square_around(newer)[2]


@pytest.fixture
def clip():
    """A face that walks to the right, and is lost twice: for a moment, and for long."""
    count = 60
    face = np.repeat(golden("faces")["older"][None, :468], count, axis=0).astype(np.float64)
    face[..., 0] += 2.0 * np.arange(count)[:, None]
    confidence, times = np.ones(count), np.arange(count) / 30
    confidence[10:15], confidence[25:50] = 0.1, 0.0
    face[10:15] += 400.0
    face[25:50] = np.nan
    return face, confidence, times


def test_a_short_loss_is_bridged_and_a_long_one_is_not(clip):
    found = squares(*clip)
    x = found[:, 0] - found[0, 0]
    asked = np.r_[0:25, 50:60]
    assert np.allclose(x[asked], 2.0 * asked, atol=1e-6)
    assert np.isnan(found[25:50]).all()


def test_a_face_of_a_few_pixels_is_not_looked_at(clip):
    face, confidence, times = clip
    assert np.isnan(squares(0.08 * face, confidence, times)).all()
