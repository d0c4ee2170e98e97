# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion files in and out.

SMPL-X motion npz goes straight in and out. Other formats are the backend's: it runs beside Blender
while the operator waits for it modally, so the interface stays free.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import bpy

from .. import preferences
from ..bridge import results
from ..bridge.command import Command
from ..scene.armature import is_smplx
from ..scene.readback import read_motion
from ..scene.result import ResultWriter
from ..shared import errors, motion

_LOOK = 0.1  # s between two looks at a running command
_OTHER_KINDS = {"not_a_motion", "wrong_shape", "bad_fps"}  # perhaps AMASS, SMPL-H and others, which the backend knows
FORMATS = (
    ("npz", "SMPL-X Motion (.npz)", "For SMPLit, AMASS tools and the SMPL-X add-on"),
    ("bvh", "BVH (.bvh)", "The skeleton, for most animation programs"),
    ("glb", "glTF (.glb)", "Skeleton and skinned body, for engines and the web"),
    ("joints", "Joint Positions (.npz)", "World positions of the joints, for analysis"),
)


class WithBackend:
    """An operator that may hand a part of its work to a backend command."""

    _command: Command | None = None
    _timer = None

    def _begin(self, context, arguments: list) -> set[str]:
        """Starts the command; `_done` follows when it has ended well."""
        try:
            self._command = Command(preferences.python(), arguments)
        except errors.SmplitError as error:
            return self._fail(error)
        except OSError as error:
            return self._fail(errors.SmplitError(f"The backend's Python cannot be started ({error}).", "Set the backend up again."))
        if bpy.app.background or context.window is None:
            self._command.wait()
            return self._end(context)
        self._timer = context.window_manager.event_timer_add(_LOOK, window=context.window)
        context.window_manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context, event) -> set[str]:
        if event.type != "TIMER" or self._command.running:
            return {"PASS_THROUGH"}
        context.window_manager.event_timer_remove(self._timer)
        return self._end(context)

    def cancel(self, _context) -> None:
        if self._command is not None:
            self._command.stop()

    def _end(self, context) -> set[str]:
        try:
            self._command.check()
            return self._done(context)
        except errors.SmplitError as error:
            return self._fail(error)
        finally:
            self._command.stop()

    def _fail(self, error: errors.SmplitError) -> set[str]:
        self.report({"ERROR"}, str(error))
        return {"CANCELLED"}


class SMPLIT_OT_import_motion(WithBackend, bpy.types.Operator):
    """Bring in a motion file as an animated character"""

    bl_idname = "smplit.import_motion"
    bl_label = "Import Motion"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.npz", options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context, _event) -> set[str]:
        if self.filepath:
            return self.execute(context)
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context) -> set[str]:
        self._path = Path(bpy.path.abspath(self.filepath)).absolute()
        try:
            loaded = motion.Motion.load(self._path)
        except errors.BadInput as error:
            if error.code in _OTHER_KINDS and not preferences.missing_backend():
                return self._convert(context)
            return self._fail(error)
        return self._bring_in(loaded)

    def _convert(self, context) -> set[str]:
        self._scratch = tempfile.TemporaryDirectory(prefix="smplit-")
        self._converted = Path(self._scratch.name) / f"{self._path.stem}.npz"
        return self._begin(context, ["import", self._path, "-o", self._converted])

    def _done(self, _context) -> set[str]:
        with self._scratch:
            return self._bring_in(motion.Motion.load(self._converted))

    def _bring_in(self, loaded: motion.Motion) -> set[str]:
        origin = float(loaded.frame_times[0]) if loaded.frame_times is not None else 0.0
        body = results.body_of(str(loaded.extras.get("smplit_body", "")), [])
        try:
            writer = ResultWriter(self._path.name, body, origin=origin)
            writer.begin()
            writer.add_chunk(int(loaded.extras.get("smplit_person", 1)), 0, loaded.arrays())
            writer.finish()
            writer.flush()
        except errors.SmplitError as error:
            return self._fail(error)
        return {"FINISHED"}


class SMPLIT_OT_export_motion(WithBackend, bpy.types.Operator):
    """Write the motion of the active armature to a file"""

    bl_idname = "smplit.export_motion"
    bl_label = "Export Motion"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.npz;*.bvh;*.glb", options={"HIDDEN", "SKIP_SAVE"})
    check_existing: bpy.props.BoolProperty(default=True, options={"HIDDEN", "SKIP_SAVE"})
    format: bpy.props.EnumProperty(name="Format", items=FORMATS, description="What the file is for")

    @classmethod
    def poll(cls, context) -> bool:
        if not is_smplx(context.active_object):
            cls.poll_message_set("Select a character that SMPLit made.")
            return False
        return True

    def invoke(self, context, _event) -> set[str]:
        if self.filepath:
            return self.execute(context)
        self.filepath = bpy.path.clean_name(context.active_object.name) + self._suffix()
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def check(self, _context) -> bool:
        path = str(Path(self.filepath).with_suffix(self._suffix()))
        changed = path != self.filepath
        self.filepath = path
        return changed

    def _suffix(self) -> str:
        return ".npz" if self.format == "joints" else f".{self.format}"

    def execute(self, context) -> set[str]:
        if not self.filepath:
            return self._fail(errors.BadInput("No file was named.", "Choose where to write the motion."))
        self._path = Path(bpy.path.abspath(self.filepath)).absolute()
        named = self._path.suffix.lower().lstrip(".")
        if not self.properties.is_property_set("format") and named in {"npz", "bvh", "glb"}:
            self.format = named
        try:
            exported = read_motion(context.active_object, context.scene)
            if self.format == "npz":
                exported.save(self._path)
                return self._done(context)
            self._scratch = tempfile.TemporaryDirectory(prefix="smplit-")
            between = exported.save(Path(self._scratch.name) / "motion.npz")
        except errors.SmplitError as error:
            return self._fail(error)
        except OSError as error:
            problem = f"'{self._path}' cannot be written ({error.strerror})."
            return self._fail(errors.SmplitError(problem, "Choose another folder, or free some space."))
        joints = ["--to", "joints"] if self.format == "joints" else []
        return self._begin(context, ["export", between, "-o", self._path, *joints])

    def _done(self, _context) -> set[str]:
        self.report({"INFO"}, f"Wrote '{self._path}'")
        return {"FINISHED"}


CLASSES = (SMPLIT_OT_import_motion, SMPLIT_OT_export_motion)
