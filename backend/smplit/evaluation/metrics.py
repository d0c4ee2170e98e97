# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics of human motion, as design/METRICS.md defines them. numpy only.

Arguments: T frames, J joints, joint 0 the pelvis, metres, world Z up unless said; `predicted` and
`true` hold the same frames and joints. Results are in the units of METRICS.md (mm, %, m/s2 ...).
A figure that the data cannot give (a clip too short, no planted foot) is NaN.
"""

from __future__ import annotations

import numpy as np

CHUNK = 100  # frames
_MM = 1000.0
_PLANTED = 0.01  # m per frame at 30 fps: a slower true foot point is planted
_SLIDE_FPS = 30.0
_SKATE_HEIGHT, _SKATE_STEP = 0.05, 0.025  # m
_LEAST_PATH = 0.5  # m: a shorter true path makes a percentage of it meaningless
_IN_CONTACT = 0.5


def similarity(source: np.ndarray, target: np.ndarray, with_scale: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Least-squares scale (...), rotation (...,3,3) and shift (...,3) that take `source` (...,N,3) onto `target`.

    Umeyama 1991; the rotation is proper even when mirroring would fit better.
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    from_middle, to_middle = source.mean(-2, keepdims=True), target.mean(-2, keepdims=True)
    a, b = source - from_middle, target - to_middle
    U, D, Vt = np.linalg.svd(np.swapaxes(b, -1, -2) @ a)
    sign = np.ones_like(D)
    sign[..., 2] = np.sign(np.linalg.det(U @ Vt))
    rotation = (U * sign[..., None, :]) @ Vt
    spread = (a**2).sum((-1, -2))
    scale = (D * sign).sum(-1) / np.maximum(spread, 1e-12) if with_scale else np.ones(D.shape[:-1])
    shift = to_middle[..., 0, :] - scale[..., None] * (rotation @ from_middle[..., 0, :, None])[..., 0]
    return scale, rotation, shift


def transform(points: np.ndarray, scale: np.ndarray, rotation: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """`points` (...,N,3) through the transform of `similarity`."""
    return np.asarray(scale)[..., None, None] * (points @ np.swapaxes(rotation, -1, -2)) + shift[..., None, :]


def joint_errors(predicted: np.ndarray, true: np.ndarray, centre: tuple[int, ...] = (0,)) -> np.ndarray:
    """(T,J) mm after the mean of the joints `centre` of both was moved to the origin."""
    centre = list(centre)
    difference = (predicted - predicted[:, centre].mean(1, keepdims=True)) - (true - true[:, centre].mean(1, keepdims=True))
    return np.linalg.norm(difference, axis=-1) * _MM


def aligned_joint_errors(predicted: np.ndarray, true: np.ndarray) -> np.ndarray:
    """(T,J) mm after a similarity alignment of each frame."""
    return np.linalg.norm(transform(predicted, *similarity(predicted, true)) - true, axis=-1) * _MM


def mpjpe(predicted: np.ndarray, true: np.ndarray, centre: tuple[int, ...] = (0,)) -> float:
    """Mean joint distance with both pelvises at the origin, mm."""
    return float(joint_errors(predicted, true, centre).mean())


def pa_mpjpe(predicted: np.ndarray, true: np.ndarray) -> float:
    """Mean joint distance after a similarity alignment of each frame, mm."""
    return float(aligned_joint_errors(predicted, true).mean())


def chunked_mpjpe(predicted: np.ndarray, true: np.ndarray, align_frames: int | None = None, with_scale: bool = True) -> float:
    """WA-MPJPE100 and its kin, mm: chunks of 100 frames (the last may be shorter), each aligned as a whole.

    Args:
        align_frames: how many of a chunk's first frames the alignment looks at; None: all (WA-MPJPE100),
            2 gives W-MPJPE100, 1 without scale W-MPJPE100-rigid.
    """
    errors = []
    for first in range(0, len(true), CHUNK):
        ours, theirs = predicted[first : first + CHUNK], true[first : first + CHUNK]
        aligned = transform(ours, *similarity(ours[:align_frames].reshape(-1, 3), theirs[:align_frames].reshape(-1, 3), with_scale))
        errors.append(np.linalg.norm(aligned - theirs, axis=-1).mean(1))
    return float(np.concatenate(errors).mean() * _MM)


def wa_mpjpe100(predicted: np.ndarray, true: np.ndarray) -> float:
    return chunked_mpjpe(predicted, true)


def w_mpjpe100(predicted: np.ndarray, true: np.ndarray) -> float:
    return chunked_mpjpe(predicted, true, 2)


def w_mpjpe100_rigid(predicted: np.ndarray, true: np.ndarray) -> float:
    return chunked_mpjpe(predicted, true, 1, with_scale=False)


def path_length(track: np.ndarray) -> float:
    """Length in m of a track (T,3)."""
    return float(np.linalg.norm(np.diff(track, axis=0), axis=-1).sum())


def root_error(predicted: np.ndarray, true: np.ndarray) -> float:
    """Mean distance in m of the root tracks (T,3) after one rigid alignment of the whole track."""
    return float(np.linalg.norm(transform(predicted, *similarity(predicted, true, with_scale=False)) - true, axis=-1).mean())


def rte(predicted: np.ndarray, true: np.ndarray) -> float:
    """Root translation error: `root_error` of the tracks (T,3) in % of the true path."""
    return 100.0 * root_error(predicted, true) / _path_or_nan(true)


def end_drift(predicted: np.ndarray, true: np.ndarray) -> float:
    """Distance of the last root (joint 0) after a rigid alignment of the first frame's joints (T,J,3), % of the true path."""
    aligned = transform(predicted[-1, :1], *similarity(predicted[0], true[0], with_scale=False))
    return float(100.0 * np.linalg.norm(aligned[0] - true[-1, 0]) / _path_or_nan(true[:, 0]))


def _path_or_nan(track: np.ndarray) -> float:
    length = path_length(track)
    return length if length >= _LEAST_PATH else np.nan


def jitter(joints: np.ndarray, fps: float) -> float:
    """Mean norm of the third difference x fps^3 / 10, in 10 m/s3."""
    return _mean(np.linalg.norm(np.diff(joints, 3, axis=0), axis=-1) * fps**3 / 10.0)


def acceleration_error(predicted: np.ndarray, true: np.ndarray, fps: float) -> float:
    """Mean norm of the difference of second differences x fps^2, m/s2."""
    return _mean(np.linalg.norm(np.diff(predicted, 2, axis=0) - np.diff(true, 2, axis=0), axis=-1) * fps**2)


def foot_slide(predicted: np.ndarray, true: np.ndarray, fps: float) -> float:
    """Mean step of predicted foot points (T,F,3) while the true ones stand, mm per frame at 30 fps.

    Steps between frames are scaled to 1/30 s first, so that a 60 fps clip compares with a 30 fps one.
    """
    to_30 = fps / _SLIDE_FPS
    planted = np.linalg.norm(np.diff(true, axis=0), axis=-1) * to_30 < _PLANTED
    return _mean(np.linalg.norm(np.diff(predicted, axis=0), axis=-1)[planted] * to_30 * _MM)


def foot_skate(points: np.ndarray) -> tuple[float, float]:
    """Share (%) of frames in which a foot point (T,F,3) below 5 cm moves more than 2.5 cm level, and the mean of that step in cm."""
    step = np.linalg.norm(np.diff(points[..., :2], axis=0), axis=-1)
    skating = (points[1:, :, 2] < _SKATE_HEIGHT) & (step > _SKATE_STEP)
    return 100.0 * _mean(skating.any(1).astype(float)), _mean(step[skating] * 100.0)


def penetration(points: np.ndarray) -> float:
    """Mean depth in mm of the lowest foot point (T,F,3) below the floor, over all frames."""
    return _mean(np.maximum(-points[..., 2].min(1), 0.0) * _MM)


def floating(points: np.ndarray, contacts: np.ndarray) -> float:
    """Mean height in mm of the lowest foot point (T,F,3) above the floor in frames where contact (T,4) is predicted."""
    touching = contacts.max(1) > _IN_CONTACT
    return _mean(np.maximum(points[touching, :, 2].min(1), 0.0) * _MM) if touching.any() else np.nan


def tilt(predicted_up: np.ndarray, true_up: np.ndarray) -> np.ndarray:
    """Angle in degrees between directions (...,3), both in the same (camera) axes."""
    a = predicted_up / np.linalg.norm(predicted_up, axis=-1, keepdims=True)
    b = true_up / np.linalg.norm(true_up, axis=-1, keepdims=True)
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(a, b), axis=-1), (a * b).sum(-1)))


def reprojection(fitted: np.ndarray, detected: np.ndarray, confidence: np.ndarray, boxes: np.ndarray) -> tuple[float, float]:
    """Median distance of fitted and detected keypoints (T,K,2) px with confidence (T,K) above 0.5: px, % of the box (T,4) diagonal."""
    distance = np.linalg.norm(fitted - detected, axis=-1)
    sure = confidence > 0.5
    if not sure.any():
        return np.nan, np.nan
    diagonal = np.linalg.norm(boxes[:, 2:] - boxes[:, :2], axis=-1)
    return float(np.median(distance[sure])), float(np.median((distance / diagonal[:, None])[sure]) * 100.0)


def project(points: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Points (...,3) in camera axes -> (...,2) px."""
    return points[..., :2] / points[..., 2:] * K[[0, 1], [0, 1]] + K[:2, 2]


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if np.size(values) else np.nan
