# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies of all people through one shot: found by MoveNet, followed by BlazePose, told apart by the tracker.

Where the landmark network was right in the last frame it looks again in the next; the detector
only searches for new and lost people, several times a second.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from smplit.mocap.keypoints.blazepose import BodyLandmarker, BodyLandmarks, region_from_circle, region_from_detection
from smplit.mocap.keypoints.movenet import Detection, PeopleDetector
from smplit.mocap.keypoints.regions import PointFilter, Region
from smplit.video.appearance import measure_appearance
from smplit.video.tracking import Measurement, Track, Tracker, overlap

SEARCH_EVERY = 0.2  # s between searches for new people
LEAST_PRESENCE = 0.5
_LOOK_ON = 0.5  # s that the landmark network keeps looking where it lost somebody
# BlazePose landmarks in COCO order.
COCO_OF_BLAZEPOSE = [0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28]
_SURE = 0.3  # confidence of landmarks that span the box
_HEAD_ROOM = 0.08  # of the longer side: landmarks end at eyes and joints, people do not


@dataclass(frozen=True)
class SeenBody:
    """A person of one frame: `track` id, `box` (4,) px, landmarks."""

    track: int
    box: np.ndarray
    landmarks: BodyLandmarks


class BodyFollower:
    """`step(image, time)` for consecutive frames of one shot -> the people seen."""

    def __init__(self, detector: PeopleDetector, landmarker: BodyLandmarker):
        self.tracker = Tracker()
        self._detector, self._landmarker = detector, landmarker
        self._regions: dict[int, Region] = {}
        self._filters: dict[int, PointFilter] = {}
        self._last_search = -np.inf

    def step(self, image: np.ndarray, time: float) -> list[SeenBody]:
        """Looks at one (H,W,3) uint8 frame at `time` s."""
        tracks = self.tracker.predict(time)
        bodies, measurements = self._look_again(image, tracks, time)
        if self._search_is_due(tracks, time):
            self._last_search = time
            detections = self._detector(image)
            measurements += [_measure_detection(image, person) for person in detections]
            bodies += [None] * len(detections)
        else:
            detections = []
        ids = self.tracker.update(measurements)
        first = len(measurements) - len(detections)
        for i, person in enumerate(detections, first):
            if ids[i] is not None:
                bodies[i] = self._look_first(image, person)
        return self._keep(image, ids, bodies, time)

    def _look_again(self, image: np.ndarray, tracks: list[Track], time: float) -> tuple[list, list[Measurement]]:
        looked = [t for t in tracks if t.id in self._regions and time - t.last_seen <= _LOOK_ON]
        for track in looked:
            self._regions[track.id] = self._moved(track)
        found = self._landmarker(image, [self._regions[t.id] for t in looked])
        bodies, measurements = [], []
        for track, body in zip(looked, found, strict=True):
            if body.presence >= LEAST_PRESENCE:
                bodies.append(body)
                measurements.append(_measure_body(image, body, track.id))
        return bodies, measurements

    def _moved(self, track: Track) -> Region:
        """The region of a track, moved along its velocity when it was not seen in the last frame."""
        region = self._regions[track.id]
        if track.coasting == 0.0:
            return region
        step = track.velocity * track.coasting
        return replace(region, x=region.x + float(step[0]), y=region.y + float(step[1]))

    def _search_is_due(self, tracks: list[Track], time: float) -> bool:
        if time - self._last_search >= SEARCH_EVERY - 1e-3:
            return True
        hidden = any(track.coasting > 0.0 for track in tracks)
        crossing = any(overlap(a.box, b.box) > 0.3 for i, a in enumerate(tracks) for b in tracks[:i])
        return (hidden or crossing) and time - self._last_search >= SEARCH_EVERY / 3

    def _look_first(self, image: np.ndarray, person: Detection) -> BodyLandmarks | None:
        """Landmarks of a detected person; looked at twice, because the first region is a guess."""
        body = self._landmarker(image, [region_from_detection(person)])[0]
        if body.presence < LEAST_PRESENCE:
            return None
        return self._landmarker(image, [region_from_circle(body.circle)])[0]

    def _keep(self, image: np.ndarray, ids: list[int | None], bodies: list[BodyLandmarks | None], time: float) -> list[SeenBody]:
        seen, filters = [], {}
        for track, body in zip(ids, bodies, strict=True):
            if track is None or body is None or body.presence < LEAST_PRESENCE:
                continue
            filters[track] = self._filters.get(track) or PointFilter(body.circle, time)
            size = 2.0 * float(np.linalg.norm(body.circle[1] - body.circle[0]))
            self._regions[track] = region_from_circle(filters[track](body.circle, time, size))
            side = region_from_circle(body.circle).side
            body = replace(body, confidence=inside_picture(body.pixels, body.confidence, side, image.shape))
            seen.append(SeenBody(track, body_box(body, image.shape), body))
        self._filters = filters  # whoever was lost begins anew
        return seen


def _measure_body(image: np.ndarray, body: BodyLandmarks, track: int) -> Measurement:
    points = np.concatenate([body.pixels, body.confidence[:, None]], 1)[COCO_OF_BLAZEPOSE]
    return Measurement(body_box(body, image.shape), points, body.presence, measure_appearance(image, points), track)


def _measure_detection(image: np.ndarray, person: Detection) -> Measurement:
    starts = bool((person.keypoints[:, 2] > 0.3).sum() >= 4)
    return Measurement(person.box, person.keypoints, person.score, measure_appearance(image, person.keypoints), None, starts)


def body_box(body: BodyLandmarks, shape: tuple[int, ...]) -> np.ndarray:
    """(4,) px x0, y0, x1, y1 about the sure landmarks, with room for skull, hands and feet, inside the picture."""
    sure = body.confidence > _SURE
    points = body.pixels[sure] if sure.sum() >= 3 else body.pixels
    low, high = points.min(0), points.max(0)
    room = _HEAD_ROOM * float((high - low).max())
    size = np.array([shape[1], shape[0]], np.float32)
    return np.concatenate([np.clip(low - room, 0, size), np.clip(high + room, 0, size)]).astype(np.float32)


def inside_picture(points: np.ndarray, confidence: np.ndarray, side: float, shape: tuple[int, ...]) -> np.ndarray:
    """Confidence (K,) of points (K,2) px that falls to a twentieth within 2 % of `side` px (the body's region) beyond the picture's border."""
    size = np.array([shape[1], shape[0]], np.float32)
    beyond = np.maximum(np.maximum(-points, points - size), 0.0).max(1)
    return (confidence * np.clip(1.0 - beyond / (0.02 * side), 0.05, 1.0)).astype(np.float32)
