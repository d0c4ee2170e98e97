# SPDX-License-Identifier: GPL-3.0-or-later
"""Landmarks of a network that the user added, in place of BlazePose's where it gives them.

BlazePose still finds, follows and tells people apart, and its 3D stays: the added network looks at the boxes of the people seen and
says where their points are. Tracks are the same with and without it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from smplit.mocap.keypoints.blazepose import BodyLandmarks, region_from_circle
from smplit.mocap.keypoints.bodies import SeenBody, inside_picture
from smplit.mocap.keypoints.extremities import Extremities
from smplit.mocap.keypoints.hands import HandLandmarks, region_from_landmarks
from smplit.mocap.keypoints.point_layouts import CARRIED_BY, hands_of, in_blazepose
from smplit.mocap.keypoints.sides import LOWER, MIRRORED, UPPER
from smplit.mocap.keypoints.top_down import TopDownLandmarker

_SURE = 0.3  # confidence from which an added network's point takes BlazePose's place
_WILD = 0.15  # of the box's longer side: networks that differ more do not mean the same point
_CLEARLY = 0.5  # exchanged sides must fit that much better than the given ones
_HAND_SURE = 0.3  # mean confidence of a hand's 21 points
_OTHER_HAND = 0.5  # hand sizes between the points of two networks, on average: beyond, they look at different things


@dataclass(frozen=True)
class SeenHands:
    """Both hands of one person: `pixels` (2,21,2) px, `confidence` (2,) 0..1; left, right."""

    pixels: np.ndarray
    confidence: np.ndarray


class LandmarkRefiner:
    """`refiner(image, seen)` for one frame -> the same people with better points, and their hands where the network gives them."""

    def __init__(self, landmarker: TopDownLandmarker, hands: bool = True):
        """`hands`: whether hands are wanted."""
        self._landmarker, self._hands = landmarker, hands

    def __call__(self, image: np.ndarray, seen: list[SeenBody]) -> tuple[list[SeenBody], dict[int, SeenHands]]:
        """image (H,W,3) uint8 RGB; the second result is by track."""
        points, confidence = self._landmarker(image, np.array([body.box for body in seen]).reshape(-1, 4))
        placed, told = in_blazepose(points, confidence)
        better = [replace(body, landmarks=merge_body(body, placed[i], told[i], image.shape)) for i, body in enumerate(seen)]
        if not self._hands or len(points) == 0 or hands_of(points[0], confidence[0]) is None:
            return better, {}
        return better, {body.track: _seen_hands(points[i], confidence[i], image.shape) for i, body in enumerate(seen)}


def merge_body(body: SeenBody, points: np.ndarray, confidence: np.ndarray, shape: tuple[int, ...]) -> BodyLandmarks:
    """BlazePose's landmarks of a person with those of another network put in, of a picture of `shape`.

    Args:
        points: (33,2) px.
        confidence: (33,) 0..1; NaN where the other network says nothing.

    A sure point takes its place; one that is wildly elsewhere only if it is the more confident of the two. Of unsure points BlazePose's
    stay: they are at least in keeping with the rest of the body, a weak peak may be anywhere. What the other network does not give is
    carried along with the point that it hangs on.
    """
    told = np.isfinite(confidence)
    side = region_from_circle(body.landmarks.circle).side
    confidence = inside_picture(points, np.where(told, confidence, 0.0), side, shape)
    own = _with_sides_of(body.landmarks, points, told & (confidence >= _SURE))
    apart = np.linalg.norm(points - own.pixels, axis=-1)
    wild = apart > _WILD * float((body.box[2:] - body.box[:2]).max())
    taken = told & (confidence >= _SURE) & (~wild | (confidence >= own.confidence))
    pixels = np.where(taken[:, None], points, own.pixels)
    for landmark, carrier in CARRIED_BY.items():
        if taken[carrier] and not taken[landmark]:
            pixels[landmark] += points[carrier] - own.pixels[carrier]
    return replace(own, pixels=pixels, confidence=np.where(taken, confidence, own.confidence).astype(np.float32))


def _with_sides_of(own: BodyLandmarks, points: np.ndarray, sure: np.ndarray) -> BodyLandmarks:
    """BlazePose's landmarks, left and right exchanged where that is what the other network's `sure` (33,) points say.

    Otherwise one person's left and right would be mixed. Should the other network be wrong, both are wrong together, which
    `sides.right_mistaken_sides` sees over time. Depth is mirrored, as there.
    """
    order, depth = np.arange(33), np.ones(33)
    for part in (UPPER, LOWER):
        used = part[sure[part] & sure[MIRRORED[part]] & (MIRRORED[part] != part)]
        given, other = (np.linalg.norm(own.pixels[rows] - points[used], axis=-1).sum() for rows in (used, MIRRORED[used]))
        if len(used) >= 4 and other < _CLEARLY * given:
            order[part], depth[part] = MIRRORED[part], -1.0
    if (depth > 0).all():
        return own
    world = own.world[order] * np.stack([np.ones(33), np.ones(33), depth], 1)
    return replace(own, pixels=own.pixels[order], confidence=own.confidence[order], world=world.astype(own.world.dtype))


def _seen_hands(points: np.ndarray, confidence: np.ndarray, shape: tuple[int, ...]) -> SeenHands:
    pixels, sure = hands_of(points, confidence)
    inside = ((pixels >= 0) & (pixels <= (shape[1], shape[0]))).all(-1)
    return SeenHands(pixels, (sure * inside).mean(-1))


def merge_hands(found: Extremities, seen: SeenHands) -> Extremities:
    """The hands of `found` with the pixels of a whole-body network's, where that is sure.

    The hand network's 3D stays as long as both look at the same hand. Where it found none, or another, and is the less confident,
    the hand has pixels but no 3D (zeros): nothing downstream takes a finger's pose from that, only its place.
    """
    hands, confidence = list(found.hands), list(found.hand_confidence)
    for side, sure in enumerate(seen.confidence):
        pixels, own = seen.pixels[side], hands[side]
        if sure < _HAND_SURE:
            continue
        if own is not None and _same(own.pixels, pixels):
            hands[side], confidence[side] = replace(own, pixels=pixels), max(confidence[side], float(sure))
        elif own is None or sure > confidence[side]:
            hands[side] = HandLandmarks(pixels, np.zeros((21, 3), np.float32), float(sure), float(side), region_from_landmarks(pixels))
            confidence[side] = float(sure)
    return replace(found, hands=hands, hand_confidence=confidence)


def _same(first: np.ndarray, second: np.ndarray) -> bool:
    size = max(float(np.ptp(hand, axis=0).max()) for hand in (first, second))
    return bool(np.linalg.norm(first - second, axis=-1).mean() <= _OTHER_HAND * size)
