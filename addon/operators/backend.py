# SPDX-License-Identifier: GPL-3.0-or-later
"""Start, stop and set up the backend."""

from __future__ import annotations

import time

import bpy

from .. import preferences
from ..bridge import backend as states
from ..bridge import pump
from ..shared import errors

_READY_WITHIN = 90.0  # s that a background script waits for the start


class SMPLIT_OT_backend_start(bpy.types.Operator):
    """Start the backend, or start it again"""

    bl_idname = "smplit.backend_start"
    bl_label = "Start Backend"

    @classmethod
    def poll(cls, _context) -> bool:
        if problem := preferences.missing_backend():
            cls.poll_message_set(problem)
        return not problem

    def execute(self, _context) -> set[str]:
        try:
            pump.start(preferences.target())
        except errors.SmplitError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        if bpy.app.background:  # no timers there, and a script wants to know at once
            began = time.monotonic()
            while pump.BACKEND.state in (states.STARTING, states.RESTARTING) and time.monotonic() - began < _READY_WITHIN:
                pump.pump()
                time.sleep(0.02)
        if pump.BACKEND.state == states.FAILED or (bpy.app.background and pump.BACKEND.state != states.READY):
            self.report({"ERROR"}, f"{pump.BACKEND.problem or 'The backend did not start.'} {pump.BACKEND.remedy}".strip())
            return {"CANCELLED"}
        return {"FINISHED"}


class SMPLIT_OT_backend_stop(bpy.types.Operator):
    """Stop the backend. Jobs that run are cut off; what they finished can be brought in later"""

    bl_idname = "smplit.backend_stop"
    bl_label = "Stop Backend"

    @classmethod
    def poll(cls, _context) -> bool:
        if not pump.BACKEND.running:
            cls.poll_message_set("The backend does not run.")
        return pump.BACKEND.running

    def execute(self, _context) -> set[str]:
        pump.BACKEND.stop()
        pump.redraw()
        return {"FINISHED"}


class SMPLIT_OT_backend_install(bpy.types.Operator):
    """Download and install the backend below Blender's user folder. Needs no administrator rights"""

    bl_idname = "smplit.backend_install"
    bl_label = "Set Up"

    @classmethod
    def poll(cls, _context) -> bool:
        if pump.installing():
            cls.poll_message_set("The set-up is running.")
            return False
        problem = preferences.setup_problem()
        if problem is not None:
            cls.poll_message_set(str(problem))
        return problem is None

    def execute(self, _context) -> set[str]:
        try:
            recipe = preferences.recipe()
        except errors.SmplitError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        pump.BACKEND.stop()  # it may run from the files that are replaced
        installer = pump.install(recipe)
        if bpy.app.background:
            installer.join()
            if installer.state != "done":
                self.report({"ERROR"}, f"{installer.problem} {installer.remedy}")
                return {"CANCELLED"}
        return {"FINISHED"}


class SMPLIT_OT_backend_install_cancel(bpy.types.Operator):
    """Stop the set-up; pressing Set Up again goes on where it was"""

    bl_idname = "smplit.backend_install_cancel"
    bl_label = "Stop Set-Up"

    @classmethod
    def poll(cls, _context) -> bool:
        return pump.installing()

    def execute(self, _context) -> set[str]:
        pump.INSTALL.cancel()
        pump.redraw()
        return {"FINISHED"}


class SMPLIT_OT_backend_details(bpy.types.Operator):
    """Copy the state of the backend and the end of its log to the clipboard"""

    bl_idname = "smplit.backend_details"
    bl_label = "Copy Details"

    def execute(self, context) -> set[str]:
        parts = [pump.BACKEND.details()]
        if pump.INSTALL is not None:
            parts.append(pump.INSTALL.details())
        context.window_manager.clipboard = "\n\n".join(parts)
        self.report({"INFO"}, "Details are on the clipboard")
        return {"FINISHED"}


CLASSES = (
    SMPLIT_OT_backend_start, SMPLIT_OT_backend_stop, SMPLIT_OT_backend_install,
    SMPLIT_OT_backend_install_cancel, SMPLIT_OT_backend_details,
)
