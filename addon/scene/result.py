# SPDX-License-Identifier: GPL-3.0-or-later
"""A result's chunks become a collection: armatures, bodies, their keys, the camera and its footage.

    writer = ResultWriter("walk.mp4", body_file, video="/videos/walk.mp4")
    writer.begin()                            # optional: fixes scene and frame rate now, not at the first chunk
    writer.add_chunk(person, first, arrays)   # cheap: only queues; any order, later chunks replace earlier ones
    writer.step()                             # a tick's worth of work, from a timer; True while more is waiting
    writer.finish()                           # no more chunks; step() goes on until `done`
    writer.flush()                            # instead of a timer: all that is waiting, at once
    writer.discard()                          # failed: takes everything out again
    writer.after_undo()                       # from the undo_post and redo_post handlers; then remove_halves()

One writer per input of a job. `arrays` are the entries of a motion file (DESIGN 3) cut to the chunk's
frames; `betas`, `mocap_frame_rate`, `expression_names` and `camera_K` come with the person's first chunk.

Everything that was received stays in the writer until the end. Objects are looked up in every step, so
undo, renaming and deleting between two steps do no harm: what an undo took away is built again, a body
that the user deletes stays deleted. When another file is opened, forget the writer.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

import bpy
import numpy as np

from ..threads import standing_still
from . import marks, viewport
from .body_file import BODIES, Body
from .bound import Binding, hide, replaced_by
from .character import Character
from .naming import CAPTURE, Naming
from .placement import Placement
from .shot import Shot
from .timing import Clock

_PROP_UNFINISHED = "smplit_unfinished"  # on the result's collection until everything is in the scene
_finished: set[str] = set()  # results that this session has brought in whole
TICK_BUDGET = 0.012  # s; the longest single piece of work comes on top, and a tick should stay below 0.03


class ResultWriter:
    """Writes the people of one video, or of one motion, into the scene that was open at `begin`."""

    def __init__(
        self, source: str, body: str | Path, video: str | Path | None = None, origin: float = 0.0,
        naming: Naming = CAPTURE, placement: Placement | None = None, binding: Binding | None = None,
    ) -> None:
        """
        Args:
            source: file name of the video or motion; names the collection and all in it, as `naming` says.
            body: body model npz that the motion was made with.
            video: the video, to be shown behind the character; None or a lost file shows none.
            origin: s of the source that falls on the first frame (where a captured range begins).
            placement: first frame, place and scale of the armatures; else the scene's first frame and its origin.
            binding: the curve that it belongs to, and the earlier results that it takes the place of.

        Raises:
            BadInput: there is no such body file.
        """
        self.done = False  # everything is in the scene, as one undo step
        self._stem = Path(source).stem or source
        self._body = BODIES.request(body)
        self._video = Path(video) if video is not None else None
        self._origin = origin
        self._naming, self._placement, self._binding = naming, placement or Placement(), binding or Binding()
        self.id = uuid.uuid4().hex
        self._finishing = False
        self._framed = bool(self._binding.replaces)  # the view shows the place already
        self._scene = ""
        self._clock: Clock | None = None
        self._people: dict[int, Character] = {}
        self._shot: Shot | None = None

    def begin(self, scene: bpy.types.Scene | None = None) -> None:
        """Fixes the scene (the current one, if none is given), its first frame and its frame rate."""
        scene = scene or bpy.context.scene
        self._scene = scene.name
        self._clock = Clock.of(scene, self._origin, self._placement.start)
        self._shot = Shot(marks.name_with(self._stem, " camera"), self.id, self._clock, self._video)

    def add_chunk(self, person: int, first: int, arrays: Mapping[str, np.ndarray]) -> None:
        """Queues frames of one person, `first` being the row of the person's motion they begin at.

        Raises:
            BadInput: the arrays are not a piece of an SMPL-X motion; nothing is queued.
        """
        if self._clock is None:
            self.begin()
        character = self._people.get(person) or self._new_character(person)
        _, arrays = character.add(first, arrays)
        self._people[person] = character
        self._shot.add(person, arrays)
        self.done = False

    def _new_character(self, person: int) -> Character:
        return Character(person, self._naming.person(self._stem, person), self.id, self._clock, self._placement.of_person(person))

    def finish(self) -> None:
        """No more chunks will come."""
        self._finishing = True

    @property
    def people(self) -> list[int]:
        """Numbers of the persons seen so far."""
        return sorted(self._people)

    @property
    def armatures(self) -> list[bpy.types.Object]:
        """The armature objects that are in the file now, by person."""
        return [armature for number in self.people if (armature := self._people[number].armature) is not None]

    @property
    def collection(self) -> bpy.types.Collection | None:
        """The result's collection, if it is in the file now."""
        return marks.find(bpy.data.collections, self._naming.result(self._stem), self.id, "result")

    def step(self, budget: float = TICK_BUDGET) -> bool:
        """Works for about `budget` s, `TICK_BUDGET` at most; True while something that arrived is not in the scene.

        Raises:
            BadInput: the body file is not an SMPL-X body.
        """
        if self.done or not self._people:
            self.done = self._finishing
            return False
        if not self._body.done() or bpy.app.is_job_running("RENDER"):  # a render reads what we would change
            return True
        return not self._work(time.perf_counter() + min(budget, TICK_BUDGET))

    def flush(self) -> None:
        """Works until everything that has arrived is in the scene.

        Raises:
            BadInput: the body file is not an SMPL-X body.
        """
        while self._people and not self.done and not self._work(float("inf")):
            pass
        self.done = self._finishing

    def _work(self, deadline: float) -> bool:
        """Works until `time.perf_counter()` passes `deadline`; True when everything that arrived is in the scene."""
        scene = bpy.data.scenes.get(self._scene) or bpy.context.scene
        complete = self._advance(scene, self._body.result(), deadline)
        if complete and self._finishing:
            self.done = True
            _finished.add(self.id)
            if (collection := self.collection) is not None:
                collection.pop(_PROP_UNFINISHED, None)
                self._take_place(scene)
            _push_undo(f"{self._naming.action} {self._stem}")
        return complete

    def _take_place(self, scene: bpy.types.Scene) -> None:
        """Removes what this result replaces, and takes its names."""
        for replaced in self._binding.replaces:
            _take_out(replaced, scene)
        if self._binding.replaces:
            for blocks in (bpy.data.collections, bpy.data.objects, bpy.data.actions):
                for block in marks.marked(blocks, self.id):
                    free, number = marks.numbered(block.name)
                    if number and free not in blocks:
                        block.name = free

    def _advance(self, scene: bpy.types.Scene, body: Body, deadline: float) -> bool:
        for character in list(self._people.values()):
            complete = character.advance(body, lambda c=character: self._person_collection(scene, c), deadline)
            viewport.extend_timeline(scene, character.last_frame)
            if not complete or time.perf_counter() > deadline:
                return False
        hide(self._binding.replaces, True)
        if not self._framed:
            self._framed = viewport.frame_path(scene, np.concatenate([character.path() for character in self._people.values()]))
        if not self._finishing:
            return True
        # Only once the keys stand: the footage takes a moment to open.
        while not self._shot.advance(scene, self._top_collection):
            if time.perf_counter() > deadline:
                return False
        return all(character.tidy(deadline) for character in self._people.values())

    def _top_collection(self, scene: bpy.types.Scene) -> bpy.types.Collection:
        collection = self._make_collection(self._naming.result(self._stem), "result", scene.collection)
        collection[_PROP_UNFINISHED] = True
        self._binding.tie(collection)
        return collection

    def _person_collection(self, scene: bpy.types.Scene, character: Character) -> bpy.types.Collection:
        if character.name == self._naming.result(self._stem):
            return self._top_collection(scene)
        return self._make_collection(character.name, f"person {character.number}", self._top_collection(scene))

    def _make_collection(self, name: str, role: str, parent: bpy.types.Collection) -> bpy.types.Collection:
        collection = marks.find(bpy.data.collections, name, self.id, role)
        if collection is None:
            collection = bpy.data.collections.new(name)
            marks.mark(collection, self.id, role)
            parent.children.link(collection)
        return collection

    def after_undo(self) -> None:
        """Blender went to an earlier or later moment: the next steps make this result whole again."""
        if self.done or self._clock is None:
            return
        body = self._body.result() if self._body.done() and self._body.exception() is None else None
        for character in self._people.values():
            character.after_undo(body)
        self._shot.after_undo()

    def discard(self) -> None:
        """Takes out of the file whatever this writer has put in; what the user added meanwhile stays in the scene."""
        self.finish()
        hide(self._binding.replaces, False)
        _take_out(self.id, bpy.data.scenes.get(self._scene) or bpy.context.scene)
        self.done = True


def remove_halves() -> None:
    """After an undo: an undo step that the user made while a result came in holds half of it, and whoever
    undoes the result means all of it. A half whose other half was never here is left alone."""
    for collection in [c for c in bpy.data.collections if _PROP_UNFINISHED in c]:
        if (result := collection.get(marks.PROP_RESULT)) in _finished:
            hide(replaced_by(collection), False)
            _take_out(result, bpy.context.scene)


def _take_out(result: str, scene: bpy.types.Scene) -> None:
    """Removes a result's data-blocks; users' objects in its collections go to the scene's own."""
    marks.remove(marks.marked(bpy.data.objects, result))
    bpy.data.batch_remove(marks.marked(bpy.data.actions, result))
    for collection in marks.marked(bpy.data.collections, result):
        theirs = [child for child in collection.children if child.get(marks.PROP_RESULT) != result]
        _link_missing(scene.collection.children, theirs)
        _link_missing(scene.collection.objects, collection.objects)
        bpy.data.collections.remove(collection)


def _link_missing(members: bpy.types.bpy_prop_collection, things: Iterable[bpy.types.ID]) -> None:
    for thing in things:
        if thing.name not in members:
            members.link(thing)


def _push_undo(message: str) -> None:
    """One undo step; a timer has no window of its own, and undo belongs to one."""
    windows = bpy.context.window_manager.windows
    window = bpy.context.window or (windows[0] if windows else None)
    with standing_still(), bpy.context.temp_override(window=window):
        if bpy.ops.ed.undo_push.poll():
            bpy.ops.ed.undo_push(message=message)
