# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths on the floor. Oracles: the original's own (goldens/mdm, traj_repr.npz: 3 s at 0.8 m/s, 30 frames a second; goldens/loco,
trajectories.npz: 4 s) and lengths measured on the points.
"""

from pathlib import Path

import numpy as np
import pytest

from smplit.errors import BadInput
from smplit.loco.paths import PATHS, circle, line, mirrored, named_path, original_path, square

GOLDEN = Path(__file__).resolve().parents[1] / "goldens" / "mdm_traj_repr.npz"
SMOOTHED = Path(__file__).resolve().parents[3] / "shared" / "goldens" / "loco" / "trajectories.npz"


@pytest.mark.parametrize("name,path", [("line", line), ("rect", square), ("circle", circle)])
def test_a_path_is_the_originals(name, path):
    with np.load(GOLDEN) as archive:
        assert np.abs(path(90, 0.8 / 30) - archive[f"path/{name}"]).max() < 1e-6


def test_a_square_of_fewer_points_than_corners_waits_at_the_origin():
    assert np.array_equal(square(3, 1.0), np.zeros((3, 2)))


@pytest.mark.parametrize("name", ["line", "rec", "circle", "spline"])
@pytest.mark.parametrize("rev_dir", [False, True])
def test_a_path_is_smoothed_and_mirrored_as_by_the_original(name, rev_dir):
    if not SMOOTHED.is_file():
        pytest.skip("needs ../shared/goldens/loco/trajectories.npz")
    with np.load(SMOOTHED) as archive:
        assert np.abs(original_path(name, 120, 0.8 / 30, 10, rev_dir) - archive[f"{name}_rev{int(rev_dir)}/xy_smoothed"]).max() < 1e-5


@pytest.mark.parametrize("name", [*PATHS, "rec", "spline"])
@pytest.mark.parametrize("length", [1.0, 5.0, 50.0, 200.0])
def test_a_named_path_is_as_long_as_asked(name, length):
    points, closed = named_path(name, length, seed=7)
    around = np.concatenate([points, points[:1]]) if closed else points
    assert np.linalg.norm(np.diff(around, axis=0), axis=1).sum() == pytest.approx(length, rel=1e-9)
    assert closed == (name in ("circle", "square", "rec", "eight"))


def test_every_seed_has_its_own_random_path_again_and_again():
    one, again, other = (named_path("random", 20, seed=seed)[0] for seed in (1, 1, 2))
    assert np.array_equal(one, again) and np.abs(one - other).max() > 0.5


@pytest.mark.parametrize("seed", range(8))
def test_a_random_path_bends_no_tighter_than_people_like(seed):
    points, _ = named_path("random", 30, seed)
    step = np.diff(points, axis=0)
    heading = np.unwrap(np.arctan2(step[:, 1], step[:, 0]))
    assert np.abs(np.diff(heading)).max() / np.linalg.norm(step[0]) < 1 / 0.95
    assert np.ptp(heading) > 0.8, "and it is no line"


def test_mirrored_keeps_x_and_height():
    assert mirrored(np.array([(1.0, 2.0, 3.0)])).tolist() == [[1, -2, 3]]


@pytest.mark.parametrize("name,length", [("heart", 5), ("line", 0), ("line", -1), ("circle", float("nan")), ("square", float("inf"))])
def test_an_unknown_path_or_no_length_is_refused(name, length):
    with pytest.raises(BadInput) as error:
        named_path(name, length)
    assert error.value.remedy
