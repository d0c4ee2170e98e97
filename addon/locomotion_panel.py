# SPDX-License-Identifier: GPL-3.0-or-later
"""Walk along a Path in the sidebar: its choices, saved with the scene, and how they are drawn."""

from __future__ import annotations

import bpy

from . import live, walks
from .operators.locomotion import FACINGS, find_styles
from .panels import Sidebar, paragraph
from .scene.bound import results_of


def _touched(_self, _context) -> None:
    live.touch()


class SmplitLocomotionSettings(bpy.types.PropertyGroup):
    """The panel. `choices` says it in the words of the operator."""

    curve: bpy.props.PointerProperty(
        name="Path", type=bpy.types.Object, poll=lambda _self, thing: thing.type == "CURVE", update=_touched,
        description="The curve to walk along. Empty: the selected one",
    )
    style: bpy.props.StringProperty(
        name="Style", default="normal", search=find_styles, search_options={"SUGGESTION"}, update=_touched,
        description="How the character moves. Several mix: happy:0.7,sad:0.3. Or change along the path: happy@0,sad@1",
    )
    strength: bpy.props.FloatProperty(
        name="Strength", default=1.0, min=0.0, max=4.0, soft_max=2.0, update=_touched,
        description="1: the style as it was recorded. More exaggerates it",
    )
    use_speed: bpy.props.BoolProperty(
        name="Set the Speed", update=_touched,
        description="Otherwise the character goes as fast as the style usually does",
    )
    speed: bpy.props.FloatProperty(
        name="Speed", default=1.2, min=0.05, soft_max=4.0, max=13.0, update=_touched,
        description="Metres a second, on average over the path; 1.2 is a walk",
    )
    facing: bpy.props.EnumProperty(name="Facing", items=FACINGS, update=_touched, description="Where the character looks while it walks")
    angle: bpy.props.FloatProperty(name="Direction", subtype="ANGLE", update=_touched, description="0 along X, counter-clockwise")
    target: bpy.props.PointerProperty(
        name="Object", type=bpy.types.Object, update=_touched,
        description="The object that is faced, where it stands now",
    )
    use_start_facing: bpy.props.BoolProperty(
        name="Turn at the Start", update=_touched, description="Begin facing elsewhere, and turn on the spot before walking",
    )
    start_facing: bpy.props.FloatProperty(
        name="Facing at the Start", subtype="ANGLE", update=_touched, description="0 along X, counter-clockwise",
    )
    use_end_facing: bpy.props.BoolProperty(
        name="Turn at the End", update=_touched, description="Turn on the spot after arriving",
    )
    end_facing: bpy.props.FloatProperty(
        name="Facing at the End", subtype="ANGLE", update=_touched, description="0 along X, counter-clockwise",
    )
    reverse: bpy.props.BoolProperty(name="Reverse", update=_touched, description="From the path's end to its start")
    use_seconds: bpy.props.BoolProperty(
        name="Set the Time", update=_touched,
        description="Otherwise to the path's end, or once round a closed one",
    )
    seconds: bpy.props.FloatProperty(
        name="Time", default=10.0, min=0.1, soft_max=60.0, subtype="TIME_ABSOLUTE", unit="TIME_ABSOLUTE", update=_touched,
        description="Seconds. A closed path is walked round and round; whoever arrives earlier waits",
    )
    seed: bpy.props.IntProperty(name="Seed", min=0, update=_touched, description="Another number, another walk; the same, the same")
    samples: bpy.props.IntProperty(
        name="Variants", default=1, min=1, max=32, soft_max=8, update=_touched,
        description="Different walks, side by side",
    )
    steps: bpy.props.IntProperty(
        name="Steps", default=4, min=1, max=64, soft_max=16, update=_touched,
        description="More are a little finer and slower; 1 is the mean movement",
    )
    commercial_safe: bpy.props.BoolProperty(
        name="Commercial Use", update=_touched, description="Use only the network whose training data may be used commercially",
    )
    live: bpy.props.BoolProperty(
        name="Update While Editing", update=_touched, description="Make the walk again whenever its path or a choice here has changed",
    )

    def choices(self) -> dict[str, object]:
        """The choices as properties of `smplit.generate_locomotion`."""
        names = ("style", "strength", "facing", "angle", "reverse", "seed", "samples", "steps", "commercial_safe")
        chosen = {name: getattr(self, name) for name in names}
        chosen |= {name: getattr(self, name) if getattr(self, f"use_{name}") else None for name in ("seconds", "start_facing", "end_facing")}
        speed = self.speed if self.use_speed else 0.0
        return {**walks.DEFAULTS, **chosen, "speed": speed, "target": self.target.name if self.target else ""}


class SMPLIT_PT_locomotion(Sidebar, bpy.types.Panel):
    bl_idname = "SMPLIT_PT_locomotion"
    bl_label = "Walk along a Path"
    bl_order = 2

    def draw(self, context) -> None:
        settings, layout = context.scene.smplit_locomotion, self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        selected = walks.chosen_curve(context)
        layout.prop(settings, "curve", placeholder=selected.name if selected else "Path")
        layout.prop(settings, "style")
        layout.prop(settings, "strength")
        row = layout.row(heading="Speed", align=True)
        row.prop(settings, "use_speed", text="")
        part = row.row()
        part.active = settings.use_speed
        part.prop(settings, "speed", text="")
        layout.prop(settings, "facing")
        if settings.facing in ("fixed", "towards"):
            layout.prop(settings, "angle" if settings.facing == "fixed" else "target")


class SMPLIT_PT_locomotion_options(Sidebar, bpy.types.Panel):
    bl_parent_id = "SMPLIT_PT_locomotion"
    bl_label = "Options"
    bl_options = {"DEFAULT_CLOSED"}
    bl_order = 0

    def draw(self, context) -> None:
        settings, layout = context.scene.smplit_locomotion, self.layout
        layout.use_property_split, layout.use_property_decorate = True, False
        for name in ("seed", "samples", "reverse"):
            layout.prop(settings, name)
        for heading, name in (("Time", "seconds"), ("Start Facing", "start_facing"), ("End Facing", "end_facing")):
            row = layout.row(heading=heading, align=True)
            row.prop(settings, f"use_{name}", text="")
            part = row.row()
            part.active = getattr(settings, f"use_{name}")
            part.prop(settings, name, text="")
        layout.prop(settings, "steps")
        layout.prop(settings, "commercial_safe")


class SMPLIT_PT_locomotion_run(Sidebar, bpy.types.Panel):
    """The buttons below the options, with the reason when they cannot be pressed."""

    bl_parent_id = "SMPLIT_PT_locomotion"
    bl_label = ""
    bl_options = {"HIDE_HEADER"}
    bl_order = 1

    def draw(self, context) -> None:
        settings, layout = context.scene.smplit_locomotion, self.layout
        curve = walks.chosen_curve(context, settings.curve)
        row = layout.row(align=True)
        row.scale_y = 1.5
        row.enabled = curve is not None
        row.operator("smplit.generate_locomotion", icon="CURVE_PATH")
        part = row.row(align=True)
        part.enabled = curve is not None and bool(results_of(curve))
        part.operator("smplit.update_locomotion", icon="FILE_REFRESH")
        layout.prop(settings, "live")
        if curve is None:
            paragraph(layout, "Select a curve, or draw one: Add > Curve > Bezier.", "INFO")
        elif settings.live and live.problem:
            paragraph(layout, live.problem, "ERROR")


_CLASSES = (SmplitLocomotionSettings, SMPLIT_PT_locomotion, SMPLIT_PT_locomotion_options, SMPLIT_PT_locomotion_run)


def register() -> None:
    for cls in _CLASSES:
        bpy.utils.register_class(cls)
    bpy.types.Scene.smplit_locomotion = bpy.props.PointerProperty(type=SmplitLocomotionSettings)


def unregister() -> None:
    del bpy.types.Scene.smplit_locomotion
    for cls in reversed(_CLASSES):
        bpy.utils.unregister_class(cls)
