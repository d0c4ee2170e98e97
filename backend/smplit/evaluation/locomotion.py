# SPDX-License-Identifier: GPL-3.0-or-later
"""How well a character walks a plan: the figures of design/METRICS.md for one motion.

Where the plan is at a frame, there the root is expected: "the same arc length" is the plan's at that frame. A root sways from
side to side with its steps, so that the length of its own track says nothing of how far along the path it is.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from smplit.evaluation import metrics
from smplit.evaluation.body_track import BodyTrack
from smplit.loco.plan import Plan
from smplit.loco.recorded_plan import smooth

_SWAY = 0.5  # s: a speed is taken from the track without its sway
_LOW = 0.05  # m: a sole below that may carry the body
_STANDS = 10  # percentile of the lowest sole point's height
_CM = 100.0


def figures(track: BodyTrack, plan: Plan) -> dict[str, float]:
    """Of a body that was to follow `plan`: `path_figures` and `body_figures`.

    Raises:
        ValueError: the motion is not as long as the plan.
    """
    if len(track.joints) != len(plan):
        raise ValueError(f"the motion has {len(track.joints)} frames, its plan {len(plan)}")
    ground = plan.place[:, 2]
    return path_figures(track, plan) | body_figures(track, ground)


def path_figures(track: BodyTrack, plan: Plan) -> dict[str, float]:
    """deviation, deviation_max, end, nearest (cm, level distance of the root from the drawn path), facing (deg), speed (%, of the plan's mean)."""
    root, path = track.joints[:, 0, :2], plan.drawn[:, :2]
    apart = np.linalg.norm(root - path, axis=1) * _CM
    off = track.heading - plan.facing
    off = np.arctan2(np.sin(off), np.cos(off))
    return {
        "deviation": float(apart.mean()), "deviation_max": float(apart.max()), "end": float(apart[-1]),
        "nearest": float(nearest(root, path, plan.closed).mean() * _CM), "facing": float(np.degrees(np.sqrt((off**2).mean()))),
        "speed": _speed_error(root, plan),
    }


def body_figures(track: BodyTrack, ground: np.ndarray | float = 0.0) -> dict[str, float]:
    """skate (% of frames), skate_step (cm a frame), support (cm a frame), penetration, floating (mm), jitter (10 m/s3, all joints).

    `skate` counts every heel that is lifted and every toe that lands flat, recorded ones too. `support` does not: the level step
    of the steadiest sole point below 5 cm, mean of the frames that have one, heights taken from where the motion's own feet stand
    (`_STANDS`), since retargeted recordings stand up to 2 cm deeper than a planted body.

    Args:
        ground: m, height of the floor below the body, (T,) or one for all frames.
    """
    soles = track.soles.copy()
    soles[..., 2] -= np.reshape(ground, (-1, 1))
    skate, step = metrics.foot_skate(soles)
    standing = soles - [0, 0, np.percentile(soles[..., 2].min(1), _STANDS)]
    return {
        "skate": skate, "skate_step": step, "support": _support_step(standing), "penetration": metrics.penetration(soles),
        "floating": metrics.floating(soles, track.contacts), "jitter": metrics.jitter(track.joints, track.fps),
    }


def nearest(points: np.ndarray, path: np.ndarray, closed: bool = False) -> np.ndarray:
    """(N,) m: how far points (N,2) are from a polyline (M,2)."""
    path = path[np.concatenate([[True], np.linalg.norm(np.diff(path, axis=0), axis=1) > 1e-6])]
    if closed or len(path) == 1:
        path = np.concatenate([path, path[:1]])
    start, along = path[:-1], np.diff(path, axis=0)
    middle = start + along / 2
    longest = np.linalg.norm(along, axis=1).max()
    close, _ = cKDTree(middle).query(points)
    candidates = cKDTree(middle).query_ball_point(points, close + longest + 1e-9)  # whichever segment is nearest, its middle is not farther
    out = np.empty(len(points))
    for row, some in enumerate(candidates):
        a, d = start[some], along[some]
        share = np.clip(((points[row] - a) * d).sum(1) / np.maximum((d**2).sum(1), 1e-18), 0, 1)
        out[row] = np.linalg.norm(a + share[:, None] * d - points[row], axis=1).min()
    return out


def _support_step(soles: np.ndarray) -> float:
    step = np.linalg.norm(np.diff(soles[..., :2], axis=0), axis=-1)
    steadiest = np.where(soles[1:, :, 2] < _LOW, step, np.inf).min(1)
    on_floor = np.isfinite(steadiest)
    return float(steadiest[on_floor].mean() * _CM) if on_floor.any() else np.nan


def _speed_error(root: np.ndarray, plan: Plan) -> float:
    """% by which the root's mean speed is off the plan's, over the frames in which the plan moves."""
    moving = np.flatnonzero(np.linalg.norm(np.diff(plan.place[:, :2], axis=0), axis=1) > 1e-6)
    if not len(moving):
        return np.nan
    pace = lambda way: np.linalg.norm(np.diff(smooth(way, _SWAY, plan.fps), axis=0), axis=1)  # both alike: bends shrink by smoothing
    speed, asked = pace(root), pace(plan.place[:, :2])
    between = slice(moving[0], moving[-1] + 1)
    return float(100.0 * abs(speed[between].mean() - asked[between].mean()) / asked[between].mean())
