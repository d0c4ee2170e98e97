# SPDX-License-Identifier: GPL-3.0-or-later
"""The landmark networks against mediapipe 0.10.21's holistic solution on real frames.

`tests/goldens/mediapipe_holistic.npz` holds where mediapipe looked and what it found (numbers only, made by
tools/compare_with_mediapipe.py); looking at the same places, ours must find the same. Distances are in
pixels of a person 1000 px tall.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from smplit.mocap.keypoints import face, hands
from smplit.mocap.keypoints.blazepose import BodyLandmarker
from smplit.mocap.keypoints.face_actions import ACTIONS, FaceActions
from smplit.mocap.keypoints.regions import Region
from smplit.video.decode import VideoReader

_VIDEOS = Path(__file__).parents[4] / "shared" / "videos"
_GOLDEN = Path(__file__).parents[2] / "goldens" / "mediapipe_holistic.npz"
CLIPS = ("squats_5fps_portrait", "sport_football_juggle", "halfbody_sign_hands")


@pytest.fixture
def clip(request) -> tuple[list[np.ndarray], dict[str, np.ndarray], float]:
    """Pictures of the golden's frames, its numbers, and the factor from px to px of a person 1000 px tall."""
    path = _VIDEOS / f"{request.param}.mp4"
    if not path.exists():
        pytest.skip(f"needs {path.name} of ../shared/videos")
    with np.load(_GOLDEN) as arrays:
        golden = {name.partition(".")[2]: arrays[name] for name in arrays.files if name.startswith(request.param)}
    wanted = set(golden["frames"].tolist())
    with VideoReader(path) as video:
        pictures = [frame.image for frame in video if frame.index in wanted]
    return pictures, golden, 1000.0 / float(golden["body_size"])


@pytest.mark.parametrize("clip", CLIPS, indirect=True)
def test_bodies_looked_for_in_the_same_place_are_found_in_the_same_place(clip):
    pictures, golden, scale = clip
    landmarker, distances = BodyLandmarker(), []
    for picture, (x, y, side, angle), body, visible in zip(pictures, golden["body_region"], golden["body"], golden["visible"], strict=True):
        ours = landmarker(picture, [Region(x, y, side, angle)])[0].pixels
        distances.append(scale * np.linalg.norm(ours - body, axis=-1)[visible > 0.5].mean())
    assert len(distances) >= 3
    assert np.mean(distances) < 3.0 and np.median(distances) < 1.5


# At five frames a second hands and faces leave their old place, and mediapipe looks where the body says.
@pytest.mark.parametrize("clip", CLIPS[1:], indirect=True)
def test_hands_followed_from_the_same_place_are_found_in_the_same_place(clip):
    """mediapipe, too, looks elsewhere when the arm contradicts: hence the median."""
    pictures, golden, scale = clip
    landmarker, distances = hands.HandLandmarker(), []
    for picture, before, now in zip(pictures, golden["hands_before"], golden["hands"], strict=True):
        for side in (0, 1):
            if np.isfinite(before[side]).all() and np.isfinite(now[side]).all():
                ours = landmarker(picture, [hands.region_from_landmarks(before[side])])[0].pixels
                distances.append(scale * np.linalg.norm(ours - now[side], axis=-1).mean())
    assert len(distances) >= 4
    assert np.median(distances) < 1.0


@pytest.mark.parametrize("clip", CLIPS[1:], indirect=True)
def test_faces_followed_from_the_same_place_are_found_in_the_same_place(clip):
    pictures, golden, scale = clip
    landmarker, distances = face.FaceLandmarker(closer=False), []  # the golden's solution did not look closer
    for picture, before, now in zip(pictures, golden["face_before"], golden["face"], strict=True):
        if np.isfinite(before).all() and np.isfinite(now).all():
            ours = landmarker(picture, [face.region_from_landmarks(before)])[0].points[:, :2]
            distances.append(scale * np.linalg.norm(ours - now, axis=-1).mean())
    assert len(distances) >= 3
    assert np.median(distances) < 1.0


@pytest.fixture(scope="module")
def landmarker_golden():
    """`mediapipe_face_landmarker.npz`: what mediapipe's FaceLandmarker says with the published file, shown one picture until it settles.

    Pairs of a picture and its points (478,2) px and actions (51,); and the actions' names.
    """
    path = _VIDEOS / "talking_face_closeup.mp4"
    if not path.exists():
        pytest.skip(f"needs {path.name} of ../shared/videos")
    with np.load(_GOLDEN.with_name("mediapipe_face_landmarker.npz")) as archive:
        told = dict(zip(archive["frames"].tolist(), zip(archive["points"], archive["actions"], strict=True), strict=True))
        names = tuple(archive["names"].tolist())
    with VideoReader(path) as video:
        return [(frame.image, *told[frame.index]) for frame in video if frame.index in told], names


def test_a_closer_look_finds_the_face_where_mediapipes_landmarker_does(landmarker_golden):
    for closer, limit in ((True, 0.008), (False, None)):  # of the eyes' distance
        landmarker, errors = face.FaceLandmarker(closer=closer), []
        for picture, points, _ in landmarker_golden[0]:
            ours = landmarker(picture, [face.region_from_landmarks(points[:468])])[0].points[:, :2]
            errors.append(np.linalg.norm(ours - points[:468], axis=-1).mean() / np.linalg.norm(points[33] - points[263]))
        assert limit is None or max(errors) < limit  # measured 0.003 to 0.007
    assert np.median(errors) > 0.014  # the first look alone: 0.017


def test_actions_are_those_that_mediapipe_tells(landmarker_golden):
    pictures, names = landmarker_golden
    assert names == ACTIONS
    landmarker = face.FaceLandmarker()
    for picture, points, actions in pictures:
        ours = landmarker(picture, [face.region_from_landmarks(points[:468])])[0].actions
        assert np.abs(ours - actions).max() < 0.13 and np.abs(ours - actions).mean() < 0.02  # measured 0.10 and 0.016 at most


def test_actions_do_not_depend_on_where_and_how_large_a_face_is(landmarker_golden):
    network = FaceActions()
    points = np.stack([points for _, points, _ in landmarker_golden[0]])
    usual = network(points)
    np.testing.assert_allclose(network(0.1 * points + [3000, -40]), usual, atol=2e-3)
    np.testing.assert_allclose(network(points[2:3])[0], usual[2], atol=1e-5)  # alone as among others
