# SPDX-License-Identifier: GPL-3.0-or-later
"""One person of a result: what has arrived, and how far Blender's side is.

`Character` keeps every piece until the result ends and looks its objects up in each step (`marks`).
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping

import bpy
import numpy as np

from ..shared import errors, motion
from . import armature as rig
from . import marks, mesh, skeleton
from .animation import Track, pose_channels, shape_key_channels
from .body_file import NUM_BETAS, Body
from .placement import Placement
from .timing import Clock

_log = logging.getLogger(__name__)
_PIECE = 120  # rows turned into keys at a time, about 4 ms
_FALLBACK_FPS = 30.0
_PER_FRAME = {"poses": (motion.NUM_JOINTS * 3,), "trans": (3,), "valid": (), "frame_times": (), "camera_R": (3, 3), "camera_t": (3,)}

Piece = tuple[int, dict[str, np.ndarray]]


class Character:
    """Turns the pieces of one person's motion into an armature, a body and their keys."""

    def __init__(self, number: int, name: str, result: str, clock: Clock, placement: Placement) -> None:
        self.number = number
        self.name = name
        self.deleted = False
        self._result = result
        self._clock = clock
        self._placement = placement
        self._waiting: deque[Piece] = deque()
        self._taken: list[Piece] = []  # already turned into keys, kept for a rebuild
        self._betas = np.zeros(NUM_BETAS)
        self._fps = _FALLBACK_FPS
        self._expressions: tuple[str, ...] | None = None  # names of the columns of `expression`
        self._start_over()

    def _start_over(self) -> None:
        self._started = self._keyed = self._clothed = self._built = False
        self._steps: Iterator[mesh.Step] | None = None
        self._pose = Track(pose_channels(), self.name, self._result, f"pose {self.number}", quaternions=motion.NUM_JOINTS)
        self._face: Track | None = None

    # What arrives

    def add(self, first: int, arrays: Mapping[str, np.ndarray]) -> Piece:
        """Queues frames `first`... of the motion; returns them with their `frame_times`.

        Raises:
            BadInput: arrays do not belong together, or are not an SMPL-X motion.
        """
        arrays = dict(arrays)
        self._check(first, arrays)
        self._take_header(arrays)
        if "frame_times" not in arrays:
            arrays["frame_times"] = (first + np.arange(len(arrays["poses"]))) / self._fps
        self._waiting.append((first, arrays))
        return self._waiting[-1]

    def _check(self, first: int, arrays: dict[str, np.ndarray]) -> None:
        remedy = "Update the SMPLit add-on and backend to the same version."
        if "poses" not in arrays or "trans" not in arrays or first < 0:
            raise errors.BadInput(f"A piece of {self.name} lacks poses or trans.", remedy, "not_a_motion")
        rows = len(arrays["poses"])
        for name, rest in _PER_FRAME.items():
            if name in arrays and np.shape(arrays[name]) != (rows, *rest):
                raise errors.BadInput(f"'{name}' of {self.name} has shape {np.shape(arrays[name])}, expected {(rows, *rest)}.", remedy, "wrong_shape")
        if "expression" in arrays and (np.ndim(arrays["expression"]) != 2 or len(arrays["expression"]) != rows):
            raise errors.BadInput(f"'expression' of {self.name} has shape {np.shape(arrays['expression'])} for {rows} frames.", remedy, "wrong_shape")

    def _take_header(self, arrays: dict[str, np.ndarray]) -> None:
        """What does not depend on time comes with the person's first chunk."""
        if "betas" in arrays and not self._started:
            given = np.asarray(arrays["betas"], np.float64).ravel()[:NUM_BETAS]
            self._betas = np.pad(given, (0, NUM_BETAS - len(given)))
        if "mocap_frame_rate" in arrays:
            self._fps = float(arrays["mocap_frame_rate"])
        if "expression_names" in arrays:
            self._expressions = tuple(str(name) for name in np.ravel(arrays["expression_names"]))

    # Blender's side

    @property
    def armature(self) -> bpy.types.Object | None:
        return marks.find(bpy.data.objects, self.name, self._result, f"armature {self.number}")

    @property
    def surface(self) -> bpy.types.Object | None:
        return marks.find(bpy.data.objects, f"{self.name} body", self._result, f"body {self.number}")

    @property
    def last_frame(self) -> float:
        """The scene frame of the last key so far."""
        return float(self._pose.frames.max(initial=0.0))

    def path(self) -> np.ndarray:
        """(N,3) m, world: feet and head, roughly, at all keys so far; N is 0 when there are none."""
        armature = self.armature
        if armature is None:
            return np.zeros((0, 3))
        bone = armature.data.bones[skeleton.JOINT_NAMES[0]]
        pelvis = self._pose.values[:, -3:] @ np.array(bone.matrix_local.to_3x3()).T + np.array(bone.head_local)
        both = np.concatenate([pelvis - (0.0, 0.0, 0.9), pelvis + (0.0, 0.0, 0.8)])
        return both * self._placement.scale + self._placement.location

    def advance(self, body: Body, collection: Callable[[], bpy.types.Collection], deadline: float) -> bool:
        """Goes on building and keying until the deadline; True when everything that arrived stands.

        `collection` makes the collection that new objects go into.
        """
        if self.deleted or not (self._waiting or self._taken):
            return True
        if not self._started:
            self._add_armature(body, collection())
            return False  # one tick's worth
        armature = self.armature
        if armature is None:
            self.deleted = True  # by the user: an undo is followed by `after_undo`
            return True
        if not self._clothed:
            if not self._keyed and not self._face_waits():  # the first keys at once: the body takes longer
                self._keyed = self._key(body, armature, deadline)
                return False
            self._add_surface(body, armature, collection())
            return False
        return self._build(body, deadline) and self._key(body, armature, deadline)

    def _key(self, body: Body, armature: bpy.types.Object, deadline: float) -> bool:
        """Keys what has arrived. What is begun is finished first: else the last curves would wait for as long as more arrives."""
        return self._write(armature, deadline) and self._convert(body, armature, deadline) and self._write(armature, deadline)

    def _face_waits(self) -> bool:
        """Whether keys are waiting that need the body's shape keys."""
        return any("expression" in arrays for _, arrays in self._waiting)

    def _add_armature(self, body: Body, collection: bpy.types.Collection) -> None:
        armature = rig.build_armature(self.name, body, self._betas, collection)
        armature.location, armature.scale = self._placement.location, [self._placement.scale] * 3
        armature[rig.PROP_PERSON] = self.number
        marks.mark(armature, self._result, f"armature {self.number}")
        self._started = True

    def _add_surface(self, body: Body, armature: bpy.types.Object, collection: bpy.types.Collection) -> None:
        surface = mesh.build_surface(f"{self.name} body", body, self._betas, armature, collection, self.number)
        marks.mark(surface, self._result, f"body {self.number}")
        self._clothed = True

    def _build(self, body: Body, deadline: float) -> bool:
        surface = self.surface
        if self._built or surface is None:
            return True
        if self._steps is None:
            self._steps = mesh.surface_steps(body, self._betas)
        for step in self._steps:
            step(surface)
            if time.perf_counter() > deadline:
                return False
        self._built = True
        return True

    def _convert(self, body: Body, armature: bpy.types.Object, deadline: float) -> bool:
        while self._waiting:
            first, arrays = self._waiting.popleft()
            rows = len(arrays["poses"])
            for start in range(0, rows, _PIECE):
                part = slice(start, min(start + _PIECE, rows))
                self._put(body, armature, first + start, {n: a[part] for n, a in arrays.items() if n in _PER_FRAME or n == "expression"})
            self._taken.append((first, arrays))
            if time.perf_counter() > deadline:
                return not self._waiting
        return True

    def _put(self, body: Body, armature: bpy.types.Object, first: int, arrays: dict[str, np.ndarray]) -> None:
        frames = self._clock.frames(arrays["frame_times"])
        guessed = ~np.asarray(arrays["valid"], bool) if "valid" in arrays else None
        with np.errstate(invalid="ignore"):  # rows that are not finite get no key
            quaternions = skeleton.bone_quaternions(arrays["poses"], rig.rest_axes(armature)).reshape(len(frames), -1)
            locations = rig.pelvis_locations(armature, arrays["trans"])
        self._pose.put(first, frames, np.concatenate([quaternions, locations], axis=1), guessed)
        if "expression" in arrays:
            self._put_expression(body, first, frames, np.asarray(arrays["expression"]), guessed)

    def _put_expression(self, body: Body, first: int, frames: np.ndarray, values: np.ndarray, guessed: np.ndarray | None) -> None:
        names = self._expressions or body.expression_names
        known = [column for column, name in enumerate(names[: values.shape[1]]) if name in body.expression_names]
        if self._face is None:
            if len(known) < values.shape[1]:
                _log.warning("%s: %d expressions have no shape key in %s", self.name, values.shape[1] - len(known), body.name)
            channels = shape_key_channels(tuple(names[column] for column in known))
            self._face = Track(channels, marks.name_with(self.name, " face"), self._result, f"face {self.number}", skip_zero=True)
        self._face.put(first, frames, values[:, known], guessed)
        if (surface := self.surface) is not None and surface.data.shape_keys is not None:
            for column in known:
                low, high = float(np.nanmin(values[:, column])), float(np.nanmax(values[:, column]))
                mesh.widen_range(surface.data.shape_keys.key_blocks[names[column]], low, high)

    def _write(self, armature: bpy.types.Object, deadline: float, tidy: bool = False) -> bool:
        work = [(self._pose, armature)]
        if self._face is not None and (surface := self.surface) is not None and surface.data.shape_keys is not None:
            work.append((self._face, surface.data.shape_keys))
        return all((track.tidy if tidy else track.write)(owner, deadline) for track, owner in work)

    def tidy(self, deadline: float) -> bool:
        """The last touch to curves that get no more keys; True when done."""
        armature = self.armature
        return self.deleted or armature is None or self._write(armature, deadline, tidy=True)

    # Undo, cancel

    def after_undo(self, body: Body | None) -> None:
        """Blender's data is that of an earlier moment: takes up what is whole, begins again what is not."""
        armature, surface = self.armature, self.surface
        if armature is None and self.deleted:
            return
        self.deleted = False
        if armature is not None and (surface is None or (body is not None and mesh.is_complete(surface, body))):
            self._started = self._clothed = self._built = True
            self._pose.forget()
            if self._face is not None:
                self._face.forget()
            return
        self.remove()
        self._start_over()
        self._waiting.extendleft(reversed(self._taken))
        self._taken.clear()

    def remove(self) -> None:
        """Takes this person's data-blocks out of the file."""
        marks.remove(thing for thing in (self.surface, self.armature) if thing is not None)
        roles = (f"pose {self.number}", f"face {self.number}")
        bpy.data.batch_remove([action for action in bpy.data.actions if any(marks.is_marked(action, self._result, role) for role in roles)])
