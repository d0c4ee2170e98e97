# SPDX-License-Identifier: GPL-3.0-or-later
"""What recordings say about their styles: how fast each walks, and how the held-out ones fare under the figures of generated walks."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from smplit.body.model import BodyModel
from smplit.datasets.store import MotionStore
from smplit.evaluation.body_track import BodyTrack
from smplit.evaluation.feature_distances import spread_between
from smplit.evaluation.locomotion import body_figures
from smplit.evaluation.style_classifier import StyleClassifier
from smplit.evaluation.style_windows import RealWindows, mirrored
from smplit.loco.recorded_plan import recorded_plan
from smplit.loco.recordings import HELD_OUT, TRAIN, Piece, pieces
from smplit.mocap.runs import runs
from smplit.motion import Motion
from smplit.progress import Reporter

WALKING = ("walk", "turn")  # gaits that a walk along a path is compared with
_MOVES = 0.3  # m/s


@dataclass
class RealStyles:
    """The recordings of a store as the measure of generated walks.

    Attributes:
        speed: style -> m/s, median of its training walks while they move.
        figures: style -> `body_figures` of held-out walking while it travels, style accuracy (%) as `style`, seconds of that,
            and windows of each part.
        reference, held_out: style -> features (N,D) of walking, of training and of held-out windows, mirrored ones too.
        diversity: mean feature distance between takes of one style.
    """

    classifier: StyleClassifier
    speed: dict[str, float]
    figures: dict[str, dict[str, float]]
    reference: dict[str, np.ndarray]
    held_out: dict[str, np.ndarray]
    diversity: float

    @classmethod
    def of(cls, store: MotionStore, body: BodyModel, cache: Path, seed: int = 0, reporter: Reporter | None = None) -> RealStyles:
        """Reads all recordings; the classifier is trained on the training pieces, or found in `cache`."""
        chosen = pieces(store)
        real = RealWindows.of(store, chosen, body)
        classifier = StyleClassifier.cached(cache, real[real.part == TRAIN], seed, reporter)
        walking = real[np.isin(real.gait, WALKING)]
        features = classifier.features(walking.windows)[0]
        both = np.stack([features, classifier.features(mirrored(walking.windows))[0]])
        part = lambda name: {s: both[:, (walking.style == s) & (walking.part == name)].reshape(-1, features.shape[1]) for s in classifier.styles}
        takes = [
            [features[(walking.style == style) & (walking.clip == clip)] for clip in np.unique(walking.clip[walking.style == style])]
            for style in classifier.styles
        ]
        speed = {style: walking_speed(store, [p for p in chosen if p.style == style]) for style in classifier.styles}
        figures = {style: _held_out_figures(store, [p for p in chosen if p.style == style], speed[style], body) for style in classifier.styles}
        for style, row in figures.items():
            row |= _recognised(classifier, real, style)
        return cls(classifier, speed, figures, part(TRAIN), part(HELD_OUT), float(np.nanmean([spread_between(some) for some in takes])))


def walking_speed(store: MotionStore, chosen: Iterable[Piece], gaits: tuple[str, ...] = ("walk",)) -> float:
    """m/s: median of the training pieces of some gaits among `chosen`, while they move."""
    speeds = []
    for piece in chosen:
        if piece.gait in gaits and piece.part == TRAIN:
            level = store.clip(piece.clip).trans[piece.first : piece.last, :2]
            speeds.append(_speeds(level, store.fps))
    moving = np.concatenate(speeds) if speeds else np.empty(0)
    moving = moving[moving > _MOVES]
    return float(np.median(moving)) if len(moving) else np.nan


def _speeds(level: np.ndarray, fps: float) -> np.ndarray:
    """(T,2) m -> (T-1,) m/s without the sway of the steps."""
    return np.linalg.norm(np.diff(recorded_plan(level, np.zeros(len(level)), fps)[0], axis=0), axis=1) * fps


def travelling(motion: Motion, speed: float) -> Motion:
    """The longest stretch of a motion in which it is at least half as fast as `speed` m/s; all of it if that is no second long:
    who stands does not skate, and walks are compared with walks."""
    stretches = runs(_speeds(np.asarray(motion.trans)[:, :2], motion.fps) > speed / 2)
    first, last = max(stretches, key=lambda stretch: stretch[1] - stretch[0], default=(0, 0))
    return motion[first : last + 1] if last - first >= motion.fps else motion


def piece_motion(store: MotionStore, piece: Piece) -> Motion:
    return store.clip(piece.clip).motion()[piece.first : piece.last]


def held_out_walk(store: MotionStore, style: str) -> Motion:
    """The longest walk of a style that was held out; without one, the longest of all."""
    walks = [p for p in pieces(store) if p.style == style and p.gait in WALKING]
    return piece_motion(store, max(walks, key=lambda p: (p.part == HELD_OUT, p.gait == "walk", p.last - p.first)))


def _held_out_figures(store: MotionStore, chosen: list[Piece], speed: float, body: BodyModel) -> dict[str, float]:
    """Means over held-out walking, every frame counting alike."""
    held = [travelling(piece_motion(store, p), speed) for p in chosen if p.part == HELD_OUT and p.gait in WALKING]
    frames = np.array([len(motion) for motion in held])
    rows = [body_figures(BodyTrack.of(motion, body)) for motion in held]
    out = {"seconds": float(frames.sum() / store.fps)}
    for name in rows[0] if rows else ():
        values = np.array([row[name] for row in rows])
        known = np.isfinite(values)
        out[name] = float(np.average(values[known], weights=frames[known])) if known.any() else np.nan
    return out


def _recognised(classifier: StyleClassifier, real: RealWindows, style: str) -> dict[str, float]:
    held = real[(real.style == style) & (real.part == HELD_OUT)]
    walks = held[np.isin(held.gait, WALKING)]
    accuracy = lambda some: 100.0 * float(np.mean(classifier.named(some.windows) == style)) if len(some) else np.nan
    seen = replace(walks, windows=mirrored(walks.windows))
    return {
        "style": np.mean([accuracy(walks), accuracy(seen)]), "style_all_gaits": accuracy(held), "windows_held_out": len(held),
        "windows_train": int(np.sum((real.style == style) & (real.part == TRAIN))),
    }
