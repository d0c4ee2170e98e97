# SPDX-License-Identifier: GPL-3.0-or-later
"""Keyframes in bulk, in pieces that fit between two redraws.

A `Track` holds what one data-block's curves should say; `write` brings Blender's curves in line until
its time is up, and goes on from there the next time. It keeps no reference to Blender data, so undo,
renaming and deleting between two calls do no harm. The differences of Blender's animation API from
4.2 to 5.x live in `curves_of` alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import bpy
import numpy as np

from . import skeleton

_LINEAR = 1  # Keyframe.interpolation; the dense keys of a capture need no easing
# Setting one key through Python costs about as much as this many keys through foreach_set.
_SINGLE_KEY_COST = 8


@dataclass(frozen=True)
class Channel:
    """One F-curve: data path, array index and the group it is listed under."""

    path: str
    index: int
    group: str


@dataclass(frozen=True)
class Clock:
    """Seconds of a video as frames of a scene; the scene's rate is the one at the start of the result.

    `origin` (s) falls on frame `start`; `rate` is in scene frames per second. Fractions of frames are
    kept, so that a motion lasts as long in the scene as in its video.
    """

    start: float
    origin: float
    rate: float

    @classmethod
    def of(cls, scene: bpy.types.Scene, start: float | None = None, origin: float = 0.0) -> Clock:
        """The clock of a scene; without `start`, the timeline's first frame."""
        rate = scene.render.fps / scene.render.fps_base
        return cls(float(scene.frame_start if start is None else start), origin, rate)

    def frames(self, times: np.ndarray) -> np.ndarray:
        """(T,) s -> (T,) scene frames."""
        return self.start + (np.asarray(times, np.float64) - self.origin) * self.rate

    def times(self, frames: np.ndarray) -> np.ndarray:
        """(T,) scene frames -> (T,) s."""
        return self.origin + (np.asarray(frames, np.float64) - self.start) / self.rate


def curves_of(owner: bpy.types.ID, action_name: str) -> tuple[bpy.types.bpy_prop_collection, Callable[[Channel], bpy.types.FCurve]]:
    """An ID's F-curves and a function that adds one; makes the action (and slot, layer, strip) if need be."""
    animation = owner.animation_data or owner.animation_data_create()
    action = animation.action
    if action is None:
        action = animation.action = bpy.data.actions.new(action_name)
    if not hasattr(action, "slots"):  # before 4.4
        return action.fcurves, lambda c: action.fcurves.new(c.path, index=c.index, action_group=c.group)
    slot = animation.action_slot
    if slot is None:
        slot = animation.action_slot = action.slots.new(id_type=owner.id_type, name=owner.name)
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    bag = strip.channelbag(slot, ensure=True)
    if bpy.app.version >= (5, 0, 0):
        return bag.fcurves, lambda c: bag.fcurves.new(c.path, index=c.index, group_name=c.group)

    def add(channel: Channel) -> bpy.types.FCurve:
        curve = bag.fcurves.new(channel.path, index=channel.index)
        curve.group = bag.groups.get(channel.group) or bag.groups.new(channel.group)
        return curve

    return bag.fcurves, add


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
    """The keys of one data-block: C channels x T rows, every row at a frame number.

    The first `quaternions` x 4 channels are quaternions; their signs are chained from row to row.
    `skip_zero` leaves channels without a curve until they are something else than zero.
    """

    def __init__(self, channels: list[Channel], action_name: str, quaternions: int = 0, skip_zero: bool = False) -> None:
        self.channels = channels
        self.action_name = action_name
        self._quaternions = quaternions
        self._frames = np.zeros(0, np.float32)
        self._values = np.zeros((len(channels), 0), np.float32)
        self._have = np.zeros(0, bool)
        self._moves = np.full(len(channels), not skip_zero)
        self._rows = 0
        self.forget()

    def forget(self) -> None:
        """Blender's side is gone or unknown: write everything again."""
        self._synced = np.zeros(len(self.channels), np.int64)  # rows of each curve that stand in Blender
        self._untidy = np.ones(len(self.channels), bool)  # handles not recomputed since the last keys
        self._next = 0

    def __len__(self) -> int:
        return self._rows

    @property
    def frames(self) -> np.ndarray:
        """(N,) float32 frame numbers of the rows received so far."""
        return self._frames[self._received()]

    @property
    def values(self) -> np.ndarray:
        """(C,N) float32, rows received so far."""
        return self._values[:, self._received()]

    def _received(self) -> slice | np.ndarray:
        have = self._have[: self._rows]
        return slice(self._rows) if have.all() else np.flatnonzero(have)

    def put(self, first: int, frames: np.ndarray, values: np.ndarray) -> None:
        """Adds rows, or replaces those that are there.

        Args:
            first: row of the first one.
            frames: (n,) scene frame numbers, rising with the rows.
            values: (n,C).
        """
        before, last = self._rows, first + len(frames)
        self._grow(last)
        self._frames[first:last] = frames
        self._values[:, first:last] = np.asarray(values, np.float32).T
        self._have[first:last] = True
        self._moves |= np.any(self._values[:, first:last] != 0.0, axis=1)
        self._rows = max(self._rows, last)
        self._chain(first)
        if first < before or not self._have[:first].all():
            self._synced[:] = -1  # not an append: rewritten whole
        self._untidy[:] = True

    def _grow(self, rows: int) -> None:
        room = len(self._frames)
        if rows > room:
            more = max(rows, 2 * room) - room
            self._frames = np.pad(self._frames, (0, more))
            self._values = np.pad(self._values, ((0, 0), (0, more)))
            self._have = np.pad(self._have, (0, more))

    def _chain(self, first: int) -> None:
        if not self._quaternions:
            return
        rows = np.flatnonzero(self._have[: self._rows])
        start = np.searchsorted(rows, first)
        block = self._values[: 4 * self._quaternions]
        shaped = block[:, rows[max(start - 1, 0):]].T.reshape(-1, self._quaternions, 4)
        block[:, rows[max(start - 1, 0):]] = skeleton.chain_signs(shaped).reshape(len(shaped), -1).T

    def write(self, owner: bpy.types.ID, deadline: float = float("inf")) -> bool:
        """Writes curves to `owner` until `time.perf_counter()` passes `deadline`; True when all stand."""
        return self._pass_over(owner, deadline, self._pending(), self._write_curve)

    def tidy(self, owner: bpy.types.ID, deadline: float = float("inf")) -> bool:
        """Recomputes the handles of written curves, which a user sees on switching to Bezier; True when done."""
        return self._pass_over(owner, deadline, np.flatnonzero(self._untidy & (self._synced > 0)), self._tidy_curve)

    def _pending(self) -> np.ndarray:
        return np.flatnonzero(self._moves & (self._synced != np.count_nonzero(self._have[: self._rows])))

    def _pass_over(self, owner: bpy.types.ID, deadline: float, pending: np.ndarray, work: Callable) -> bool:
        if not len(pending):
            return True
        curves, add = curves_of(owner, self.action_name)
        known = {(curve.data_path, curve.array_index): curve for curve in curves}
        frames, values = self.frames, self.values
        for channel in pending:
            spec = self.channels[channel]
            curve = known.get((spec.path, spec.index)) or add(spec)
            work(channel, curve, frames, values[channel])
            if time.perf_counter() > deadline:
                break
        owner.animation_data.action.update_tag()
        return channel == pending[-1]

    def _write_curve(self, channel: int, curve: bpy.types.FCurve, frames: np.ndarray, values: np.ndarray) -> None:
        points, there, count = curve.keyframe_points, len(curve.keyframe_points), len(frames)
        new = count - there
        if 0 < new * _SINGLE_KEY_COST < count and there == self._synced[channel]:
            points.add(new)
            tail = zip(frames[there:].tolist(), values[there:].tolist(), strict=True)
            for point, co in zip(points[there:], tail, strict=True):
                point.co = co
                point.interpolation = "LINEAR"
        else:
            if new < 0:
                points.clear()
                new = count
            if new:
                points.add(new)
            points.foreach_set("co", np.stack([frames, values], axis=1).ravel())
            points.foreach_set("interpolation", np.full(count, _LINEAR, np.int32))
        self._synced[channel] = count

    def _tidy_curve(self, channel: int, curve: bpy.types.FCurve, _frames: np.ndarray, _values: np.ndarray) -> None:
        curve.update()
        self._untidy[channel] = False
