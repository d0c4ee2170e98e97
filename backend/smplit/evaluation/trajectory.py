# SPDX-License-Identifier: GPL-3.0-or-later
"""How good a predicted trajectory is, on recordings whose own is known, beside what needs no learning.

Every method sees the same poses: the recording's, or the recording's with noise. Percentages are of
the true path; clips whose path is shorter than `LEAST_PATH` would make nonsense of them and are
reported apart, in centimetres.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from smplit.axes import axis_angle_from_matrix, matrix_from_axis_angle
from smplit.body.model import BodyModel
from smplit.difftraj.features import FOOT_JOINTS, JOINTS, BodyShape, posed
from smplit.difftraj.predict import even_times, placed, resampled
from smplit.difftraj.predictor import Path3D, TrajectoryPredictor
from smplit.evaluation import metrics
from smplit.motion import Motion, joint_transforms

LEAST_PATH = 1.0  # m
METHODS = ("ours", "ours, legs as given", "velocity regression", "lowest-foot lock")
_W_FRAMES = 100
_AXES = 3


@dataclass(frozen=True)
class Noise:
    """What is done to the input.

    Attributes:
        joints: m, standard deviation of joints about the pelvis, each axis; half of the variance white, half smooth.
        yaw: degrees a frame (30 a second) by which the yaw rate is off, white; the yaw itself drifts.
    """

    joints: float = 0.0
    yaw: float = 0.0


CLEAN, NOISY = Noise(), Noise(0.015, 0.5)


def add_noise(motion: Motion, noise: Noise, rest_joints: np.ndarray, seed: int) -> Motion:
    """The motion with every joint's rotation off by such angles that its joints are off by `noise.joints` on average."""
    random = np.random.default_rng(seed)
    poses = np.array(motion.poses, np.float64).reshape(len(motion), -1, _AXES)
    local = matrix_from_axis_angle(poses[:, 1:JOINTS])
    if noise.joints:
        white = random.standard_normal(local.shape[:2] + (_AXES,))
        smooth = gaussian_filter1d(random.standard_normal(white.shape), motion.fps / 6, axis=0)
        turn = (white + smooth / max(smooth.std(), 1e-9)) / np.sqrt(2)
        before = joint_transforms(poses, rest_joints)[1][:, 1:JOINTS]
        angle = 0.01
        for _ in range(3):  # the shift grows nearly linearly with the angle
            trial = poses.copy()
            trial[:, 1:JOINTS] = axis_angle_from_matrix(local @ matrix_from_axis_angle(turn * angle))
            shift = joint_transforms(trial, rest_joints)[1][:, 1:JOINTS] - before
            angle *= noise.joints / np.sqrt((shift**2).mean())
        poses = trial
    if noise.yaw:
        drift = np.cumsum(np.radians(noise.yaw) * random.standard_normal(len(poses)))
        turn = np.zeros((len(poses), _AXES))
        turn[:, 2] = drift - drift[0]
        poses[:, 0] = axis_angle_from_matrix(matrix_from_axis_angle(turn) @ matrix_from_axis_angle(poses[:, 0]))
    return replace(motion, poses=poses.reshape(len(poses), -1).astype(np.float32))


def lowest_foot_path(rotations: torch.Tensor, shape: BodyShape, seconds: float) -> Path3D:
    """The classical baseline: at every step the lowest foot point stays where it is, and stands on the floor."""
    points = posed(rotations[None], shape[None])[1][0].double().numpy()
    soles = points[:, len(FOOT_JOINTS) :]
    lowest = (soles[1:, :, 2] + soles[:-1, :, 2]).argmin(1)
    step = -(soles[1:] - soles[:-1])[np.arange(len(lowest)), lowest, :2]
    level = np.concatenate([np.zeros((1, 2)), step]).cumsum(0)
    pelvis = np.concatenate([level, -soles[..., 2].min(1)[:, None]], 1)
    frames = len(points)
    return Path3D(np.arange(frames) * seconds, pelvis, np.zeros((frames, 4)), level, np.zeros((frames, 2)))


def measure(predicted: Motion, true: Motion, rest_joints: np.ndarray) -> dict[str, float]:
    """The figures of one clip: METRICS.md's, root first.

    rte, end (%), path (m), w100 (mm, root, first 100 frames from the first frame's place), slide and slide_level
    (cm a frame at 30 fps of ankle and toe joints while the true ones stand, in space and level), jitter (10 m/s3, root),
    drift (cm, the root's mean distance after a rigid alignment), height (cm, mean error).
    """
    ours, theirs = (joint_transforms(m.poses, rest_joints)[1][:, :JOINTS] + np.asarray(m.trans, np.float64)[:, None] for m in (predicted, true))
    feet = list(FOOT_JOINTS)
    start = theirs[0, 0] - ours[0, 0]
    standing = np.linalg.norm(np.diff(theirs[:, feet], axis=0), axis=-1) * true.fps / 30 < 0.01
    moved = np.linalg.norm(np.diff(ours[:, feet, :2], axis=0), axis=-1) * true.fps / 30
    return {
        "rte": metrics.rte(ours[:, 0], theirs[:, 0]), "end": metrics.end_drift(ours, theirs), "path": metrics.path_length(theirs[:, 0]),
        "w100": 1000 * float(np.linalg.norm(ours[:_W_FRAMES, 0] + start - theirs[:_W_FRAMES, 0], axis=-1).mean()),
        "slide": metrics.foot_slide(ours[:, feet], theirs[:, feet], true.fps) / 10,
        "slide_level": 100 * float(moved[standing].mean()) if standing.any() else np.nan,
        "jitter": metrics.jitter(ours[:, :1], true.fps), "drift": 100 * metrics.root_error(ours[:, 0], theirs[:, 0]),
        "height": 100 * float(np.abs(ours[:, 0, 2] - theirs[:, 0, 2]).mean()),
    }


class Candidates:
    """What is compared: `Candidates(predictor, body)(seen)` -> motion by method."""

    def __init__(self, predictor: TrajectoryPredictor, body: BodyModel, methods: tuple[str, ...] = METHODS):
        self.predictor, self.body, self.methods = predictor, body, methods

    def __call__(self, seen: Motion) -> dict[str, Motion]:
        times = np.arange(len(seen)) / seen.fps
        grid, seconds = even_times(times)
        poses = torch.as_tensor(np.asarray(seen.poses, np.float32).reshape(len(seen), -1, 3)[:, :JOINTS])
        shape = BodyShape.of(self.body, torch.as_tensor(np.asarray(seen.betas, np.float32)))
        rotations = resampled(poses, times, grid)
        path = self.predictor.predict(rotations, shape, seconds)
        straight = replace(path, pelvis=np.concatenate([path.own, path.pelvis[:, 2:]], 1))
        made: dict[str, Callable[[], Motion]] = {
            "ours": lambda: placed(seen, times, path, self.body),
            "ours, legs as given": lambda: placed(seen, times, path, self.body, lock_feet=False),
            "velocity regression": lambda: placed(seen, times, straight, self.body, lock_feet=False),
            "lowest-foot lock": lambda: placed(seen, times, lowest_foot_path(rotations, shape, seconds), self.body, lock_feet=False),
        }
        return {method: made[method]() for method in self.methods}


def evaluate(candidates: Candidates, store, clips: Iterable[int], noise: Noise = CLEAN, seed: int = 0) -> list[dict]:
    """One row per clip and method: name, style, method and `measure`'s figures. `store` is a `MotionStore`."""
    rest = candidates.body.rest_joints().cpu().numpy()
    rows = []
    for index in clips:
        clip = store.clip(index)
        true = clip.motion()
        seen = add_noise(replace(true, trans=np.zeros_like(true.trans), contacts=None), noise, rest, seed + index)
        for method, motion in candidates(seen).items():
            row = {"name": clip.info.name, "part": clip.info.part, "style": clip.info.style, "method": method, "frames": len(clip)}
            rows.append(row | measure(motion, true, rest))
    return rows


def summary(rows: list[dict]) -> dict[str, dict[str, float]]:
    """Method -> mean over clips of every figure; percentages over clips that go at least `LEAST_PATH`, the others' `drift`
    as `drift_short` (cm), medians as `rte_median` and `end_median`, counts as `clips` and `clips_short`."""
    out = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        ours = [row for row in rows if row["method"] == method]
        far = [row for row in ours if row["path"] >= LEAST_PATH]
        mean = lambda name, some: float(np.nanmean([row[name] for row in some])) if some else np.nan
        out[method] = {name: mean(name, far) for name in ("rte", "end", "w100")}
        out[method] |= {f"{name}_median": float(np.median([row[name] for row in far])) if far else np.nan for name in ("rte", "end")}
        out[method] |= {name: mean(name, ours) for name in ("slide", "slide_level", "jitter", "height")}
        out[method]["drift_short"] = mean("drift", [row for row in ours if row["path"] < LEAST_PATH])
        out[method] |= {"clips": len(far), "clips_short": len(ours) - len(far)}
    return out
