# SPDX-License-Identifier: GPL-3.0-or-later
"""From a video to every person's landmarks, in one pass.

A thread decodes a few frames ahead; bodies of a frame are found while hands, faces and camera of
the frame before are still being worked on. Only a few frames of pixels are ever held; what stays
of a frame is about 7 KB a person.
"""

from __future__ import annotations

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from smplit.errors import BadInput
from smplit.mocap.keypoints.blazepose import BodyLandmarker
from smplit.mocap.keypoints.bodies import BodyFollower, SeenBody
from smplit.mocap.keypoints.choose import choose_detector, choose_refiner
from smplit.mocap.keypoints.extremities import ExtremityFollower
from smplit.mocap.keypoints.face import FaceLandmarker
from smplit.mocap.keypoints.hands import HandLandmarker
from smplit.mocap.keypoints.movenet import PeopleDetector
from smplit.mocap.keypoints.person_boxes import BoxDetector, PointedBoxes
from smplit.mocap.keypoints.refine import LandmarkRefiner, SeenHands, merge_hands
from smplit.mocap.keypoints.sides import right_mistaken_sides
from smplit.mocap.landmark_rows import dense, row_of
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.options import CaptureOptions
from smplit.mocap.select import choose_people, drop_false_people
from smplit.progress import Reporter
from smplit.video.camera_file import read_camera_file
from smplit.video.camera_known import known_camera
from smplit.video.camera_motion import CameraTracker, TrackedCamera
from smplit.video.camera_supplied import SuppliedCamera
from smplit.video.decode import Frame, VideoInfo, VideoReader, parse_range
from smplit.video.lens import Lens
from smplit.video.read_ahead import read_ahead
from smplit.video.shots import CutDetector
from smplit.video.tracking import join_tracks
from smplit.video.verticals import LineGatherer

_log = logging.getLogger(__name__)
STAGE = "people and landmarks"
# Focal length of a lens that nobody knows, in diagonals of the picture: phones have 0.65 to 0.75 (24 to 28 mm, cut a little by
# their stabiliser), webcams about 0.8, 35 and 50 mm lenses 0.8 and 1.15.
_USUAL_FOCAL = 0.8


@dataclass
class ShotObservations:
    """One shot: `start` is the video frame index of its first frame, `frame_times` (N,) s; people's pixels are a pinhole's, not the lens's."""

    start: int
    frame_times: np.ndarray
    camera: CameraMotion
    people: list[PersonLandmarks] = field(default_factory=list)
    lens: Lens | None = None  # None: straight


@dataclass
class _Cameras:
    """The lens of a video, where its focal length comes from, and the camera of every shot."""

    lens: Lens
    focal_source: str
    of_shots: list[TrackedCamera]


@dataclass
class _Networks:
    """Loaded once, used by all shots."""

    detector: PeopleDetector | BoxDetector | PointedBoxes
    body: BodyLandmarker
    refiner: LandmarkRefiner | None
    hand: HandLandmarker | None
    face: FaceLandmarker | None

    @classmethod
    def load(cls, options: CaptureOptions) -> _Networks:
        device, body = options.device, BodyLandmarker(options.device)
        return cls(
            choose_detector(options, body), body, choose_refiner(options), HandLandmarker(device) if options.hands != "none" else None,
            FaceLandmarker(device) if options.face != "none" else None,
        )


def observe(video: Path, options: CaptureOptions, reporter: Reporter) -> list[ShotObservations]:
    """Decodes a video and finds everybody's landmarks and the camera's motion.

    Person numbers count over the whole video: shot by shot, and inside a shot by prominence
    (time seen times height in the picture). A person who comes back after a cut is a new number.

    Raises:
        BadInput: unreadable video ("no_such_file" ...), "one_frame", "no_person", "no_such_person", or a camera file
            or an added network that cannot be used.
        MissingModel: an option names a network that was not added.
        Cancelled: through `reporter`.
    """
    video = Path(video)
    start, stop = parse_range(options.range)
    supplied = None if options.camera_file is None else read_camera_file(options.camera_file)
    networks = _Networks.load(options)
    shots: list[_Shot] = []
    with VideoReader(video, start, stop) as reader, ThreadPoolExecutor(2, "extremities") as pool:
        total = _expected_frames(reader.info, start, stop)
        if supplied is not None:
            supplied = supplied.for_picture(reader.info.width, reader.info.height, reporter.warn)
            if options.range is None:
                supplied.check_length(reader.info.frame_count, reader.info.duration)
        cuts = CutDetector()
        with read_ahead(reader, ahead=3) as frames:
            for frame in frames:
                reporter.check()
                if cuts.is_cut(frame.image) or not shots:
                    _close(shots)
                    shots.append(_Shot(frame, reader.info, networks, _camera_mode(options, supplied), pool))
                shots[-1].add(frame)
                reporter.stage(STAGE, sum(len(shot) for shot in shots), total)
        _close(shots)
        info, warnings, skipped = reader.info, reader.warnings, reader.skipped
    for text in warnings:
        reporter.warn(text)
    count = sum(len(shot) for shot in shots)
    reporter.stage(STAGE, count, count)
    cameras = None if supplied is None else _supplied_cameras(supplied, shots, skipped, options, reporter)
    return _select(video, info, shots, cameras, options, reporter)


def _close(shots: list[_Shot]) -> None:
    if shots:
        shots[-1].close()


def _select(
    video: Path, info: VideoInfo, shots: list[_Shot], cameras: _Cameras | None, options: CaptureOptions, reporter: Reporter
) -> list[ShotObservations]:
    count = sum(len(shot) for shot in shots)
    if count == 0:
        raise BadInput(
            f"'{video}' has no frame in the part that --range {options.range} names.",
            f"The video lasts {clock(info.duration or 0.0)}; name a part inside it.", "empty_range",
        )
    if count == 1:
        raise BadInput(f"'{video}' gives one frame only; motion needs at least two.", "Choose a longer video or --range.", "one_frame")
    cameras = cameras or _solve_cameras(info, shots, options, reporter)
    observed = [shot.finish(cameras.lens, cameras.focal_source, camera) for shot, camera in zip(shots, cameras.of_shots, strict=True)]
    drop_false_people(observed)
    if not any(shot.people for shot in observed):
        first, last = observed[0].frame_times[0], observed[-1].frame_times[-1]
        raise BadInput(
            f"No person found between {clock(first)} and {clock(last)} of '{video}'.",
            "Try another part of the video with --range, or a video that shows people larger.", "no_person",
        )
    return choose_people(observed, info.height, options)


def clock(seconds: float) -> str:
    """83.4 -> '1:23'."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"


def camera_matrix(info: VideoInfo, options: CaptureOptions) -> tuple[np.ndarray, str]:
    """(3,3) px and where its focal length comes from; a guess is `_USUAL_FOCAL` of the picture's diagonal (a field of view of 64 degrees)."""
    focal, source = options.focal, "given"
    if focal is None:
        focal, source = info.focal_px, "metadata"
    if focal is None:
        focal, source = _USUAL_FOCAL * float(np.hypot(info.width, info.height)), "guess"
    return np.array([[focal, 0.0, info.width / 2.0], [0.0, focal, info.height / 2.0], [0.0, 0.0, 1.0]]), source


def _camera_mode(options: CaptureOptions, supplied: SuppliedCamera | None) -> str:
    """What the background is watched for; a supplied camera needs its points only where its unit is not known."""
    if supplied is None:
        return options.camera
    return "static" if supplied.metric or supplied.still else "moving"


def _supplied_cameras(supplied: SuppliedCamera, shots: list[_Shot], skipped: int, options: CaptureOptions, reporter: Reporter) -> _Cameras | None:
    """Every shot's camera out of the file; None where no frame was read."""
    if not shots:
        return None
    times = np.concatenate([shot.times for shot in shots])
    rotation, centre = supplied.follow(times, skipped, options.range is None, reporter.warn)
    rows = [slice(shot.start, shot.start + len(shot)) for shot in shots]
    return _Cameras(supplied.lens, "given", [shot.known_camera(supplied, rotation[r], centre[r]) for shot, r in zip(shots, rows, strict=True)])


def _solve_cameras(info: VideoInfo, shots: list[_Shot], options: CaptureOptions, reporter: Reporter) -> _Cameras:
    """Every shot's camera from its background; a turning camera betrays its focal length."""
    K, source = camera_matrix(info, options)
    cameras = [shot.solve_camera(K) for shot in shots]
    told = [camera.focal for camera in cameras if camera.focal is not None]
    if source == "guess" and told:
        K[[0, 1], [0, 1]], source = float(np.median(told)), "turning"
        cameras = [shot.solve_camera(K) for shot in shots]
    if source == "guess":
        _log.info("focal length is not known; %.0f px is assumed (--focal sets it)", K[0, 0])
    for camera in cameras:
        if camera.note:
            reporter.warn(camera.note)
    return _Cameras(Lens(K), source, cameras)


def _expected_frames(info: VideoInfo, start: float | None, stop: float | None) -> int | None:
    """Frames that will be read, for the progress bar; None when the container does not say."""
    if info.duration is None:
        return info.frame_count if start is None and stop is None else None
    length = min(info.duration, stop or info.duration) - (start or 0.0)
    if length <= 0:
        return None
    return info.frame_count if info.frame_count and length >= info.duration else max(1, round(length * info.fps))


class _Shot:
    """Collects one shot frame by frame."""

    def __init__(self, first: Frame, info: VideoInfo, networks: _Networks, camera_mode: str, pool: ThreadPoolExecutor):
        self.start = first.index
        self.times: list[float] = []
        self._size = info.width, info.height
        self._bodies = BodyFollower(networks.detector, networks.body)
        self._refiner = networks.refiner
        self._extremities = ExtremityFollower(networks.hand, networks.face)
        self._camera = CameraTracker(info.width, info.height, camera_mode)
        self._lines = LineGatherer()
        self._pool = pool
        self._pending: list[Future] = []
        self._rows: dict[int, list[np.ndarray]] = {}

    def __len__(self) -> int:
        return len(self.times)

    def add(self, frame: Frame) -> None:
        """Bodies now; hands, faces and camera while the next frame's bodies are found."""
        seen = self._bodies.step(frame.image, frame.time)
        self._wait()
        self.times.append(frame.time)
        boxes = np.array([body.box for body in seen], np.float32).reshape(-1, 4)
        self._pending = [
            self._pool.submit(self._follow_extremities, frame.index, frame.image, seen),
            self._pool.submit(self._watch_background, frame, boxes),
        ]

    def _wait(self) -> None:
        pending, self._pending = self._pending, []
        for task in pending:
            task.result()

    def _follow_extremities(self, index: int, image: np.ndarray, seen: list[SeenBody]) -> None:
        hands: dict[int, SeenHands] = {}
        if self._refiner is not None:
            seen, hands = self._refiner(image, seen)
        found = self._extremities.step(image, {body.track: body.landmarks for body in seen})
        for body in seen:
            parts = found[body.track] if body.track not in hands else merge_hands(found[body.track], hands[body.track])
            self._rows.setdefault(body.track, []).append(row_of(index, body.box, body.landmarks, parts))

    def _watch_background(self, frame: Frame, boxes: np.ndarray) -> None:
        self._camera.add(frame.image, boxes)
        self._lines.add(frame.image, boxes, frame.time)

    def close(self) -> None:
        """After the last frame: joins tracks of one person and lets the networks' state go."""
        self._wait()
        person = join_tracks(self._bodies.tracker.all_tracks())
        joined: dict[int, list[np.ndarray]] = {}
        for track in sorted(self._rows):
            joined.setdefault(person[track], []).extend(self._rows[track])
        self._rows = {first: sorted(rows, key=lambda row: int(row["frame"])) for first, rows in joined.items()}
        del self._bodies, self._extremities, self._refiner

    def solve_camera(self, K: np.ndarray) -> TrackedCamera:
        """The shot's camera if its matrix is K (3,3) px; may be asked again with another K."""
        return self._camera.finish(K)

    def known_camera(self, supplied: SuppliedCamera, rotation: np.ndarray, centre: np.ndarray) -> TrackedCamera:
        """The shot's camera from the file's poses of its frames: rotation (N,3,3) world to camera, centre (N,3)."""
        return known_camera(supplied, rotation, centre, self._camera.background)

    def finish(self, lens: Lens, focal_source: str, camera: TrackedCamera) -> ShotObservations:
        """What was seen, with people in the order of their first frame, numbered by `choose_people` later; pixels are a pinhole's."""
        times = np.array(self.times)
        people = [dense(self._rows.pop(track)) for track in sorted(self._rows)]
        for person in people:
            first = person.first - self.start
            right_mistaken_sides(person, times[first : first + len(person)])
        lines = self._lines.lines
        if not lens.straight:
            people = [person.straightened(lens) for person in people]
            lines[:, 1:] = lens.straighten(lines[:, 1:].reshape(-1, 2, 2))[0].reshape(-1, 4)
        motion = CameraMotion(
            camera.rotation, camera.kind, lens.K, focal_source, camera.residual, camera.path, camera.points, camera.points_frame,
            lines, camera.centre, camera.to_world, self._size,
        )
        return ShotObservations(self.start, times, motion, people, lens)
