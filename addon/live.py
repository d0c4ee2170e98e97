# SPDX-License-Identifier: GPL-3.0-or-later
"""Update While Editing: once a curve that has a walk, or a choice in the panel, has been left alone for a moment, its walk is made again.

A change is only noticed here; whether the walk is outdated is decided by the line and the choices themselves.
So what a new walk changes in the scene never asks for another one.
"""

from __future__ import annotations

import time

import bpy

from . import walks
from .bridge import pump
from .shared import errors

_QUIET = 0.3  # s without a change
_AFTER_UNDO = 0.5  # s in which changes are the undo's own: it brings back what belongs together
_due: float | None = None
_deaf_until = 0.0
problem = ""  # why the path as it is cannot be walked, for the panel


def touch() -> None:
    """Something may have changed."""
    global _due
    now = time.monotonic()
    if now >= _deaf_until:
        _due = now + _QUIET


@bpy.app.handlers.persistent
def _on_update(scene: bpy.types.Scene, depsgraph: bpy.types.Depsgraph) -> None:
    settings = scene.smplit_locomotion
    if not settings.live or scene != bpy.context.scene:
        return
    curve = walks.chosen_curve(bpy.context, settings.curve)
    watched = {thing for thing in (curve, curve and curve.data, settings.facing == "towards" and settings.target) if thing}
    if watched and any(update.id.original in watched for update in depsgraph.updates):
        touch()


@bpy.app.handlers.persistent
def _on_undo(*_arguments) -> None:
    global _due, _deaf_until
    _due, _deaf_until = None, time.monotonic() + _AFTER_UNDO


@bpy.app.handlers.persistent
def _on_load(*_arguments) -> None:
    global _due
    _due = None


def catch_up(now: float = float("inf")) -> None:
    """Makes the walk again if it is outdated and nothing has changed since `now` - 0.3 s."""
    global _due, problem
    if _due is None or now < _due or _is_busy():
        return
    _due = None
    scene = bpy.context.scene
    settings = scene.smplit_locomotion
    curve = walks.chosen_curve(bpy.context, settings.curve)
    if not settings.live or curve is None:
        return
    try:
        if walks.is_outdated(curve, settings.choices(), scene):
            bpy.context.window_manager.smplit_last_job = walks.update(curve, settings.choices(), scene).key
        problem = ""
    except errors.SmplitError as error:
        problem = str(error)
    pump.redraw()


def _is_busy() -> bool:
    """While an animation plays or a render runs, objects move by themselves."""
    playing = any(window.screen.is_animation_playing for window in bpy.context.window_manager.windows)
    return playing or bpy.app.is_job_running("RENDER")


def _look() -> None:
    catch_up(time.monotonic())


_HANDLERS = (("depsgraph_update_post", _on_update), ("undo_post", _on_undo), ("redo_post", _on_undo), ("load_post", _on_load))


def register() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)
    pump.ON_TICK.append(_look)


def unregister() -> None:
    pump.ON_TICK.remove(_look)
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
