# SPDX-License-Identifier: GPL-3.0-or-later
"""Seconds of a motion as frames of a scene."""

from __future__ import annotations

from dataclasses import dataclass

import bpy
import numpy as np


@dataclass(frozen=True)
class Clock:
    """The scene's rate is the one at the start of the result.

    `origin` (s) falls on frame `start`; `rate` is in scene frames per second. Fractions of frames are
    kept, so that a motion lasts as long in the scene as in its source.
    """

    start: float
    origin: float
    rate: float

    @classmethod
    def of(cls, scene: bpy.types.Scene, origin: float = 0.0, start: float | None = None) -> Clock:
        """The clock of a scene: `origin` (s of the source) is frame `start`, or the scene's first."""
        return cls(float(scene.frame_start) if start is None else start, origin, scene.render.fps / scene.render.fps_base)

    def frames(self, times: np.ndarray) -> np.ndarray:
        """(T,) s -> (T,) scene frames."""
        return self.start + (np.asarray(times, np.float64) - self.origin) * self.rate

    def times(self, frames: np.ndarray) -> np.ndarray:
        """(T,) scene frames -> (T,) s."""
        return self.origin + (np.asarray(frames, np.float64) - self.start) / self.rate
