# SPDX-License-Identifier: GPL-3.0-or-later
"""21 landmarks of each hand: MediaPipe Hands full (Zhang et al. 2020; Google, Apache-2.0)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smplit.mocap.keypoints.blazepose import BodyLandmarks
from smplit.mocap.keypoints.regions import Region, region_around, upright_angle
from smplit.mocap.keypoints.sessions import Network

_INPUT = 224
_PALM = [0, 1, 2, 3, 5, 6, 9, 10, 13, 14, 17, 18]  # points that do not fold away with the finger tips
# BlazePose: wrist, pinky, index of the left and of the right hand.
_BODY_HAND = ((15, 17, 19), (16, 18, 20))
LEAST_PRESENCE = 0.5


@dataclass(frozen=True)
class HandLandmarks:
    """`pixels` (21,2) px; `world` (21,3) m, hand-centred, camera axes; `presence` 0..1;
    `right` 0..1: how much it looks like a right hand (of a picture that is not mirrored);
    `region`: where to look in the next frame."""

    pixels: np.ndarray
    world: np.ndarray
    presence: float
    right: float
    region: Region


def region_from_body(body: BodyLandmarks, hand: int) -> Region | None:
    """Where a hand (0 left, 1 right) should be; None when the body network does not see the wrist."""
    wrist, pinky, index = (body.pixels[i] for i in _BODY_HAND[hand])
    if body.confidence[_BODY_HAND[hand][0]] < 0.3:
        return None
    middle = (2.0 * index + pinky) / 3.0
    length = float(np.linalg.norm(middle - wrist))
    forearm = float(np.linalg.norm(body.pixels[(13, 14)[hand]] - wrist))
    # Seen from the finger tips on, the hand looks short: the forearm keeps the region big enough.
    side = 2.0 * max(length, 0.25 * forearm) * 1.6
    angle = upright_angle(wrist, middle)
    return Region(float(middle[0]), float(middle[1]), side, angle) if side > 8.0 else None


def region_from_landmarks(pixels: np.ndarray) -> Region:
    """Region for the next frame, from (21,2) px (MediaPipe's HandLandmarksToRect)."""
    target = 0.25 * (pixels[5] + pixels[13]) + 0.5 * pixels[9]
    return region_around(pixels[_PALM], upright_angle(pixels[0], target), 2.0, 0.1)


class HandLandmarker:
    """`landmarker(image, regions)` -> landmarks of every region, in one batch."""

    def __init__(self, device: str = "cpu", threads: int | None = None):
        self._network = Network("hand", device, threads)

    def __call__(self, image: np.ndarray, regions: list[Region]) -> list[HandLandmarks]:
        if not regions:
            return []
        points, presence, right, world = self._network(np.stack([region.crop(image, _INPUT) for region in regions]))
        hands = []
        for i, region in enumerate(regions):
            pixels = region.to_image(points[i].reshape(21, 3)[:, :2] / _INPUT)
            hands.append(
                HandLandmarks(pixels, region.turn(world[i].reshape(21, 3)), float(presence[i, 0]), float(right[i, 0]), region_from_landmarks(pixels))
            )
        return hands
