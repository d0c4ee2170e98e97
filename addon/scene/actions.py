# SPDX-License-Identifier: GPL-3.0-or-later
"""Actions and their F-curves; Blender's animation API differs from 4.2 to 5.x, and only here."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import bpy

from . import marks


@dataclass(frozen=True)
class Channel:
    """One F-curve: data path, array index and the group it is listed under."""

    path: str
    index: int
    group: str


def own_action(owner: bpy.types.ID, name: str, result: str, role: str) -> bpy.types.Action:
    """The signed action of `owner`, made and assigned when it is not there.

    An action that a user gives to `owner` meanwhile stays assigned and is not written to.
    """
    action = marks.find(bpy.data.actions, name, result, role)
    if action is not None:
        return action
    action = bpy.data.actions.new(name)
    marks.mark(action, result, role)
    animation = owner.animation_data or owner.animation_data_create()
    if animation.action is None:
        animation.action = action
    if hasattr(action, "slots"):  # from 4.4 on
        slot = action.slots.new(id_type=owner.id_type, name=owner.name)
        if animation.action == action:
            animation.action_slot = slot
    return action


def curves_of(action: bpy.types.Action) -> tuple[Iterable[bpy.types.FCurve], Callable[[Channel], bpy.types.FCurve]]:
    """The F-curves of an `own_action`, and a function that adds one."""
    if not hasattr(action, "slots"):
        return action.fcurves, lambda c: action.fcurves.new(c.path, index=c.index, action_group=c.group)
    layer = action.layers[0] if action.layers else action.layers.new("Layer")
    strip = layer.strips[0] if layer.strips else layer.strips.new(type="KEYFRAME")
    bag = strip.channelbag(action.slots[0], ensure=True)
    if bpy.app.version >= (5, 0, 0):
        return bag.fcurves, lambda c: bag.fcurves.new(c.path, index=c.index, group_name=c.group)

    def add(channel: Channel) -> bpy.types.FCurve:
        curve = bag.fcurves.new(channel.path, index=channel.index)
        curve.group = bag.groups.get(channel.group) or bag.groups.new(channel.group)
        return curve

    return bag.fcurves, add


def assigned_curves(owner: bpy.types.ID) -> list[bpy.types.FCurve]:
    """The F-curves that move `owner` now, from whatever action is assigned; changes nothing."""
    animation = owner.animation_data
    if animation is None or animation.action is None:
        return []
    if not hasattr(animation.action, "slots"):
        return list(animation.action.fcurves)
    if animation.action_slot is None:
        return []
    strips = [strip for layer in animation.action.layers for strip in layer.strips]
    bags = [strip.channelbag(animation.action_slot) for strip in strips]
    return [curve for bag in bags if bag is not None for curve in bag.fcurves]
