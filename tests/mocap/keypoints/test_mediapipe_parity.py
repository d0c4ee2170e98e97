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


LIPS_AND_EYES = [61, 291, 13, 14, 0, 17, 78, 308, 33, 133, 159, 145, 362, 263, 386, 374, 70, 105, 107, 300, 334, 336]


def test_a_closer_look_finds_lips_lids_and_brows_where_mediapipes_attention_does():
    """`mediapipe_face_closer.npz`: its face mesh solution with `refine_landmarks`, shown the same picture until it settles."""
    path = _VIDEOS / "talking_face_closeup.mp4"
    if not path.exists():
        pytest.skip(f"needs {path.name} of ../shared/videos")
    with np.load(_GOLDEN.with_name("mediapipe_face_closer.npz")) as archive:
        expected = dict(zip(archive["frames"].tolist(), archive["points"], strict=True))
    with VideoReader(path) as video:
        pictures = {frame.index: frame.image for frame in video if frame.index in expected}
    errors = {}
    for closer in (True, False):
        landmarker, found = face.FaceLandmarker(closer=closer), []
        for index, points in expected.items():
            region = face.region_from_landmarks(points)
            for _ in range(10):
                ours = landmarker(pictures[index], [region])[0]
                region = face.region_from_landmarks(ours.points)
            span = np.linalg.norm(points[33] - points[263])
            found.append(np.linalg.norm(ours.points[:, :2] - points, axis=-1)[LIPS_AND_EYES].mean() / span)
        errors[closer] = np.median(found)
    assert errors[True] < 0.01  # of the eyes' distance
    assert errors[False] > 2 * errors[True]
