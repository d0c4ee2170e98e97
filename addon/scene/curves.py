# SPDX-License-Identifier: GPL-3.0-or-later
"""A curve object as the line that somebody walks along.

What is walked is what Blender draws: handles, NURBS weights, modifiers of the curve, the object's and its
parents' transforms. Thickness and resolution are not: the line is sampled again without the one, finely.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import bpy
import numpy as np

from ..shared import errors

_STEP = 0.05  # m between samples of a bend, or so
_RESOLUTION = (16, 1024)  # samples of a segment; Blender allows no more
_NO_LENGTH = 1e-4  # m
_FREE = 0  # a handle that stays where it is put


@dataclass(frozen=True)
class Line:
    """`points` (N,3) m, world, in order; `closed`: the last leads to the first; `note`: what the user should know, or empty."""

    points: np.ndarray
    closed: bool
    note: str = ""


def metre(scene: bpy.types.Scene) -> float:
    """Blender units of a metre."""
    units = scene.unit_settings
    return 1.0 if units.system == "NONE" else 1.0 / units.scale_length


def line_of(thing: bpy.types.Object, scene: bpy.types.Scene) -> Line:
    """The line of a curve object; of several splines, of the active one.

    Raises:
        BadInput: no curve, fewer than two points, points or handles that are no numbers, or no length.
    """
    if thing.type != "CURVE":
        raise errors.BadInput(f"'{thing.name}' is no curve.", "Choose a curve; a mesh becomes one with Object > Convert > Curve.", "no_curve")
    number, count = _chosen_spline(thing.data)
    if number is None:
        raise errors.BadInput(f"'{thing.name}' is empty.", "Draw at least two points.", "path_too_short")
    depsgraph = bpy.context.evaluated_depsgraph_get()
    shown = thing.evaluated_get(depsgraph)
    matrix, unit = np.array(shown.matrix_world, np.float64), metre(scene)
    if not np.isfinite(matrix).all():
        raise errors.BadInput(f"The transform of '{thing.name}' is not finite.", "Clear it: Object > Clear.", "path_not_finite")
    try:
        # What is being edited is only in the curve itself, modifiers only in what is shown.
        splines = (thing.data if thing.mode == "EDIT" else shown.to_curve(depsgraph, apply_modifiers=True)).splines
        spline = splines[min(number, len(splines) - 1)]
        _check_points(thing.name, spline)
        points, closed = _sampled(spline, float(np.cbrt(abs(np.linalg.det(matrix[:3, :3])))) / unit), bool(spline.use_cyclic_u)
    finally:
        shown.to_curve_clear()
    points = (points @ matrix[:3, :3].T + matrix[:3, 3]) / unit
    if not len(points) or np.linalg.norm(points - points[0], axis=1).max() < _NO_LENGTH:
        raise errors.BadInput(f"'{thing.name}' has no length.", "Move its points apart, or scale it up.", "path_no_length")
    note = f"'{thing.name}' has {count} splines; only number {number + 1} is walked. Separate them to walk the others too." if count > 1 else ""
    return Line(points, closed, note)


def _chosen_spline(curve: bpy.types.Curve) -> tuple[int | None, int]:
    """Index of the active spline, the first where none is; and how many there are."""
    splines = list(curve.splines)
    active = curve.splines.active
    return next((number for number, spline in enumerate(splines) if spline == active), 0 if splines else None), len(splines)


def _check_points(name: str, spline: bpy.types.Spline) -> None:
    count = len(_points_of(spline))
    if count < 2:
        raise errors.BadInput(f"'{name}' has one point.", "Add another: in Edit Mode, extrude it (E).", "path_too_short")
    for attribute in _attributes(spline):
        values = _read(spline, attribute)
        wrong = np.flatnonzero(~np.isfinite(values).all(axis=1))
        if len(wrong):
            what = "handle" if attribute.startswith("handle") else "point"
            raise errors.BadInput(
                f"A {what} of '{name}' is not finite (point {wrong[0] + 1}: {values[wrong[0]].tolist()}).", "Delete that point and draw it anew.",
                "path_not_finite",
            )


def _points_of(spline: bpy.types.Spline) -> bpy.types.bpy_prop_collection:
    return spline.bezier_points if spline.type == "BEZIER" else spline.points


def _attributes(spline: bpy.types.Spline) -> tuple[str, ...]:
    return ("co", "handle_left", "handle_right") if spline.type == "BEZIER" else ("co",)


def _read(spline: bpy.types.Spline, attribute: str) -> np.ndarray:
    """(N,3) of a Bezier spline, (N,4) of others, whose last column is the weight."""
    points = _points_of(spline)
    values = np.empty((len(points), 3 if spline.type == "BEZIER" else 4), np.float32)
    points.foreach_get(attribute, values.ravel())
    return values


def _sampled(spline: bpy.types.Spline, metres: float) -> np.ndarray:
    """(N,3) of a spline as Blender itself works it out, in the curve's own space; a unit there is so many `metres`."""
    segments = len(_points_of(spline)) - (0 if spline.use_cyclic_u else 1)
    fine = spline.calc_length() * metres / segments / _STEP
    with _bare_copy(spline, int(np.clip(fine, *_RESOLUTION)) if np.isfinite(fine) else _RESOLUTION[0]) as copy:
        vertices = copy.to_mesh().vertices
        points = np.empty((len(vertices), 3), np.float32)
        vertices.foreach_get("co", points.ravel())
        copy.to_mesh_clear()
    return points.astype(np.float64)


@contextmanager
def _bare_copy(spline: bpy.types.Spline, resolution: int) -> Iterator[bpy.types.Object]:
    """An object outside every scene whose curve is this spline, a line without thickness."""
    curve = bpy.data.curves.new("SMPLit line", "CURVE")
    thing = bpy.data.objects.new("SMPLit line", curve)
    try:
        curve.dimensions = "3D"
        copy = curve.splines.new(spline.type)
        _points_of(copy).add(len(_points_of(spline)) - 1)
        if spline.type == "BEZIER":
            for handle in ("handle_left_type", "handle_right_type"):
                copy.bezier_points.foreach_set(handle, np.full(len(copy.bezier_points), _FREE, np.int32))
        for attribute in _attributes(spline):
            _points_of(copy).foreach_set(attribute, _read(spline, attribute).ravel())
        for setting in ("use_cyclic_u", "use_endpoint_u", "use_bezier_u", "order_u"):
            setattr(copy, setting, getattr(spline, setting))
        copy.resolution_u = resolution
        yield thing
    finally:
        bpy.data.objects.remove(thing)
        bpy.data.curves.remove(curve)
