# SPDX-License-Identifier: GPL-3.0-or-later
"""468 face landmarks: MediaPipe Face Mesh (Kartynnik et al. 2019), and the second version of it, which has irises too.

Both are Google's, Apache-2.0. The first finds and follows faces of any size. The second looks closer where there is something
to see: it knows shut lids, shut lips and brows, which the first only hints at, and its points tell a face's actions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smplit.mocap.keypoints.blazepose import BodyLandmarks
from smplit.mocap.keypoints.face_actions import FaceActions
from smplit.mocap.keypoints.regions import Region, region_around
from smplit.mocap.keypoints.sessions import Network, sigmoid

_INPUT, _CLOSER_INPUT = 192, 256  # px
_POINTS, _CLOSER_POINTS = 468, 478
_LEFT_EYE, _RIGHT_EYE = 263, 33  # outer eye corners, the person's left and right
_BODY_FACE = list(range(0, 11))
LEAST_PRESENCE = 0.5
_COARSE, _SHARP = 24.0, 40.0  # px between the outer eye corners: up to here the first look counts, from here the closer one


@dataclass(frozen=True)
class FaceLandmarks:
    """`points` (468,3) px, z too (smaller is nearer); `presence` 0..1; `region` for the next frame; `actions` (51,) 0..1
    in the order of `face_actions.ACTIONS`, None of a face that is too small for a closer look."""

    points: np.ndarray
    presence: float
    region: Region
    actions: np.ndarray | None = None


def _level_angle(right_eye: np.ndarray, left_eye: np.ndarray) -> float:
    """Angle that makes the eyes level in the crop; the person's right eye is at the picture's left."""
    return float(np.arctan2(left_eye[1] - right_eye[1], left_eye[0] - right_eye[0]))


def region_from_body(body: BodyLandmarks) -> Region | None:
    """Where the face should be; None when it is turned away or unseen."""
    if body.confidence[_BODY_FACE].mean() < 0.5:
        return None
    points = body.pixels[_BODY_FACE]
    # A face seen from the front has the person's left eye to the right of the right one.
    eyes = body.pixels[2] - body.pixels[5]
    if eyes[0] <= 0 and abs(eyes[0]) > abs(eyes[1]):
        return None
    region = region_around(points, _level_angle(body.pixels[5], body.pixels[2]), 1.0)
    # Body landmarks end at eyes and mouth; the whole face is about twice that, crop margin 1.5.
    return Region(region.x, region.y, region.side * 1.9, region.angle)


def region_from_landmarks(points: np.ndarray) -> Region:
    """Region for the next frame from (468,3) px."""
    return region_around(points[:, :2], _level_angle(points[_RIGHT_EYE, :2], points[_LEFT_EYE, :2]), 1.5)


def sharpness(span: np.ndarray) -> np.ndarray:
    """Share of the closer look in a face whose outer eye corners are `span` px apart, 0..1."""
    return np.clip((span - _COARSE) / (_SHARP - _COARSE), 0.0, 1.0)


class FaceLandmarker:
    """`landmarker(image, regions)` -> landmarks of every region, in one batch. `closer`: with a closer look at large faces."""

    def __init__(self, device: str = "cpu", threads: int | None = None, closer: bool = True):
        self._network = Network("face_mesh", device, threads)
        self._closer = Network("face_points", device, threads) if closer else None
        self._actions = FaceActions(device, threads) if closer else None

    def __call__(self, image: np.ndarray, regions: list[Region]) -> list[FaceLandmarks]:
        if not regions:
            return []
        points, presence = self._network(np.stack([region.crop(image, _INPUT) for region in regions]))
        points = points.reshape(-1, _POINTS, 3) / _INPUT
        presence = sigmoid(presence.reshape(len(regions), -1)[:, 0])
        first = [_located(raw, region) for raw, region in zip(points, regions, strict=True)]
        actions: dict[int, np.ndarray] = {}
        if self._closer is not None:
            share = np.array([sharpness(np.linalg.norm(face[_LEFT_EYE, :2] - face[_RIGHT_EYE, :2])) for face in first])
            rows = np.flatnonzero((presence >= LEAST_PRESENCE) & (share > 0))
            if len(rows):
                closer = self._look_closer(image, [regions[row] for row in rows])
                points[rows] += share[rows, None, None] * (closer[:, :_POINTS] - points[rows])
                actions = dict(zip(rows.tolist(), self._actions(closer), strict=True))
        # The next frame's region is the first look's, whatever the closer one says: followed faces stay followed.
        return [
            FaceLandmarks(_located(points[row], region), float(presence[row]), region_from_landmarks(first[row]), actions.get(row))
            for row, region in enumerate(regions)
        ]

    def _look_closer(self, image: np.ndarray, regions: list[Region]) -> np.ndarray:
        """(B,478,3) in units of the upright region's side."""
        found = self._closer(np.stack([region.crop(image, _CLOSER_INPUT) for region in regions]))[0]
        return found.reshape(-1, _CLOSER_POINTS, 3) / _CLOSER_INPUT


def _located(raw: np.ndarray, region: Region) -> np.ndarray:
    """(468,3) in units of the region's side -> px of the picture."""
    return np.concatenate([region.to_image(raw[:, :2]), raw[:, 2:] * region.side], 1)
