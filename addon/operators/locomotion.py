# SPDX-License-Identifier: GPL-3.0-or-later
"""Walk along a Path: a curve and a style become a character who walks along it; Update does so again in its place."""

from __future__ import annotations

import bpy

from .. import preferences, walks
from ..shared import errors
from ..styles import STYLES

FACINGS = (
    ("path", "Path", "Ahead, along the path"),
    ("opposite", "Backwards", "Against the path: the character walks backwards"),
    ("inward", "Inward", "Sideways, to the side that the path bends around"),
    ("outward", "Outward", "Sideways, away from the side that the path bends around"),
    ("fixed", "Fixed", "Always in the same direction"),
    ("towards", "Object", "Always towards an object"),
)


def find_styles(_self, _context, text: str) -> list[str]:
    """Styles that hold what was typed; after a comma, another is looked for."""
    before, comma, last = text.rpartition(",")
    return [before + comma + style for style in STYLES if last.strip().lower() in style.lower()]


class _Walk(preferences.NeedsBackend):
    """What both operators ask for."""

    curve: bpy.props.StringProperty(name="Path", options={"SKIP_SAVE"}, description="Name of the curve. Empty: the selected one")
    style: bpy.props.StringProperty(
        name="Style", default="normal", options={"SKIP_SAVE"}, search=find_styles, search_options={"SUGGESTION"},
        description="A style, a mixture such as happy:0.7,sad:0.3, or styles that change along the path: happy@0,sad@1",
    )
    strength: bpy.props.FloatProperty(
        name="Strength", default=1.0, min=0.0, max=4.0, soft_max=2.0, options={"SKIP_SAVE"},
        description="1: the style as recorded; more exaggerates it",
    )
    speed: bpy.props.FloatProperty(
        name="Speed", min=0.0, options={"SKIP_SAVE"}, description="Metres a second, on average. 0: as the style usually goes",
    )
    facing: bpy.props.EnumProperty(name="Facing", items=FACINGS, options={"SKIP_SAVE"}, description="Where the character looks while it walks")
    angle: bpy.props.FloatProperty(
        name="Direction", subtype="ANGLE", options={"SKIP_SAVE"}, description="Where a fixed facing looks: 0 along X, counter-clockwise",
    )
    start_facing: bpy.props.FloatProperty(
        name="Facing at the Start", subtype="ANGLE", options={"SKIP_SAVE"},
        description="Where the character stands facing at first, before it turns on the spot and walks: 0 along X. Not given: as it walks",
    )
    end_facing: bpy.props.FloatProperty(
        name="Facing at the End", subtype="ANGLE", options={"SKIP_SAVE"},
        description="Where the character turns to on the spot when it has arrived: 0 along X. Not given: it does not turn",
    )
    target: bpy.props.StringProperty(name="Object", options={"SKIP_SAVE"}, description="Name of the object that is faced")
    reverse: bpy.props.BoolProperty(name="Reverse", options={"SKIP_SAVE"}, description="From the path's end to its start")
    seconds: bpy.props.FloatProperty(
        name="Seconds", options={"SKIP_SAVE"}, description="How long the walk lasts. Not given: to the path's end, or once round",
    )
    seed: bpy.props.IntProperty(name="Seed", min=0, options={"SKIP_SAVE"}, description="Same seed, same walk")
    samples: bpy.props.IntProperty(name="Variants", default=1, min=1, max=32, options={"SKIP_SAVE"}, description="Different walks, side by side")
    steps: bpy.props.IntProperty(
        name="Steps", default=4, min=1, max=64, soft_max=16, options={"SKIP_SAVE"},
        description="More are a little finer and slower; 1 is the mean movement",
    )
    commercial_safe: bpy.props.BoolProperty(
        name="Commercial Use", options={"SKIP_SAVE"}, description="Use the network whose training data may be used commercially",
    )

    def invoke(self, context, _event) -> set[str]:
        settings = context.scene.smplit_locomotion
        for name, value in {"curve": settings.curve.name if settings.curve else "", **settings.choices()}.items():
            if value is not None and not self.properties.is_property_set(name):
                setattr(self, name, value)
        return self.execute(context)

    def execute(self, context) -> set[str]:
        try:
            job = self.walk(self._the_curve(context), context.scene)
        except errors.SmplitError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        context.window_manager.smplit_last_job = job.key
        for warning in job.warnings:
            self.report({"WARNING"}, warning)
        return {"FINISHED"}

    def _the_curve(self, context) -> bpy.types.Object:
        if self.curve:
            if (named := bpy.data.objects.get(self.curve)) is None:
                raise errors.BadInput(f"There is no object '{self.curve}'.", "Name a curve of this file.", "no_curve")
            return named
        if (curve := walks.chosen_curve(context, context.scene.smplit_locomotion.curve)) is None:
            raise errors.BadInput("No path is selected.", "Select a curve, or draw one: Add > Curve > Bezier.", "no_curve")
        return curve

    def choices(self, otherwise: dict[str, object]) -> dict[str, object]:
        """What was asked for; what was not is as `otherwise` says."""
        given = {name: getattr(self, name) for name in walks.DEFAULTS if self.properties.is_property_set(name)}
        return {**walks.DEFAULTS, **otherwise, **given}


class SMPLIT_OT_generate_locomotion(_Walk, bpy.types.Operator):
    """Make a character who walks along the path in the chosen style"""

    bl_idname = "smplit.generate_locomotion"
    bl_label = "Generate"

    def walk(self, curve: bpy.types.Object, scene: bpy.types.Scene) -> walks.Job:
        return walks.start(curve, self.choices({}), scene)


class SMPLIT_OT_update_locomotion(_Walk, bpy.types.Operator):
    """Walk along the path as it is now, in place of its newest walk. What is not chosen anew stays as it was"""

    bl_idname = "smplit.update_locomotion"
    bl_label = "Update"

    def walk(self, curve: bpy.types.Object, scene: bpy.types.Scene) -> walks.Job:
        if (before := walks.made_with(curve)) is None:
            raise walks.no_walk(curve)
        return walks.update(curve, self.choices(before), scene)


CLASSES = (SMPLIT_OT_generate_locomotion, SMPLIT_OT_update_locomotion)
