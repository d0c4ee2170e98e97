# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is who, with people whose paths and clothes the test made up."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from smplit.video.appearance import PARTS, Appearance, measure_appearance
from smplit.video.tracking import Measurement, Tracker, join_tracks

# A standing person, COCO order, in heights from the middle of the hips: nose, eyes, ears, shoulders ... ankles.
_POSE = np.array([
    (0, -0.42), (0.02, -0.44), (-0.02, -0.44), (0.04, -0.43), (-0.04, -0.43), (0.1, -0.3), (-0.1, -0.3), (0.14, -0.15), (-0.14, -0.15),
    (0.15, 0.0), (-0.15, 0.0), (0.06, 0.0), (-0.06, 0.0), (0.06, 0.24), (-0.06, 0.24), (0.06, 0.46), (-0.06, 0.46),
])
HEIGHT = 300.0  # px


def clothes(seed: int) -> Appearance:
    """Colours of one person: each body part mostly in one of the 18 bins."""
    rng = np.random.default_rng(seed)
    histograms = np.full((len(PARTS), 18), 0.02, np.float32)
    histograms[np.arange(len(PARTS)), rng.permutation(18)[: len(PARTS)]] = 1.0
    return Appearance(histograms / histograms.sum(1, keepdims=True), np.ones(len(PARTS), np.float32))


def standing(x: float, y: float, look: Appearance, rng: np.random.Generator, height: float = HEIGHT) -> Measurement:
    """A detector's view of a person at (x, y) px, with 1 % noise; nobody knows from which track it comes."""
    points = _POSE * height + (x, y) + rng.normal(0, 0.01 * height, (17, 2))
    box = np.concatenate([points.min(0) - 10, points.max(0) + 10])
    return Measurement(box, np.concatenate([points, np.full((17, 1), 0.8)], 1), 0.9, look)


def follow(frames: list[dict[str, Measurement]], fps: float = 30.0) -> dict[str, list[int | None]]:
    """Runs the tracker over frames of named people, shuffled; the ids that each name got, joined at the end."""
    tracker, rng = Tracker(), np.random.default_rng(99)
    got: dict[str, list[int | None]] = {name: [] for frame in frames for name in frame}
    for index, frame in enumerate(frames):
        tracker.predict(index / fps)
        names = list(rng.permutation(list(frame)))
        for name, track in zip(names, tracker.update([frame[name] for name in names]), strict=True):
            got[name].append(track)
    person = join_tracks(tracker.all_tracks())
    return {name: [None if track is None else person[track] for track in ids] for name, ids in got.items()}


def number_of(ids: list[int | None]) -> int:
    """The one number of somebody who was hidden (None) for a quarter of the time at most."""
    numbers = {number for number in ids if number is not None}
    assert len(numbers) == 1
    assert ids.count(None) <= len(ids) / 4
    return numbers.pop()


@pytest.mark.parametrize("fps", [10.0, 30.0, 60.0])
@pytest.mark.parametrize("speed", [60, 200])
@pytest.mark.parametrize("same_clothes", [False, True])
def test_two_people_who_walk_past_each_other_keep_their_numbers(fps, speed, same_clothes):
    """Of two who stand in one place in the same clothes nobody can tell who is seen; before and after one can."""
    rng = np.random.default_rng(1)
    looks = clothes(1), clothes(1 if same_clothes else 2)
    frames, apart = [], []
    for time in np.arange(0, 800 / speed, 1 / fps):
        left, right = 200 + speed * time, 1000 - speed * time
        frames.append({"a": standing(left, 400, looks[0], rng), "b": standing(right, 400, looks[1], rng)})
        apart.append(not same_clothes or abs(left - right) > 100)
    ids = {name: [number for number, clear in zip(got, apart, strict=True) if clear] for name, got in follow(frames, fps).items()}
    assert number_of(ids["a"]) != number_of(ids["b"])


def test_two_people_who_meet_and_turn_back_are_told_apart_by_their_clothes():
    """Motion alone would swap them: they meet, the rear one is hidden for 0.4 s, both go back."""
    rng, frames = np.random.default_rng(2), []
    for time in np.arange(0, 4, 1 / 30):
        away = 150 * abs(time - 2.0)
        frame = {"a": standing(600 - away, 400, clothes(1), rng), "b": standing(600 + away, 400, clothes(2), rng)}
        if abs(time - 2.0) < 0.2:
            del frame["b"]
        frames.append(frame)
    ids = follow(frames)
    assert number_of(ids["a"]) != number_of(ids["b"])


def test_one_hidden_behind_another_in_passing_keeps_the_number():
    rng, frames = np.random.default_rng(3), []
    for time in np.arange(0, 4, 1 / 30):
        walker, stander = 200 + 200 * time, 600.0
        frame = {"walker": standing(walker, 400, clothes(1), rng), "stander": standing(stander, 400, clothes(2), rng)}
        if abs(walker - stander) < 60:
            del frame["walker"]
        frames.append(frame)
    ids = follow(frames)
    assert number_of(ids["walker"]) != number_of(ids["stander"])


@pytest.mark.parametrize("gap", [0.5, 1.0, 1.4])
def test_a_number_survives_a_gap(gap):
    rng, frames = np.random.default_rng(4), []
    for time in np.arange(0, 5, 1 / 30):
        frames.append({} if 2.0 <= time < 2.0 + gap else {"a": standing(300 + 120 * time, 400, clothes(1), rng)})
    ids = follow(frames)["a"]
    assert set(ids) == {ids[0]}


def test_a_number_survives_a_gap_while_somebody_else_stays():
    rng, frames = np.random.default_rng(5), []
    for time in np.arange(0, 5, 1 / 30):
        frame = {"b": standing(1200, 420, clothes(2), rng)}
        if not 2.0 <= time < 3.0:
            frame["a"] = standing(300 + 120 * time, 400, clothes(1), rng)
        frames.append(frame)
    ids = follow(frames)
    assert number_of(ids["a"]) != number_of(ids["b"])


def test_after_a_long_gap_clothes_join_one_person_and_keep_another_apart():
    rng, frames = np.random.default_rng(6), []
    for time in np.arange(0, 6, 1 / 30):
        frame = {}
        if time < 2.0:
            frame["first"] = standing(500, 400, clothes(1), rng)
        elif time > 4.5:
            frame["again"] = standing(700, 400, clothes(1), rng)
            frame["stranger"] = standing(420, 400, clothes(2), rng)
        frames.append(frame)
    ids = follow(frames)
    assert set(ids["again"]) == {ids["first"][0]}
    assert ids["stranger"][0] != ids["first"][0]


def test_nobody_is_joined_with_somebody_seen_at_the_same_time():
    rng = np.random.default_rng(7)
    frames = [{"a": standing(300, 400, clothes(1), rng), "b": standing(900, 400, clothes(1), rng)} for _ in range(60)]
    ids = follow(frames)
    assert ids["a"][0] != ids["b"][0]


def test_a_leap_at_five_frames_a_second_keeps_the_number():
    rng = np.random.default_rng(8)
    frames = [{"a": standing(300 + 70 * i, 400 - 60 * (i % 2), clothes(1), rng)} for i in range(12)]
    ids = follow(frames, fps=5.0)["a"]
    assert set(ids) == {ids[0]}


def test_one_person_reported_twice_is_one_track():
    rng, tracker = np.random.default_rng(9), Tracker()
    for index in range(20):
        tracker.predict(index / 30)
        tracker.update([standing(500, 400, clothes(1), rng), standing(506, 398, clothes(1), rng)])
    assert len(tracker.all_tracks()) == 1


def test_unsure_measurements_start_no_track():
    rng, tracker = np.random.default_rng(10), Tracker()
    tracker.predict(0.0)
    ghost = standing(500, 400, clothes(1), rng)
    ghost.starts = False
    assert tracker.update([ghost]) == [None]
    assert tracker.all_tracks() == []


def dressed(points: np.ndarray, shirt: tuple[int, ...], trousers: tuple[int, ...], ground: int) -> np.ndarray:
    """A drawn person in front of a wall: (480,400,3)."""
    image = np.full((480, 400, 3), ground, np.uint8)
    xy = np.round(points[:, :2]).astype(int).tolist()
    for a, b in ((11, 13), (12, 14), (13, 15), (14, 16)):
        cv2.line(image, xy[a], xy[b], trousers, 16)
    for a, b in ((5, 7), (7, 9), (6, 8), (8, 10)):
        cv2.line(image, xy[a], xy[b], shirt, 12)
    cv2.fillPoly(image, [np.array([xy[k] for k in (5, 6, 12, 11)])], shirt)
    cv2.circle(image, xy[0], 20, (200, 160, 140), -1)
    return image


def test_colours_of_clothes_are_measured_on_the_body_not_around_it():
    points = standing(200, 220, clothes(1), np.random.default_rng(11)).points
    red, blue = (200, 30, 30), (30, 40, 200)
    here, elsewhere = (measure_appearance(dressed(points, red, blue, ground), points) for ground in (120, 30))
    swapped = measure_appearance(dressed(points, blue, red, 120), points)
    assert here.distance(elsewhere) < 0.25 < 0.6 < here.distance(swapped)


def test_a_person_half_out_of_the_picture_has_half_known_colours():
    rng = np.random.default_rng(12)
    person = standing(10, 220, clothes(1), rng)
    seen = measure_appearance(np.full((480, 400, 3), 90, np.uint8), person.points)
    whole = measure_appearance(np.full((480, 400, 3), 90, np.uint8), standing(200, 220, clothes(1), rng).points)
    assert seen.known[PARTS.index("trunk")] < 0.9 < whole.known[PARTS.index("trunk")]
