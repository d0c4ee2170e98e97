# SPDX-License-Identifier: GPL-3.0-or-later
"""Left and right that were mistaken for some frames are put right; real turns are left alone."""

from __future__ import annotations

import numpy as np
import pytest

from smplit.mocap.keypoints.sides import right_mistaken_sides
from smplit.mocap.observations import PersonLandmarks

FPS = 30.0
_FACE = [(0, 0), (0.02, 1), (0.03, 1), (0.04, 1), (-0.02, -1), (-0.03, -1), (-0.04, -1), (0.06, 1), (-0.06, -1), (0.02, 1), (-0.02, -1)]
_SIDES = {11: (0.18, -0.5), 13: (0.25, -0.25), 15: (0.3, 0.0), 17: (0.32, 0.06), 19: (0.31, 0.08), 21: (0.29, 0.05), 23: (0.1, 0.0),
          25: (0.11, 0.4), 27: (0.12, 0.8), 29: (0.12, 0.84), 31: (0.13, 0.86)}  # fmt: skip


def skeleton() -> np.ndarray:
    """(33,3) m of somebody who faces the camera: the left side is at the picture's right, z ahead of the camera."""
    points = np.zeros((33, 3))
    for k, (x, _) in enumerate(_FACE):
        points[k] = x, -0.7, -0.1
    for k, (x, y) in _SIDES.items():
        points[k], points[k + 1] = (x, y, 0.03), (-x, y, 0.03)
    points[31:33, 2] = -0.15  # toes point at the camera
    return points


def filmed(turns: np.ndarray, size: float = 300.0) -> PersonLandmarks:
    """Somebody swinging the arms, turned about the upright axis by `turns` (N,) rad."""
    count = len(turns)
    world = np.repeat(skeleton()[None], count, 0)
    world[:, 13:23, 2] += 0.15 * np.sin(np.arange(count) / 4.0)[:, None] * np.where(np.arange(13, 23) % 2, 1, -1)
    x, z = world[..., 0].copy(), world[..., 2].copy()
    world[..., 0] = np.cos(turns)[:, None] * x + np.sin(turns)[:, None] * z
    world[..., 2] = -np.sin(turns)[:, None] * x + np.cos(turns)[:, None] * z
    rng = np.random.default_rng(0)
    body = world[..., :2] * size + (600, 400) + rng.normal(0, 1.5, (count, 33, 2))
    hands = np.stack([np.repeat(body[:, wrist : wrist + 1], 21, 1) for wrist in (15, 16)], 1)
    return PersonLandmarks(
        1, 0, np.ones(count, bool), np.zeros((count, 4)), body, np.tile(np.linspace(0.7, 0.95, 33), (count, 1)), world, hands,
        np.tile([0.8, 0.4], (count, 1)), np.zeros((count, 2, 21, 3)), np.zeros((count, 468, 3)), np.zeros(count),
    )


def mistake(person: PersonLandmarks, frames: list[int], landmarks: range, hands: bool) -> None:
    """What a network does that takes the front for the back: names change sides, depth its sign."""
    for i in frames:
        given = {name: getattr(person, name)[i].copy() for name in ("body", "body_confidence", "body_world")}
        for k in landmarks:
            other = {1: 4, 2: 5, 3: 6, 4: 1, 5: 2, 6: 3, 7: 8, 8: 7, 9: 10, 10: 9, 0: 0}.get(k, k + 1 if k % 2 else k - 1)
            for name, values in given.items():
                getattr(person, name)[i, k] = values[other]
            person.body_world[i, k, 2] *= -1
        if hands:
            for name in ("hands", "hand_confidence", "hands_world"):
                getattr(person, name)[i] = getattr(person, name)[i, ::-1].copy()


FIELDS = ("body", "body_confidence", "body_world", "hands", "hand_confidence")


@pytest.mark.parametrize(("frames", "landmarks", "hands"), [
    (list(range(20, 26)), range(33), True), ([31], range(33), True), (list(range(10, 20)), range(23, 33), False), ([0, 1, 2], range(23), True),
])
@pytest.mark.parametrize("heading", [0.0, 0.5, np.pi])
def test_sides_mistaken_for_some_frames_are_put_right(frames, landmarks, hands, heading):
    truth, person = filmed(np.full(60, heading)), filmed(np.full(60, heading))
    mistake(person, frames, landmarks, hands)
    right_mistaken_sides(person, np.arange(60) / FPS)
    for name in FIELDS:
        np.testing.assert_allclose(getattr(person, name), getattr(truth, name), err_msg=name)


@pytest.mark.parametrize("seconds", [0.5, 1.0, 3.0])
def test_somebody_who_turns_around_is_left_alone(seconds):
    turns = 2 * np.pi * np.arange(90) / FPS / seconds
    truth, person = filmed(turns), filmed(turns)
    right_mistaken_sides(person, np.arange(90) / FPS)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(person, name), getattr(truth, name), err_msg=name)


def test_a_half_turn_between_two_frames_that_lasts_is_believed():
    turns = np.where(np.arange(60) < 20, 0.0, np.where(np.arange(60) < 40, np.pi, 0.0))
    truth, person = filmed(turns), filmed(turns)
    right_mistaken_sides(person, np.arange(60) / FPS * 3)
    np.testing.assert_array_equal(person.body, truth.body)


def test_frames_in_which_nobody_was_seen_stay_empty():
    person = filmed(np.zeros(40))
    mistake(person, [30, 31], range(33), True)
    person.seen[10:20] = False
    person.body[10:20] = 0.0
    right_mistaken_sides(person, np.arange(40) / FPS)
    assert not person.body[10:20].any()
    assert (person.body[30:32, 11, 0] > person.body[30:32, 12, 0]).all()
