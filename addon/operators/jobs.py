# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs list: wait, cancel, select, bring in, retry, remove, copy details."""

from __future__ import annotations

import time

import bpy

from .. import live, preferences
from ..bridge import backend as states
from ..bridge import pump
from ..bridge.jobs import Job
from ..bridge.process import log_tail
from ..shared import errors

_PAUSE = 0.01  # s between two looks while waiting
_BREATH = 0.001  # s between two looks at work: without it, threads that read files hardly get a turn


class _JobOperator:
    """An operator on one job of the list; `job` is its key, empty means the newest."""

    job: bpy.props.StringProperty(name="Job", description="Name of the job; empty: the newest", options={"SKIP_SAVE"})

    def the_job(self) -> Job | None:
        jobs = list(pump.BACKEND.jobs)
        found = pump.BACKEND.jobs.find(self.job) if self.job else (jobs[-1] if jobs else None)
        if found is None:
            self.report({"ERROR"}, f"There is no job '{self.job}' in the list." if self.job else "There is no job yet.")
        return found


class SMPLIT_OT_wait(bpy.types.Operator):
    """Wait until jobs end, for scripts: in background mode nothing else brings results in"""

    bl_idname = "smplit.wait"
    bl_label = "Wait for Jobs"
    bl_options = {"INTERNAL"}

    job: bpy.props.StringProperty(name="Job", description="Name of the job; empty: all that run")
    timeout: bpy.props.FloatProperty(name="Timeout", default=0.0, min=0.0, description="Seconds; 0 waits for ever", subtype="TIME_ABSOLUTE")

    def execute(self, _context) -> set[str]:
        if not self.job:
            live.catch_up()
        waited_for = [pump.BACKEND.jobs.find(self.job)] if self.job else pump.unfinished()
        if None in waited_for:
            self.report({"ERROR"}, f"There is no job '{self.job}' in the list.")
            return {"CANCELLED"}
        began = time.monotonic()
        while any(pump.is_unfinished(job) for job in waited_for):
            if self.timeout and time.monotonic() - began > self.timeout:
                slow = next(job for job in waited_for if pump.is_unfinished(job))
                self.report({"ERROR"}, f"{slow.title}: not ended after {self.timeout:g} s ({slow.summary()}). Wait longer, or cancel it.")
                return {"CANCELLED"}
            time.sleep(_BREATH if pump.pump() else _PAUSE)
        failed = [job for job in waited_for if job.state != "done"]
        if failed:
            self.report({"ERROR"}, "\n".join(f"{job.title}: {job.message} {job.remedy}".strip() for job in failed))
            return {"CANCELLED"}
        return {"FINISHED"}


class SMPLIT_OT_cancel_job(_JobOperator, bpy.types.Operator):
    """Stop this job. What it has brought into the scene so far is taken out again; the part of a walk stays"""

    bl_idname = "smplit.cancel_job"
    bl_label = "Cancel"

    @classmethod
    def poll(cls, _context) -> bool:
        if not pump.BACKEND.jobs.open_jobs():
            cls.poll_message_set("No job is running.")
            return False
        return True

    def execute(self, _context) -> set[str]:
        if (job := self.the_job()) is None:
            return {"CANCELLED"}
        pump.BACKEND.cancel(job)
        pump.redraw()
        return {"FINISHED"}


class SMPLIT_OT_job_select(_JobOperator, bpy.types.Operator):
    """Select the characters of this job"""

    bl_idname = "smplit.job_select"
    bl_label = "Select"
    bl_options = {"REGISTER", "UNDO"}

    def execute(self, context) -> set[str]:
        if (job := self.the_job()) is None:
            return {"CANCELLED"}
        armatures = pump.armatures_of(job)
        if not armatures:
            self.report({"WARNING"}, f"{job.title} has no character in this file. Bring it in again.")
            return {"CANCELLED"}
        for other in context.selected_objects:
            other.select_set(False)
        for armature in armatures:
            armature.select_set(True)
        context.view_layer.objects.active = armatures[0]
        return {"FINISHED"}


class SMPLIT_OT_job_fetch(_JobOperator, bpy.types.Operator):
    """Bring the results of this job into the open file, again if need be"""

    bl_idname = "smplit.job_fetch"
    bl_label = "Bring In"

    @classmethod
    def poll(cls, _context) -> bool:
        if problem := preferences.missing_backend():
            cls.poll_message_set(problem)
        return not problem

    def execute(self, context) -> set[str]:
        if (job := self.the_job()) is None:
            return {"CANCELLED"}
        if pump.BACKEND.state != states.READY or not pump.fetch(job):
            self.report({"ERROR"}, "The backend is not ready. Start it, then bring the results in.")
            return {"CANCELLED"}
        context.window_manager.smplit_last_job = job.key
        return {"FINISHED"}


class SMPLIT_OT_job_retry(_JobOperator, bpy.types.Operator):
    """Run this job once more with the same choices"""

    bl_idname = "smplit.job_retry"
    bl_label = "Retry"

    def execute(self, context) -> set[str]:
        job = self.the_job()
        if job is None or job.submit is None:
            return {"CANCELLED"}
        try:
            pump.ensure_started(preferences.target)
        except errors.SmplitError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.window_manager.smplit_last_job = pump.BACKEND.retry(job).key
        if not job.open:
            pump.BACKEND.jobs.remove(job)
        pump.redraw()
        return {"FINISHED"}


class SMPLIT_OT_job_remove(_JobOperator, bpy.types.Operator):
    """Take this job off the list. Characters in the scene stay"""

    bl_idname = "smplit.job_remove"
    bl_label = "Remove"

    def execute(self, _context) -> set[str]:
        job = self.the_job()
        if job is None:
            return {"CANCELLED"}
        if job.open:
            self.report({"ERROR"}, f"{job.title} is still running. Cancel it first.")
            return {"CANCELLED"}
        pump.BACKEND.jobs.remove(job)
        pump.redraw()
        return {"FINISHED"}


class SMPLIT_OT_job_details(_JobOperator, bpy.types.Operator):
    """Copy what is known about this job, and the end of its log, to the clipboard"""

    bl_idname = "smplit.job_details"
    bl_label = "Copy Details"

    def execute(self, context) -> set[str]:
        if (job := self.the_job()) is None:
            return {"CANCELLED"}
        log = job.log or pump.BACKEND.log
        context.window_manager.clipboard = f"{job.details()}\n\n{log_tail(log) if log else ''}".strip()
        self.report({"INFO"}, "Details are on the clipboard")
        return {"FINISHED"}


CLASSES = (
    SMPLIT_OT_wait, SMPLIT_OT_cancel_job, SMPLIT_OT_job_select, SMPLIT_OT_job_fetch,
    SMPLIT_OT_job_retry, SMPLIT_OT_job_remove, SMPLIT_OT_job_details,
)
