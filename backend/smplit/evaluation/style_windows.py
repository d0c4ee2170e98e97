# SPDX-License-Identifier: GPL-3.0-or-later
"""Two seconds of a body as the style classifier sees them: the joints about the pelvis, frame by frame in the heading frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smplit.body.model import BodyModel
from smplit.datasets.store import MotionStore
from smplit.evaluation.body_track import BodyTrack
from smplit.loco.recordings import Piece
from smplit.motion import BODY_JOINTS

FRAMES, FPS = 60, 30.0
CHANNELS = 3 * (len(BODY_JOINTS) - 1)
_OTHER_SIDE = [BODY_JOINTS.index(n.replace("left", "?").replace("right", "left").replace("?", "right")) - 1 for n in BODY_JOINTS[1:]]


def window_frames(track: BodyTrack) -> np.ndarray:
    """(T,CHANNELS) m: the joints from the pelvis; x ahead, y to the left, z up."""
    cos, sin = np.cos(track.heading)[:, None], np.sin(track.heading)[:, None]
    x, y, z = np.moveaxis(track.joints[:, 1:] - track.joints[:, :1], -1, 0)
    return np.stack([cos * x + sin * y, cos * y - sin * x, z], -1).reshape(len(x), -1).astype(np.float32)


def mirrored(windows: np.ndarray) -> np.ndarray:
    """(...,CHANNELS) with left and right exchanged."""
    joints = windows.reshape(*windows.shape[:-1], -1, 3)[..., _OTHER_SIDE, :] * np.array([1, -1, 1], np.float32)
    return joints.reshape(windows.shape)


def cut(frames: np.ndarray, hop: int) -> np.ndarray:
    """(T,C) -> (N,FRAMES,C): a window every `hop` frames, none for a clip shorter than a window."""
    starts = range(0, len(frames) - FRAMES + 1, hop)
    return np.stack([frames[s : s + FRAMES] for s in starts]) if len(starts) else np.empty((0, FRAMES, frames.shape[1]), frames.dtype)


@dataclass(frozen=True)
class RealWindows:
    """N windows of recordings, not mirrored.

    Attributes:
        windows: (N,FRAMES,CHANNELS). style, gait, part: (N,) names. clip: (N,) number in the store.
    """

    windows: np.ndarray
    style: np.ndarray
    gait: np.ndarray
    part: np.ndarray
    clip: np.ndarray

    @classmethod
    def of(cls, store: MotionStore, pieces: list[Piece], body: BodyModel, hop: int = 10) -> RealWindows:
        """All windows of the pieces, overlapping: one every `hop` frames."""
        frames = {clip: window_frames(BodyTrack.of(store.clip(clip).motion(), body)) for clip in sorted({p.clip for p in pieces})}
        found = [cut(frames[p.clip][p.first : p.last], hop) for p in pieces]
        counts = [len(f) for f in found]
        named = lambda values: np.repeat(np.array(values), counts)
        return cls(
            np.concatenate(found), named([p.style for p in pieces]), named([p.gait for p in pieces]), named([p.part for p in pieces]),
            named([p.clip for p in pieces]),
        )

    def __getitem__(self, rows: np.ndarray) -> RealWindows:
        return RealWindows(self.windows[rows], self.style[rows], self.gait[rows], self.part[rows], self.clip[rows])

    def __len__(self) -> int:
        return len(self.windows)
