# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans of walks. Oracles: circles and lines whose answer is known on paper, and differences of the places themselves."""

import numpy as np
import pytest

from smplit.errors import BadInput
from smplit.loco.paths import named_path
from smplit.loco.plan import plan

FPS = 30


def steps(places: np.ndarray) -> np.ndarray:
    return np.linalg.norm(np.diff(places, axis=0), axis=1)


def beside(places: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Distance (T,) of places (T,2) from a polyline (N,2): the nearest point of any of its edges."""
    a, b = corners[:-1], corners[1:]
    along = np.clip(((places[:, None] - a) * (b - a)).sum(-1) / ((b - a) ** 2).sum(-1), 0, 1)
    return np.linalg.norm(a + along[..., None] * (b - a) - places[:, None], axis=-1).min(1)


def two_laps(walk) -> np.ndarray:
    """Frames -2 to two laps on, of a plan that is one lap."""
    return np.arange(-2, 2 * len(walk) + 2)


@pytest.mark.parametrize("length", [1.0, 5.0, 200.0])
def test_a_line_is_left_and_reached_standing_at_exactly_its_ends(length):
    walk = plan([(1, 2), (1 + length, 2)], speed=1.1)
    assert np.allclose(walk.place[[0, -1]], [(1, 2, 0), (1 + length, 2, 0)], atol=1e-12)
    moved = steps(walk.place)
    assert moved.sum() == pytest.approx(length, abs=1e-9)
    assert moved[0] < 1e-3 and moved[-1] < 1e-3, "the first and last step are those of somebody who stands"
    assert walk.speed[[0, -1]] == pytest.approx(0, abs=0.02)
    assert np.allclose(walk.arc, walk.place[:, 0] - 1, atol=1e-9)


@pytest.mark.parametrize("speed", [0.6, 1.2, 2.5])
@pytest.mark.parametrize("name,length", [("line", 20), ("circle", 20), ("eight", 20), ("spiral", 30), ("random", 20), ("square", 30)])
def test_the_mean_speed_is_the_requested_one(name, length, speed):
    points, closed = named_path(name, length, seed=4)
    walk = plan(points, speed=speed, closed=closed)
    lap = walk.rows(np.arange(len(walk) + closed)).place
    mean = steps(lap).sum() / ((len(lap) - 1) / FPS)
    assert mean == pytest.approx(speed, rel=0.02)
    assert walk.mean_speed == pytest.approx(mean, rel=1e-9)
    assert steps(lap).max() * FPS < 1.25 * speed + 1e-6


def test_a_walk_reaches_its_speed_within_about_one_step():
    walk = plan([(0, 0), (20, 0)], speed=1.2)
    moving = walk.place[:, 0][walk.speed < 0.95 * 1.2]
    assert moving[moving < 10].max() < 0.8, "a step of an adult is 0.7 m"


def test_nobody_speeds_up_or_leans_harder_than_people_do():
    for name in ("line", "circle", "eight", "spiral", "random", "square"):
        for speed in (0.8, 1.4):
            points, closed = named_path(name, 10, seed=1)
            walk = plan(points, speed=speed, closed=closed)
            place = walk.rows(np.arange(-3, len(walk) + 3)).place
            assert np.linalg.norm(np.diff(place, n=2, axis=0), axis=1).max() * FPS**2 < 7.5, (name, speed)


def test_the_speed_named_for_a_frame_is_how_far_the_place_moves():
    walk = plan(*named_path("random", 10, seed=2)[:1], speed=1.0)
    around = walk.rows(np.arange(-1, len(walk) + 1)).place
    assert np.abs(np.linalg.norm(around[2:] - around[:-2], axis=1) * FPS / 2 - walk.speed).max() < 0.02


def test_a_circle_is_walked_on_the_circle_at_one_speed():
    radius = 8 / (2 * np.pi)
    walk = plan(named_path("circle", 8)[0], speed=1.2, closed=True)
    assert np.abs(np.linalg.norm(walk.place[:, :2], axis=1) - radius).max() < 1e-3
    assert np.ptp(steps(walk.rows(two_laps(walk)).place)) < 1e-4
    angle = np.unwrap(np.arctan2(walk.place[:, 1], walk.place[:, 0]))
    assert np.abs(walk.tangent - (angle + np.pi / 2)).max() < 1e-3
    assert np.abs(walk.facing - (angle + np.pi / 2)).max() < 1e-3, "steady turns are followed without lag"


@pytest.mark.parametrize("name", ["circle", "eight", "square"])
@pytest.mark.parametrize("facing", ["path", "inward", "opposite", "fixed", "towards"])
def test_a_closed_curve_has_no_seam(name, facing):
    walk = plan(named_path(name, 12)[0], speed=1.2, closed=True, facing=facing, towards=(0.3, 0.4))
    rows = walk.rows(two_laps(walk))
    assert np.allclose(rows.place[: len(walk)], rows.place[len(walk) : 2 * len(walk)])
    assert np.allclose(rows.arc[len(walk) : 2 * len(walk)] - rows.arc[: len(walk)], 12)
    turned = rows.facing[len(walk) : 2 * len(walk)] - rows.facing[: len(walk)]
    assert np.allclose(turned, 2 * np.pi * np.round(turned[0] / (2 * np.pi)), atol=1e-6)
    seam = slice(0, 5)  # frames -2 to 2: their differences up to the second are no larger than anywhere in the lap
    for values in (rows.place, rows.facing[:, None], rows.arc[:, None]):
        for order in (1, 2):
            change = np.linalg.norm(np.diff(values, n=order, axis=0), axis=1)
            inside = np.linalg.norm(np.diff(values[2 : len(walk) + 2], n=order, axis=0), axis=1)
            assert change[seam].max() <= max(inside.max() * 1.05, 2e-4)


@pytest.mark.parametrize("speed", [0.7, 1.2, 2.5])
def test_corners_are_rounded_by_centimetres(speed):
    for name, length in (("square", 5), ("square", 20)):
        points, _ = named_path(name, length)
        walk = plan(points, speed=speed, closed=True)
        off = beside(walk.place[:, :2], np.concatenate([points, points[:1]]))
        assert off.mean() < 0.015 and off.max() < 0.08
        assert np.linalg.norm(walk.place - walk.drawn, axis=1).max() < 0.081, "also against the same arc length of the drawn line"


def test_corners_are_taken_slowly_and_straights_fast():
    walk = plan(named_path("square", 20)[0], speed=1.3, closed=True)
    corner = np.abs((walk.arc + 2.5) % 5 - 2.5) < 0.1
    straight = np.abs(walk.arc % 5 - 2.5) < 1
    assert walk.speed[corner].max() < 1.0 < 1.3 < walk.speed[straight].min()


def test_where_the_way_reverses_the_walker_stops_and_turns_and_returns():
    walk = plan([(0, 0), (3, 0), (0, 0)], speed=1.2)
    far = walk.place[:, 0].argmax()
    assert 2.9 < walk.place[far, 0] <= 3.001
    assert np.abs(walk.place[:, 1]).max() < 1e-9
    assert walk.speed[far] < 0.05
    assert walk.place[-1] == pytest.approx([0, 0, 0], abs=1e-9)
    assert abs(walk.facing[-1] - walk.facing[0]) == pytest.approx(np.pi, abs=1e-6)
    walking = walk.speed > 0.5
    off = (walk.facing - walk.tangent)[walking]
    assert np.degrees(np.sqrt(np.mean(off**2))) < 3, "who walks looks where they go"


def test_the_way_is_followed_uphill():
    x = np.linspace(0, 10, 200)
    hill = np.stack([x, np.zeros_like(x), np.sin(x / 3)], -1)
    walk = plan(hill, speed=1.0)
    assert np.abs(walk.place[:, 2] - np.sin(walk.place[:, 0] / 3)).max() < 2e-3
    assert steps(walk.place).sum() / ((len(walk) - 1) / FPS) == pytest.approx(1.0, rel=0.02)


def test_duplicate_points_and_a_repeated_first_point_change_nothing():
    points, _ = named_path("square", 8)
    twice = np.concatenate([np.repeat(points, 2, axis=0), points[:1]])
    assert np.allclose(plan(points, speed=1, closed=True).place, plan(twice, speed=1, closed=True).place)


def test_a_line_that_crosses_itself_is_walked_through():
    points, _ = named_path("eight", 20)
    walk = plan(points, speed=1.2, closed=True)
    crossing = np.linalg.norm(walk.place[:, :2], axis=1) < 0.1
    assert crossing.any() and steps(walk.place).max() * FPS < 1.6


def test_a_reversed_line_is_walked_from_its_end_and_a_closed_one_the_other_way_round():
    walk = plan([(0, 0), (4, 0), (4, 3)], speed=1, reverse=True)
    assert np.allclose(walk.place[[0, -1], :2], [(4, 3), (0, 0)], atol=1e-12)
    points, _ = named_path("circle", 8)
    round_ = plan(points, speed=1, closed=True, reverse=True)
    assert round_.place[0] == pytest.approx(plan(points, speed=1, closed=True).place[0], abs=1e-6)
    assert round_.rows([len(round_)]).tangent[0] - round_.tangent[0] == pytest.approx(-2 * np.pi)


def test_after_so_many_seconds_the_walk_ends():
    line = [(0, 0), (10, 0)]
    short = plan(line, speed=1, seconds=4)
    assert len(short) == 120 and short.place[-1, 0] == pytest.approx(4, abs=0.1) and short.speed[-1] < 0.05
    long = plan(line, speed=1, seconds=15)
    assert len(long) == 450 and long.place[-1, 0] == pytest.approx(10, abs=1e-9)
    assert steps(long.place)[-100:].max() == 0, "who has arrived stands"
    on = plan(line, speed=1, seconds=4, stop="walk")
    assert on.rests == (True, False) and on.speed[-1] > 0.9
    assert on.rows([len(on) + 29]).place[0, 0] - on.place[-1, 0] == pytest.approx(steps(on.place)[-1] * 30)
    blink = plan(line, speed=1, seconds=0.1)
    assert len(blink) == 3 and np.ptp(blink.place) == 0


def test_a_closed_curve_is_walked_for_so_many_seconds():
    points, _ = named_path("circle", 6)
    walk, lap = plan(points, speed=1, closed=True, seconds=20), plan(points, speed=1, closed=True)
    assert len(walk) == 600 and walk.arc[-1] == pytest.approx(20, abs=0.1)
    assert np.allclose(walk.place, lap.rows(np.arange(600)).place)
    assert np.allclose(walk.rows([700]).place, lap.rows([700]).place), "beyond the end it looks ahead along the curve"
    stops = plan(points, speed=1, closed=True, seconds=20, start="stand", stop="stand")
    assert len(stops) == 600 and stops.speed[0] < 0.05 and stops.speed[-1] < 0.05 and stops.arc[-1] == pytest.approx(20, abs=0.2)


def test_standing_before_and_after_is_added():
    walk = plan([(0, 0), (3, 0)], speed=1, lead_in=1, lead_out=0.5)
    bare = plan([(0, 0), (3, 0)], speed=1)
    assert len(walk) == len(bare) + 45
    assert np.ptp(walk.place[:31], 0).max() == 0 and np.ptp(walk.place[-16:], 0).max() == 0
    assert np.allclose(walk.place[30:-15], bare.place)
    assert plan(named_path("circle", 6)[0], speed=1, closed=True, lead_in=1).rests == (True, False)


def test_beyond_its_ends_a_standing_walk_stands():
    walk = plan([(0, 0), (3, 1)], speed=1)
    rows = walk.rows(np.array([-20, 0, len(walk) - 1, len(walk) + 50]))
    assert np.array_equal(rows.place[0], rows.place[1]) and np.array_equal(rows.place[2], rows.place[3])
    assert np.array_equal(rows.facing[2:3], rows.facing[3:])


LINE = [(0, 0), (1, 0)]


@pytest.mark.parametrize("points,options,words", [
    ([], {}, "shape"),
    ([(0, 0)], {}, "1 point"),
    ([(1, 1), (1, 1), (1, 1)], {}, "no length"),
    ([(0, 0), (np.nan, 1)], {}, "Point 2"),
    ([(0, 0), (1, np.inf)], {}, "Point 2"),
    ([(0, 0, 0, 0), (1, 1, 1, 1)], {}, "(2, 4)"),
    ([("a", "b"), ("c", "d")], {}, "not numbers"),
    ([(0, 0, 0), (0, 0, 5)], {}, "straight up"),
    (LINE, {"speed": 0}, "0 m/s"),
    (LINE, {"speed": -1}, "-1 m/s"),
    (LINE, {"speed": float("nan")}, "nan m/s"),
    (LINE, {"speed": 40}, "40 m/s"),
    (LINE, {"seconds": 0}, "0 s"),
    (LINE, {"seconds": float("inf")}, "inf s"),
    (LINE, {"facing": "sideways"}, "sideways"),
    (LINE, {"facing": "towards"}, "needs the point"),
    (LINE, {"facing": "towards", "towards": (1, np.nan)}, "finite"),
    (LINE, {"facing": "fixed", "angle": np.inf}, "inf"),
    (LINE, {"start": "run"}, "run"),
    (LINE, {"lead_in": -1}, "-1 s"),
    (LINE, {"lead_in": 1, "start": "walk"}, "both"),
])
def test_what_makes_no_sense_is_named_with_a_remedy(points, options, words):
    with pytest.raises(BadInput) as error:
        plan(points, **{"speed": 1.0, **options})
    assert words in error.value.message and error.value.remedy
