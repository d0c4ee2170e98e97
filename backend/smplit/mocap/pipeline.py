# SPDX-License-Identifier: GPL-3.0-or-later
"""Capture, end to end: a video in, one motion file per person out.

observe (decode, people, landmarks, camera; one pass) -> a closer look by image networks, where any were added ->
body, hands and face -> fit in the camera -> up, floor, contacts -> fit in the world -> placement, planted feet -> Motion.
"""

from __future__ import annotations

import logging
import os
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

import smplit
from smplit.body.model import BodyModel
from smplit.errors import BadInput
from smplit.mocap.estimators import Estimators, choose_estimators
from smplit.mocap.image_networks import image_networks
from smplit.mocap.image_pass import Looked, look_again
from smplit.mocap.observe import ShotObservations, observe
from smplit.mocap.options import CaptureOptions
from smplit.mocap.output import OutputFolder
from smplit.mocap.shot import ShotCapture
from smplit.motion import EXTRAS_PER_FRAME, Motion
from smplit.progress import Reporter

_log = logging.getLogger(__name__)
_CHUNK = 120  # frames of a streamed piece: four seconds at 30 fps


@dataclass
class CaptureResult:
    """One person's file and what is worth telling about it."""

    path: Path
    motion: Motion
    person: int
    figures: dict = field(default_factory=dict)


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
    body = body or BodyModel.load()
    started = time.monotonic()
    chosen = choose_estimators(options)
    looked = _look_again(video, shots, chosen, str(body.device), options, reporter)
    # The fit's tensors are small: more threads only wait for each other (8 times slower on two busy cores).
    torch.set_num_threads(1)
    of_shot = ShotCapture(body, chosen, options, reporter)
    results: list[CaptureResult] = []
    with OutputFolder(Path(output)) as folder:
        for shot, seen in zip(shots, looked, strict=True):
            for person, motion in of_shot(shot, seen):
                motion.extras.update(_provenance(video, body, chosen, options, person, shot))
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


def _look_again(
    video: Path, shots: list[ShotObservations], chosen: Estimators, device: str, options: CaptureOptions, reporter: Reporter
) -> list[list[dict[str, Looked]]]:
    """The networks are gone when it returns: they are gigabytes."""
    networks = image_networks(chosen, device, options.flip_eval)
    if networks:
        torch.set_num_threads(os.cpu_count() or 1)
    return look_again(video, shots, networks, options.range, reporter)


def _provenance(video: Path, body: BodyModel, chosen: Estimators, options: CaptureOptions, person: int, shot: ShotObservations) -> dict:
    asked = " ".join(f"{name}={getattr(options, name)}" for name in ("fit", "fitting", "prior", "landmarks", "boxes", "trajectory"))
    return {
        "smplit_version": np.array(smplit.__version__), "smplit_source": np.array(video.name),
        "smplit_person": np.array(person), "smplit_body": np.array(body.name), "smplit_body_sha256": np.array(body.sha256),
        "smplit_video_size": np.asarray(shot.camera.size or np.round(2.0 * shot.camera.K[:2, 2]), np.int32),
        "smplit_camera_kind": np.array(shot.camera.kind), "smplit_focal_source": np.array(shot.camera.focal_source),
        "smplit_stages": np.array(f"body={chosen.body} half_body={chosen.half_body} hands={chosen.hands} face={chosen.face} {asked}"),
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
