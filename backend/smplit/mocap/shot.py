# SPDX-License-Identifier: GPL-3.0-or-later
"""One shot: what was seen of its people becomes their motions in one world."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from smplit.body.model import BodyModel
from smplit.mocap.assemble import assemble_motion
from smplit.mocap.body_estimators import load_body_estimator
from smplit.mocap.estimators import Estimators
from smplit.mocap.extremity_estimators import load_face_estimator, load_hand_estimator
from smplit.mocap.face.landmark_fit import FaceFit
from smplit.mocap.fit.body_fit import BodyFit, BodyFitter
from smplit.mocap.fit.hand_refine import refine_hands
from smplit.mocap.fit.landmark_trust import landmark_trust, legs_are_seen
from smplit.mocap.fit.pose_prior import load_pose_prior
from smplit.mocap.hands.landmark_fit import HandFit
from smplit.mocap.image_pass import Looked
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.observe import ShotObservations
from smplit.mocap.options import CaptureOptions
from smplit.mocap.sources import codes, limb_sources
from smplit.mocap.world import placement
from smplit.mocap.world.feet_path import walk_by_feet
from smplit.mocap.world.supplied import doubts
from smplit.mocap.world.travel import place_travelling_camera
from smplit.motion import Motion
from smplit.progress import Reporter

_LEG_LANDMARKS = [23, 24, 25, 26, 27, 28]  # BlazePose hips, knees, ankles
_PUBLISHED_FIT = "smplifyx"
_CROWD = 0.5  # s


@dataclass
class _Person:
    """One person on the way through the stages."""

    landmarks: PersonLandmarks
    times: np.ndarray
    camera: CameraMotion  # cut to the person's frames
    looked: dict[str, Looked]  # what image networks say
    source: str  # who tells the body
    legs_seen: bool
    first: int  # row of the shot
    fitter: BodyFitter | None = None
    fit: BodyFit | None = None
    hands: HandFit | None = None
    hand_sources: np.ndarray | None = None  # (N,2) numbers of `sources.SOURCES`
    face: FaceFit | None = None
    face_sources: np.ndarray | None = None  # (N,)

    @classmethod
    def of(cls, shot: ShotObservations, landmarks: PersonLandmarks, looked: dict[str, Looked], chosen: Estimators) -> _Person:
        first = landmarks.first - shot.start
        rows = slice(first, first + len(landmarks))
        camera = shot.camera.part(rows)
        legs_seen = legs_are_seen(landmarks, camera.K)
        return cls(landmarks, shot.frame_times[rows], camera, looked, chosen.body_of(legs_seen), legs_seen, first)

    def track(self) -> placement.PersonTrack:
        legs = np.sqrt(landmark_trust(self.landmarks, self.camera.K)[:, _LEG_LANDMARKS]).mean(1)
        return placement.PersonTrack(self.fit, self.first, self.times, self.camera, legs)


class ShotCapture:
    """`ShotCapture(body, chosen, options, reporter)(shot, looked)` -> (person's number, motion) of everybody. Networks are loaded once."""

    def __init__(self, body: BodyModel, chosen: Estimators, options: CaptureOptions, reporter: Reporter):
        self._body, self._chosen, self._options, self._reporter = body, chosen, options, reporter
        self._find_hands = load_hand_estimator(chosen.hands, body, reporter)
        self._find_face = load_face_estimator(chosen.face, body)
        self._bodies: dict[str, Callable | None] = {}
        self._prior = load_pose_prior(options.prior)
        self._published_fit = options.fit and options.fitting == _PUBLISHED_FIT

    def __call__(self, shot: ShotObservations, looked: Sequence[dict[str, Looked]]) -> list[tuple[int, Motion]]:
        """`looked`: what image networks say of each of the shot's people."""
        people = [_Person.of(shot, landmarks, of_person, self._chosen) for landmarks, of_person in zip(shot.people, looked, strict=True)]
        total = sum(len(person.landmarks) for person in people)
        done = 0
        for person in people:
            self._reporter.check()
            self._fit_in_view(person, shot.people, done, total)
            done += len(person.landmarks)
        tracks = [person.track() for person in people]
        up = placement.shot_up(self._body, tracks, shot.camera)
        if shot.camera.kind == "travelling":
            up = self._place_camera(shot, people, tracks, up)
        if self._options.camera_file is not None:
            for doubt in doubts(self._body, tracks, shot.camera):
                self._reporter.warn(doubt)
        in_place = self._options.trajectory == "none"
        if self._options.fit and not self._published_fit and not in_place:
            self._fit_in_world(people, tracks, up)
        if self._options.fit and not self._published_fit:
            self._refine_hands(people, tracks)
        placed = placement.place_people(self._body, tracks, up, in_place=in_place)
        self._reporter.stage("fit", total, total)
        return [(p.landmarks.person, self._motion(p, track, place)) for p, track, place in zip(people, tracks, placed, strict=True)]

    def _fit_in_view(self, person: _Person, everybody: list[PersonLandmarks], done: int, total: int) -> None:
        """The person before the camera; `done` frames of the shot's `total` are others', and finished."""
        size = len(person.landmarks)

        def check(now: int, steps: int) -> None:
            self._reporter.check()
            self._reporter.stage("fit", done + int(size * min(now / max(steps, 1), 1.0)), total)

        if self._published_fit:
            self._fit_as_published(person, check)
            return
        wrists = head = None
        if self._find_hands is not None:
            person.hands, person.hand_sources = self._find_hands(person.landmarks, person.camera, person.times, person.looked, everybody)
            wrists = (person.hands.wrist_rotations, person.hands.confidence)
        if self._find_face is not None:
            person.face, person.face_sources = self._find_face(person.landmarks, person.camera, person.times, person.looked)
            head = (person.face.head_rotation, person.face.head_place, person.face.confidence)
        if person.source not in self._bodies:
            self._bodies[person.source] = load_body_estimator(person.source, self._body, mirror=self._options.flip_eval)
        estimate = self._bodies[person.source]
        lifted = None if estimate is None else estimate(person.landmarks, person.camera, person.times, person.looked)
        person.fitter = BodyFitter(
            person.landmarks, person.camera, person.times, self._body, wrists, head, check=check, lifted=lifted, prior=self._prior,
            alone=_alone(person.landmarks, everybody, person.times),
        )
        person.fit = person.fitter.fit_view() if self._options.fit else person.fitter.first_guess()

    def _fit_as_published(self, person: _Person, check: Callable[[int, int], None]) -> None:
        """SMPLify-X of every frame by itself: body, hands and face at once."""
        from smplit.mocap.fit.smplifyx.fitter import SmplifyX, load_prior

        found = SmplifyX(self._body, load_prior(self._options.prior), check=check)(person.landmarks, person.camera.K, person.camera.size)
        person.source, person.fit = _PUBLISHED_FIT, found.body
        if self._options.hands != "none":
            person.hands, person.hand_sources = found.hands, codes(np.full((len(person.times), 2), _PUBLISHED_FIT))
        if self._options.face != "none":
            person.face, person.face_sources = found.face, codes(np.full(len(person.times), _PUBLISHED_FIT))

    def _place_camera(
        self, shot: ShotObservations, people: list[_Person], tracks: list[placement.PersonTrack], up: np.ndarray
    ) -> np.ndarray:
        """Gives a travelling camera its place in metres where that can be known; returns the better up direction."""
        placed = place_travelling_camera(shot.camera, shot.frame_times, self._body, tracks, up)
        if placed is None:
            return up
        shot.camera.centre, ground = placed
        for person in people:
            person.camera.centre = shot.camera.centre[person.first : person.first + len(person.times)]
            if person.fitter is not None:
                person.fitter.place_camera(person.camera.centre)
        return placement.shot_up(self._body, tracks, shot.camera, ground)

    def _fit_in_world(self, people: list[_Person], tracks: list[placement.PersonTrack], up: np.ndarray) -> None:
        """Again, now that up, floor and planted feet are known."""
        for person, track in zip(people, tracks, strict=True):
            person.fitter.tell_up(up)
            turn = placement.balancing_turn(self._body, track, up)
            if turn is not None:
                person.fitter.turn_detected(turn)
                person.fit = track.fit = person.fitter.fit_view()
            grounded = placement.find_ground(self._body, track, up)
            if grounded is not None:
                start, ground = grounded
                person.fit = track.fit = person.fitter.fit_world(start, ground)
                track.contacts = ground.contacts

    def _refine_hands(self, people: list[_Person], tracks: list[placement.PersonTrack]) -> None:
        """Arms and fingers together, where hands are seen well."""
        for person, track in zip(people, tracks, strict=True):
            if person.hands is not None:
                person.fit, person.hands = refine_hands(
                    person.landmarks, person.camera, person.times, self._body, track.fit, person.hands, check=self._reporter.check
                )
                track.fit = person.fit

    def _motion(self, person: _Person, track: placement.PersonTrack, place: placement.PlacedPerson) -> Motion:
        self._reporter.check()
        motion = assemble_motion(person.landmarks, person.times, track.fit, place, person.hands, person.face, person.camera.K, self._body)
        if self._options.trajectory == "difftraj":
            motion = walk_by_feet(motion, self._body)
        motion.extras.update(limb_sources(
            motion.joint_confidence, person.times, person.source, person.legs_seen, person.hand_sources, person.face_sources
        ))
        return motion


def _alone(person: PersonLandmarks, everybody: Sequence[PersonLandmarks], times: np.ndarray) -> np.ndarray:
    """(N,) bool: for `_CROWD` around a frame, (N,) s, no other box meets this person's."""
    met = np.zeros(len(person), bool)
    for other in everybody:
        first, last = max(person.first, other.first), min(person.first + len(person), other.first + len(other))
        if other.person == person.person or first >= last:
            continue
        own, theirs = person.boxes[first - person.first : last - person.first], other.boxes[first - other.first : last - other.first]
        met[first - person.first : last - person.first] |= ((own[:, :2] < theirs[:, 2:]) & (theirs[:, :2] < own[:, 2:])).all(1)
    before = np.searchsorted(times[met], times - _CROWD)
    return before == np.searchsorted(times[met], times + _CROWD, side="right")
