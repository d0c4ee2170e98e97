# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths on the floor. Oracle: the original's own (goldens/mdm, traj_repr.npz): 3 s at 0.8 m/s, 30 frames a second."""

from pathlib import Path

import numpy as np
import pytest

from smplit.loco.paths import circle, line, square

GOLDEN = Path(__file__).resolve().parents[1] / "goldens" / "mdm_traj_repr.npz"


@pytest.mark.parametrize("name,path", [("line", line), ("rect", square), ("circle", circle)])
def test_a_path_is_the_originals(name, path):
    with np.load(GOLDEN) as archive:
        assert np.abs(path(90, 0.8 / 30) - archive[f"path/{name}"]).max() < 1e-6


def test_a_square_of_fewer_points_than_corners_waits_at_the_origin():
    assert np.array_equal(square(3, 1.0), np.zeros((3, 2)))
