# SPDX-License-Identifier: GPL-3.0-or-later
"""Hands and faces of all people through one shot, each kept on the body it belongs to.

A region follows its own last landmarks while these stay on the body's wrist (or face); otherwise
it is made from the body again. When both regions show one hand, the arm that fits it keeps it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from smplit.mocap.keypoints import face as faces
from smplit.mocap.keypoints import hands as hand_regions
from smplit.mocap.keypoints.blazepose import BodyLandmarks
from smplit.mocap.keypoints.face import FaceLandmarker, FaceLandmarks
from smplit.mocap.keypoints.hands import HandLandmarker, HandLandmarks
from smplit.mocap.keypoints.regions import Region, steady

_WRIST, _ELBOW = (15, 16), (13, 14)
_TRUNK = [11, 12, 23, 24]
_NEAR, _FAR = 0.35, 0.75  # forearm lengths between hand and body wrist: trusted below, refused above
_ONE_HAND = 0.3  # hand sizes: two hands' landmarks closer than this are the same hand
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
        found: dict[tuple[int, int], HandLandmarks] = {}
        again: dict[tuple[int, int], Region] = {}
        looked = _regions_to_look_at(bodies, self._hand_regions)
        for key, hand in _look(self._hand, image, looked).items():
            body, fresh = bodies[key[0]], key not in self._hand_regions
            if hand.presence >= hand_regions.LEAST_PRESENCE and hand_drift(body, key[1], hand) <= _FAR:
                found[key] = hand
                if fresh:  # the body's idea of the region is rough: look again where the hand is
                    again[key] = hand.region
            elif not fresh:
                again[key] = hand_regions.region_from_body(body, key[1])
        for key in _doubled(found, bodies):
            del found[key]
            again[key] = hand_regions.region_from_body(bodies[key[0]], key[1]) if key in self._hand_regions else None
        for key, hand in _look(self._hand, image, {k: r for k, r in again.items() if r is not None}).items():
            if hand.presence >= hand_regions.LEAST_PRESENCE and hand_drift(bodies[key[0]], key[1], hand) <= _FAR:
                found[key] = hand
        for key in _doubled(found, bodies):
            del found[key]
        for key in looked:
            if key not in found:
                self._hand_regions.pop(key, None)
        for (person, side), hand in found.items():
            last = looked[person, side]
            self._hand_regions[person, side] = steady(last, hand.region)
            seen[person].hands[side] = hand
            seen[person].hand_confidence[side] = _hand_confidence(bodies[person], side, hand, image.shape)

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
            self._face_regions[person] = steady(looked[person], face.region)
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
        left, right = found.get((person, 0)), found.get((person, 1))
        if left is None or right is None:
            continue
        size = max(float(np.ptp(hand.pixels, axis=0).max()) for hand in (left, right))
        if np.linalg.norm(left.pixels - right.pixels, axis=-1).mean() > _ONE_HAND * size:
            continue
        # The network's `right` is of a mirrored picture: near 1 for a left hand.
        costs = [hand_drift(bodies[person], side, hand) + abs(hand.right - (1 - side)) for side, hand in enumerate((left, right))]
        wrong.append((person, int(np.argmax(costs))))
    return wrong


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
