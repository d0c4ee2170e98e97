# SPDX-License-Identifier: GPL-3.0-or-later
"""A job's chunks become a collection: armatures, bodies, their keys, the camera and its footage.

    writer = ResultWriter("walk.mp4", body_path, video="/videos/walk.mp4")
    writer.add_chunk(person, first, arrays)   # cheap: only queues
    writer.step()                             # at most 20 ms of work; call it from a timer
    writer.finish(); writer.flush()           # no more chunks; or go on with step() until it says False

Everything that was received stays in the writer until the end. Objects are looked up by name and mark in
every step, so undo, renaming and deleting between two steps do no harm: after an undo, `after_undo`
builds again what the undo took away; a body that the user deletes stays deleted.
"""

from __future__ import annotations

import time
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from pathlib import Path

import bpy
import numpy as np

from ..shared import motion
from . import armature as rig
from . import camera as filming
from . import mesh, skeleton, viewport
from .animation import Clock, Track, pose_channels, shape_key_channels
from .body_file import BODIES, NUM_BETAS, Body

TICK_BUDGET = 0.02  # s; a redraw of the interface should stay below 0.03
PROP_RESULT = "smplit_result"  # which writer made a data-block
PROP_ROLE = "smplit_role"
_PIECE = 120  # rows converted at a time, about 4 ms


class _Person:
    """One person: what has arrived, and how far Blender's side is."""

    def __init__(self, number: int, label: str) -> None:
        self.number = number
        self.label = label
        self.queue: deque[tuple[int, dict[str, np.ndarray]]] = deque()
        self.betas = np.zeros(NUM_BETAS)
        self.fps = 30.0
        self.expression_names: tuple[str, ...] = ()
        self.raw = _RawMotion()
        self.steps: Iterator[Callable] | None = None
        self.started = self.built = self.deleted = False
        self.pose: Track | None = None
        self.face: Track | None = None

    def take_header(self, arrays: dict[str, np.ndarray], body: Body) -> None:
        """What does not depend on time; comes with the first chunk."""
        given = np.asarray(arrays.get("betas", self.betas), np.float64).ravel()[:NUM_BETAS]
        self.betas = np.pad(given, (0, NUM_BETAS - len(given)))
        self.fps = float(arrays.get("mocap_frame_rate", self.fps))
        names = arrays.get("expression_names")
        if names is not None:
            self.expression_names = tuple(str(n) for n in np.ravel(names))
        elif "expression" in arrays:
            self.expression_names = body.expression_names[: np.shape(arrays["expression"])[1]]

    def rebuild(self) -> None:
        """Blender's side is gone: start over from what was received."""
        self.steps = None
        self.started = self.built = False
        self.pose = self.face = None
        self.queue.extendleft(reversed(self.raw.pieces))
        self.raw.pieces.clear()


class _RawMotion:
    """The pieces that were already turned into keys, kept for a rebuild."""

    def __init__(self) -> None:
        self.pieces: list[tuple[int, dict[str, np.ndarray]]] = []
