# SPDX-License-Identifier: GPL-3.0-or-later
"""A trajectory for a motion: resample, ask the network, lock the contacts, bend the legs.

`add_trajectory` is what the command and the add-on call.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from torch import Tensor

from smplit.axes import axis_angle_from_matrix
from smplit.body.model import BodyModel
from smplit.difftraj.augment import FPS
from smplit.difftraj.features import JOINTS, BodyShape
from smplit.difftraj.planting import plant_feet
from smplit.difftraj.predictor import Path3D, TrajectoryPredictor
from smplit.difftraj.quaternions import blend, matrices, quaternion_from_axis_angle
from smplit.errors import BadInput
from smplit.motion import Motion

_LARGEST_TURN = 4 * np.pi  # rad: a longer axis-angle vector is no joint's rotation


def even_times(times: np.ndarray) -> tuple[np.ndarray, float]:
    """Times (T,) s of a clip -> even ones as near to the network's 30 a second as fit from end to end, and their step."""
    span = float(times[-1] - times[0])
    count = max(1, round(span * FPS))
    return times[0] + np.linspace(0.0, span, count + 1), span / count


def resampled(poses: Tensor, times: np.ndarray, wanted: np.ndarray) -> Tensor:
    """(T,22,3) rad at `times` (T,) s -> (N,22,3,3) rotations at `wanted` (N,) s."""
    after = np.clip(np.searchsorted(times, wanted, side="right"), 1, len(times) - 1)
    part = torch.as_tensor((wanted - times[after - 1]) / (times[after] - times[after - 1]), dtype=torch.float32)
    quaternions = quaternion_from_axis_angle(poses)
    return matrices(blend(quaternions[after - 1], quaternions[after], part.clamp(0, 1)[:, None, None]))


def add_trajectory(motion: Motion, **options) -> Motion:
    """The same motion, travelling as its feet say; see `trajectories` for the options. Always the same for the same input."""
    return trajectories(motion, **options)[0]


def trajectories(
    motion: Motion, *, samples: int = 0, seed: int = 0, weights: str | Path = "auto", body: BodyModel | None = None, lock_feet: bool = True,
    level: bool = False, camera_velocity: np.ndarray | None = None, camera_confidence: np.ndarray | None = None, device: str = "cpu",
) -> list[Motion]:
    """The same motion on the likeliest path, or on several. What it says of its own path is not looked at.

    The first frame keeps its place on the floor, every frame its facing; hands, face, shape and extras stay.

    Args:
        motion: local poses and the root's orientation in the world (Z up).
        samples: 0: the likeliest path alone; else so many hypotheses, drawn with `seed`. They differ where feet tell little.
        weights: "auto" (all our data; non-commercial), "free" (commercial use allowed), or a file.
        body: whose bones; the best body model found when not given.
        lock_feet: bend the legs so that planted feet do not move at all. Else only the root is changed.
        level: also turn the root by the tilt that the network thinks is an error.
        camera_velocity: (T,2) or (T,3) m/s, world axes, as a camera saw it; camera_confidence: (T,) 0..1.

    Raises:
        BadInput: not a motion of 55 joints, NaN, a single frame, no rotations, camera arrays of the wrong shape.
        MissingModel: the weights are not there.
    """
    check_motion(motion)
    if samples < 0:
        raise BadInput(f"--samples {samples} is less than 0.", "Ask for 0 (the likeliest) or more.", "bad_option")
    body = body or BodyModel.load()
    predictor = TrajectoryPredictor.load(weights_file(weights), body, device)
    times = np.arange(len(motion)) / motion.fps if motion.frame_times is None else np.asarray(motion.frame_times, np.float64)
    times = times - times[0]
    grid, seconds = even_times(times)
    poses = torch.as_tensor(np.asarray(motion.poses, np.float32).reshape(len(motion), -1, 3)[:, :JOINTS])
    shape = BodyShape.of(body, torch.as_tensor(np.asarray(motion.betas, np.float32)))
    camera = _camera_on(grid, times, camera_velocity, camera_confidence, len(motion))
    rotations, valid = resampled(poses, times, grid), _valid_on(grid, times, motion.valid)
    generator = torch.Generator().manual_seed(seed)
    noises = [torch.randn(len(grid), 2, generator=generator) for _ in range(samples)] or [None]
    paths = [predictor.predict(rotations, shape, seconds, valid, camera, noise) for noise in noises]
    return [placed(motion, times, path, body, lock_feet, level) for path in paths]


def weights_file(weights: str | Path) -> Path:
    """ "auto" or "free" -> the shipped file; else the path itself."""
    from smplit.models import find

    return find({"auto": "difftraj", "free": "difftraj_free"}[str(weights)]) if str(weights) in ("auto", "free") else Path(weights)


def placed(motion: Motion, times: np.ndarray, path: Path3D, body: BodyModel, lock_feet: bool = True, level: bool = False) -> Motion:
    """`motion` on `path`: see `trajectories`."""
    betas = np.asarray(motion.betas, np.float32)
    rest = body.rest_joints(betas).cpu().numpy().astype(np.float64)
    at = lambda values: CubicSpline(path.times, values)(times) if len(path.times) > 3 else _lines(times, path.times, values)
    pelvis = at(path.pelvis)
    pelvis[:, :2] += np.asarray(motion.trans, np.float64)[0, :2] + rest[0, :2]
    contacts = np.clip(_lines(times, path.times, path.contacts), 0, 1)
    poses = np.array(motion.poses, np.float64).reshape(len(motion), -1, 3)
    if level:
        poses[:, 0] = _levelled(poses[:, 0], _lines(times, path.times, path.tilt))
    if lock_feet:
        legs, pelvis = plant_feet(poses, pelvis, contacts, times, body, betas)
        poses[:, 1:JOINTS] = legs[:, 1:]
    return replace(
        motion, poses=poses.reshape(len(motion), -1).astype(np.float32), trans=(pelvis - rest[0]).astype(np.float32),
        contacts=contacts.astype(np.float32), extras=dict(motion.extras),
    )


def _levelled(root: np.ndarray, tilt: np.ndarray) -> np.ndarray:
    turn = quaternion_from_axis_angle(torch.as_tensor(np.concatenate([tilt, np.zeros((len(tilt), 1))], 1)))
    return axis_angle_from_matrix((matrices(turn) @ matrices(quaternion_from_axis_angle(torch.as_tensor(root)))).numpy())


def _lines(wanted: np.ndarray, times: np.ndarray, values: np.ndarray) -> np.ndarray:
    return np.stack([np.interp(wanted, times, column) for column in values.T], 1)


def _valid_on(grid: np.ndarray, times: np.ndarray, valid: np.ndarray | None) -> Tensor | None:
    """A moment is valid when the frames on both sides of it are."""
    return None if valid is None else torch.as_tensor(np.interp(grid, times, np.asarray(valid, np.float64)) > 0.999)


def _camera_on(
    grid: np.ndarray, times: np.ndarray, velocity: np.ndarray | None, confidence: np.ndarray | None, frames: int
) -> Tensor | None:
    if velocity is None:
        return None
    velocity = np.asarray(velocity, np.float64)
    confidence = np.ones(frames) if confidence is None else np.asarray(confidence, np.float64)
    if velocity.shape not in ((frames, 2), (frames, 3)) or confidence.shape != (frames,):
        raise BadInput(
            f"The camera's velocity has shape {velocity.shape} and its confidence {confidence.shape}, expected ({frames}, 2) and ({frames},).",
            "Give one value per frame.", "wrong_shape",
        )
    if not (np.isfinite(velocity).all() and np.isfinite(confidence).all()):
        raise BadInput("The camera's velocity holds NaN or infinity.", "Set the confidence of such frames to 0, and a number.", "not_finite")
    both = np.concatenate([velocity[:, :2], np.clip(confidence, 0, 1)[:, None]], 1)
    return torch.as_tensor(_lines(grid, times, both), dtype=torch.float32)


def check_motion(motion: Motion) -> None:
    """Raises `BadInput` for what has no trajectory: other joints, NaN, fewer than two frames, no rotations."""
    motion.check("The motion")
    if len(motion) < 2:
        raise BadInput("The motion has a single frame: nothing moves.", "Give at least two frames.", "too_short")
    largest = float(np.linalg.norm(np.asarray(motion.poses, np.float64).reshape(len(motion), -1, 3), axis=-1).max())
    if largest > _LARGEST_TURN:
        raise BadInput(
            f"The motion's poses are no rotations in radians: one turns by {largest:.0f}.",
            "Convert them: axis-angle vectors in radians, not degrees.", "not_rotations",
        )
