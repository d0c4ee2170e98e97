# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands and faces of all people through one shot, each kept on the body it belongs to.

A region follows its own last landmarks while these stay on the body's wrist (or face); otherwise
it is made from the body again. When both regions show one hand, the arm that fits it keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from smplit.mocap.keypoints import face as faces
from smplit.mocap.keypoints import hands as hand_regions
from smplit.mocap.keypoints.blazepose import BodyLandmarks
from smplit.mocap.keypoints.face import FaceLandmarker, FaceLandmarks
from smplit.mocap.keypoints.hands import HandLandmarker, HandLandmarks
from smplit.mocap.keypoints.regions import Region

_WRIST, _ELBOW = (15, 16), (13, 14)
_TRUNK = [11, 12, 23, 24]
_NEAR, _FAR = 0.35, 0.75  # forearm lengths between hand and body wrist: trusted below, refused above
_GREY = (128, 128, 128)
_ONE_HAND = 0.3  # hand sizes: two hands' landmarks closer than this are the same hand
_LOOKS = 0.3  # forearm lengths that a hand of the wrong side counts as far away
_DOUBT = 0.1  # forearm lengths by which the other arm must fit better
_SMALL, _CLEAR = 14.0, 40.0  # px side of a hand's region: says nothing below, all it can above
_FACE_OFF = 0.5  # face sizes between the centres of mesh and body face


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
        self._hand_regions: dict[tuple[int, int], Region] = {}
        self._face_regions: dict[int, Region] = {}

    def step(self, image: np.ndarray, bodies: dict[int, BodyLandmarks]) -> dict[int, Extremities]:
        """Looks at one (H,W,3) uint8 frame; `bodies` are the people seen in it."""
        seen = {person: Extremities() for person in bodies}
        if self._hand is not None:
            self._hands(image, bodies, seen)
        if self._face is not None:
            self._faces(image, bodies, seen)
        return seen

    def _hands(self, image: np.ndarray, bodies: dict[int, BodyLandmarks], seen: dict[int, Extremities]) -> None:
        looked = _regions_to_look_at(bodies, self._hand_regions)
        found = self._look_for_hands(image, looked, bodies)
        again = {}
        for key in looked:
            if key not in self._hand_regions and key in found:  # the body's idea of the region is rough
                again[key] = found[key].region
            elif key in self._hand_regions and key not in found:
                again[key] = hand_regions.region_from_body(bodies[key[0]], key[1])
        found |= self._look_for_hands(image, {key: region for key, region in again.items() if region is not None}, bodies)
        for person, side in _doubled(found, bodies):
            del found[person, side]
            other = found[person, 1 - side]
            hidden = self._look_for_hands(_without_hand(image, other), {(person, side): looked[person, side]}, bodies)
            found |= {key: hand for key, hand in hidden.items() if not _same_hand(hand, other)}
        found = _on_their_arms(found, bodies)
        for key in looked:
            self._hand_regions.pop(key, None)
        for (person, side), hand in found.items():
            self._hand_regions[person, side] = hand.region
            seen[person].hands[side] = hand
            seen[person].hand_confidence[side] = _hand_confidence(bodies[person], side, hand, image.shape)

    def _look_for_hands(self, image: np.ndarray, regions: dict[tuple[int, int], Region], bodies: dict[int, BodyLandmarks]) -> dict:
        """{(person, side): HandLandmarks} of those regions that show a hand at the end of that arm."""
        found = zip(regions, self._hand(image, list(regions.values())), strict=True)
        return {
            key: hand for key, hand in found
            if hand.presence >= hand_regions.LEAST_PRESENCE and hand_drift(bodies[key[0]], key[1], hand) <= _FAR
        }

    def _faces(self, image: np.ndarray, bodies: dict[int, BodyLandmarks], seen: dict[int, Extremities]) -> None:
        from_body = {person: faces.region_from_body(body) for person, body in bodies.items()}
        looked = {p: self._face_regions.get(p) or r for p, r in from_body.items() if p in self._face_regions or r is not None}
        found: dict[int, FaceLandmarks] = {}
        again: dict[int, Region] = {}
        for person, face in _look(self._face, image, looked).items():
            fresh = person not in self._face_regions
            if face.presence >= faces.LEAST_PRESENCE and _face_is_on(bodies[person], face):
                found[person] = face
                if fresh:
                    again[person] = face.region
            elif not fresh and from_body[person] is not None:
                again[person] = from_body[person]
        for person, face in _look(self._face, image, again).items():
            if face.presence >= faces.LEAST_PRESENCE and _face_is_on(bodies[person], face):
                found[person] = face
        for person in looked:
            if person not in found:
                self._face_regions.pop(person, None)
        for person, face in found.items():
            self._face_regions[person] = face.region
            seen[person].face, seen[person].face_confidence = face, face.presence


def _regions_to_look_at(bodies: dict[int, BodyLandmarks], tracked: dict[tuple[int, int], Region]) -> dict[tuple[int, int], Region]:
    looked = {}
    for person, body in bodies.items():
        for side in (0, 1):
            region = tracked.get((person, side)) or hand_regions.region_from_body(body, side)
            if region is not None and region.side >= _SMALL:
                looked[person, side] = region
    return looked


def _look(landmarker, image: np.ndarray, regions: dict) -> dict:
    return dict(zip(regions, landmarker(image, list(regions.values())), strict=True))


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
    """Whether the mesh lies on the body's face; a body whose face is unsure says nothing."""
    points = face.points[:, :2]
    if body.confidence[:11].mean() < 0.5:
        return False
    return float(np.linalg.norm(points.mean(0) - body.pixels[:11].mean(0))) < _FACE_OFF * float(np.ptp(points, axis=0).max())
