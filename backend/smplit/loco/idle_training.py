# SPDX-License-Identifier: GPL-3.0-or-later
"""Learns the model of `idle` from the best half minutes among recordings of people who stand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.spatial.transform import Rotation

from smplit.body.model import BodyModel
from smplit.datasets.split import OPEN_MOTION, TRAIN, Split
from smplit.datasets.store import MotionStore
from smplit.difftraj.features import JOINTS
from smplit.evaluation.body_track import BodyTrack
from smplit.export.whole_file import whole_file
from smplit.loco.idle import FORMAT
from smplit.motion import BODY_JOINTS

_PART = "reactidle"
_SECONDS, _FPS = 24.0, 10.0  # of an excerpt; standing is slow
# What makes a good excerpt: m, rad, m, m, and m/s of all joints, mean.
_FOOT_MOVES, _HEAD_TURNS, _HAND_MOVES, _SWAY, _SPEED = 0.015, np.radians(15.0), 0.09, (0.025, 0.07), (0.008, 0.03)
_COMPONENTS, _WAVES, _FASTEST = 12, 20, 1.5  # Hz: faster than that is the capture's noise
_METRE = 5.0  # rad that a metre of sway counts as among the components
_HASTE = 0.15  # m/s of the pelvis
_LEGS = [i for i, name in enumerate(BODY_JOINTS) if any(part in name for part in ("hip", "knee", "ankle", "foot"))]


def write_idle(store: MotionStore, body: BodyModel, path: Path, split: Path = OPEN_MOTION) -> list[str]:
    """Learns from each trained-on person of reactidle the 24 s with most sway in which the feet stand and the hands are quiet; names of the clips."""
    best: dict[str, tuple[float, str, np.ndarray, np.ndarray]] = {}
    for index in Split.load(split).indices(store)[TRAIN]:
        info = store.clips[index]
        if info.part != _PART:
            continue
        motion = store.clip(index).motion()
        track = BodyTrack.of(motion, body)
        count = round(_SECONDS * store.fps)
        for first in range(round(2 * store.fps), len(motion) - count, round(5 * store.fps)):
            cut = slice(first, first + count, round(store.fps / _FPS))
            sway = _sway_if_good(track, cut)
            if sway is not None and sway > best.get(info.subject, (0.0,))[0]:
                best[info.subject] = sway, info.name, *_changes(motion.poses.reshape(len(motion), -1, 3)[cut, :JOINTS], track, cut)
    chosen = [best[subject] for subject in sorted(best)]
    changes = np.stack([np.concatenate([turns.reshape(len(turns), -1), sway], 1) for _, _, turns, sway in chosen])
    arrays = {name: np.ascontiguousarray(values, np.float32) for name, values in _learned(changes).items()}  # written as memory lies
    names = [c[1] for c in chosen]
    with whole_file(path) as temporary:
        save_file(arrays, temporary, {"format": FORMAT, "clips": json.dumps(names), "licence": "MIT (learned from reactidle)"})
    return names


def _learned(changes: np.ndarray) -> dict[str, np.ndarray]:
    """Components and the strength of their waves, from changes (K,T,69) at `_FPS`."""
    people, frames, _ = changes.shape
    scale = np.concatenate([np.ones(3 * JOINTS), np.full(3, _METRE)])
    flat = (changes * scale).reshape(people * frames, -1)
    _, _, directions = np.linalg.svd(flat - flat.mean(0), full_matrices=False)
    components = directions[:_COMPONENTS]
    curves = (flat @ components.T).reshape(people, frames, -1)
    window = np.hanning(frames)[None, :, None]
    power = np.abs(np.fft.rfft((curves - curves.mean(1, keepdims=True)) * window, axis=1)) ** 2
    power = power.mean(0).T * 2.0 / (window**2).sum() / frames  # (C,B): variance by frequency
    bins = np.fft.rfftfreq(frames, 1 / _FPS)
    edges = np.geomspace(bins[1] * 0.75, _FASTEST, _WAVES + 1)
    amplitudes = np.zeros((_COMPONENTS, _WAVES))
    for wave in range(_WAVES):
        # A band narrower than a bin takes its share of the bins around it.
        inside = np.clip(np.minimum(edges[wave + 1], bins + bins[1] / 2) - np.maximum(edges[wave], bins - bins[1] / 2), 0, None) / bins[1]
        amplitudes[:, wave] = np.sqrt(2.0 * (power[:, 1:] * inside[1:]).sum(1))
    return {"components": components / scale, "amplitudes": amplitudes, "frequencies": np.sqrt(edges[1:] * edges[:-1])}


def _sway_if_good(track: BodyTrack, cut: slice) -> float | None:
    """m: the most that the pelvis sways in an excerpt; None where it is no good one."""
    joints = track.joints[cut]
    hands = joints[:, [BODY_JOINTS.index(f"{side}_wrist") for side in ("left", "right")]] - joints[:, :1]
    sway = float(np.abs(joints[:, 0, :2] - joints[:, 0, :2].mean(0)).max())
    speed = np.linalg.norm(np.diff(joints, axis=0), axis=-1).mean() * _FPS
    good = (
        np.ptp(track.soles[cut][..., :2], axis=0).max() < _FOOT_MOVES and np.ptp(np.unwrap(track.heading[cut])) < _HEAD_TURNS
        and np.linalg.norm(hands - hands.mean(0), axis=-1).max() < _HAND_MOVES and _SWAY[0] < sway < _SWAY[1]
        and _SPEED[0] < speed < _SPEED[1] and np.linalg.norm(np.diff(joints[:, 0], axis=0), axis=-1).max() * _FPS < _HASTE
    )
    return sway if good else None


def _changes(poses: np.ndarray, track: BodyTrack, cut: slice) -> tuple[np.ndarray, np.ndarray]:
    """Turns (T,22,3) rad and sway (T,3) m of poses (T,22,3) rad, from their mean."""
    turns = np.zeros_like(poses, dtype=np.float64)
    for joint in range(1, JOINTS):
        if joint not in _LEGS:
            local = Rotation.from_rotvec(poses[:, joint])
            turns[:, joint] = (local.mean().inv() * local).as_rotvec()
    facing = np.unwrap(track.heading[cut]).mean()
    level = Rotation.from_rotvec([0, 0, -facing])
    root = level * Rotation.from_rotvec(poses[:, 0])
    turns[:, 0] = (root * root.mean().inv()).as_rotvec()
    pelvis = track.joints[cut, 0]
    return turns, level.apply(pelvis - pelvis.mean(0))
