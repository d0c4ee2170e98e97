# SPDX-License-Identifier: GPL-3.0-or-later
"""The skinned body in Blender against the `smplx` package: same motion, same surface."""

import os
import shutil

import bpy
import numpy as np
import pytest
from bl_ext.user_default.smplit.scene import armature as rig
from bl_ext.user_default.smplit.scene import body_file as bodies
from bl_ext.user_default.smplit.scene import mesh
from bl_ext.user_default.smplit.shared import motion


def deformed(surface, vertices):
    """(V,3) m world positions of the evaluated mesh."""
    evaluated = surface.evaluated_get(bpy.context.evaluated_depsgraph_get())
    points = np.empty(3 * vertices, np.float32)
    evaluated.data.vertices.foreach_get("co", points)
    return points.reshape(-1, 3) @ np.array(surface.matrix_world.to_3x3()).T + np.array(surface.matrix_world.translation)


def body_of(armature):
    return next(child for child in armature.children if child.type == "MESH")


def go_to(scene, frame):
    scene.frame_set(int(np.floor(frame)), subframe=float(frame - np.floor(frame)))


def test_the_moving_body_is_where_smplx_puts_it(write, smplx_motion, empty_file):
    (armature,) = write(smplx_motion).armatures
    surface = body_of(armature)
    for row, (vertices, joints) in enumerate(zip(smplx_motion["vertices"], smplx_motion["joints"], strict=True)):
        go_to(empty_file, 1 + row * 24 / 30)
        heads = np.array([armature.matrix_world @ armature.pose.bones[name].head for name in motion.JOINT_NAMES])
        assert np.abs(heads - joints).max() < 1e-4, f"joints of row {row}"
        assert np.linalg.norm(deformed(surface, len(vertices)) - vertices, axis=1).max() < 1e-3, f"surface of row {row}"


def test_every_expression_moves_the_face_as_smplx_does(write, smplx_motion, empty_file):
    (armature,) = write(smplx_motion).armatures
    keys = body_of(armature).data.shape_keys.key_blocks
    names = [str(name) for name in smplx_motion["expression_names"]]
    for row in (0, 5, 11):
        go_to(empty_file, 1 + row * 24 / 30)
        assert [keys[name].value for name in names] == pytest.approx(list(smplx_motion["expression"][row]), abs=1e-6)


def test_shape_keys_are_ten_betas_then_the_named_expressions(write, smplx_motion):
    keys = body_of(write(smplx_motion).armatures[0]).data.shape_keys.key_blocks
    expressions = [str(name) for name in smplx_motion["expression_names"]]
    assert keys.keys() == ["Basis", *(f"Shape{index:03d}" for index in range(10)), *expressions]
    assert [keys[f"Shape{index:03d}"].value for index in range(10)] == pytest.approx(list(smplx_motion["betas"]), abs=1e-6)


def test_betas_and_expressions_beyond_the_sliders_range_are_not_clipped(write, smplx_motion, empty_file):
    strong = {**smplx_motion, "betas": np.array([7.5, -6.0] + [0.0] * 8), "expression": smplx_motion["expression"] * 0.0}
    strong["expression"][:, 3] = np.linspace(-0.5, 1.8, len(strong["expression"]))
    keys = body_of(write(strong).armatures[0]).data.shape_keys.key_blocks
    assert (keys["Shape000"].value, keys["Shape001"].value) == (7.5, -6.0)
    name = str(strong["expression_names"][3])
    for row in (0, 11):
        go_to(empty_file, 1 + row * 24 / 30)
        assert keys[name].value == pytest.approx(strong["expression"][row, 3], abs=1e-6)


def test_vertex_groups_are_the_bones_and_the_weights_the_files(write, smplx_motion, body_file):
    surface = body_of(write(smplx_motion).armatures[0])
    with np.load(body_file, allow_pickle=False) as archive:
        weights = archive["weights"]
    groups = {group.name: group.index for group in surface.vertex_groups}
    found = np.zeros_like(weights)
    column = {groups[name]: index for index, name in enumerate(motion.JOINT_NAMES)}
    for vertex in surface.data.vertices:
        for element in vertex.groups:
            found[vertex.index, column[element.group]] = element.weight
    assert np.abs(found - weights).max() < 1e-6


def test_the_body_is_smooth_has_a_material_and_follows_its_armature(write, smplx_motion):
    armature = write(smplx_motion).armatures[0]
    surface = body_of(armature)
    smooth = np.zeros(len(surface.data.polygons), bool)
    surface.data.polygons.foreach_get("use_smooth", smooth)
    assert smooth.all()
    assert "Principled BSDF" in surface.data.materials[0].node_tree.nodes
    assert [modifier.object for modifier in surface.modifiers if modifier.type == "ARMATURE"] == [armature]
    assert not surface.data.validate(verbose=True), "Blender finds nothing to repair"


def test_a_body_file_with_uvs_gives_a_uv_map(empty_file, body_file, tmp_path):
    with np.load(body_file, allow_pickle=False) as archive:
        entries = {name: archive[name] for name in archive.files}
    generator = np.random.default_rng(0)
    entries["vt"] = generator.uniform(0, 1, (500, 2)).astype(np.float32)
    entries["ft"] = generator.integers(0, 500, entries["f"].shape)
    np.savez(tmp_path / "body.npz", **entries)
    body = bodies.load_body(tmp_path / "body.npz")
    armature = rig.build_armature("Person", body, np.zeros(10), empty_file.collection)
    surface = mesh.build_surface("Body", body, np.zeros(10), armature, empty_file.collection, 1)

    found = np.empty(2 * len(surface.data.loops), np.float32)
    surface.data.uv_layers.active.uv.foreach_get("vector", found)
    assert np.array_equal(found.reshape(-1, 3, 2), entries["vt"][entries["ft"]])


def test_bodies_that_take_turns_are_read_once_and_a_changed_file_again(body_file, tmp_path):
    loader, copy = bodies.BodyLoader(), tmp_path / "body.npz"
    shutil.copy(body_file, copy)
    first, second = loader.request(body_file), loader.request(copy)  # an import's, and that of the backend's own folder
    for _ in range(4):
        assert loader.request(body_file).result() is first.result() and loader.request(copy).result() is second.result()
    os.utime(copy, (0, 0))
    assert loader.request(copy).result() is not second.result() and loader.request(body_file).result() is first.result()
