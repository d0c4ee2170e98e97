# SPDX-License-Identifier: GPL-3.0-or-later
"""The sidebar tab SMPLit and the card in the preferences. Drawing only; nothing is changed here."""

from __future__ import annotations

from pathlib import Path

import bpy

from . import models_table, preferences
from .bridge import backend as states
from .bridge import pump
from .bridge.jobs import Job
from .operators.trajectory import chosen_armatures, is_own
from .shared import VERSION

_STATE_ICONS = {
    states.OFF: "RADIOBUT_OFF", states.STARTING: "SORTTIME", states.READY: "CHECKMARK", states.RESTARTING: "FILE_REFRESH", states.FAILED: "ERROR",
}
_STATE_WORDS = {
    states.OFF: "Backend is off; it starts by itself", states.STARTING: "Backend is starting", states.READY: "Backend is ready",
    states.RESTARTING: "Backend starts again", states.FAILED: "Backend is not there",
}
_FOR_BEST = ("wham_published", "hmr2a", "acr", "smirk")
_LINE = 38  # characters of a line of text at the sidebar's usual width
_SIZE = "1.6 GB"  # on disk, without an NVIDIA card


class Sidebar:
    bl_space_type = "VIEW_3D"
    bl_region_type = "UI"
    bl_category = "SMPLit"


def paragraph(layout: bpy.types.UILayout, text: str, icon: str = "NONE") -> None:
    """Text over several lines: a label does not wrap."""
    column = layout.column(align=True)
    width = _LINE if icon == "NONE" else _LINE - 4
    line = ""
    lines = []
    for word in text.split():
        if line and len(line) + len(word) >= width:
            lines.append(line)
            line = ""
        line = f"{line} {word}".strip()
    for index, part in enumerate([*lines, line]):
        column.label(text=part, icon=icon if index == 0 else ("BLANK1" if icon != "NONE" else "NONE"))


class SMPLIT_PT_backend(Sidebar, bpy.types.Panel):
    bl_idname = "SMPLIT_PT_backend"
    bl_label = "SMPLit"
    bl_order = 0

    def draw_header_preset(self, _context) -> None:
        self.layout.label(text="", icon=_STATE_ICONS[pump.BACKEND.state])

    def draw(self, context) -> None:
        layout = self.layout
        if preferences.missing_backend() or pump.installing():
            draw_setup(layout)
            return
        row = layout.row(align=True)
        row.label(text=self._state_text())
        row.operator("smplit.backend_start", text="", icon="FILE_REFRESH" if pump.BACKEND.running else "PLAY")
        row.operator("smplit.backend_stop", text="", icon="PAUSE")
        row.operator("smplit.backend_details", text="", icon="COPYDOWN")
        if pump.BACKEND.problem:
            box = layout.box()
            paragraph(box, pump.BACKEND.problem, "ERROR")
            paragraph(box, pump.BACKEND.remedy, "BLANK1")

    @staticmethod
    def _state_text() -> str:
        welcome = pump.BACKEND.welcome
        device = pump.device() if welcome is not None else ""
        return _STATE_WORDS[pump.BACKEND.state] + (f" ({device})" if device else "")


class SMPLIT_PT_capture(Sidebar, bpy.types.Panel):
    bl_idname = "SMPLIT_PT_capture"
    bl_label = "Capture from Video"
    bl_order = 1

    def draw(self, context) -> None:
        settings = context.scene.smplit_capture
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        split = layout.split(factor=0.4)
        label = split.column()
        label.alignment = "RIGHT"
        label.label(text="Videos")
        names = [Path(video.path).name for video in settings.videos]
        more = f"  (+{len(names) - 1})" if len(names) > 1 else ""
        split.operator("smplit.choose_videos", text=names[0] + more if names else "Choose…", icon="FILE_MOVIE")
        layout.row().prop(settings, "people", expand=True)
        if settings.people == "numbers":
            layout.prop(settings, "people_numbers")
        layout.row().prop(settings, "detail", expand=True)
        if settings.detail == "best":
            draw_invitations(layout)

    @staticmethod
    def draw_button(layout: bpy.types.UILayout) -> None:
        row = layout.row()
        row.scale_y = 1.5
        row.operator("smplit.capture_video", icon="ARMATURE_DATA")


class SMPLIT_PT_capture_options(Sidebar, bpy.types.Panel):
    bl_parent_id = "SMPLIT_PT_capture"
    bl_label = "Options"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 0

    def draw(self, context) -> None:
        settings = context.scene.smplit_capture
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "use_range")
        column = layout.column(align=True)
        column.active = settings.use_range
        column.prop(settings, "range_start")
        column.prop(settings, "range_end")
        for name in ("hands", "face", "trajectory", "camera_file"):
            layout.prop(settings, name)
        column = layout.column()
        column.active = not settings.camera_file
        for name in ("camera", "focal"):
            column.prop(settings, name)


class SMPLIT_PT_capture_run(Sidebar, bpy.types.Panel):
    """The big button below the options."""

    bl_parent_id = "SMPLIT_PT_capture"
    bl_label = ""
    bl_options = {"HIDE_HEADER"}
    bl_order = 1

    def draw(self, _context) -> None:
        SMPLIT_PT_capture.draw_button(self.layout)


class SMPLIT_PT_trajectory(Sidebar, bpy.types.Panel):
    bl_idname = "SMPLIT_PT_trajectory"
    bl_label = "Trajectory"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 3

    def draw(self, context) -> None:
        settings = context.scene.smplit_trajectory
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.row().prop(settings, "source", expand=True)
        if settings.source == "FILE":
            layout.prop(settings, "filepath")
        layout.prop(settings, "lock_feet")


class SMPLIT_PT_trajectory_options(Sidebar, bpy.types.Panel):
    bl_parent_id = "SMPLIT_PT_trajectory"
    bl_label = "Options"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 0

    def draw(self, context) -> None:
        settings = context.scene.smplit_trajectory
        layout = self.layout
        layout.use_property_split = True
        layout.use_property_decorate = False
        layout.prop(settings, "samples")
        row = layout.row()
        row.active = settings.samples > 0
        row.prop(settings, "seed")
        layout.prop(settings, "commercial_safe")
        layout.prop(settings, "joint_map")


class SMPLIT_PT_trajectory_run(Sidebar, bpy.types.Panel):
    """The big button below the options, with the reason when it cannot be pressed."""

    bl_parent_id = "SMPLIT_PT_trajectory"
    bl_label = ""
    bl_options = {"HIDE_HEADER"}
    bl_order = 1

    def draw(self, context) -> None:
        chosen = chosen_armatures(context) if context.scene.smplit_trajectory.source == "SELECTED" else None
        row = self.layout.row()
        row.scale_y = 1.5
        row.enabled = chosen != []
        row.operator("smplit.run_difftraj", icon="CON_FOLLOWPATH")
        if chosen == []:
            paragraph(self.layout, "Select a character, or choose a file.", "INFO")
        elif chosen and not all(map(is_own, chosen)):
            paragraph(self.layout, "A SMPLit character will travel in the rig's place.", "INFO")


class SMPLIT_PT_jobs(Sidebar, bpy.types.Panel):
    bl_idname = "SMPLIT_PT_jobs"
    bl_label = "Jobs"
    bl_order = 10

    def draw(self, _context) -> None:
        jobs = list(pump.BACKEND.jobs)
        if not jobs:
            self.layout.label(text="Nothing yet")
        for job in reversed(jobs):
            _draw_job(self.layout.box(), job)


class SMPLIT_PT_files(Sidebar, bpy.types.Panel):
    bl_idname = "SMPLIT_PT_files"
    bl_label = "Export"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 11

    def draw(self, _context) -> None:
        column = self.layout.column()
        column.operator("smplit.export_motion", icon="EXPORT")
        column.operator("smplit.import_motion", icon="IMPORT")


def _draw_job(box: bpy.types.UILayout, job: Job) -> None:
    row = box.row(align=True)
    icon = {"done": "CHECKMARK", "failed": "ERROR", "cancelled": "CANCEL"}.get(job.state, "TIME")
    row.label(text=job.title, icon=icon)
    for operator, sign in _job_buttons(job):
        row.operator(operator, text="", icon=sign).job = job.key
    if job.open and job.fraction is not None:
        box.progress(factor=job.fraction, text=job.summary())
    elif job.state == "failed":
        paragraph(box, f"{job.message} {job.remedy}")
    else:
        box.label(text=job.summary())
    for warning in job.warnings[-2:]:
        paragraph(box, warning, "INFO")


def _job_buttons(job: Job) -> list[tuple[str, str]]:
    if job.open:
        return [("smplit.cancel_job", "X")]
    buttons = []
    if pump.armatures_of(job):
        buttons.append(("smplit.job_select", "RESTRICT_SELECT_OFF"))
    if job.results:
        buttons.append(("smplit.job_fetch", "IMPORT"))
    if job.submit is not None:
        buttons.append(("smplit.job_retry", "FILE_REFRESH"))
    if job.state == "failed" or job.warnings:
        buttons.append(("smplit.job_details", "COPYDOWN"))
    return [*buttons, ("smplit.job_remove", "TRASH")]


def draw_invitations(layout: bpy.types.UILayout) -> None:
    """What would make Best better than Balanced, while it is not there."""
    missing = [row for row in pump.BACKEND.models() if row["name"] in _FOR_BEST and row["state"] != "found"]
    if not missing:
        return
    box = layout.box()
    for row in missing:
        paragraph(box, models_table.invitation(row), "INFO")
    box.operator("preferences.addon_show", text="Add Model Files…", icon="PREFERENCES").module = preferences.__package__


def draw_setup(layout: bpy.types.UILayout) -> None:
    """The first-use card: one button, progress, what went wrong."""
    box = layout.box()
    run = pump.INSTALL
    if pump.installing():
        box.label(text="Setting up")
        box.progress(factor=run.fraction, text=run.text)
        box.operator("smplit.backend_install_cancel", icon="X")
        return
    chosen = preferences.get()
    if chosen is not None and chosen.source != "OWN":
        paragraph(box, preferences.missing_backend(), "INFO")
    elif run is not None and run.state in ("failed", "cancelled"):
        paragraph(box, run.problem, "ERROR")
        paragraph(box, run.remedy, "BLANK1")
        row = box.row(align=True)
        row.operator("smplit.backend_install", text="Retry", icon="FILE_REFRESH")
        row.operator("smplit.backend_details", icon="COPYDOWN")
    else:
        old = preferences.installed_version()
        card = "SMPLit looks at videos with a program beside Blender. It is set up once; afterwards no network is needed."
        paragraph(box, preferences.missing_backend() if old else card, "INFO")
        problem = preferences.setup_problem()
        if problem is not None:
            paragraph(box, str(problem), "ERROR")
            if problem.code == "offline":
                box.prop(bpy.context.preferences.system, "use_online_access", text="Allow Online Access")
        row = box.row()
        row.scale_y = 1.5
        row.operator("smplit.backend_install", text="Update" if old else f"Set Up ({_SIZE})", icon="IMPORT")
    if chosen is not None:
        box.operator("preferences.addon_show", text="Use an Existing Python…", icon="PREFERENCES").module = preferences.__package__


def draw_preferences(layout: bpy.types.UILayout, chosen: preferences.SmplitPreferences) -> None:
    """The add-on's preferences."""
    layout.use_property_split = True
    layout.row().prop(chosen, "source", expand=True)
    if chosen.source == "OWN":
        version = preferences.installed_version()
        if version and not pump.installing():
            layout.label(text=f"Set up: SMPLit {version}", icon="CHECKMARK")
            text = "Set Up Again" if version == VERSION else f"Update to {VERSION}"
            layout.operator("smplit.backend_install", text=text, icon="FILE_REFRESH")
        else:
            draw_setup(layout)
        layout.prop(chosen, "packages")
    elif chosen.source == "PYTHON":
        layout.prop(chosen, "python")
        version, problem = preferences.python_state()
        if version or problem:
            layout.label(text=problem or f"SMPLit {version}", icon="ERROR" if problem else "CHECKMARK")
    else:
        layout.prop(chosen, "connection_file")
    layout.prop(chosen, "device")
    row = layout.row(align=True)
    row.operator("smplit.backend_start", icon="PLAY")
    row.operator("smplit.backend_stop", icon="PAUSE")
    row.operator("smplit.backend_details", icon="COPYDOWN")


_CLASSES = (
    SMPLIT_PT_backend, SMPLIT_PT_capture, SMPLIT_PT_capture_options, SMPLIT_PT_capture_run,
    SMPLIT_PT_trajectory, SMPLIT_PT_trajectory_options, SMPLIT_PT_trajectory_run, SMPLIT_PT_jobs, SMPLIT_PT_files,
)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)


def unregister() -> None:
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
