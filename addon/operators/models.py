# SPDX-License-Identifier: GPL-3.0-or-later
"""Model files: added, removed and looked for by the backend's commands, which alone open strangers' files."""

from __future__ import annotations

from pathlib import Path

import bpy

from .. import preferences
from ..bridge import pump
from ..shared import errors
from .files import WithBackend


class _ModelCommand(WithBackend, preferences.NeedsBackend):
    """A command whose answer holds the rows of the table."""

    def _done(self, _context) -> set[str]:
        answer = self._command.answer()
        pump.BACKEND.learn_models(answer["models"])
        pump.redraw()
        self._tell(answer)
        return {"FINISHED"}

    def _tell(self, answer: dict) -> None:
        """What the user is told of it."""


class SMPLIT_OT_add_model(_ModelCommand, bpy.types.Operator):
    """Add a published model: its file, or the zip as you downloaded it. It is recognised by what is in it, and converted safely"""

    bl_idname = "smplit.add_model"
    bl_label = "Add File…"

    filepath: bpy.props.StringProperty(subtype="FILE_PATH", options={"SKIP_SAVE"})
    directory: bpy.props.StringProperty(subtype="DIR_PATH", options={"SKIP_SAVE"})
    files: bpy.props.CollectionProperty(type=bpy.types.OperatorFileListElement, options={"SKIP_SAVE"})
    filter_glob: bpy.props.StringProperty(default="*.zip;*.npz;*.pkl;*.pt;*.pth;*.ckpt;*.safetensors;*.onnx;*.tar", options={"HIDDEN", "SKIP_SAVE"})

    def invoke(self, context, _event) -> set[str]:
        context.window_manager.fileselect_add(self)
        return {"RUNNING_MODAL"}

    def execute(self, context) -> set[str]:
        named = [Path(bpy.path.abspath(self.directory)) / file.name for file in self.files if file.name]
        paths = named or ([Path(bpy.path.abspath(self.filepath))] if self.filepath else [])
        if not paths:
            return self._fail(errors.BadInput("No file was chosen.", "Choose a model file, or the zip that you downloaded.", "no_file"))
        self.report({"INFO"}, f"Looking at {', '.join(path.name for path in paths)}")
        return self._begin(context, ["models", "add", *paths, "--json"])

    def _tell(self, answer: dict) -> None:
        for row in answer["added"]:
            self.report({"INFO"}, f"{row['source']} is {row['title']}: {row['enables']}")
        for text in (*answer["skipped"], *(note for row in answer["added"] for note in row["notes"])):
            self.report({"WARNING"}, text)


class SMPLIT_OT_remove_model(_ModelCommand, bpy.types.Operator):
    """Delete the file of a model that was added here. Your download is not touched"""

    bl_idname = "smplit.remove_model"
    bl_label = "Remove Model"

    name: bpy.props.StringProperty(options={"SKIP_SAVE"})

    def invoke(self, context, event) -> set[str]:
        return context.window_manager.invoke_confirm(self, event)

    def execute(self, context) -> set[str]:
        return self._begin(context, ["models", "remove", self.name, "--json"])

    def _tell(self, answer: dict) -> None:
        self.report({"INFO"}, f"Deleted {', '.join(answer['removed'])}")


class SMPLIT_OT_refresh_models(_ModelCommand, bpy.types.Operator):
    """Look which model files are there"""

    bl_idname = "smplit.refresh_models"
    bl_label = "Look for Models"

    def execute(self, context) -> set[str]:
        return self._begin(context, ["models", "list", "--json"])


class SMPLIT_OT_show_model(bpy.types.Operator):
    """Show or hide the licence, the file's name, and the steps to get it"""

    bl_idname = "smplit.show_model"
    bl_label = "Show Model"
    bl_options = {"INTERNAL"}

    name: bpy.props.StringProperty(options={"SKIP_SAVE"})

    def execute(self, _context) -> set[str]:
        chosen = preferences.get()
        chosen.shown_model = "" if chosen.shown_model == self.name else self.name
        return {"FINISHED"}


CLASSES = (SMPLIT_OT_add_model, SMPLIT_OT_remove_model, SMPLIT_OT_refresh_models, SMPLIT_OT_show_model)
