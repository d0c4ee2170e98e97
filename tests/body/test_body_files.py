# SPDX-License-Identifier: GPL-3.0-or-later
"""A body file put in place by hand: what it holds beside numbers is never unpickled, and does no harm."""

import os

import numpy as np
import pytest

from smplit.body.model import BodyModel
from smplit.errors import BadInput
from smplit.models import CHECKOUT_FILES

OPEN = CHECKOUT_FILES / "body" / "OPEN_NEUTRAL.npz"
STILL = np.zeros((1, 165), np.float32), np.zeros((1, 3), np.float32)


class Bomb:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


def changed(path, **arrays):
    with np.load(OPEN, allow_pickle=False) as archive:
        np.savez(path, **({name: archive[name] for name in archive.files} | arrays))
    return BodyModel.load(path)


def test_a_bomb_under_a_name_that_nobody_asks_for_does_not_go_off(tmp_path):
    body = changed(tmp_path / "SMPLX_NEUTRAL.npz", part2num=np.array([Bomb(tmp_path / "mark")], object))
    vertices = body.vertices(*STILL)
    assert not (tmp_path / "mark").exists()
    np.testing.assert_array_equal(vertices, BodyModel.load(OPEN).vertices(*STILL))


def test_a_published_file_s_tables_of_names_do_no_harm(tmp_path):
    """SMPL-X as downloaded has two dictionaries in object arrays."""
    body = changed(tmp_path / "SMPLX_NEUTRAL.npz", joint2num=np.array({"pelvis": 0}, object))
    assert body.vertices(*STILL).shape == (1, len(body.v_template), 3)


def test_a_bomb_in_place_of_the_correctives_is_refused(tmp_path):
    body = changed(tmp_path / "SMPLX_NEUTRAL.npz", posedirs=np.array([Bomb(tmp_path / "mark")], object))
    with pytest.raises(BadInput, match="cannot be read as a body model"):
        body.vertices(*STILL)
    assert not (tmp_path / "mark").exists()
