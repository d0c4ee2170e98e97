# SPDX-License-Identifier: GPL-3.0-or-later
"""A walk along a curve as a job: what operators, panel and live re-generation share.

`choices` are the properties of `smplit.generate_locomotion` by name, in Blender's units (radians, names of objects).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping

import bpy
import numpy as np

from . import preferences
from .bridge import pump
from .bridge.jobs import Job
from .bridge.results import PROP_JOB, prepare_body
from .scene import marks
from .scene.bound import PROP_CURVE, PROP_WALK, options_of, results_of
from .scene.curves import Line, line_of, metre
from .scene.placement import Placement
from .shared import errors, protocol

DEFAULTS = {
    "style": "normal", "strength": 1.0, "speed": 0.0, "facing": "path", "angle": 0.0, "start_facing": None, "end_facing": None, "target": "",
    "reverse": False, "seconds": None, "seed": 0, "samples": 1, "steps": 4, "commercial_safe": False,
}
_SIDE_BY_SIDE = 1.2  # m between variants
_NO_FILE_NAME = re.compile(r'[<>:"/\\|?*\x00-\x1f]+')
_LONGEST_NAME = 80  # characters of a result's name


def chosen_curve(context: bpy.types.Context, picked: bpy.types.Object | None = None) -> bpy.types.Object | None:
    """The curve picked in the panel, else the selected one, else the active one."""
    objects = context.view_layer.objects  # a timer's context knows of no selection
    selected = list(objects.selected)
    things = [picked, *sorted(selected, key=lambda thing: thing != objects.active), objects.active]
    return next((thing for thing in things if thing is not None and thing.type == "CURVE"), None)


def start(curve: bpy.types.Object, choices: Mapping[str, object], scene: bpy.types.Scene, replaces: tuple[str, ...] = ()) -> Job:
    """Asks the backend for a walk along a curve.

    Raises:
        BadInput: the curve or a choice makes no sense; nothing was begun then.
        SmplitError: there is no backend to start.
    """
    line = line_of(curve, scene)
    request = _request(curve, line, choices, scene)
    pump.ensure_started(preferences.target)
    job = pump.BACKEND.jobs.add(request, f"{curve.name} · {choices['style']}")
    job.replaces = replaces
    if line.note:
        job.warnings.append(line.note)
    pump.BACKEND.submit(job)
    prepare_body(pump.BACKEND.models())
    pump.redraw()
    return job


def update(curve: bpy.types.Object, choices: Mapping[str, object], scene: bpy.types.Scene) -> Job:
    """As `start`, in the place of the curve's newest walk, also of one that is still on its way.

    Raises:
        BadInput, SmplitError: as `start`; also where the curve has no walk yet. Nothing has changed then.
    """
    _request(curve, line_of(curve, scene), choices, scene)  # what is wrong with it must not cost the old one
    pump.ensure_started(preferences.target)
    if (running := _running(curve)) is not None:
        replaced = pump.supersede(running)
    elif results := results_of(curve):
        replaced = (results[-1][marks.PROP_RESULT],)
    else:
        raise no_walk(curve)
    for job in _jobs_of(replaced):
        if not pump.is_unfinished(job):
            pump.BACKEND.jobs.remove(job)  # its walk is about to go
    return start(curve, choices, scene, replaced)


def no_walk(curve: bpy.types.Object) -> errors.BadInput:
    return errors.BadInput(f"'{curve.name}' has no walk yet that could be updated.", "Press Generate first.", "no_walk")


def made_with(curve: bpy.types.Object) -> dict[str, object] | None:
    """The choices of a curve's newest walk, also of one on its way; None where there is none."""
    told = _newest(curve)
    return None if told is None else {name: told[name] for name in DEFAULTS if name in told}


def is_outdated(curve: bpy.types.Object, choices: Mapping[str, object], scene: bpy.types.Scene) -> bool:
    """Whether the curve's newest walk follows another line, or was made with other choices. False where it has none.

    Raises:
        BadInput: nobody can walk along the curve as it is now.
    """
    told = _newest(curve)
    return told is not None and told != _told(line_of(curve, scene), choices)


def _newest(curve: bpy.types.Object) -> dict[str, object] | None:
    if (running := _running(curve)) is not None:
        return json.loads(_entry(running, PROP_WALK))
    results = results_of(curve)
    return options_of(results[-1]) if results else None


def _running(curve: bpy.types.Object) -> Job | None:
    """The curve's walk that was asked for last and is not all in the scene."""
    mine = [job for job in pump.unfinished() if job.kind == "loco" and _entry(job, PROP_CURVE) == curve.name]
    return mine[-1] if mine else None


def _entry(job: Job, name: str) -> str:
    return "" if job.submit is None else str(np.asarray(job.submit.arrays.get(name, "")))


def _jobs_of(results: tuple[str, ...]) -> list[Job]:
    names = {thing.get(PROP_JOB) for result in results for thing in marks.marked(bpy.data.objects, result)} - {None, ""}
    return [job for name in names if (job := pump.BACKEND.jobs.find(name)) is not None]


def _request(curve: bpy.types.Object, line: Line, choices: Mapping[str, object], scene: bpy.types.Scene) -> protocol.Message:
    unit = metre(scene)
    params = {name: choices[name] for name in ("style", "strength", "facing", "reverse", "seconds", "seed", "samples", "steps", "commercial_safe")}
    params |= {"speed": choices["speed"] or None, "closed": line.closed, "name": _result_name(curve.name, str(choices["style"]))}
    if params["seconds"] is not None and params["seconds"] <= 0.0:
        remedy = "Give more than 0 seconds, or none to walk to the path's end."
        raise errors.BadInput(f"A walk cannot last {params['seconds']:g} s.", remedy, "bad_seconds")
    params |= {name: float(np.degrees(choices[name])) for name in ("start_facing", "end_facing") if choices.get(name) is not None}
    if choices["facing"] == "fixed":
        params["angle"] = float(np.degrees(choices["angle"]))
    if choices["facing"] == "towards":
        params["target"] = [float(value) / unit for value in _target(str(choices["target"])).matrix_world.translation]
    placement = Placement(scale=unit, aside=tuple((_right_of(line.points) * _SIDE_BY_SIDE * unit).tolist()))
    told = json.dumps(_told(line, choices), sort_keys=True)
    arrays = {"points": line.points, **placement.entries(), PROP_CURVE: np.array(curve.name), PROP_WALK: np.array(told)}
    return protocol.submit("loco", params, arrays=arrays)


def _told(line: Line, choices: Mapping[str, object]) -> dict[str, object]:
    """What a walk was made of, as its collection keeps it: the choices, and a sign of the line by which a change is noticed."""
    points = hashlib.sha256(np.round(line.points, 5).tobytes() + bytes([line.closed])).hexdigest()[:16]
    return {**choices, "line": points}


def _target(name: str) -> bpy.types.Object:
    thing = bpy.data.objects.get(name)
    if thing is None:
        what = f"There is no object '{name}' to face." if name else "Facing towards an object needs the object."
        raise errors.BadInput(what, "Choose one under Object.", "no_target")
    return thing


def _result_name(curve: str, style: str) -> str:
    names = [part.split(":")[0].split("@")[0].strip() for part in style.split(",")]
    return _NO_FILE_NAME.sub("_", f"{curve} {' '.join(names)}")[:_LONGEST_NAME].lstrip(". ") or "walk"


def _right_of(points: np.ndarray) -> np.ndarray:
    """(3,) unit vector, level: to the right of the way's first step; along -Y where it goes straight up."""
    steps = np.diff(points[:, :2], axis=0)
    lengths = np.linalg.norm(steps, axis=1)
    if not lengths.max(initial=0.0) > 0.0:
        return np.array([0.0, -1.0, 0.0])
    x, y = steps[np.argmax(lengths > 0.0)] / lengths[np.argmax(lengths > 0.0)]
    return np.array([y, -x, 0.0])
