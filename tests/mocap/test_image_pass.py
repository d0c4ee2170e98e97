# SPDX-License-Identifier: GPL-3.0-or-later
"""The second look: every person's crop comes from the frame that its row belongs to."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from smplit.errors import BadInput, Cancelled
from smplit.mocap.image_pass import STAGE, look_again
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.observe import ShotObservations
from smplit.progress import Reporter

sys.path.insert(0, str(Path(__file__).parents[1] / "video"))
from conftest import number_of, numbered, write_video  # noqa: F401

FRAMES = 24


class Reader:
    """A network that reads the frame's number out of crops, in batches of three."""

    name, slots, batch, seconds = "reader", 2, 3, 0.0

    def __init__(self, wanted=lambda landmarks: True, rows=lambda row: True):
        self.wanted, self.rows, self.sizes = wanted, rows, []

    def plan(self, landmarks, camera, times):
        assert len(camera.rotation) == len(times) == len(landmarks)
        return landmarks.boxes if self.wanted(landmarks) else None

    def crops(self, image, plan, row):
        assert len(plan) > row
        return [(1, torch.tensor([number_of(image), 7.0]))] if self.rows(row) else []

    def look(self, crops):
        self.sizes.append(len(crops))
        return {"number": crops[:, 0].numpy(), "both": crops.numpy()}


def _person(number: int, first: int, frames: int) -> PersonLandmarks:
    zeros = lambda *shape: np.zeros((frames, *shape), np.float32)
    return PersonLandmarks(
        number, first, np.ones(frames, bool), zeros(4), zeros(33, 2), zeros(33), zeros(33, 3), zeros(2, 21, 2), zeros(2), zeros(2, 21, 3),
        zeros(468, 3), zeros(),
    )


@pytest.fixture
def clip(write_video):  # noqa: F811
    times = np.arange(FRAMES) / 25.0
    path = write_video("clip.mp4", [numbered(index) for index in range(FRAMES)], times)
    K = np.array([[100.0, 0, 64], [0, 100, 48], [0, 0, 1]])
    camera = lambda count: CameraMotion(np.broadcast_to(np.eye(3), (count, 3, 3)), "static", K, "guess", np.zeros(count))
    shots = [
        ShotObservations(0, times[:10], camera(10), [_person(1, 2, 6)]),
        ShotObservations(10, times[10:], camera(14), [_person(2, 10, 14), _person(3, 15, 5)]),
    ]
    return path, shots


def test_each_row_is_answered_from_its_own_frame(clip):
    path, shots = clip
    network = Reader()
    found = look_again(path, shots, [network], None, Reporter())
    assert [len(people) for people in found] == [1, 2]
    for shot, people in zip(shots, found, strict=True):
        for landmarks, answers in zip(shot.people, people, strict=True):
            numbers = answers["reader"].answers["number"]
            np.testing.assert_array_equal(numbers[:, 1], landmarks.first + np.arange(len(landmarks)))
            assert np.isnan(numbers[:, 0]).all()  # a slot that was not used
            assert answers["reader"].answers["both"].shape == (len(landmarks), 2, 2)
    assert max(network.sizes) == 3 and sum(network.sizes) == 6 + 14 + 5


def test_who_or_what_is_not_asked_about_stays_nan(clip):
    path, shots = clip
    found = look_again(path, shots, [Reader(lambda person: person.person == 2, lambda row: row % 2 == 0)], None, Reporter())
    assert found[0][0] == {} and found[1][1] == {}
    known = np.isfinite(found[1][0]["reader"].answers["number"][:, 1])
    np.testing.assert_array_equal(known, np.arange(14) % 2 == 0)


def test_nothing_is_decoded_for_nobody(clip):
    _, shots = clip
    assert look_again("no such video", shots, [Reader(lambda _: False)], None, Reporter()) == [[{}], [{}, {}]]


def test_a_part_of_a_video_is_counted_from_its_start(clip, write_video):  # noqa: F811
    path, shots = clip
    shots = [ShotObservations(0, np.arange(5) / 25.0 + 0.4, shots[0].camera.part(slice(0, 5)), [_person(1, 1, 4)])]
    found = look_again(path, shots, [Reader()], "0.4:0.6", Reporter())
    np.testing.assert_array_equal(found[0][0]["reader"].answers["number"][:, 1], [11, 12, 13, 14])


def test_progress_ends_full_and_can_be_cancelled(clip):
    path, shots = clip
    stages = []

    class Watcher(Reporter):
        def stage(self, name, done, total):
            stages.append((name, done, total))

    look_again(path, shots, [Reader()], None, Watcher())
    assert stages[-1] == (STAGE, 22, 22) and all(a[1] <= b[1] for a, b in itertools.pairwise(stages))

    class Stopper(Reporter):
        def check(self):
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        look_again(path, shots, [Reader()], None, Stopper())


def test_a_video_that_became_shorter_is_named(clip, write_video):  # noqa: F811
    _, shots = clip
    path = write_video("short.mp4", [numbered(index) for index in range(12)], np.arange(12) / 25.0)
    with pytest.raises(BadInput, match="12 frames at the second look, and 24"):
        look_again(path, shots, [Reader()], None, Reporter())


def test_a_long_wait_is_told_beforehand_and_a_short_one_is_not(clip):
    path, shots = clip
    told = []

    class Listener(Reporter):
        def warn(self, text):
            told.append(text)

    network = Reader()
    network.seconds = 2.0  # 25 pictures
    look_again(path, shots, [network], None, Listener())
    assert told == []
    network.seconds = 5.0
    look_again(path, shots, [network], None, Listener())
    assert len(told) == 1 and "reader" in told[0] and "25 pictures" in told[0] and "2 min" in told[0] and "--range" in told[0]
