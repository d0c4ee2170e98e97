# SPDX-License-Identifier: GPL-3.0-or-later
"""The recordings of one style, laid out for motion matching: frames on the recording's own plan, how that plan moves on,
and the numbers by which a frame is found (Clavet, Motion Matching and the Road to Next-Gen Animation, 2016).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial import cKDTree

from smplit.axes import matrix_from_axis_angle
from smplit.body.model import BodyModel
from smplit.datasets.store import MotionStore
from smplit.difftraj.features import heading
from smplit.errors import BadInput
from smplit.loco import frames as numbers
from smplit.loco.frames import as_tensor
from smplit.loco.recorded_plan import recorded_plan
from smplit.loco.recordings import TRAIN, pieces

AHEAD = (10, 20, 30)  # frames
_WAY, _FACING, _FEET, _FOOT_VELOCITY, _PELVIS_VELOCITY = slice(0, 6), slice(6, 12), slice(12, 18), slice(18, 24), slice(24, 27)
TRAJECTORY = slice(0, 12)
FEATURES = 27
# Weight, and the least spread that a group is taken to have: where all recordings go straight, a degree of turn must not outweigh the rest.
_GROUPS = ((_WAY, 2.0, 0.15), (_FACING, 2.0, 0.3), (_FEET, 0.75, 0.05), (_FOOT_VELOCITY, 1.0, 0.3), (_PELVIS_VELOCITY, 1.0, 0.2))
_ANKLES = (0, 2)


@dataclass(frozen=True)
class MatchingClips:
    """N frames of all recordings of a style and of their mirror images, one recording after the other.

    Attributes:
        frames: (N,CHANNELS), see `loco.frames`.
        step: (N,2) m to the next frame, in the plan's frame; turn: (N,) rad to the next frame.
        last: (N,) index of the last frame of the same recording.
        features: (N,FEATURES) normalised and weighted; mean, scale: (FEATURES,) with features = (raw - mean) * scale.
        starts: (M,) frames that a search may find; tree: of their features.
    """

    frames: np.ndarray
    step: np.ndarray
    turn: np.ndarray
    last: np.ndarray
    features: np.ndarray
    mean: np.ndarray
    scale: np.ndarray
    starts: np.ndarray
    tree: cKDTree

    @classmethod
    def of(cls, recordings: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]], body: BodyModel, least: int, fps: float = 30.0) -> MatchingClips:
        """Of recordings: rotations (T,22,3,3) local, the root's in the world; pelvis (T,3) m; contacts (T,4).

        Args:
            least: frames that must be left of a recording where a search may enter it.
        """
        shape = numbers.shape_of(body)
        parts = []
        for rotations, pelvis, contacts in recordings:
            turned = heading(as_tensor(rotations[:, 0])).numpy()
            place, facing = recorded_plan(pelvis, turned, fps)
            frames = numbers.encode(as_tensor(rotations), as_tensor(pelvis), as_tensor(contacts), as_tensor(place), as_tensor(facing), shape)
            parts.append(_part(frames, place, facing, fps))
            parts.append(_part(numbers.mirrored(frames), place * (1, -1), -facing, fps))
        frames, step, turn, raw, lengths = (list(values) for values in zip(*parts, strict=True))
        raw, ends = np.concatenate(raw), np.cumsum(lengths)
        last = np.repeat(ends - 1, lengths)
        mean, scale = raw.mean(0), np.empty(FEATURES)
        for group, weight, least_spread in _GROUPS:
            scale[group] = weight / max(raw[:, group].std(0).mean(), least_spread)
        features = (raw - mean) * scale
        starts = np.flatnonzero(last - np.arange(len(raw)) >= least)
        return cls(
            np.concatenate(frames), np.concatenate(step), np.concatenate(turn), last, features, mean, scale, starts, cKDTree(features[starts])
        )

    @classmethod
    def of_style(cls, store: MotionStore, style: str, body: BodyModel, least: int) -> MatchingClips:
        """Of the training recordings of a style.

        Raises:
            BadInput: there are none.
        """
        chosen = [p for p in pieces(store) if p.style == style and p.part == TRAIN]
        if not chosen:
            raise BadInput(f"No recording shows the style '{style}'.", "Choose another style.", "unknown_style")
        rest = body.rest_joints()[0].cpu().numpy().astype(np.float64)

        def recordings():
            for piece in chosen:
                clip = store.clip(piece.clip)
                part = slice(piece.first, piece.last)
                yield matrix_from_axis_angle(np.asarray(clip.poses[part], np.float64)), clip.trans[part] + rest, np.asarray(clip.contacts[part])

        return cls.of(recordings(), body, least, store.fps)


def trajectory_features(place: np.ndarray, facing: np.ndarray, ways: np.ndarray, facings: np.ndarray) -> np.ndarray:
    """What lies ahead, (...,12): places (...,3,2) m and facings (...,3) rad, seen from `place` (...,2) and `facing` (...)."""
    cos, sin = np.cos(facing)[..., None], np.sin(facing)[..., None]
    x, y = np.moveaxis(ways - place[..., None, :], -1, 0)
    turned = facings - facing[..., None]
    ahead = np.stack([cos * x + sin * y, cos * y - sin * x], -1)
    faces = np.stack([np.cos(turned), np.sin(turned)], -1)
    return np.concatenate([ahead.reshape(*ahead.shape[:-2], -1), faces.reshape(*faces.shape[:-2], -1)], -1)


def _part(frames: torch.Tensor, place: np.ndarray, facing: np.ndarray, fps: float) -> tuple:
    """One recording: frames, step, turn, raw features, length."""
    count = len(frames)
    cos, sin = np.cos(facing), np.sin(facing)
    x, y = np.diff(place, axis=0, append=2 * place[-1:] - place[-2:-1]).T
    step = np.stack([cos * x + sin * y, cos * y - sin * x], -1)
    turn = np.diff(facing, append=2 * facing[-1] - facing[-2])
    # Beyond its end a recording is thought to go on as it went.
    beyond = np.arange(1, AHEAD[-1] + 1)
    long_place = np.concatenate([place, place[-1] + beyond[:, None] * (place[-1] - place[-2])])
    long_facing = np.concatenate([facing, np.full(len(beyond), facing[-1])])
    at = np.arange(count)[:, None] + np.array(AHEAD)
    ahead = trajectory_features(place, facing, long_place[at], long_facing[at])
    feet = numbers.feet_on_plan(frames)[:, _ANKLES, :].numpy().reshape(count, -1)
    values = (frames * numbers.UNITS).numpy()
    pelvis = np.concatenate([values[:, numbers.SWAY], values[:, numbers.HEIGHT]], 1)
    # Velocities against the ground, in the plan's frame: what a standing foot is told from a swinging one by.
    carried = np.concatenate([step * fps, np.zeros((count, 1))], 1)
    rate = lambda track: np.gradient(track, axis=0) * fps
    raw = np.concatenate([ahead, feet, rate(feet) + np.tile(carried, 2), rate(pelvis) + carried], 1)
    return frames.numpy(), step, turn, raw, count
