# SPDX-License-Identifier: GPL-3.0-or-later
"""The figures of walks along a plan, on bodies placed by hand."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.evaluation.body_track import BodyTrack
from smplit.evaluation.feature_distances import balanced_frechet, frechet, spread_between
from smplit.evaluation.locomotion import body_figures, figures, nearest
from smplit.loco.plan import plan
from smplit.motion import Motion

UPRIGHT = Rotation.from_euler("x", 90, degrees=True)
FACING_X = Rotation.from_euler("z", 90, degrees=True) * UPRIGHT
RADIUS, SPEED = 2.0, 1.2


def standing(body, place, facing, height=0.0):
    """A body with straight legs whose pelvis is at place (T,2) m and whose soles are `height` over the floor, turned to facing (T,)."""
    rest = body.rest_joints()[0].numpy().astype(np.float64)
    poses = np.zeros((len(place), 55, 3))
    poses[:, 0] = (Rotation.from_euler("z", facing[:, None]) * FACING_X).as_rotvec()
    pelvis = np.column_stack([place, np.full(len(place), rest[1] - float(body.v_template[:, 1].min()) + height)])
    return Motion(poses.reshape(len(poses), -1).astype(np.float32), (pelvis - rest).astype(np.float32), 30.0, contacts=np.ones((len(place), 4)))


@pytest.fixture(scope="module")
def circle():
    angle = 2 * np.pi * np.arange(2000) / 2000
    return plan(RADIUS * np.stack([np.cos(angle), np.sin(angle)], 1), speed=SPEED, closed=True)


def test_a_root_beside_the_path_deviates_by_that(body, circle):
    left = np.stack([-np.sin(circle.tangent), np.cos(circle.tangent)], 1)
    found = figures(BodyTrack.of(standing(body, circle.place[:, :2] + 0.03 * left, circle.facing), body), circle)
    for name in ("deviation", "deviation_max", "end", "nearest"):
        assert found[name] == pytest.approx(3.0, abs=0.01), name
    assert found["facing"] == pytest.approx(0.0, abs=0.01)


def test_a_root_behind_on_the_path_deviates_but_is_near_it(body, circle):
    late = 0.25 / RADIUS  # rad: a quarter of a metre
    turn = np.array([[np.cos(late), np.sin(late)], [-np.sin(late), np.cos(late)]])
    found = figures(BodyTrack.of(standing(body, circle.place[:, :2] @ turn.T, circle.facing - late), body), circle)
    assert found["deviation"] == pytest.approx(100 * 2 * RADIUS * np.sin(late / 2), abs=0.01)
    assert found["nearest"] == pytest.approx(0.0, abs=0.02)
    assert found["facing"] == pytest.approx(np.degrees(late), abs=0.01)
    assert found["speed"] == pytest.approx(0.0, abs=0.1)


def test_facing_errors_are_wrapped_and_squared(body, circle):
    off = np.radians(np.where(np.arange(len(circle)) % 2, 8.0, -8.0)) + 2 * np.pi
    found = figures(BodyTrack.of(standing(body, circle.place[:, :2], circle.facing + off), body), circle)
    assert found["facing"] == pytest.approx(8.0, abs=0.01)


def test_a_walk_too_slow_is_told_by_its_speed_and_its_end(body):
    line = plan([(0, 0), (6, 0)], speed=1.0, start="walk", stop="walk")
    found = figures(BodyTrack.of(standing(body, 0.9 * line.place[:, :2], line.facing), body), line)
    assert found["speed"] == pytest.approx(10.0, abs=0.1)
    assert found["end"] == pytest.approx(100 * 0.1 * line.place[-1, 0], abs=0.01)
    assert found["deviation"] == pytest.approx(100 * 0.1 * line.place[:, 0].mean(), abs=0.01)


def test_a_body_that_glides_skates_in_every_frame(body):
    line = plan([(0, 0), (6, 0)], speed=SPEED, start="walk", stop="walk")
    found = figures(BodyTrack.of(standing(body, line.place[:, :2], line.facing), body), line)
    step = 100 * SPEED / 30
    assert found["skate"] == 100.0
    assert found["skate_step"] == pytest.approx(step, rel=0.02)
    assert found["support"] == pytest.approx(step, rel=0.02)


def test_a_body_that_stands_does_not_skate(body):
    found = body_figures(BodyTrack.of(standing(body, np.zeros((30, 2)), np.zeros(30)), body))
    assert (found["skate"], found["support"]) == (0.0, pytest.approx(0.0, abs=1e-6))
    assert found["jitter"] == pytest.approx(0.0, abs=1e-3)


@pytest.mark.parametrize(("height", "penetration", "floating"), [(0.02, 0.0, 20.0), (-0.015, 15.0, 0.0)])
def test_soles_over_and_under_the_floor_float_and_penetrate(body, height, penetration, floating):
    track = BodyTrack.of(standing(body, np.zeros((20, 2)), np.zeros(20), height), body)
    found = body_figures(track)
    assert found["penetration"] == pytest.approx(penetration, abs=0.01)
    assert found["floating"] == pytest.approx(floating, abs=0.01)
    on_a_hill = body_figures(BodyTrack(track.joints + [0, 0, 3], track.soles + [0, 0, 3], track.heading, track.contacts, 30.0), np.full(20, 3.0))
    assert on_a_hill == pytest.approx(found, nan_ok=True)


def test_a_motion_that_is_not_as_long_as_its_plan_is_refused(body, circle):
    with pytest.raises(ValueError, match=f"20 frames, its plan {len(circle)}"):
        figures(BodyTrack.of(standing(body, np.zeros((20, 2)), np.zeros(20)), body), circle)


def test_the_nearest_point_of_a_path_lies_between_its_corners():
    corner = np.array([(0.0, 0.0), (4.0, 0.0), (4.0, 0.0), (4.0, 3.0)])
    points = np.array([(2.0, 0.5), (5.0, 1.0), (5.0, 4.0), (1.0, 1.5)])
    assert nearest(points, corner) == pytest.approx([0.5, 1.0, np.sqrt(2), 1.5])
    assert nearest(points[3:], corner, closed=True) == pytest.approx([abs(3 * 1.0 - 4 * 1.5) / 5])  # 3-4-5 triangle's long side


def test_the_frechet_distance_is_that_of_the_normal_distributions():
    a = np.random.default_rng(0).standard_normal((500, 4)) @ np.random.default_rng(1).standard_normal((4, 4))
    assert frechet(a, a) == pytest.approx(0.0, abs=1e-6)
    assert frechet(a, a + 0.3) == pytest.approx(0.3**2, abs=1e-6)  # of D dimensions, divided by D
    centred = a - a.mean(0)
    assert frechet(centred, 2 * centred) == pytest.approx(np.trace(np.cov(a.T)) / 4, rel=1e-6)  # (2-1)^2 of the spread


def test_fewer_samples_are_drawn_alike_from_every_style():
    random = np.random.default_rng(0)
    reference = {"a": random.standard_normal((400, 3)), "b": random.standard_normal((100, 3)) + 5}
    same = {"a": random.standard_normal((50, 3)), "b": random.standard_normal((900, 3)) + 5}
    lost = {"a": same["a"], "b": same["a"]}  # one style looks like the other
    assert balanced_frechet(reference, same, 40) < 0.1 < balanced_frechet(reference, lost, 40)
    assert balanced_frechet(reference, same, 40) == balanced_frechet(reference, same, 40)


def test_diversity_is_the_distance_between_takes_not_within_one():
    takes = [np.array([[0.0, 0.0], [0.0, 0.0]]), np.array([[3.0, 4.0]])]
    assert spread_between(takes) == 5.0
    assert np.isnan(spread_between(takes[:1]))
