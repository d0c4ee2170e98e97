# SPDX-License-Identifier: GPL-3.0-or-later
"""The skinned body: vertex groups, shape keys for shape and expression, a plain material.

Building takes longer than one tick of the interface may, so it is a list of small steps. Each gets the
mesh object anew: a reference kept across ticks would not survive an undo.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import bpy
import numpy as np

from ..shared import axes
from . import skeleton
from .armature import floor_lift
from .body_file import NUM_BETAS, Body

Step = Callable[[bpy.types.Object], None]
_COLOURS = (  # calm, told apart at a glance; linear RGB
    (0.58, 0.65, 0.74), (0.76, 0.57, 0.45), (0.54, 0.68, 0.53), (0.70, 0.55, 0.68), (0.75, 0.69, 0.48), (0.48, 0.66, 0.71),
)
_BETA_RANGE = 5.0
_NAMED_RANGE = (0.0, 1.0)
_FLAME_RANGE = (-5.0, 5.0)


def beta_key_name(index: int) -> str:
    """Name of the shape key of one beta, as in the SMPL-X Blender add-on."""
    return f"Shape{index:03d}"


def build_surface(
    name: str, body: Body, betas: np.ndarray, armature: bpy.types.Object, collection: bpy.types.Collection, person: int,
) -> bpy.types.Object:
    """A new mesh object, parented to `armature`, without weights and shape keys yet (`surface_steps`)."""
    data = bpy.data.meshes.new(name)
    # Through the attributes that hold them, a hundred times as quick as through vertices and loops.
    data.vertices.add(len(body.vertices))
    data.attributes["position"].data.foreach_set("vector", _upright(body.vertices, floor_lift(body, betas)).ravel())
    data.loops.add(body.faces.size)
    data.attributes[".corner_vert"].data.foreach_set("value", body.faces.ravel())
    data.polygons.add(len(body.faces))
    data.polygons.foreach_set("loop_start", np.arange(0, body.faces.size, 3, dtype=np.int32))
    if body.uv is not None:
        data.uv_layers.new(name="UVMap").uv.foreach_set("vector", body.uv.ravel())
    data.update(calc_edges=True)
    data.shade_smooth()
    data.materials.append(_material(person))
    surface = bpy.data.objects.new(name, data)
    surface.parent = armature
    collection.objects.link(surface)
    modifier = surface.modifiers.new("Armature", "ARMATURE")
    modifier.object = armature
    return surface


def surface_steps(body: Body, betas: np.ndarray) -> Iterator[Step]:
    """What is left to do on the object of `build_surface`, in steps of about a millisecond each."""
    for index, name in enumerate(skeleton.JOINT_NAMES):
        yield lambda surface, i=index, n=name: _add_weights(surface, n, body.weights[:, i])
    rest = _upright(body.vertices, floor_lift(body, betas))
    yield lambda surface: _add_basis(surface)
    for index in range(NUM_BETAS):
        value = float(betas[index]) if index < len(betas) else 0.0
        limits = (-max(_BETA_RANGE, abs(value)), max(_BETA_RANGE, abs(value)))
        yield lambda surface, i=index, v=value, r=limits: _add_key(
            surface, beta_key_name(i), rest, body.shape_directions[..., i], r, v
        )
    for index, name in enumerate(body.expression_names):
        limits = _FLAME_RANGE if name.startswith("flame") else _NAMED_RANGE
        yield lambda surface, i=index, n=name, r=limits: _add_key(surface, n, rest, body.expression_directions[..., i], r, 0.0)


def is_complete(surface: bpy.types.Object, body: Body) -> bool:
    """Whether all steps have been done on a surface."""
    keys = surface.data.shape_keys
    return keys is not None and len(keys.key_blocks) == 1 + NUM_BETAS + len(body.expression_names)


def widen_range(key: bpy.types.ShapeKey, low: float, high: float) -> None:
    """Makes room for animated values: Blender clamps a shape key to its slider's range (within -10..10)."""
    key.slider_min = max(-10.0, min(key.slider_min, low))
    key.slider_max = min(10.0, max(key.slider_max, high))


def _upright(points: np.ndarray, lift: np.ndarray) -> np.ndarray:
    return (axes.y_up_to_z_up(points) + lift).astype(np.float32)


def _add_weights(surface: bpy.types.Object, name: str, weights: np.ndarray) -> None:
    group = surface.vertex_groups.new(name=name)
    members = np.flatnonzero(weights)
    # `add` gives one weight to many vertices: most of a body part has weight 1, so equal ones go together.
    values, inverse = np.unique(weights[members], return_inverse=True)
    order = np.argsort(inverse, kind="stable")
    bounds = np.searchsorted(inverse[order], np.arange(len(values) + 1))
    for value, start, end in zip(values, bounds[:-1], bounds[1:], strict=True):
        group.add(members[order[start:end]].tolist(), float(value), "REPLACE")


def _add_basis(surface: bpy.types.Object) -> None:
    surface.shape_key_add(name="Basis", from_mix=False)


def _add_key(
    surface: bpy.types.Object, name: str, rest: np.ndarray, direction: np.ndarray, limits: tuple[float, float], value: float,
) -> None:
    key = surface.shape_key_add(name=name, from_mix=False)
    key.points.foreach_set("co", (rest + axes.y_up_to_z_up(direction)).astype(np.float32).ravel())
    key.slider_min, key.slider_max = limits
    key.value = value


def _material(person: int) -> bpy.types.Material:
    colour = (*_COLOURS[(person - 1) % len(_COLOURS)], 1.0)
    name = f"SMPLit Body {(person - 1) % len(_COLOURS) + 1}"
    material = bpy.data.materials.get(name)
    if material is None:
        material = bpy.data.materials.new(name)
        if bpy.app.version < (5, 0, 0):  # from then on there is no other kind
            material.use_nodes = True
        shader = material.node_tree.nodes.get("Principled BSDF")
        shader.inputs["Base Color"].default_value = colour
        shader.inputs["Roughness"].default_value = 0.6
        material.diffuse_color = colour  # Solid view and Workbench
        material.roughness = 0.6
    return material
