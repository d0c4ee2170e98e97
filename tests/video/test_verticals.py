# SPDX-License-Identifier: GPL-3.0-or-later
"""Up from upright edges: edges projected from a made world whose up is known, and pictures with drawn posts."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.video.verticals import LineGatherer, upright

WIDTH, HEIGHT = 1280, 720
K = np.array([[1100.0, 0, WIDTH / 2], [0, 1100.0, HEIGHT / 2], [0, 0, 1]])
LEVEL = np.array([0.0, -1.0, 0.0])
STILL = np.eye(3)[None]


def tilted(roll, pitch):
    """(3,3) level axes -> those of a camera rolled and pitched by degrees, and (3,) up in the latter."""
    tilt = Rotation.from_euler("zx", [roll, pitch], degrees=True).as_matrix()
    return tilt, tilt @ LEVEL


def project(points):
    """(M,2,3) m in the camera's axes -> (M,4) px."""
    return (points[..., :2] / points[..., 2:] * K[[0, 1], [0, 1]] + K[:2, 2]).reshape(-1, 4)


def edges(random, tilt, up, count, turns=STILL, error_px=0.7):
    """(count,5) lines: upright edges of 2 m about the view, each seen in one of the turned cameras."""
    level = np.stack([random.uniform(-3, 3, count), random.uniform(-0.2, 2.0, count), random.uniform(5, 10, count)], -1)
    rows = random.integers(0, len(turns), count)
    ends = np.stack([level @ tilt.T, level @ tilt.T + 2.0 * up], 1)
    seen = project(np.einsum("mij,mpj->mpi", turns[rows], ends))
    return np.column_stack([rows, seen + random.normal(0, error_px, seen.shape)])


def clutter(random, count, rows=1):
    """(count,5) lines of any place, length and direction."""
    middle = random.uniform([0, 0], [WIDTH, HEIGHT], (count, 2))
    angle, length = random.uniform(0, np.pi, count), random.uniform(60, 250, count)
    half = 0.5 * length[:, None] * np.stack([np.cos(angle), np.sin(angle)], -1)
    return np.column_stack([random.integers(0, rows, count), middle - half, middle + half])


def degrees_apart(a, b):
    return np.degrees(np.arccos(np.clip(a @ b, -1, 1)))


@pytest.mark.parametrize("roll, pitch", [(0, 0), (6, 0), (-8, 0), (0, 12), (5, -10), (-6, 9)])
def test_up_is_found_among_as_many_lines_that_stand_any_way(roll, pitch):
    random = np.random.default_rng(abs(100 * roll + pitch))
    tilt, up = tilted(roll, pitch)
    found = upright(np.concatenate([edges(random, tilt, up, 40), clutter(random, 40)]), K, STILL, LEVEL)
    assert degrees_apart(found.direction, up) < 0.7
    # Whitening says how sure it is: the truth lies within a few of its standard deviations.
    assert np.linalg.norm(found.whitening @ up) < 4.0
    assert np.linalg.norm(found.whitening @ found.direction) < 0.1


def test_up_is_found_when_the_camera_turns_and_each_line_is_seen_in_another_frame():
    random = np.random.default_rng(3)
    tilt, up = tilted(5, -7)
    turns = Rotation.from_euler("yx", np.linspace([0, 0], [35, 6], 8), degrees=True).as_matrix()
    lines = np.concatenate([edges(random, tilt, up, 80, turns), clutter(random, 40, len(turns))])
    assert degrees_apart(upright(lines, K, turns, LEVEL).direction, up) < 0.7


def test_few_lines_or_none_say_nothing():
    random = np.random.default_rng(4)
    tilt, up = tilted(3, 3)
    assert upright(np.zeros((0, 5)), K, STILL, LEVEL) is None
    assert upright(edges(random, tilt, up, 7), K, STILL, LEVEL) is None


@pytest.mark.parametrize("count", [120, 500, 2000])
@pytest.mark.parametrize("seed", range(4))
def test_lines_that_stand_any_way_say_nothing_however_many_they_are(seed, count):
    assert upright(clutter(np.random.default_rng(seed), count), K, STILL, LEVEL) is None


@pytest.mark.parametrize("roll, pitch", [(25, 0), (-30, 0), (0, 28), (0, -40), (90, 0), (20, -20)])
def test_a_direction_farther_than_the_reach_is_not_followed(roll, pitch):
    # Leaning struts, roofs and a level floor's boards agree as well as walls do.
    random = np.random.default_rng(5)
    tilt, up = tilted(roll, pitch)
    lines = np.concatenate([edges(random, tilt, up, 60), clutter(random, 20)])
    assert upright(lines, K, STILL, LEVEL) is None
    assert degrees_apart(upright(lines, K, STILL, up).direction, up) < 0.7  # only the expectation forbade it


def posts(middles, height=HEIGHT, width=WIDTH, thickness=24):
    """A picture (H,W,3) of bright posts of full height on a dark ground."""
    image = np.full((height, width, 3), 40, np.uint8)
    for x in middles:
        image[height // 10 : 9 * height // 10, x - thickness // 2 : x + thickness // 2] = 210
    return image


NOBODY = np.zeros((0, 4))


def upright_middles(lines):
    """x of the middles of the upright lines among (M,5)."""
    assert len(lines)
    standing = np.abs(lines[:, 1] - lines[:, 3]) < 0.05 * np.abs(lines[:, 2] - lines[:, 4])
    return (lines[standing, 1] + lines[standing, 3]) / 2


def test_lines_inside_peoples_boxes_are_left_out():
    gatherer = LineGatherer()
    gatherer.add(posts([300, 900]), np.array([[820.0, 20, 980, 700]]), 0.0)
    places = upright_middles(gatherer.lines)
    assert len(places) and (np.abs(places - 300) < 16).all()


@pytest.mark.parametrize("height, width", [(720, 1280), (1080, 1920), (2160, 3840), (1920, 1080)])
def test_lines_of_any_picture_size_lie_where_the_posts_are(height, width):
    gatherer = LineGatherer()
    middle = int(0.8 * width)
    thickness = 2 * (width // 60)
    gatherer.add(posts([middle], height, width, thickness), NOBODY, 0.0)
    off = upright_middles(gatherer.lines) - middle
    assert off.min() == pytest.approx(-thickness / 2, abs=0.002 * width) and off.max() == pytest.approx(thickness / 2, abs=0.002 * width)
    ends = gatherer.lines[:, [2, 4]]
    assert ends.min() == pytest.approx(0.1 * height, abs=0.01 * height) and ends.max() == pytest.approx(0.9 * height, abs=0.01 * height)


def test_each_line_names_the_row_of_the_frame_that_showed_it():
    gatherer = LineGatherer()
    for row in range(31):  # ten frames a second; the post stands elsewhere in each
        gatherer.add(posts([200 + 25 * row]), NOBODY, 5.0 + 0.1001 * row)
    rows = gatherer.lines[:, 0]
    assert set(rows) == {0, 10, 20, 30}
    for row in set(rows):
        assert (np.abs(upright_middles(gatherer.lines[rows == row]) - (200 + 25 * row)) < 16).all()


def test_a_long_shot_is_looked_at_a_few_times_only():
    gatherer = LineGatherer()
    for row in range(40):
        gatherer.add(posts([400], 360, 640), NOBODY, 2.0 * row)
    assert 2 <= len(set(gatherer.lines[:, 0])) <= 10


def test_a_shot_that_shows_no_line_gives_none():
    gatherer = LineGatherer()
    gatherer.add(np.full((360, 640, 3), 90, np.uint8), NOBODY, 0.0)
    assert gatherer.lines.shape == (0, 5)
    assert LineGatherer().lines.shape == (0, 5)
