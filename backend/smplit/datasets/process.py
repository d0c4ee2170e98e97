# SPDX-License-Identifier: GPL-3.0-or-later
"""`smplit data process`: a data set's files -> one motion store and a report of what was kept and why not.

Each recording is read, brought onto the SMPL-X body, resampled by time, stood on its floor, judged,
and turned to start at the origin facing +x. Recordings are independent, so that a pool of processes
shares them; they come out in the order of the listing whatever the number of workers.
"""

from __future__ import annotations

import json
import os
import signal
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from smplit.datasets.bvh import Bvh, read_bvh
from smplit.datasets.floor import canonical, stood_on_floor
from smplit.datasets.joint_names import recognise
from smplit.datasets.judge import REASONS, fault, weight_hint
from smplit.datasets.recordings import Recording, list_recordings, unpack_archives
from smplit.datasets.report import Report
from smplit.datasets.resample import resampled
from smplit.datasets.rest_pose import RestPoses, own_rest_pose, upright
from smplit.datasets.retarget import Retargeter, TargetBody
from smplit.datasets.soles import FootedBody, planted
from smplit.datasets.statistics import FeatureStatistics
from smplit.datasets.store import Clip, write_store
from smplit.datasets.stride import path_scale
from smplit.errors import BadInput
from smplit.export.whole_file import whole_file
from smplit.imports.smpl_npz import REST_ROOT, read_smpl_npz
from smplit.motion import NUM_JOINTS, Motion
from smplit.progress import Reporter

_CHUNK = 8  # recordings handed to a worker at once
_STANDING_SHARE = 0.5  # of the frames, those whose hips are highest: the person stands in them
_SIZES = (0.75, 1.35)  # our mean shape against an adult


@dataclass(frozen=True)
class Outcome:
    """What became of one recording: a clip, or why not (a name in `REASONS`) and what exactly."""

    name: str
    clip: Clip | None = None
    reason: str = ""
    detail: str = ""
    slope: float = 0.0
    scale: float = 1.0


class Processor:
    """Recording -> Outcome. Made once per worker.

    Args:
        body: whose mean shape the clips are for.
        fps: of the clips.
        window: frames that a clip must have.
        rest_poses: T-poses for BVH; without them each file's own rest pose is found.
    """

    def __init__(self, body: FootedBody, fps: float, window: int, rest_poses: RestPoses | None = None):
        self._body, self._fps, self._window, self._rest_poses = body, fps, window, rest_poses
        self._target = TargetBody(body.joints, body.sole)
        self._retargeters: dict[str, Retargeter] = {}

    def __call__(self, recording: Recording) -> Outcome:
        name = recording.info.name
        try:
            motion = self._read(recording)
        except BadInput as refused:
            known = refused.code if refused.code in REASONS else "unreadable"
            return Outcome(name, reason=known, detail=refused.message)
        poses = np.asarray(motion.poses, np.float64).reshape(len(motion), NUM_JOINTS, 3)[:, :22]
        trans = np.asarray(motion.trans, np.float64)
        if recording.cut is not None:
            first, last = (round(time * motion.fps) for time in recording.cut)
            poses, trans = poses[first:last], trans[first:last]
        if (len(poses) - 1) / motion.fps * self._fps < self._window - 1:
            return Outcome(name, reason="too_short", detail=f"{len(poses) / motion.fps:.2f} s")
        poses, trans = resampled(poses, trans, motion.fps, self._fps)
        trans, slope = stood_on_floor(trans, self._body.posed(poses, trans)[1], self._fps)
        joints, soles = self._body.posed(poses, trans)
        scale = 1.0
        for _ in range(2):  # once the path fits, stances are told better
            step = path_scale(joints[:, 0], soles, planted(soles, self._fps))
            shift = np.zeros_like(trans)
            shift[:, :2] = (step - 1) * (trans - trans[0])[:, :2]
            trans, joints, soles, scale = trans + shift, joints + shift[:, None], soles + shift[:, None], scale * step
        wrong = fault(poses, joints, soles, self._fps)
        if wrong:
            return Outcome(name, reason=wrong, detail=f"{len(poses) / self._fps:.1f} s")
        contacts = planted(soles, self._fps)
        poses, trans = canonical(poses, trans, self._body)
        info = replace(
            recording.info, source_fps=round(motion.fps, 4), seconds=round(len(poses) / self._fps, 3),
            weight_hint=round(weight_hint(joints, self._fps), 3),
        )
        clip = Clip(info, poses.astype(np.float32), trans.astype(np.float32), contacts.astype(np.uint8), self._fps)
        return Outcome(name, clip, slope=slope, scale=scale)

    def _read(self, recording: Recording) -> Motion:
        if recording.path.suffix.lower() == ".bvh":
            clip = read_bvh(recording.path)
            if self._rest_poses is None:
                clip = upright(clip, recognise(clip.names, str(recording.path)))
            return self._retargeter(clip, str(recording.path))(clip, str(recording.path))
        return self._own_size(read_smpl_npz(recording.path))

    def _retargeter(self, clip: Bvh, source: str) -> Retargeter:
        if self._rest_poses is None:
            joints = recognise(clip.names, source)
            return Retargeter(own_rest_pose(clip, joints, source), self._target, joints)
        name, rest, joints = self._rest_poses.of(clip, source)
        if name not in self._retargeters:
            self._retargeters[name] = Retargeter(rest, self._target, joints)
        return self._retargeters[name]

    def _own_size(self, motion: Motion) -> Motion:
        """The path of another body's shape as our mean shape would walk it: scaled by the height of the hips.

        The file's own body model is not at hand; but with its floor at z = 0 the height at which its
        pelvis stands tells its size well enough.
        """
        family = "smplh" if "smplit_source_betas" in motion.extras else "smplx"  # the reader keeps foreign shapes aside
        place = motion.trans + REST_ROOT[family]
        poses = motion.poses.reshape(len(motion), NUM_JOINTS, 3)[:, :22]
        joints, soles = self._body.posed(poses, motion.trans)
        ours = joints[:, 0, 2] - soles[..., 2].min(1)  # pelvis over the lowest sole in this pose
        upright = ours >= np.quantile(ours, 1 - _STANDING_SHARE)
        ratio = float(np.median(ours[upright]) / max(np.median(place[upright, 2]), 1e-3))
        if _SIZES[0] < ratio < _SIZES[1]:  # else the floor is not at z = 0
            place = place * ratio
        motion.trans = place - self._body.joints[0]
        return motion


def process(
    source: str, input: str | Path, output: str | Path, fps: float = 30.0, window: int = 35, max_clips: int = -1,
    rest_pose: str | Path | None = None, save_train_mean_std: bool = False, workers: int = 0, body: str | Path | None = None,
    reporter: Reporter | None = None,
) -> dict:
    """Makes a motion store, and `<output stem>_report.json` beside it.

    Args:
        source: "amass", "100styles" or "bvh".
        input: folder of the data set (its `*.tar.*` archives are unpacked aside), or a list of files.
        output: store to write.
        fps: frames per second of every clip in it.
        window: shortest clip, frames.
        max_clips: look at no more than so many recordings; -1 for all.
        rest_pose: T-pose BVH files of the source's skeletons.
        save_train_mean_std: also compute the original's 203 features and write their statistics into the
            store and, with the original's entries, into `<output stem>_mean_std.npz`.
        workers: processes; 0 for one per core.
        body: body model file; default the best there is.
        reporter: told of the progress.

    Returns:
        The report.

    Raises:
        BadInput: an option makes no sense, nothing was found, or no clip was left.
    """
    _check(fps, window, max_clips)
    reporter = reporter or Reporter()
    footed = FootedBody.load(body)
    report = Report(source, fps, window)
    with tempfile.TemporaryDirectory() as scratch:
        rests = RestPoses(rest_pose) if rest_pose is not None else None
        recordings = _listed(source, Path(input), Path(scratch), report)
        if max_clips >= 0:
            recordings = recordings[:max_clips]
        processor = Processor(footed, fps, window, rests)
        outcomes = _outcomes(processor, recordings, workers or os.cpu_count() or 1)
        statistics = FeatureStatistics(footed.joints) if save_train_mean_std else None
        clips = _kept(outcomes, len(recordings), report, statistics, reporter)
        write_store(output, clips, fps, footed.sha256, report.summary, statistics and statistics.mean_std)
    if statistics is not None:
        statistics.save(Path(output).with_name(f"{Path(output).stem}_mean_std.npz"))
    found = report.full()
    with whole_file(Path(output).with_name(f"{Path(output).stem}_report.json")) as path:
        path.write_text(json.dumps(found, indent=1, ensure_ascii=False), encoding="utf-8")
    return found


def _check(fps: float, window: int, max_clips: int) -> None:
    if not 1 <= fps <= 240:
        raise BadInput(f"--fps {fps} is not between 1 and 240.", "Use 30.", "bad_option")
    if window < 2:
        raise BadInput(f"--window {window} is less than two frames.", "Use 35.", "bad_option")
    if max_clips == 0 or max_clips < -1:
        raise BadInput(f"--max-clips {max_clips} leaves nothing to do.", "Use -1 for all.", "bad_option")


def _listed(source: str, folder: Path, scratch: Path, report: Report) -> list[Recording]:
    """Recordings of the folder, and of its archives, which are unpacked into `scratch` beside its manifest."""
    if source == "bvh" and folder.is_dir() and any(folder.glob("*.tar.*")):
        unpack_archives(folder, scratch)
        for file in folder.iterdir():
            if not (scratch / file.name).exists() and ".tar." not in file.name:
                (scratch / file.name).symlink_to(file.resolve(), target_is_directory=file.is_dir())
        folder = scratch
    listing = list_recordings(source, folder)
    for name, reason in listing.skipped:
        report.skip(name, reason)
    return listing.recordings


def _outcomes(processor: Processor, recordings: list[Recording], workers: int) -> Iterator[Outcome]:
    if workers <= 1 or len(recordings) <= _CHUNK:
        yield from map(processor, recordings)
        return
    # Fresh processes ("spawn") hold no lock of ours; the processor travels once to each.
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_prepare, initargs=(processor,)) as pool:
        try:
            yield from pool.map(_work, recordings, chunksize=_CHUNK)
        finally:
            pool.shutdown(cancel_futures=True)


_processor: Processor | None = None  # of this worker


def _prepare(processor: Processor) -> None:
    global _processor
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches every process; the first one ends the others
    _processor = processor


def _work(recording: Recording) -> Outcome:
    assert _processor is not None
    return _processor(recording)


def _kept(
    outcomes: Iterator[Outcome], total: int, report: Report, statistics: FeatureStatistics | None, reporter: Reporter
) -> Iterator[Clip]:
    for done, outcome in enumerate(outcomes, 1):
        reporter.check()
        reporter.stage("recordings", done, total)
        report.add(outcome.name, outcome.clip, outcome.reason, outcome.detail, outcome.slope, outcome.scale)
        if outcome.clip is not None:
            if statistics is not None:
                statistics.add(outcome.clip)
            yield outcome.clip
