# SPDX-License-Identifier: GPL-3.0-or-later
"""The observation pass on real clips (what is in them is written in ../shared/videos/MANIFEST.md) and on bad input."""

from __future__ import annotations

import gc
import weakref
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from smplit.errors import BadInput, Cancelled
from smplit.mocap import observe as observing
from smplit.mocap.observe import ShotObservations, observe
from smplit.mocap.options import CaptureOptions
from smplit.progress import Reporter
from smplit.video.decode import VideoReader

_VIDEOS = Path(__file__).parents[3] / "shared" / "videos"


def clip(name: str) -> Path:
    path = _VIDEOS / name
    if not path.exists():
        pytest.skip(f"needs {name} of ../shared/videos")
    return path


def look(name: str, **options) -> list[ShotObservations]:
    return observe(clip(name), CaptureOptions(**options), Reporter())


def write(path: Path, pictures: list[np.ndarray]) -> Path:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(30), options={"preset": "ultrafast"})
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.slow
def test_two_people_are_two_tracks_and_she_walks_from_right_to_left():
    (shot,) = look("two_people_static.mp4", hands="none", face="none")
    assert len(shot.people) == 2 and shot.camera.kind == "static"
    he, she = sorted(shot.people, key=lambda person: person.first)
    middle = (she.boxes[:, 0] + she.boxes[:, 2]) / 2
    assert 30 <= she.first <= 60
    assert middle[0] > 950 and middle[-1] < 150  # of 1280 px
    assert (np.diff(middle[::10]) < 0).all()
    # He stands on the cabinet, is out of view while he falls, and lands at the right near the end.
    assert he.first == 0 and he.first + len(he) >= 215
    assert 8 <= (~he.seen).sum() <= 40
    assert he.boxes[0, 3] < 400 and he.boxes[-1, 0] > 950


@pytest.mark.slow
def test_squats_keep_their_own_clock_and_hands_their_sides():
    (shot,) = look("squats_5fps_portrait.mp4", camera="static")
    (person,) = shot.people
    np.testing.assert_allclose(shot.frame_times, np.arange(65) / 5, atol=1e-3)
    assert person.seen.all()
    left, right = 0, 1
    for side, wrist in ((left, 15), (right, 16)):
        sure = person.hand_confidence[:, side] > 0.5
        assert sure.mean() > 0.8
        gap = np.linalg.norm(person.hands[sure, side, 0] - person.body[sure, wrist], axis=-1)
        assert np.median(gap) < 0.03 * 900  # she is about 900 px tall
    # The mesh's nose tip lies on the body's nose in every frame, though she moves a head's height between two.
    face = person.face_confidence > 0.5
    assert face.mean() > 0.95
    nose = np.linalg.norm(person.face[face, 1, :2] - person.body[face, 0], axis=-1)
    assert np.percentile(nose, 95) < 25


@pytest.mark.slow
def test_hands_that_touch_are_not_taken_for_each_other():
    """She signs "book": her left hand (in the picture's right half of the pair) never jumps to the other arm."""
    (shot,) = look("halfbody_sign_hands.mp4", face="none", range="0.4:3.2", camera="static")
    (person,) = shot.people
    wrists = person.body[:, [15, 16]]
    for side in (0, 1):
        sure = person.hand_confidence[:, side] > 0.3
        own, other = (np.linalg.norm(person.hands[sure, side, 0] - wrists[sure, w], axis=-1) for w in (side, 1 - side))
        assert (own < other + 3.0).mean() > 0.97
    assert (person.hand_confidence[:, 0] > 0.3).mean() > 0.85


@pytest.mark.parametrize(
    ("name", "part"), [("sport_football_juggle.mp4", "0:2"), ("walk_moving_camera.mp4", "0:1.5"), ("talking_face_closeup.mp4", "0.5:2.5")]
)
@pytest.mark.slow
def test_one_person_is_one_track_without_ghosts(name, part):
    (shot,) = look(name, range=part, hands="none", face="none", camera="static")
    assert len(shot.people) == 1
    assert shot.people[0].seen.mean() > 0.95


@pytest.mark.slow
def test_a_cut_ends_a_shot_and_people_after_it_get_new_numbers(tmp_path):
    pictures = []
    for name in ("sport_football_juggle.mp4", "two_people_static.mp4"):
        with VideoReader(clip(name), stop=0.7) as video:
            pictures += [frame.image for frame in video]
    shots = observe(write(tmp_path / "two.mp4", pictures), CaptureOptions(hands="none", face="none", camera="static"), Reporter())
    assert [shot.start for shot in shots] == [0, 17]  # 0.7 s at 24 fps
    assert [person.person for shot in shots for person in shot.people] == [1, 2]


def test_pictures_are_not_kept_while_a_clip_is_observed(monkeypatch):
    alive: list[weakref.ref] = []
    most = 0

    class Watched(VideoReader):
        def __iter__(self):
            nonlocal most
            for frame in super().__iter__():
                alive.append(weakref.ref(frame.image))
                yield frame
                del frame
                if len(alive) % 5 == 0:
                    gc.collect()
                most = max(most, sum(ref() is not None for ref in alive))

    monkeypatch.setattr(observing, "VideoReader", Watched)
    look("squats_5fps_portrait.mp4", range="0:6", hands="none", face="none")
    assert len(alive) == 30
    assert most <= 10  # waiting, being looked at, and the camera's key frame


def refused(path: Path, **options) -> BadInput:
    with pytest.raises(BadInput) as caught:
        observe(path, CaptureOptions(**options), Reporter())
    assert str(path) in caught.value.message and caught.value.remedy
    assert caught.value.exit_code == 2
    return caught.value


def test_a_video_without_people_says_where_it_looked(tmp_path):
    rng = np.random.default_rng(0)
    trees = [np.repeat(np.repeat(rng.integers(0, 255, (24, 32, 3), dtype=np.uint8), 10, 0), 10, 1)] * 20
    error = refused(write(tmp_path / "empty road.mp4", trees))
    assert error.code == "no_person" and "0:00" in error.message


def test_one_frame_is_no_motion(tmp_path):
    assert refused(write(tmp_path / "one.mp4", [np.full((240, 320, 3), 90, np.uint8)])).code == "one_frame"


def test_a_part_behind_the_end_is_refused(tmp_path):
    path = write(tmp_path / "short.mp4", [np.full((240, 320, 3), 90, np.uint8)] * 5)
    assert refused(path, range="60:70").code == "empty_range"


def test_a_missing_video_is_refused(tmp_path):
    assert refused(tmp_path / "missing.mp4").code == "no_such_file"


def test_cancelling_stops_within_a_frame_and_lets_go_of_the_threads(tmp_path):
    path = write(tmp_path / "long.mp4", [np.full((240, 320, 3), 90, np.uint8)] * 60)

    class Cancels(Reporter):
        done = 0

        def check(self):
            if self.done >= 5:
                raise Cancelled("The user cancelled.")

        def stage(self, name, done, total):
            self.done = done

    reporter = Cancels()
    with pytest.raises(Cancelled):
        observe(path, CaptureOptions(), reporter)
    assert reporter.done == 5
