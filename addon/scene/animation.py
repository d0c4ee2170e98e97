# SPDX-License-Identifier: GPL-3.0-or-later
"""Keyframes in bulk, in pieces that fit between two redraws.

A `Track` holds what one data-block's curves should say; `write` brings Blender's curves in line until
its time is up, and goes on from there the next time. It keeps no reference to Blender data, so undo,
renaming and deleting between two calls do no harm.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import bpy
import numpy as np

from . import skeleton
from .actions import Channel, curves_of, own_action

_LINEAR = 1  # Keyframe.interpolation; the dense keys of a capture need no easing
_KEYFRAME, _BREAKDOWN = 0, 2  # Keyframe.type; breakdowns, drawn small and blue, are frames that nobody saw
# Rows set aside for a track, 36 minutes at 30 frames a second: growing by copying would stop the interface for a
# moment. Zeros take no memory before they are written to, so what belongs to one frame lies together: with a row a
# channel, the first frame of 223 channels would touch all 58 MB (numpy 2 asks for huge pages), a tenth of a second.
_ROOM = 1 << 16
# Setting one key through Python costs about as much as this many keys through foreach_set.
_SINGLE_KEY_COST = 8


def pose_channels() -> list[Channel]:
    """Rotation (w,x,y,z) of the 55 bones, then the pelvis's location: 223 curves, grouped by bone."""
    channels = [
        Channel(f'pose.bones["{name}"].rotation_quaternion', index, name) for name in skeleton.JOINT_NAMES for index in range(4)
    ]
    pelvis = skeleton.JOINT_NAMES[0]
    return channels + [Channel(f'pose.bones["{pelvis}"].location', index, pelvis) for index in range(3)]


def transform_channels() -> list[Channel]:
    """Rotation (w,x,y,z), then location of an object."""
    rotation = [Channel("rotation_quaternion", index, "Object Transforms") for index in range(4)]
    return rotation + [Channel("location", index, "Object Transforms") for index in range(3)]


def shape_key_channels(names: tuple[str, ...]) -> list[Channel]:
    """The values of shape keys, of the `Key` data-block."""
    return [Channel(f'key_blocks["{name}"].value', 0, "Expression") for name in names]


class Track:
    """The keys of one data-block: T rows x C channels, every row at a frame number.

    `action` is the name of the action to make, `result` and `role` sign it. The first `quaternions` x 4
    channels are quaternions; their signs are chained from row to row. `skip_zero` leaves channels without
    a curve until they are something else than zero.
    """

    def __init__(
        self, channels: list[Channel], action: str, result: str, role: str, quaternions: int = 0, skip_zero: bool = False,
    ) -> None:
        self.channels = channels
        self._action = (action, result, role)
        self._quaternions = quaternions
        self._frames = np.zeros(_ROOM, np.float32)
        self._values = np.zeros((_ROOM, len(channels)), np.float32)
        self._have = np.zeros(_ROOM, bool)
        self._guessed = np.zeros(_ROOM, bool)
        self._moves = np.full(len(channels), not skip_zero)
        self._rows = 0
        self.forget()

    def forget(self) -> None:
        """Blender's side is gone or unknown: write everything again."""
        self._synced = np.full(len(self.channels), -1)  # keys of each curve that stand in Blender
        self._untidy = np.ones(len(self.channels), bool)  # handles not recomputed since the last keys

    @property
    def frames(self) -> np.ndarray:
        """(N,) float32 frame numbers of the rows received so far."""
        return self._frames[self._received()]

    @property
    def values(self) -> np.ndarray:
        """(N,C) float32, rows received so far."""
        return self._values[self._received()]

    def _received(self) -> slice | np.ndarray:
        have = self._have[: self._rows]
        return slice(self._rows) if have.all() else np.flatnonzero(have)

    def put(self, first: int, frames: np.ndarray, values: np.ndarray, guessed: np.ndarray | None = None) -> None:
        """Adds rows, or replaces those that are there. Rows that are not finite get no key.

        Args:
            first: row of the first one.
            frames: (n,) scene frame numbers, rising with the rows.
            values: (n,C).
            guessed: (n,) bool, rows to be told apart from what was seen.
        """
        before, last = self._rows, first + len(frames)
        values = np.asarray(values, np.float32)
        good = np.isfinite(values).all(axis=1) & np.isfinite(frames)
        self._grow(last)
        self._frames[first:last] = frames
        self._values[first:last] = np.where(good[:, None], values, 0.0)
        self._have[first:last] = good
        self._guessed[first:last] = False if guessed is None else guessed
        self._moves |= np.any(self._values[first:last] != 0.0, axis=0)
        self._rows = max(before, last)
        self._chain(first)
        if first < before:
            self._synced[:] = -1  # not an append: rewritten whole
        self._untidy[:] = True

    def _grow(self, rows: int) -> None:
        room = len(self._frames)
        if rows > room:
            more = max(rows, 2 * room) - room
            self._frames = np.pad(self._frames, (0, more))
            self._values = np.pad(self._values, ((0, more), (0, 0)))
            self._have = np.pad(self._have, (0, more))
            self._guessed = np.pad(self._guessed, (0, more))

    def _chain(self, first: int) -> None:
        if not self._quaternions:
            return
        rows = np.flatnonzero(self._have[: self._rows])
        rows = rows[max(np.searchsorted(rows, first) - 1, 0):]
        if len(rows):
            block = self._values[:, : 4 * self._quaternions]
            block[rows] = skeleton.chain_signs(block[rows].reshape(-1, self._quaternions, 4)).reshape(len(rows), -1)

    def write(self, owner: bpy.types.ID, deadline: float = float("inf")) -> bool:
        """Writes the keys of `owner` until `time.perf_counter()` passes `deadline`; True when all stand."""
        count = np.count_nonzero(self._have[: self._rows])
        return self._pass_over(owner, deadline, np.flatnonzero(self._moves & (self._synced != count)), self._write_curve)

    def tidy(self, owner: bpy.types.ID, deadline: float = float("inf")) -> bool:
        """Recomputes the handles of written curves, which a user sees on switching to Bezier; True when done."""
        return self._pass_over(owner, deadline, np.flatnonzero(self._untidy & (self._synced > 0)), self._tidy_curve)

    def _pass_over(self, owner: bpy.types.ID, deadline: float, pending: np.ndarray, work: Callable) -> bool:
        if not len(pending):
            return True
        action = own_action(owner, *self._action)
        curves, add = curves_of(action)
        known = {(curve.data_path, curve.array_index): curve for curve in curves}
        rows = self._received()
        frames, values, guessed = self._frames[rows], self._values[rows], self._guessed[rows]
        for channel in pending:
            spec = self.channels[channel]
            curve = known.get((spec.path, spec.index)) or add(spec)
            work(channel, curve, frames, values[:, channel], guessed)
            if time.perf_counter() > deadline:
                break
        action.update_tag()
        return channel == pending[-1]

    def _write_curve(self, channel: int, curve: bpy.types.FCurve, frames: np.ndarray, values: np.ndarray, guessed: np.ndarray) -> None:
        points, there, count = curve.keyframe_points, len(curve.keyframe_points), len(frames)
        new = count - there
        if 0 < new * _SINGLE_KEY_COST < count and there == self._synced[channel]:
            points.add(new)
            tail = zip(frames[there:].tolist(), values[there:].tolist(), guessed[there:].tolist(), strict=True)
            for index, (frame, value, guess) in enumerate(tail, there):
                point = points[index]
                point.co = frame, value
                point.interpolation = "LINEAR"
                if guess:
                    point.type = "BREAKDOWN"
        else:
            if new < 0:
                points.clear()
                new = count
            if new:
                points.add(new)
            points.foreach_set("co", np.stack([frames, values], axis=1).ravel())
            points.foreach_set("interpolation", np.full(count, _LINEAR, np.int32))
            if guessed.any():
                points.foreach_set("type", np.where(guessed, _BREAKDOWN, _KEYFRAME).astype(np.int32))
        self._synced[channel] = count

    def _tidy_curve(self, channel: int, curve: bpy.types.FCurve, *_rows: np.ndarray) -> None:
        curve.update()
        self._untidy[channel] = False
