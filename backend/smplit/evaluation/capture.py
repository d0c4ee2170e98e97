# SPDX-License-Identifier: GPL-3.0-or-later
"""`smplit eval capture`: captures clips whose truth is known and scores them, the detector's own 3D beside ours.

A clip is observed once (twice when its camera moves: the camera's rotation depends on the focal
length); the detector's 3D and the fit come from the same observations. Every clip is captured with
the focal length unknown, as most videos come, and with the true one; `--focal` replaces both.
"""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from smplit.body.model import BodyModel
from smplit.device import resolve_device
from smplit.evaluation.camera_rotation import true_kind
from smplit.evaluation.report import summarise, tables
from smplit.evaluation.score import compare, figures, joint_figures, truth_rows
from smplit.evaluation.truth import Truth, find_truth, match_people, read_truth
from smplit.mocap.observe import ShotObservations, observe
from smplit.mocap.options import CaptureOptions
from smplit.mocap.pipeline import CaptureResult, capture_observed
from smplit.progress import Reporter

REPORT = "report.json"


def evaluate_capture(truth_dir: Path, out_dir: Path, options: CaptureOptions, reporter: Reporter, only: tuple[str, ...] = ()) -> dict:
    """Captures and scores every clip of a folder; writes the captures and `report.json` below `out_dir`.

    Returns:
        `report` (path), `summary` and tables (rows) per captured person; all figures are in the file.

    Raises:
        BadInput: no truth there, unknown clip, or a capture that cannot start.
    """
    options.validate()
    paths = find_truth(Path(truth_dir), only)
    body = BodyModel.load(device=resolve_device(options.device))
    people: list[dict] = []
    for done, path in enumerate(paths):
        reporter.stage("clips", done, len(paths))
        truth = read_truth(path)
        shots = observe(truth.video, options, reporter)
        people += score_clip(truth, shots, Path(out_dir), options, reporter, body)
    reporter.stage("clips", len(paths), len(paths))
    report = Path(out_dir) / REPORT
    report.parent.mkdir(parents=True, exist_ok=True)
    summary = summarise(people)
    report.write_text(json.dumps(_plain({"summary": summary, "people": people}), indent=1, allow_nan=False), encoding="utf-8")
    return {"report": str(report), **_plain(tables(people)), "summary": _plain(summary)}


def score_clip(
    truth: Truth, shots: list[ShotObservations], out_dir: Path, options: CaptureOptions, reporter: Reporter, body: BodyModel
) -> list[dict]:
    """Fits the observations of one clip under each focal length and scores every person that the truth knows."""
    rows = []
    for focal, seen, used in _focal_choices(truth, shots, options, reporter):
        results = capture_observed(truth.video, seen, out_dir / focal, used, reporter, body)
        rows += _score_results(truth, seen, results, focal, body, reporter)
    return rows


def _focal_choices(truth: Truth, shots: list[ShotObservations], options: CaptureOptions, reporter: Reporter):
    """(name, observations, options) of each focal length to capture with."""
    if options.focal is not None:
        yield "given", shots, options
        return
    yield "unknown", shots, options
    informed = replace(options, focal=truth.focal)
    if any(shot.camera.kind != "static" for shot in shots):
        yield "true", observe(truth.video, informed, reporter), informed
    else:
        yield "true", [replace(shot, camera=replace(shot.camera, K=truth.camera_K, focal_source="given")) for shot in shots], informed


def _score_results(
    truth: Truth, shots: list[ShotObservations], results: list[CaptureResult], focal: str, body: BodyModel, reporter: Reporter
) -> list[dict]:
    landmarks = {person.person: (shot, person) for shot in shots for person in shot.people}
    boxes = [(truth_rows(result.motion.frame_times, truth), landmarks[result.person][1].boxes) for result in results]
    pairs = match_people(boxes, truth)
    missed = truth.joints.shape[1] - len(pairs)
    if missed or len(results) > len(pairs):
        reporter.warn(f"{truth.clip} ({focal} focal): {missed} people were not captured, {len(results) - len(pairs)} captured ones are nobody's.")
    rows = []
    for captured, true in pairs:
        shot, person = landmarks[results[captured].person]
        pair = compare(results[captured].motion, person, truth, true, body)
        rows.append({
            "clip": truth.clip, "person": true + 1, "focal": focal, "focal_px": float(shot.camera.K[0, 0]), "true_focal_px": truth.focal,
            "true_camera": true_kind(truth.camera_kind, truth.camera_R), "estimated_camera": shot.camera.kind,
            **figures(pair, body), "joints": joint_figures(pair),
        })
    return rows


def _plain(value):
    """JSON's own types; NaN becomes null."""
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
