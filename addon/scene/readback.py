# SPDX-License-Identifier: GPL-3.0-or-later
"""An animated SMPL-X armature as a motion: what the scene shows, edits, constraints and layers included."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import bpy
import numpy as np
from mathutils import Matrix

from ..shared import errors, motion
from . import armature as rig
from . import mesh, skeleton
from .actions import assigned_curves
from .body_file import NUM_BETAS
from .placement import Placement

_UNEVEN = 0.01  # relative difference of an object's scale along its axes


def read_motion(armature: bpy.types.Object, scene: bpy.types.Scene) -> motion.Motion:
    """One row per frame of the scene, over the range of the armature's action.

    Raises:
        BadInput: the armature has no action, or no SMPL-X bones.
    """
    if not rig.is_smplx(armature):
        raise errors.BadInput("This is no SMPLit character.", "Select an armature with the 55 SMPL-X bones.", "not_smplx")
    frames = frames_of(armature)
    matrices = sample(armature, scene, frames, skeleton.JOINT_NAMES)
    turned = matrices[..., :3, :3] / np.linalg.norm(matrices[..., :3, :3], axis=-2, keepdims=True)
    rotations, heads = turned @ np.swapaxes(rig.rest_axes(armature), -1, -2), matrices[:, 0, :3, 3]
    rest_pelvis = np.array(armature.get(rig.PROP_PELVIS, (0.0, 0.0, 0.0)), np.float64)
    rate = scene.render.fps / scene.render.fps_base
    names, expression = _expression(armature, frames)
    return motion.Motion(
        poses=skeleton.poses_from_globals(rotations).astype(np.float32),
        trans=(heads - rest_pelvis).astype(np.float32),
        fps=rate,
        betas=np.array(armature.get(rig.PROP_BETAS, np.zeros(10)), np.float32),
        expression=expression, expression_names=names,
        frame_times=(frames - frames[0]) / rate,
        extras={"smplit_body": np.array(str(armature.get(rig.PROP_BODY, ""))), "smplit_source": np.array(armature.name)},
    )


def frames_of(armature: bpy.types.Object) -> np.ndarray:
    """(T,) whole frames of the armature's action, two at least.

    Raises:
        BadInput: the armature has no action.
    """
    action = armature.animation_data.action if armature.animation_data else None
    if action is None:
        raise errors.BadInput(f"'{armature.name}' has no animation.", "Give it an action first.", "no_action")
    first, last = math.ceil(action.frame_range[0] - 1e-3), math.floor(action.frame_range[1] + 1e-3)
    return np.arange(first, max(last, first + 1) + 1)


def read_in_place(armature: bpy.types.Object, scene: bpy.types.Scene) -> motion.Motion:
    """`read_motion` from where the armature object stands on its first frame: its height is the floor's, its scale
    the character's. That placement is among the extras.

    Raises:
        BadInput: as `read_motion`; the object is scaled unevenly or mirrored.
    """
    read = read_motion(armature, scene)
    first = int(frames_of(armature)[0])
    world = standing(armature, scene, first)
    axes = np.array(world.to_3x3())
    scale = float(np.cbrt(np.linalg.det(axes)))
    if scale <= 0 or np.abs(np.linalg.norm(axes, axis=0) / scale - 1).max() > _UNEVEN:
        raise errors.BadInput(
            f"'{armature.name}' is scaled unevenly or mirrored.", "Set its scale to the same positive number on all three axes.", "uneven_scale"
        )
    placement = Placement(first, tuple(world.translation), scale)
    rest_pelvis = np.array(armature.get(rig.PROP_PELVIS, (0.0, 0.0, 0.0)), np.float64)
    read.trans = (placement.from_world(read.trans + rest_pelvis) - rest_pelvis).astype(np.float32)
    read.extras.update(placement.entries())
    return read


def standing(armature: bpy.types.Object, scene: bpy.types.Scene, frame: int) -> Matrix:
    """The object's world matrix on a frame."""
    with _frame_kept(scene):
        scene.frame_set(frame)
        return armature.evaluated_get(bpy.context.evaluated_depsgraph_get()).matrix_world.copy()


def sample(armature: bpy.types.Object, scene: bpy.types.Scene, frames: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """World matrices (T,B,4,4) of the named bones on frames (T,): rest axes and heads, m."""
    order = list(armature.pose.bones.keys())
    joints = [order.index(name) for name in names]
    matrices = np.empty((len(frames), len(joints), 4, 4))
    bones = np.empty(len(order) * 16, np.float32)
    with _bodies_hidden(armature), _frame_kept(scene):
        for row, frame in enumerate(frames):
            scene.frame_set(int(frame))
            posed = armature.evaluated_get(bpy.context.evaluated_depsgraph_get())
            posed.pose.bones.foreach_get("matrix", bones)  # column after column
            matrices[row] = np.array(posed.matrix_world) @ bones.reshape(-1, 4, 4).transpose(0, 2, 1)[joints]
    return matrices


@contextmanager
def _bodies_hidden(armature: bpy.types.Object) -> Iterator[None]:
    """Skinning the bodies would take most of the time."""
    bodies = [child for child in armature.children if child.type == "MESH" and not child.hide_viewport]
    for body in bodies:
        body.hide_viewport = True
    try:
        yield
    finally:
        for body in bodies:
            body.hide_viewport = False


@contextmanager
def _frame_kept(scene: bpy.types.Scene) -> Iterator[None]:
    frame, part = scene.frame_current, scene.frame_subframe
    try:
        yield
    finally:
        scene.frame_set(frame, subframe=part)


def _expression(armature: bpy.types.Object, frames: np.ndarray) -> tuple[tuple[str, ...] | None, np.ndarray | None]:
    """Names and values (T,E) of the body's expressions; None where there is no body, or its face is at rest."""
    body = next((child for child in armature.children if child.type == "MESH" and child.data.shape_keys is not None), None)
    if body is None:
        return None, None
    curves = assigned_curves(body.data.shape_keys)
    shapes = {mesh.beta_key_name(index) for index in range(NUM_BETAS)}
    blocks = [block for block in body.data.shape_keys.key_blocks[1:] if block.name not in shapes]
    if not curves and not any(block.value for block in blocks):
        return None, None
    values = np.array([np.full(len(frames), block.value) for block in blocks], np.float32)
    rows = {f'key_blocks["{block.name}"].value': row for row, block in enumerate(blocks)}
    for curve in curves:
        if curve.data_path in rows:
            values[rows[curve.data_path]] = [curve.evaluate(float(frame)) for frame in frames]
    return tuple(block.name for block in blocks), values.T
