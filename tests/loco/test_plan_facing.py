# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a walker faces. Oracles: circles on paper, the bearing of a point, and what people can do: about 260 degrees a second."""

import numpy as np
import pytest

from smplit.loco.facing import FACINGS, TRAJ_FACE_TYPE
from smplit.loco.paths import named_path
from smplit.loco.plan import plan

ZIGZAG = np.array([(0, 0), (2, 0), (0.2, 0.4), (2.2, 0.8), (0, 1.5), (0, 0.2), (0, 1.2)])


def wrapped(angle: np.ndarray) -> np.ndarray:
    return (angle + np.pi) % (2 * np.pi) - np.pi


def directions(walk) -> np.ndarray:
    """Of the places' own steps (T-1,), where they move."""
    step = np.diff(walk.place, axis=0)
    return np.where(np.linalg.norm(step, axis=1) > 0.01, np.arctan2(step[:, 1], step[:, 0]), np.nan)


@pytest.mark.parametrize("facing", FACINGS)
@pytest.mark.parametrize("path", ["zigzag", "square", "eight", "random", "line"])
def test_no_facing_ever_jumps_not_even_at_the_ends(path, facing):
    points, closed = (ZIGZAG, False) if path == "zigzag" else named_path(path, 8, seed=3)
    walk = plan(points, speed=1.3, closed=closed, facing=facing, towards=points[len(points) // 3])
    facings = walk.rows(np.arange(-30, len(walk) + 30)).facing
    rate = np.diff(facings) * 30
    assert np.abs(rate).max() < 4.6, "rad/s"
    assert np.abs(np.diff(rate)).max() * 30 < 45, "rad/s2"


@pytest.mark.parametrize("facing,turned", [("path", 0), ("opposite", np.pi), ("inward", np.pi / 2), ("outward", -np.pi / 2)])
@pytest.mark.parametrize("path", ["circle", "spiral"])
def test_facing_is_told_from_the_steps(path, facing, turned):
    points, closed = named_path(path, 15)
    walk = plan(points, speed=1.2, closed=closed, facing=facing)
    off = wrapped((walk.facing[1:] + walk.facing[:-1]) / 2 - directions(walk) - turned)
    assert np.degrees(np.nanmax(np.abs(off))) < 2


def test_inward_is_the_middle_of_a_circle_whichever_way_it_is_walked():
    points, _ = named_path("circle", 9)
    for reverse in (False, True):
        walk = plan(points, speed=1.2, closed=True, facing="inward", reverse=reverse)
        middle = np.arctan2(-walk.place[:, 1], -walk.place[:, 0])
        assert np.degrees(np.abs(wrapped(walk.facing - middle)).max()) < 1
        out = plan(points, speed=1.2, closed=True, facing="outward", reverse=reverse)
        assert np.degrees(np.abs(wrapped(out.facing - middle - np.pi)).max()) < 1


def test_on_a_straight_line_inward_is_left():
    assert np.allclose(plan([(0, 0), (5, 0)], speed=1, facing="inward").facing, np.pi / 2)
    assert np.allclose(plan([(0, 0), (5, 0)], speed=1, facing="outward").facing, -np.pi / 2)


def test_an_open_bend_to_the_right_has_its_inside_on_the_right():
    angle = np.linspace(np.pi, np.pi / 2, 50)
    walk = plan(np.stack([np.cos(angle), np.sin(angle)], -1) * 5, speed=1, facing="inward")
    assert np.degrees(np.abs(wrapped(walk.facing - np.arctan2(-walk.place[:, 1], -walk.place[:, 0]))).max()) < 2


def test_fixed_faces_one_way_or_as_the_path_begins():
    points, _ = named_path("random", 12, seed=5)
    assert np.allclose(plan(points, speed=1, facing="fixed", angle=0.7).facing, 0.7)
    begins = np.arctan2(*(points[1] - points[0])[::-1])
    assert np.allclose(plan(points, speed=1, facing="fixed").facing, begins, atol=0.05)


def test_towards_a_point_is_its_bearing():
    points, _ = named_path("random", 12, seed=5)
    walk = plan(points, speed=1, facing="towards", towards=(3.0, 30.0, 1.0))
    bearing = np.arctan2(30 - walk.place[:, 1], 3 - walk.place[:, 0])
    assert np.degrees(np.abs(wrapped(walk.facing - bearing)).max()) < 1


def test_somebody_who_walks_over_the_point_turns_round_before_and_after():
    walk = plan([(-3, 0), (3, 0)], speed=1, facing="towards", towards=(0, 0))
    assert abs(walk.facing[0]) < 1e-6 and abs(abs(walk.facing[-1]) - np.pi) < 1e-6
    assert abs(abs(np.interp(0, walk.place[:, 0], walk.facing)) - np.pi / 2) < 0.1, "half turned on the point"


def test_corners_are_looked_into_before_they_come_and_followed_closely():
    walk = plan(named_path("square", 10)[0], speed=1.2, closed=True)
    off = (walk.facing[1:] + walk.facing[:-1]) / 2 - np.unwrap(directions(walk))
    assert np.degrees(np.sqrt(np.mean(wrapped(off) ** 2))) < 4
    before = (walk.arc > 2.2) & (walk.arc < 2.45)
    assert walk.facing[before].max() > 0.05


def test_the_originals_face_types_are_along_the_path_and_fixed_along_x():
    points = [(0, 0), (0, 4)]
    assert np.allclose(plan(points, speed=1, **TRAJ_FACE_TYPE[0]).facing, np.pi / 2)
    assert np.allclose(plan(points, speed=1, **TRAJ_FACE_TYPE[1]).facing, 0)
