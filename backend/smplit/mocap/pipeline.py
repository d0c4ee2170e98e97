# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture, end to end: a video in, one motion file per person out.

observe (decode, people, landmarks, camera; one pass) -> a closer look by image networks, where any were added ->
body, hands and face -> fit in the camera -> up, floor, contacts -> fit in the world -> placement, planted feet -> Motion.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

import smplit
from smplit.body.model import BodyModel
from smplit.errors import BadInput
from smplit.mocap.assemble import assemble_motion
from smplit.mocap.body_estimators import BodyEstimator, load_body_estimator
from smplit.mocap.estimators import Estimators, choose_estimators
from smplit.mocap.extremity_estimators import FaceEstimator, HandEstimator, load_face_estimator, load_hand_estimator
from smplit.mocap.face.landmark_fit import FaceFit
from smplit.mocap.fit.body_fit import BodyFit, BodyFitter, landmark_trust, legs_are_seen
from smplit.mocap.hands.landmark_fit import HandFit
from smplit.mocap.image_networks import image_networks
from smplit.mocap.image_pass import Looked, look_again
from smplit.mocap.lifter.estimate import LiftedBody
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.observe import ShotObservations, observe
from smplit.mocap.options import CaptureOptions
from smplit.mocap.output import OutputFolder
from smplit.mocap.sources import limb_sources
from smplit.mocap.world import placement
from smplit.mocap.world.feet_path import walk_by_feet
from smplit.mocap.world.supplied import doubts
from smplit.mocap.world.travel import place_travelling_camera
from smplit.motion import EXTRAS_PER_FRAME, Motion
from smplit.progress import Reporter

_log = logging.getLogger(__name__)
_CHUNK = 120  # frames of a streamed piece: four seconds at 30 fps
_LEG_LANDMARKS = [23, 24, 25, 26, 27, 28]  # BlazePose hips, knees, ankles


@dataclass
class CaptureResult:
    """One person's file and what is worth telling about it."""

    path: Path
    motion: Motion
    person: int
    figures: dict = field(default_factory=dict)


@dataclass
class _Person:
    """One person on the way through the stages."""

    landmarks: PersonLandmarks
    times: np.ndarray
    camera: CameraMotion  # cut to the person's frames
    looked: dict[str, Looked]  # what image networks say
    estimator: str  # who tells the body
    fitter: BodyFitter | None = None
    fit: BodyFit | None = None
    hands: HandFit | None = None
    hand_sources: np.ndarray | None = None  # (N,2) numbers of `sources.SOURCES`
    face: FaceFit | None = None
    face_sources: np.ndarray | None = None  # (N,)


def capture(
    video: str | Path, output: str | Path, options: CaptureOptions | None = None, reporter: Reporter | None = None,
    body: BodyModel | None = None,
) -> list[CaptureResult]:
    """Captures every person of a video into `output/<video stem>_p<person>.npz`.

    Raises:
        BadInput: the video or an option cannot be used; nothing is written.
        NoSpace: the disk filled up; half-written files are removed.
        Cancelled: through `reporter.check`; nothing is left behind.
    """
    options = options or CaptureOptions()
    reporter = reporter or Reporter()
    options.validate()
    choose_estimators(options)  # a file that is missing is named before the work begins
    started = time.monotonic()
    shots = observe(Path(video), options, reporter)
    _log.info("observed %d frames in %.1f s", sum(len(shot.frame_times) for shot in shots), time.monotonic() - started)
    return capture_observed(video, shots, output, options, reporter, body)


def capture_observed(
    video: str | Path, shots: list[ShotObservations], output: str | Path, options: CaptureOptions | None = None,
    reporter: Reporter | None = None, body: BodyModel | None = None,
) -> list[CaptureResult]:
    """The second half of `capture`, from observations that were already made; same files, same errors."""
    options = options or CaptureOptions()
    reporter = reporter or Reporter()
    options.validate()
    options = options.resolved()
    video = Path(video)
    torch.manual_seed(options.seed)
    # The fit's tensors are small: more threads only wait for each other (8 times slower on two busy cores).
    torch.set_num_threads(1)
    body = body or BodyModel.load()
    started = time.monotonic()
    chosen = choose_estimators(options)
    networks = image_networks(chosen, str(body.device), options.flip_eval)
    looked = look_again(video, shots, networks, options.range, reporter)
    del networks  # gigabytes
    results: list[CaptureResult] = []
    with OutputFolder(Path(output)) as folder:
        for shot, of_shot in zip(shots, looked, strict=True):
            for person, motion in _capture_shot(shot, of_shot, chosen, body, options, reporter):
                motion.extras.update(_provenance(video, body, options, person, shot))
                path = folder.save(motion, f"{video.stem}_p{person}.npz")
                results.append(CaptureResult(path, motion, person, _figures(motion)))
                _stream(motion, person, reporter)
        if options.visualize:
            _visualize(video, results, folder, options, reporter)
        folder.commit()
    for result in results:
        result.path = folder.final(result.path)
    _log.info("fitted in %.1f s", time.monotonic() - started)
    return results


def _capture_shot(
    shot: ShotObservations, looked: list[dict[str, Looked]], chosen: Estimators, body: BodyModel, options: CaptureOptions, reporter: Reporter
) -> list[tuple[int, Motion]]:
    people = [_person(shot, landmarks, of_person, chosen) for landmarks, of_person in zip(shot.people, looked, strict=True)]
    total = sum(len(p.landmarks) for p in people)
    done = 0
    bodies = {name: load_body_estimator(name, body, mirror=options.flip_eval) for name in {p.estimator for p in people}}
    hands, face = load_hand_estimator(chosen.hands, body, reporter), load_face_estimator(chosen.face, body)
    for person in people:
        reporter.check()
        lifted = _lift(person, bodies[person.estimator])
        wrists, head = _orient_extremities(person, hands, face, shot.people)

        def step(now: int, steps: int, base: int = done, size: int = len(person.landmarks)) -> None:
            reporter.check()
            reporter.stage("fit", base + int(size * min(now / steps, 1.0)), total)

        person.fitter = BodyFitter(person.landmarks, person.camera, person.times, body, wrists, head, check=step, lifted=lifted)
        person.fit = person.fitter.fit_view() if options.fit else person.fitter.first_guess()
        done += len(person.landmarks)
    tracks = [_track(person, shot) for person in people]
    up = placement.shot_up(body, tracks, shot.camera)
    if shot.camera.kind == "travelling":
        up = _place_camera(shot, body, people, tracks, up)
    if options.camera_file is not None:
        for doubt in doubts(body, tracks, shot.camera):
            reporter.warn(doubt)
    if options.fit and options.trajectory != "none":
        for person, track in zip(people, tracks, strict=True):
            person.fitter.tell_up(up)
            turn = placement.balancing_turn(body, track, up)
            if turn is not None:
                person.fitter.turn_detected(turn)
                person.fit = track.fit = person.fitter.fit_view()
            grounded = placement.find_ground(body, track, up)
            if grounded is not None:
                person.fit = track.fit = person.fitter.fit_world(*grounded)
    placed = placement.place_people(body, tracks, up, in_place=options.trajectory == "none")
    reporter.stage("fit", total, total)
    motions = []
    for person, track, place in zip(people, tracks, placed, strict=True):
        reporter.check()
        motion = assemble_motion(person.landmarks, person.times, track.fit, place, person.hands, person.face, person.camera.K, body)
        if options.trajectory == "difftraj":
            motion = walk_by_feet(motion, body)
        motion.extras.update(limb_sources(
            motion.joint_confidence, person.times, person.estimator, person.fitter.legs_seen, person.hand_sources, person.face_sources
        ))
        motions.append((person.landmarks.person, motion))
    return motions


def _place_camera(
    shot: ShotObservations, body: BodyModel, people: list[_Person], tracks: list[placement.PersonTrack], up: np.ndarray
) -> np.ndarray:
    """Gives a travelling camera its place in metres where that can be known; returns the better up direction."""
    placed = place_travelling_camera(shot.camera, shot.frame_times, body, tracks, up)
    if placed is None:
        return up
    shot.camera.centre, ground = placed
    for person, track in zip(people, tracks, strict=True):
        person.camera.centre = shot.camera.centre[track.first : track.first + len(person.times)]
        person.fitter.place_camera(person.camera.centre)
    return placement.shot_up(body, tracks, shot.camera, ground)


def _person(shot: ShotObservations, landmarks: PersonLandmarks, looked: dict[str, Looked], chosen: Estimators) -> _Person:
    times, camera = _cut_camera(shot, landmarks)
    return _Person(landmarks, times, camera, looked, chosen.body_of(legs_are_seen(landmarks, camera.K)))


def _lift(person: _Person, estimate: BodyEstimator | None) -> LiftedBody | None:
    return None if estimate is None else estimate(person.landmarks, person.camera, person.times, person.looked)


def _orient_extremities(
    person: _Person, find_hands: HandEstimator | None, find_face: FaceEstimator | None, everybody: list[PersonLandmarks]
) -> tuple:
    """Palm and head orientations from hands and face, which are seen better than the body's."""
    wrists = head = None
    if find_hands is not None:
        person.hands, person.hand_sources = find_hands(person.landmarks, person.camera, person.times, person.looked, everybody)
        wrists = (person.hands.wrist_rotations, person.hands.confidence)
    if find_face is not None:
        person.face, person.face_sources = find_face(person.landmarks, person.camera, person.times, person.looked)
        head = (person.face.head_rotation, person.face.head_place, person.face.confidence)
    return wrists, head


def _cut_camera(shot: ShotObservations, landmarks: PersonLandmarks) -> tuple[np.ndarray, CameraMotion]:
    rows = slice(landmarks.first - shot.start, landmarks.first - shot.start + len(landmarks))
    return shot.frame_times[rows], shot.camera.part(rows)


def _track(person: _Person, shot: ShotObservations) -> placement.PersonTrack:
    legs = np.sqrt(landmark_trust(person.landmarks, person.camera.K)[:, _LEG_LANDMARKS]).mean(1)
    return placement.PersonTrack(person.fit, person.landmarks.first - shot.start, person.times, person.camera, legs)


def _provenance(video: Path, body: BodyModel, options: CaptureOptions, person: int, shot: ShotObservations) -> dict:
    return {
        "smplit_version": np.array(smplit.__version__), "smplit_source": np.array(video.name),
        "smplit_person": np.array(person), "smplit_body": np.array(body.name), "smplit_body_sha256": np.array(body.sha256),
        "smplit_video_size": np.asarray(shot.camera.size or np.round(2.0 * shot.camera.K[:2, 2]), np.int32),
        "smplit_camera_kind": np.array(shot.camera.kind), "smplit_focal_source": np.array(shot.camera.focal_source),
        "smplit_stages": np.array(f"body={options.body} fit={options.fit} hands={options.hands} face={options.face} trajectory={options.trajectory}"),
    }


def _figures(motion: Motion) -> dict:
    path = np.linalg.norm(np.diff(motion.trans[:, :2], axis=0), axis=-1).sum()
    return {
        "frames": len(motion), "seconds": round(float(motion.frame_times[-1] - motion.frame_times[0]), 3),
        "seen": round(float(motion.valid.mean()), 3), "path_m": round(float(path), 3),
    }


def _stream(motion: Motion, person: int, reporter: Reporter) -> None:
    arrays = motion.arrays()
    whole = {"betas", "expression_names", "camera_K", *motion.extras}.difference(EXTRAS_PER_FRAME)
    timed = [n for n, a in arrays.items() if a.ndim and len(a) == len(motion) and n not in whole]
    for first in range(0, len(motion), _CHUNK):
        piece = {name: arrays[name][first : first + _CHUNK] for name in timed}
        if first == 0:
            piece.update({n: a for n, a in arrays.items() if n not in timed})
        reporter.chunk(person, first, piece)


def _visualize(video: Path, results: list[CaptureResult], folder: OutputFolder, options: CaptureOptions, reporter: Reporter) -> None:
    from smplit.view.overlay import render_overlay

    if not results:
        raise BadInput(f"No person was found in '{video}'.", "Choose another part of the video with --range.", "no_person")
    render_overlay(
        video, [r.motion for r in results], folder.path / f"{video.stem}_overlay.mp4", folder.path / f"{video.stem}_sheet.png", reporter
    )
