# SPDX-License-Identifier: GPL-3.0-or-later
"""Which tracks are people, how they are numbered, and whom `--people` keeps."""

from __future__ import annotations

import numpy as np
import pytest

from smplit.errors import BadInput
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.observe import ShotObservations
from smplit.mocap.options import CaptureOptions
from smplit.mocap.select import choose_people, drop_false_people

HEIGHT = 720
FPS = 30.0


def person(frames: int, tall: float = 300.0, confidence: float = 0.9, moving: float = 0.05, seed: int = 0) -> PersonLandmarks:
    """Somebody seen in the first `frames` frames; `moving` is how far the limbs swing, in heights."""
    rng = np.random.default_rng(seed)
    rest = rng.uniform(-0.5, 0.5, (33, 2)) * (0.4, 1.0)
    swing = moving * np.sin(np.arange(frames)[:, None, None] / 5.0 + rng.uniform(0, 6, (33, 2)))
    body = (rest + swing) * tall + (400.0, 360.0)
    boxes = np.tile(np.array([300.0, 360.0 - tall / 2, 500.0, 360.0 + tall / 2], np.float32), (frames, 1))
    return PersonLandmarks(
        0, 0, np.ones(frames, bool), boxes, body.astype(np.float32), np.full((frames, 33), confidence, np.float32),
        np.zeros((frames, 33, 3), np.float32),
        np.zeros((frames, 2, 21, 2), np.float32), np.zeros((frames, 2), np.float32), np.zeros((frames, 2, 21, 3), np.float32),
        np.zeros((frames, 468, 3), np.float32), np.zeros(frames, np.float32),
    )


def shot(*people: PersonLandmarks, start: int = 0, frames: int = 120) -> ShotObservations:
    camera = CameraMotion(np.tile(np.eye(3), (frames, 1, 1)), "static", np.eye(3), "guess", np.zeros(frames))
    return ShotObservations(start, (start + np.arange(frames)) / FPS, camera, list(people))


def numbers(shots: list[ShotObservations]) -> list[list[int]]:
    return [[one.person for one in each.people] for each in shots]


def test_somebody_seen_for_a_moment_is_nobody():
    real, flicker = person(120), person(5)
    observed = [shot(real, flicker)]
    drop_false_people(observed)
    assert observed[0].people == [real]


def test_a_track_ends_where_the_person_left_not_with_the_last_glimpse():
    leaving = person(120)
    leaving.first = 10
    leaving.seen[:4] = leaving.seen[90:96] = leaving.seen[98:115] = False
    observed = [shot(leaving)]
    drop_false_people(observed)
    left = observed[0].people[0]
    assert (left.first, len(left)) == (14, 86) and left.seen.all()
    assert np.array_equal(left.body, leaving.body[4:90])


def test_somebody_who_comes_back_for_good_keeps_the_gap():
    back = person(120)
    back.seen[40:80] = False
    observed = [shot(back)]
    drop_false_people(observed)
    assert observed[0].people == [back]


def test_somebody_the_network_does_not_believe_in_is_nobody():
    real, coat = person(120), person(120, confidence=0.1)
    observed = [shot(coat, real)]
    drop_false_people(observed)
    assert observed[0].people == [real]


def test_a_poster_beside_people_who_move_is_nobody_but_somebody_who_stands_alone_stays():
    real, poster = person(120), person(120, moving=0.0)
    beside, alone = [shot(real, poster)], [shot(person(120, moving=0.0))]
    drop_false_people(beside)
    drop_false_people(alone)
    assert beside[0].people == [real]
    assert len(alone[0].people) == 1


def test_a_very_short_shot_keeps_who_fills_it():
    observed = [shot(person(4), frames=4)]
    drop_false_people(observed)
    assert len(observed[0].people) == 1


def test_the_most_prominent_of_a_shot_is_number_one_and_numbers_go_on_in_the_next_shot():
    small, tall, later = person(120, tall=100), person(120, tall=400), person(60, tall=200)
    observed = choose_people([shot(small, tall), shot(later, start=120, frames=60)], HEIGHT, CaptureOptions())
    assert numbers(observed) == [[1, 2], [3]]
    assert observed[0].people == [tall, small]


def test_largest_keeps_one_person_of_the_whole_video_and_drops_empty_shots():
    observed = choose_people([shot(person(30, tall=300), frames=30), shot(person(120, tall=300), start=30)], HEIGHT, CaptureOptions(people="largest"))
    assert numbers(observed) == [[2]]
    assert observed[0].start == 30


@pytest.mark.parametrize(("wanted", "kept"), [("2", [[2]]), ("1,3", [[1, 3]]), ("3,1,1", [[1, 3]]), ("all", [[1, 2, 3]])])
def test_the_named_people_are_kept(wanted, kept):
    three = [person(120, tall=tall, seed=tall) for tall in (100, 400, 200)]
    assert numbers(choose_people([shot(*three)], HEIGHT, CaptureOptions(people=wanted))) == kept


@pytest.mark.parametrize(("count", "there"), [(1, "person 1 only"), (3, "persons 1, 2, 3")])
def test_a_number_that_is_not_there_is_refused_with_those_that_are(count, there):
    with pytest.raises(BadInput) as caught:
        choose_people([shot(*(person(120) for _ in range(count)))], HEIGHT, CaptureOptions(people="1,7"))
    assert caught.value.code == "no_such_person" and caught.value.exit_code == 2
    assert "--people 1,7" in caught.value.message and "no person 7" in caught.value.message and there in caught.value.message
    assert "--people all" in caught.value.remedy


@pytest.mark.parametrize("wrong", ["0", "-1", "one", "1;2", "1.5", "", "everyone", "1,,2"])
def test_a_people_option_that_is_no_choice_is_refused_before_anything_runs(wrong):
    with pytest.raises(BadInput, match="--people") as caught:
        CaptureOptions(people=wrong).validate()
    assert caught.value.code == "bad_option"
