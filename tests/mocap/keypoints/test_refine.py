# SPDX-License-Identifier: GPL-3.0-or-later
"""Points of an added network in BlazePose's layout: which take BlazePose's place, and what follows them."""

from __future__ import annotations

import numpy as np
import pytest

from smplit.mocap.keypoints.blazepose import BodyLandmarks
from smplit.mocap.keypoints.bodies import SeenBody
from smplit.mocap.keypoints.extremities import Extremities
from smplit.mocap.keypoints.hands import HandLandmarks
from smplit.mocap.keypoints.point_layouts import in_blazepose
from smplit.mocap.keypoints.refine import LandmarkRefiner, SeenHands, merge_body, merge_hands
from smplit.mocap.keypoints.regions import Region

_SHAPE = (400, 600, 3)
_NOSE, _LEFT_WRIST, _RIGHT_HIP, _LEFT_ANKLE = 0, 15, 24, 27


def seen(confidence: float = 0.8) -> SeenBody:
    """A person of 200 px, whose points stand on a lattice inside the picture."""
    pixels = np.stack([200.0 + 5 * (np.arange(33) % 6), 100.0 + 6 * np.arange(33)], 1).astype(np.float32)
    circle = np.array([[215.0, 200.0], [215.0, 90.0]])
    body = BodyLandmarks(pixels, np.full(33, confidence, np.float32), np.ones((33, 3)), 0.9, circle)
    return SeenBody(7, np.array([150.0, 100.0, 280.0, 300.0], np.float32), body)


def told(landmark: int, move: tuple[float, float], confidence: float, body: SeenBody) -> BodyLandmarks:
    """`body` with one landmark said to be `move` px elsewhere by another network."""
    points, sure = body.landmarks.pixels + np.array(move), np.full(33, np.nan)
    sure[landmark] = confidence
    return merge_body(body, points, sure, _SHAPE)


def test_a_sure_point_takes_its_place_with_its_own_confidence_though_blazepose_was_surer():
    merged = told(_RIGHT_HIP, (6, -4), 0.5, seen(0.9))
    np.testing.assert_allclose(merged.pixels[_RIGHT_HIP], seen().landmarks.pixels[_RIGHT_HIP] + (6, -4))
    assert merged.confidence[_RIGHT_HIP] == pytest.approx(0.5)


@pytest.mark.parametrize(("own", "other", "taken"), [(0.8, 0.6, False), (0.5, 0.6, True)])
def test_of_two_that_differ_wildly_the_more_confident_wins(own, other, taken):
    merged = told(_RIGHT_HIP, (40, 0), other, seen(own))  # a fifth of the person's height
    moved = merged.pixels[_RIGHT_HIP, 0] - seen().landmarks.pixels[_RIGHT_HIP, 0]
    assert moved == (40 if taken else 0) and merged.confidence[_RIGHT_HIP] == pytest.approx(other if taken else own)


@pytest.mark.parametrize("own", [0.8, 0.1])
def test_an_unsure_point_changes_nothing(own):
    merged = told(_RIGHT_HIP, (5, 0), 0.2, seen(own))
    np.testing.assert_array_equal(merged.pixels, seen().landmarks.pixels)
    np.testing.assert_allclose(merged.confidence, own)


@pytest.mark.parametrize(("landmark", "followers"), [(_LEFT_WRIST, [17, 19, 21]), (_LEFT_ANKLE, [29, 31]), (_NOSE, [9, 10])])
def test_what_hangs_on_a_point_comes_along_and_the_rest_stays(landmark, followers):
    before, merged = seen().landmarks, told(landmark, (7, 3), 0.9, seen())
    moves = merged.pixels - before.pixels
    moving = [landmark, *followers]
    np.testing.assert_allclose(moves[moving], np.tile([7, 3], (len(moving), 1)), atol=1e-4)
    assert (np.delete(moves, moving, 0) == 0).all()
    np.testing.assert_allclose(merged.confidence[followers], 0.8)


@pytest.mark.parametrize("part", ["legs", "all"])
def test_sides_that_the_other_network_sees_exchanged_are_exchanged_whole_with_depth_mirrored(part):
    """A body whose left is 60 px right of its right; BlazePose took its front for its back."""
    sides = np.where(np.arange(33) % 2 == 1, 30.0, -30.0)
    body = seen()
    body.landmarks.pixels[11:] = np.stack([215 + sides, 100.0 + 6 * (np.arange(33) // 2)], 1)[11:]
    body.landmarks.world[:] = np.stack([sides, np.arange(33.0), 1.0 + np.arange(33)], 1)
    true = body.landmarks.pixels.copy()
    first = 23 if part == "legs" else 11
    order = np.arange(33)
    order[first:] = [i + 1 if i % 2 else i - 1 for i in range(first, 33)]
    sure = np.full(33, np.nan)
    sure[[11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]] = 0.4  # less than BlazePose's 0.8
    mistaken = SeenBody(7, body.box, BodyLandmarks(true[order], body.landmarks.confidence, body.landmarks.world[order], 0.9, body.landmarks.circle))
    merged = merge_body(mistaken, true, sure, _SHAPE)
    np.testing.assert_allclose(merged.pixels[11:], true[11:])
    turned = np.where(np.arange(33) >= first, -1.0, 1.0)
    np.testing.assert_allclose(merged.world[11:], (body.landmarks.world * np.stack([turned * 0 + 1, turned * 0 + 1, turned], 1))[11:])
    np.testing.assert_array_equal(merge_body(body, true, sure, _SHAPE).world, body.landmarks.world)


def test_the_3d_the_circle_and_the_presence_stay_blazeposes():
    body = seen()
    before, merged = body.landmarks, told(_NOSE, (5, 5), 0.9, body)
    assert merged.world is before.world and merged.circle is before.circle and merged.presence == before.presence


def test_a_point_beyond_the_picture_loses_its_confidence():
    body = seen(0.01)
    body.landmarks.pixels[_NOSE] = 215, 5
    points, sure = body.landmarks.pixels.copy(), np.full(33, np.nan)
    points[_NOSE], sure[_NOSE] = (215, -15), 1.0
    assert merge_body(body, points, sure, _SHAPE).confidence[_NOSE] < 0.06


@pytest.mark.parametrize("count", [17, 26, 133])
def test_names_of_both_layouts_agree(count):
    """Numbers of the published sets against the names of BlazePose's, as the fit has them."""
    from smplit.mocap.fit.points import BLAZEPOSE_NAMES

    coco = ["nose", "left_eye", "right_eye", "left_ear", "right_ear"]
    coco += [f"{side}_{joint}" for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle") for side in ("left", "right")]
    names = dict(enumerate(coco))
    if count == 26:
        names |= {20: "left_foot_index", 21: "right_foot_index", 24: "left_heel", 25: "right_heel"}
    if count == 133:  # feet 17-22, face from 23 in the order of 300-W: right eye 36-41, left eye 42-47, mouth corners 48 and 54
        names |= {17: "left_foot_index", 19: "left_heel", 20: "right_foot_index", 22: "right_heel", 59: "right_eye_outer", 62: "right_eye_inner"}
        names |= {65: "left_eye_inner", 68: "left_eye_outer", 71: "mouth_right", 77: "mouth_left"}
    points = np.stack([np.arange(count), np.zeros(count)], 1)[None]
    placed, confidence = in_blazepose(points, np.ones((1, count)))
    assert {names[int(placed[0, i, 0])]: i for i in np.flatnonzero(np.isfinite(confidence[0]))} == {
        name: BLAZEPOSE_NAMES.index(name) for name in names.values()
    }


def hand(at: float, confidence_of_right: float = 0.0) -> HandLandmarks:
    angles = np.linspace(0, 5, 21)
    pixels = np.stack([at + 20 * np.cos(angles), 100 + 20 * np.sin(angles)], 1)
    return HandLandmarks(pixels, np.ones((21, 3)), 0.9, confidence_of_right, Region(at, 100, 60))


def merged_hand(own: HandLandmarks | None, own_confidence: float, other: HandLandmarks, confidence: float) -> tuple[HandLandmarks | None, float]:
    found = Extremities([own, None], [own_confidence, 0.0])
    pixels = np.stack([other.pixels, other.pixels + 500])
    merged = merge_hands(found, SeenHands(pixels, np.array([confidence, 0.0])))
    assert merged.hands[1] is None and merged.hand_confidence[1] == 0.0
    return merged.hands[0], merged.hand_confidence[0]


def test_two_views_of_one_hand_give_its_pixels_and_keep_its_3d():
    result, confidence = merged_hand(hand(100), 0.4, hand(103), 0.7)
    np.testing.assert_allclose(result.pixels, hand(103).pixels)
    assert (result.world == 1).all() and confidence == pytest.approx(0.7)


@pytest.mark.parametrize(("own", "other", "moved"), [(0.8, 0.6, False), (0.5, 0.6, True)])
def test_of_two_different_hands_the_more_confident_wins_and_a_new_one_has_no_3d(own, other, moved):
    result, confidence = merged_hand(hand(100), own, hand(180), other)
    np.testing.assert_allclose(result.pixels, hand(180 if moved else 100).pixels)
    assert (result.world == (0 if moved else 1)).all() and confidence == pytest.approx(max(own, other))


def test_a_hand_that_only_the_whole_body_network_sees_has_a_place():
    result, confidence = merged_hand(None, 0.0, hand(150), 0.6)
    assert confidence == pytest.approx(0.6) and (result.world == 0).all()
    np.testing.assert_allclose(result.pixels, hand(150).pixels)


def test_an_unsure_hand_changes_nothing():
    assert merged_hand(None, 0.0, hand(150), 0.2) == (None, 0.0)


class _Network:
    """Says of every box that all 133 points lie in its middle, surely; the hands a bit beside it."""

    def __call__(self, image, boxes):
        points = np.repeat(((boxes[:, :2] + boxes[:, 2:]) / 2)[:, None], 133, 1)
        points[:, 91:112] += (30, 0)
        return points, np.full(points.shape[:2], 0.95)


@pytest.mark.parametrize("hands", [True, False])
def test_people_keep_their_tracks_and_boxes_and_hands_come_only_when_they_are_wanted(hands):
    people = [seen(0.9), SeenBody(9, np.array([300.0, 50.0, 400.0, 350.0]), seen(0.5).landmarks)]
    better, told_hands = LandmarkRefiner(_Network(), hands)(np.zeros(_SHAPE, np.uint8), people)
    assert [(body.track, body.box.tolist()) for body in better] == [(body.track, body.box.tolist()) for body in people]
    np.testing.assert_allclose(better[1].landmarks.pixels[_RIGHT_HIP], (350, 200))
    assert set(told_hands) == ({7, 9} if hands else set())
    if hands:
        np.testing.assert_allclose(told_hands[9].pixels[:, 0], [(380, 200), (350, 200)])


def test_nobody_seen_is_nobody_refined():
    assert LandmarkRefiner(_Network())(np.zeros(_SHAPE, np.uint8), []) == ([], {})
