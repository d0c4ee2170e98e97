# SPDX-License-Identifier: GPL-3.0-or-later
"""A person of a motion file as a body that can be drawn at any moment of the clip."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from smplit.body.model import BodyModel
from smplit.errors import BadInput
from smplit.motion import JOINT_NAMES, Motion
from smplit.view.raster import Placed, Surface

# RGB 0..1, far apart in hue and alike in lightness; person 1 has the first.
_COLOURS = np.array(
    [[0.33, 0.62, 0.93], [0.96, 0.52, 0.35], [0.42, 0.78, 0.47], [0.79, 0.55, 0.90], [0.95, 0.77, 0.30], [0.36, 0.78, 0.78], [0.93, 0.52, 0.68]],
    np.float32,
)
_SEEN, _UNSEEN = 0.82, 0.35  # opacity; a person whom the detector lost is shown, but faintly
_HEAD = JOINT_NAMES.index("head")
_CHUNK = 32  # frames whose vertices are held at once: 32 x 10475 x 3 float32 are 4 MB


def colour_of(person: int) -> np.ndarray:
    """(3,) RGB 0..1 of a person's number, counted from 1."""
    return _COLOURS[(person - 1) % len(_COLOURS)]


def frame_times(motion: Motion) -> np.ndarray:
    """(T,) s: the frames' own times, or even steps when the motion carries none.

    Raises:
        BadInput: the times do not grow.
    """
    if motion.frame_times is None:
        return np.arange(len(motion)) / float(motion.fps)
    times = np.asarray(motion.frame_times, np.float64)
    if np.any(np.diff(times) <= 0):
        raise BadInput("'frame_times' does not grow from frame to frame.", "Repair the times, or leave them out.", "bad_times")
    return times


class Performer:
    """One person, frame by frame; frames asked for in order cost one pass through the body model."""

    def __init__(self, motion: Motion, body: BodyModel, surface: Surface, person: int):
        self.motion = motion
        self.person = person
        self.times = frame_times(motion)
        self.colour = colour_of(person)
        self._body = body
        self._surface = surface
        self._colours = np.tile(self.colour, (len(body.v_template), 1))
        self._expression = _in_basis(motion, body)
        self.head = np.flatnonzero(body.weights[:, _HEAD] > 0.5)  # vertices that follow the head
        self._first, self._vertices = 0, np.empty((0, len(body.v_template), 3), np.float32)
        steps = np.diff(self.times)
        self._reach = 0.55 * float(np.median(steps)) if len(steps) else 0.5 / float(motion.fps)

    def frame_at(self, time: float) -> int | None:
        """Number of the frame shown at `time` s; None when the person is not in the clip then."""
        after = int(np.searchsorted(self.times, time))
        near = min((f for f in (after - 1, after) if 0 <= f < len(self.times)), key=lambda f: abs(self.times[f] - time))
        return near if abs(self.times[near] - time) <= self._reach else None

    def vertices(self, frame: int) -> np.ndarray:
        """(V,3) m, world."""
        if not self._first <= frame < self._first + len(self._vertices):
            rows = slice(frame, frame + _CHUNK)
            expression = None if self._expression is None else self._expression[rows]
            self._vertices = self._body.vertices(self.motion.poses[rows], self.motion.trans[rows], self.motion.betas, expression)
            self._first = frame
        return self._vertices[frame - self._first]

    def placed(self, frame: int, in_camera: bool = False) -> Placed:
        """The body at a frame, in the world or in the axes of the capture's camera at that frame."""
        points = self.vertices(frame)
        if in_camera:
            points = points @ np.asarray(self.motion.camera_R[frame], np.float32).T + np.asarray(self.motion.camera_t[frame], np.float32)
        seen = self.motion.valid is None or self.motion.valid[frame]
        return Placed(self._surface, points, self._colours, _SEEN if seen else _UNSEEN)


def performers(motions: list[Motion], body: BodyModel) -> list[Performer]:
    """One per motion, numbered as captured, or in their order when the files carry no number."""
    surface = Surface(body.faces, len(body.v_template))
    return [
        Performer(motion, body, surface, int(motion.extras.get("smplit_person", number))) for number, motion in enumerate(motions, 1)
    ]


def _in_basis(motion: Motion, body: BodyModel) -> np.ndarray | None:
    """(T,E) expression in the body's own order; coefficients the body does not know are left out."""
    if motion.expression is None:
        return None
    names = motion.expression_names
    if names is None or tuple(names) == tuple(body.expression_names):
        return motion.expression
    out = np.zeros((len(motion), len(body.expression_names)), np.float32)
    for column, name in enumerate(names):
        if name in body.expression_names:
            out[:, body.expression_names.index(name)] = motion.expression[:, column]
    return out


def spread(times: np.ndarray, count: int) -> Iterator[float]:
    """At most `count` of the times, first and last among them, evenly apart."""
    for row in np.unique(np.linspace(0, len(times) - 1, count).round().astype(int)):
        yield float(times[row])
