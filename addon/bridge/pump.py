# SPDX-License-Identifier: GPL-3.0-or-later
"""One timer drains the queue of messages into the job list and the scene, a few milliseconds at a time.

`pump` is an ordinary function: scripts in background mode, where no timer fires, and tests call it
themselves (`smplit.wait`).
"""

from __future__ import annotations

import atexit
import logging
import time
from collections.abc import Callable
from pathlib import Path

import bpy

from . import results
from .backend import Backend
from .install import Installer, Recipe
from .jobs import Job
from .process import Launch

BACKEND = Backend()
RESULTS = results.Results()
INSTALL: Installer | None = None  # the set-up that runs, or ran last
ON_TICK: list[Callable[[], None]] = []  # what else wants to look at the clock

TICK = 0.025  # s of work per tick; a redraw of the interface should stay below 0.03
_MESSAGES = 0.008  # s of it for messages, so that the scene gets its share
_BUSY, _CALM, _IDLE = 0.01, 0.1, 0.5  # s until the next tick: work waits, backend runs, nothing runs
_REDRAW = 0.1  # s between two redraws
_SHOWS_US = {"VIEW_3D", "PREFERENCES", "DOPESHEET_EDITOR", "GRAPH_EDITOR", "PROPERTIES"}
_log = logging.getLogger(__name__)
_device = ""
_stale = False  # the interface shows something old
_drawn = 0.0


def pump(budget: float = TICK) -> bool:
    """Looks after the backend, applies messages, writes results; True while there was or is something to do."""
    deadline = time.perf_counter() + budget
    before = (BACKEND.state, BACKEND.problem)
    BACKEND.tick()
    for look in ON_TICK:
        look()
    busy = _take_messages(time.perf_counter() + min(_MESSAGES, budget))
    busy |= RESULTS.step(deadline)
    if busy or installing() or before != (BACKEND.state, BACKEND.problem):
        redraw()
    _draw_if_stale()
    return busy


def _take_messages(deadline: float) -> bool:
    global _device
    taken = False
    while time.perf_counter() < deadline and (message := BACKEND.next_message()) is not None:
        if message.type in ("welcome", "pong"):
            changed = message["device"] != _device
            _device = message["device"]
            taken |= changed
            continue
        taken = True
        if (job := BACKEND.jobs.of(message)) is not None:
            RESULTS.take(job, message, BACKEND.models())
            if job.superseded and not job.open:
                BACKEND.jobs.remove(job)
    return taken


def _tick() -> float:
    """The timer. Whatever goes wrong, it comes again: Blender drops a timer that raises."""
    try:
        busy = pump()
    except Exception:
        _log.exception("SMPLit's timer")
        return _IDLE
    return _BUSY if busy else _CALM if BACKEND.running or installing() else _IDLE


def redraw() -> None:
    """Has the panels drawn soon."""
    global _stale
    _stale = True


def _draw_if_stale() -> None:
    global _stale, _drawn
    now = time.perf_counter()
    if not _stale or now - _drawn < _REDRAW:
        return
    _stale, _drawn = False, now
    for window in bpy.context.window_manager.windows:
        for area in window.screen.areas:
            if area.type in _SHOWS_US:
                area.tag_redraw()


# What operators and panels ask for


def start(target: Launch | Path) -> None:
    """Starts the backend, or again."""
    global _device
    _device = ""
    BACKEND.start(target)
    redraw()


def ensure_started(target: Callable[[], Launch | Path]) -> None:
    """Starts the backend unless it runs.

    Raises:
        SmplitError: there is none to start.
    """
    if not BACKEND.running:
        start(target())


def device() -> str:
    """What the backend computes on, in words; empty until it has looked."""
    return _device


def is_unfinished(job: Job) -> bool:
    """Whether the job runs, or its results are not all in the scene."""
    return job.open or RESULTS.waiting(job)


def unfinished() -> list[Job]:
    """Jobs that run, or whose results are not all in the scene; not those that a successor has replaced."""
    return [job for job in BACKEND.jobs if is_unfinished(job) and not job.superseded]


def fetch(job: Job) -> bool:
    """Brings a job's results into the scene, again if need be; False when the backend is not ready."""
    return BACKEND.fetch(job)


def supersede(job: Job) -> tuple[str, ...]:
    """Stops a job whose successor takes over what it has brought in so far; returns the ids of those results, and
    of those that it was to take the place of."""
    job.shown, job.superseded = False, True
    replaced = (*job.replaces, *RESULTS.release(job))
    if job.open:
        BACKEND.cancel(job)
    if not job.open:
        BACKEND.jobs.remove(job)
    return replaced


def armatures_of(job: Job) -> list[bpy.types.Object]:
    """The characters of a job in the current view layer."""
    return results.armatures_of(job)


def install(recipe: Recipe) -> Installer:
    """Starts the set-up."""
    global INSTALL
    INSTALL = Installer(recipe)
    redraw()
    return INSTALL


def installing() -> bool:
    return INSTALL is not None and INSTALL.state == "running"


# Blender's side


@bpy.app.handlers.persistent
def _after_undo(*_arguments) -> None:
    RESULTS.after_undo()


@bpy.app.handlers.persistent
def _after_load(*_arguments) -> None:
    RESULTS.forget()
    BACKEND.jobs.detach()


_HANDLERS = (("undo_post", _after_undo), ("redo_post", _after_undo), ("load_post", _after_load))


def _end() -> None:
    BACKEND.stop()
    if installing():
        INSTALL.cancel()


def register() -> None:
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).append(handler)
    bpy.app.timers.register(_tick, first_interval=_IDLE, persistent=True)
    atexit.register(_end)


def unregister() -> None:
    atexit.unregister(_end)
    if bpy.app.timers.is_registered(_tick):
        bpy.app.timers.unregister(_tick)
    for name, handler in _HANDLERS:
        getattr(bpy.app.handlers, name).remove(handler)
    _end()
    RESULTS.forget()
