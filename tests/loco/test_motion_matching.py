# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion matching over walks made by hand: happy ones turn both ways, the sad one only to the left."""

import numpy as np
import pytest

from smplit.errors import BadInput
from smplit.evaluation.body_track import BodyTrack
from smplit.evaluation.locomotion import figures
from smplit.loco.motion_matching import MotionMatching
from smplit.loco.plan import plan


@pytest.fixture(scope="module")
def matching(store, body):
    return MotionMatching(store, body)


@pytest.fixture(scope="module")
def drawn_on(store, body):
    return MotionMatching(store, body, pull=True)


def circle(radius, speed, clockwise=False):
    angle = 2 * np.pi * np.arange(1000) / 1000 * (-1 if clockwise else 1)
    return plan(radius * np.stack([np.cos(angle), np.sin(angle)], 1), speed=speed, closed=True)


def measured(motion, asked, body):
    return figures(BodyTrack.of(motion, body), asked)


def test_a_straight_line_is_walked(matching, body):
    asked = plan([(0, 0), (8, 0)], speed=1.0, start="walk", stop="walk")
    found = measured(matching(asked, "happy", 0), asked, body)
    assert found["deviation"] < 25 and found["nearest"] < 15 and found["facing"] < 10 and found["speed"] < 8


@pytest.mark.parametrize("clockwise", [False, True])
def test_circles_are_walked_either_way_though_the_recording_turns_left_only(matching, body, clockwise):
    asked = circle(3.0, 0.6, clockwise)  # the recording: 0.6 m/s, 0.2 rad/s
    found = measured(matching(asked, "sad", 0), asked, body)
    assert found["nearest"] < 15 and found["facing"] < 12 and found["speed"] < 8


def test_pulled_the_root_stays_on_the_path(matching, drawn_on, body):
    asked = circle(2.0, 1.0)
    free, held = (measured(generator(asked, "happy", 0), asked, body) for generator in (matching, drawn_on))
    assert held["deviation"] < 3 and held["facing"] < 6 and held["end"] < 5
    assert held["deviation"] < free["deviation"]


def test_planted_feet_slide_less_than_free_ones(store, drawn_on, body):
    asked = circle(3.0, 1.3)  # faster than any recording
    planted = MotionMatching(store, body, pull=True, foot_lock=True)
    free, held = (measured(generator(asked, "happy", 0), asked, body) for generator in (drawn_on, planted))
    assert held["support"] < 0.6 * free["support"]
    assert held["deviation"] == pytest.approx(free["deviation"], abs=1.0)


def test_jumps_between_recordings_are_not_seen(matching, store, body):
    asked = plan([(0, 0), (4, 0), (4, 4), (8, 4)], speed=0.9)
    joints = BodyTrack.of(matching(asked, "happy", 0), body).joints
    recorded = np.concatenate([np.diff(BodyTrack.of(store.clip(i).motion(), body).joints, 2, axis=0) for i in (0, 1, 2)])
    swiftest = np.linalg.norm(recorded, axis=-1).max()
    assert np.linalg.norm(np.diff(joints, 2, axis=0), axis=-1).max() < 2 * swiftest


def test_the_same_seed_walks_the_same_walk(matching):
    asked = plan([(0, 0), (5, 1)], speed=1.0)
    one, same = (matching(asked, "happy", 3) for _ in range(2))
    np.testing.assert_array_equal(one.poses, same.poses)
    others = [matching(asked, "happy", seed).poses for seed in range(6)]
    assert any(np.abs(one.poses - other).max() > 0.05 for other in others)


def test_the_stream_is_the_walk_in_pieces(drawn_on):
    asked = circle(2.0, 1.0)
    pieces = list(drawn_on.stream(asked, "happy", 1))
    whole = drawn_on(asked, "happy", 1)
    assert len(pieces) > 5
    for name in ("poses", "trans", "contacts"):
        np.testing.assert_allclose(np.concatenate([getattr(piece, name) for piece in pieces]), getattr(whole, name), atol=1e-5)


def test_the_ground_rises_with_the_path(drawn_on, body):
    level, rising = (plan([(0, 0, 0), (5, 0, top)], speed=1.0) for top in (0.0, 1.0))
    heights = drawn_on(rising, "happy", 0).trans[:, 2]
    assert heights[-1] - heights[0] == pytest.approx(1.0, abs=0.1)
    assert abs(np.ptp(drawn_on(level, "happy", 0).trans[:, 2])) < 0.1


def test_styles_without_recordings_are_refused(matching):
    with pytest.raises(BadInput, match="No recording shows the style 'zombie'"):
        matching(plan([(0, 0), (5, 1)], speed=1.0), "zombie", 0)
