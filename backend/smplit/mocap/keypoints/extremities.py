# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands and faces of all people through one shot, each kept on the body it belongs to.

A region follows its own last landmarks while these stay on the body's wrist (or face); otherwise
it is made from the body again. When both regions show one hand, the arm that fits it keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field, replace
from functools import partial

import cv2
import numpy as np

from smplit.mocap.keypoints import face as faces
from smplit.mocap.keypoints import hands as hand_regions
from smplit.mocap.keypoints.blazepose import BodyLandmarks
from smplit.mocap.keypoints.face import FaceLandmarker, FaceLandmarks
from smplit.mocap.keypoints.hands import HandLandmarker, HandLandmarks
from smplit.mocap.keypoints.regions import Region

_WRIST, _ELBOW = (15, 16), (13, 14)
_HAND = [15, 17, 19], [16, 18, 20]  # wrist, little finger and index of each side
_FACE = list(range(11))
_TRUNK = [11, 12, 23, 24]
_NEAR, _FAR = 0.35, 0.75  # forearm lengths between hand and body wrist: trusted below, refused above
_LEAP = 0.15  # region sides: how far a part may move between two frames and still be where it was
_GREY = (128, 128, 128)
_ONE_HAND = 0.3  # hand sizes: two hands' landmarks closer than this are the same hand
_LOOKS = 0.3  # forearm lengths that a hand of the wrong side counts as far away
_DOUBT = 0.1  # forearm lengths by which the other arm must fit better
_SMALL, _CLEAR = 14.0, 40.0  # px side of a hand's region: says nothing below, all it can above
# Nose, eyes and mouth corners (left, right): pairs of mesh points whose middle they are, and body landmarks.
_MESH_FEATURES, _BODY_FEATURES = [[1, 1], [263, 362], [33, 133], [291, 291], [61, 61]], [0, 2, 5, 9, 10]
_FACE_NEAR, _FACE_FAR = 0.2, 0.4  # face sizes between those of mesh and body: trusted below, refused above


@dataclass
class Extremities:
    """One person's hands and face in one frame; None where not seen. Confidences 0..1."""

    hands: list[HandLandmarks | None] = field(default_factory=lambda: [None, None])
    hand_confidence: list[float] = field(default_factory=lambda: [0.0, 0.0])
    face: FaceLandmarks | None = None
    face_confidence: float = 0.0


class ExtremityFollower:
    """`step(image, {person: body})` for consecutive frames of one shot -> {person: Extremities}."""

    def __init__(self, hand: HandLandmarker | None, face: FaceLandmarker | None):
        """Without a landmarker its part is left out."""
        self._hand, self._face = hand, face
        self._followed_hands: dict[tuple[int, int], _Followed] = {}
        self._followed_faces: dict[int, _Followed] = {}

    def step(self, image: np.ndarray, bodies: dict[int, BodyLandmarks]) -> dict[int, Extremities]:
        """Looks at one (H,W,3) uint8 frame; `bodies` are the people seen in it."""
        seen = {person: Extremities() for person in bodies}
        if self._hand is not None:
            self._hands(image, bodies, seen)
        if self._face is not None:
            self._faces(image, bodies, seen)
        return seen

    def _hands(self, image: np.ndarray, bodies: dict[int, BodyLandmarks], seen: dict[int, Extremities]) -> None:
        arms = {(person, side): body for person, body in bodies.items() for side in (0, 1)}
        from_body = {key: hand_regions.region_from_body(body, key[1]) for key, body in arms.items()}
        anchors = {key: body.pixels[_HAND[key[1]]].mean(0) for key, body in arms.items()}
        looked, found = _look_twice(
            partial(self._look_for_hands, image, bodies), lambda key, hand: hand_drift(arms[key], key[1], hand) / _NEAR,
            self._followed_hands, from_body, anchors,
        )
        for person, side in _doubled(found, bodies):
            del found[person, side]
            other = found[person, 1 - side]
            hidden = self._look_for_hands(_without_hand(image, other), bodies, {(person, side): looked[person, side]})
            found |= {key: hand for key, hand in hidden.items() if not _same_hand(hand, other)}
        found = _on_their_arms(found, bodies)
        self._followed_hands = {key: _Followed(hand.region, anchors[key]) for key, hand in found.items()}
        for (person, side), hand in found.items():
            seen[person].hands[side] = hand
            seen[person].hand_confidence[side] = _hand_confidence(bodies[person], side, hand, image.shape)

    def _look_for_hands(self, image: np.ndarray, bodies: dict[int, BodyLandmarks], regions: dict[tuple[int, int], Region]) -> dict:
        """{(person, side): HandLandmarks} of those regions that show a hand at the end of that arm."""
        regions = {key: region for key, region in regions.items() if region.side >= _SMALL}
        found = zip(regions, self._hand(image, list(regions.values())), strict=True)
        return {
            key: hand for key, hand in found
            if hand.presence >= hand_regions.LEAST_PRESENCE and hand_drift(bodies[key[0]], key[1], hand) <= _FAR
        }

    def _faces(self, image: np.ndarray, bodies: dict[int, BodyLandmarks], seen: dict[int, Extremities]) -> None:
        from_body = {person: faces.region_from_body(body) for person, body in bodies.items()}
        anchors = {person: body.pixels[_FACE].mean(0) for person, body in bodies.items()}
        _, found = _look_twice(
            partial(self._look_for_faces, image, bodies), lambda person, face: face_drift(bodies[person], face) / _FACE_NEAR,
            self._followed_faces, from_body, anchors,
        )
        self._followed_faces = {person: _Followed(face.region, anchors[person]) for person, face in found.items()}
        for person, face in found.items():
            seen[person].face, seen[person].face_confidence = face, face.presence

    def _look_for_faces(self, image: np.ndarray, bodies: dict[int, BodyLandmarks], regions: dict[int, Region]) -> dict[int, FaceLandmarks]:
        found = zip(regions, self._face(image, list(regions.values())), strict=True)
        return {person: face for person, face in found if face.presence >= faces.LEAST_PRESENCE and _face_is_on(bodies[person], face)}


@dataclass(frozen=True)
class _Followed:
    """`region` to look at in the next frame, and where the body's landmarks of that part were (2,) px."""

    region: Region
    anchor: np.ndarray


def _look_twice(
    look: Callable[[dict], dict], drift: Callable[[Hashable, object], float], followed: dict, from_body: dict, anchors: dict
) -> tuple[dict, dict]:
    """({key: region looked at first}, {key: landmarks found}) of the keys of `from_body`.

    A part is looked for where it was in the last frame, carried along when the body's landmarks leapt;
    else where the body says. A region that is not where the network itself would put it is rough, so
    what it shows is looked at again. What was lost, or lies off the body (`drift` above 1), is looked
    for where the body says; of two findings the one with less drift counts.
    """
    regions, rough = {}, set()
    for key, guess in from_body.items():
        last = followed.get(key)
        leap = anchors[key] - last.anchor if last else np.zeros(2)
        if last and np.linalg.norm(leap) <= _LEAP * last.region.side:
            regions[key] = last.region
        elif last or guess:
            regions[key] = replace(last.region, x=last.region.x + leap[0], y=last.region.y + leap[1]) if last else guess
            rough.add(key)
    found = look(regions)
    again = {}
    for key in regions:
        if key in followed and from_body[key] and (key not in found or drift(key, found[key]) > 1.0):
            again[key] = from_body[key]
        elif key in found and key in rough:
            again[key] = found[key].region
    second = look(again)
    for key, part in second.items():
        if key not in found or again[key] is not from_body[key] or drift(key, part) < drift(key, found[key]):
            found[key] = part
    return regions, found


def forearm_length(body: BodyLandmarks, side: int) -> float:
    """px; a forearm that points at the camera counts as half a trunk's width and height mean."""
    forearm = float(np.linalg.norm(body.pixels[_ELBOW[side]] - body.pixels[_WRIST[side]]))
    trunk = float(np.ptp(body.pixels[_TRUNK], axis=0).max())
    return max(forearm, 0.4 * trunk, 1.0)


def hand_drift(body: BodyLandmarks, side: int, hand: HandLandmarks) -> float:
    """Distance of the hand's wrist from the body's, in forearm lengths."""
    return float(np.linalg.norm(hand.pixels[0] - body.pixels[_WRIST[side]])) / forearm_length(body, side)


def _doubled(found: dict[tuple[int, int], HandLandmarks], bodies: dict[int, BodyLandmarks]) -> list[tuple[int, int]]:
    """Of hands that were found twice, the keys that fit their arm worse."""
    wrong = []
    for person in {key[0] for key in found}:
        pair = found.get((person, 0)), found.get((person, 1))
        if None not in pair and _same_hand(*pair):
            wrong.append((person, int(np.argmax([_misfit(bodies[person], side, hand) for side, hand in enumerate(pair)]))))
    return wrong


def _same_hand(first: HandLandmarks, second: HandLandmarks) -> bool:
    size = max(float(np.ptp(hand.pixels, axis=0).max()) for hand in (first, second))
    return bool(np.linalg.norm(first.pixels - second.pixels, axis=-1).mean() <= _ONE_HAND * size)


def _without_hand(image: np.ndarray, hand: HandLandmarks) -> np.ndarray:
    """The picture with a hand painted over, so that the network looks at the one behind it."""
    covered = image.copy()
    outline = cv2.convexHull(np.round(hand.pixels).astype(np.int32))
    cv2.fillConvexPoly(covered, outline, _GREY)
    finger = max(1, round(0.12 * float(np.ptp(hand.pixels, axis=0).max())))
    cv2.polylines(covered, [outline], True, _GREY, finger)
    return covered


def _on_their_arms(found: dict[tuple[int, int], HandLandmarks], bodies: dict[int, BodyLandmarks]) -> dict[tuple[int, int], HandLandmarks]:
    """The hands of `found`, each moved to the person's other arm when it fits that one clearly better.

    A region that follows a hand may slip onto the other one while they touch.
    """
    placed = {}
    for person in {key[0] for key in found}:
        hands = {side: found[person, side] for side in (0, 1) if (person, side) in found}
        stay = sum(_misfit(bodies[person], side, hand) for side, hand in hands.items())
        change = sum(_misfit(bodies[person], 1 - side, hand) for side, hand in hands.items())
        swapped = change + _DOUBT < stay
        placed.update({(person, 1 - side if swapped else side): hand for side, hand in hands.items()})
    return placed


def _misfit(body: BodyLandmarks, side: int, hand: HandLandmarks) -> float:
    """How badly a hand fits the arm of a side: distance of the wrists in forearm lengths, and its looks."""
    return hand_drift(body, side, hand) + _LOOKS * abs(hand.right - side)


def _hand_confidence(body: BodyLandmarks, side: int, hand: HandLandmarks, shape: tuple[int, ...]) -> float:
    on_arm = np.clip((_FAR - hand_drift(body, side, hand)) / (_FAR - _NEAR), 0.0, 1.0)
    clear = np.clip((hand.region.side - _SMALL) / (_CLEAR - _SMALL), 0.0, 1.0)
    inside = ((hand.pixels >= 0) & (hand.pixels <= (shape[1], shape[0]))).all(1).mean()
    return float(hand.presence * on_arm * clear * inside)


def _face_is_on(body: BodyLandmarks, face: FaceLandmarks) -> bool:
    """Whether the mesh lies on the body's face; a body whose face is unsure says no."""
    return body.confidence[_FACE].mean() >= 0.5 and face_drift(body, face) <= _FACE_FAR


def face_drift(body: BodyLandmarks, face: FaceLandmarks) -> float:
    """Mean distance of nose, eyes and mouth corners of mesh and body, in face sizes."""
    points = face.points[:, :2]
    return float(np.linalg.norm(points[_MESH_FEATURES].mean(1) - body.pixels[_BODY_FEATURES], axis=-1).mean() / np.ptp(points, axis=0).max())
