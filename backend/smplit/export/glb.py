# SPDX-License-Identifier: GPL-3.0-or-later
"""Binary glTF 2.0: the person's skinned mesh, 55 joints, expressions as morph targets, animation.

pygltflib (MIT) holds the JSON and writes the container; trimesh cannot write skins. Pose
correctives have no place in glTF skinning and are left out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pygltflib
from pygltflib import (
    GLTF2,
    Animation,
    AnimationChannel,
    AnimationChannelTarget,
    AnimationSampler,
    Asset,
    Attributes,
    Material,
    Mesh,
    Node,
    PbrMetallicRoughness,
    Primitive,
    Scene,
    Skin,
)

import smplit
from smplit.axes import Z_UP_TO_Y_UP, matrix_from_axis_angle, quaternion_from_matrix, xyzw_from_wxyz, z_up_to_y_up
from smplit.body.model import BodyModel
from smplit.errors import BadInput
from smplit.export.glb_buffer import GlbBuffer
from smplit.export.joints import times
from smplit.export.whole_file import whole_file
from smplit.motion import JOINT_NAMES, NUM_JOINTS, PARENTS, Motion

_INFLUENCES = 4  # joints per vertex that every glTF reader supports
_LEAST_WEIGHT = 1e-3  # an expression that never passes this is not worth a morph target
_STILL = 1e-6  # a rotation that changes less keeps its pose without keys
_PELVIS, _MESH_NODE = 0, NUM_JOINTS  # node indices: joints first, then the mesh, beside the skeleton as the validator wants it


def write_glb(motion: Motion, path: Path, body: BodyModel) -> None:
    """Writes the animated body, Y up, facing +Z at rest, metres; keys lie at the frames' own times.

    Raises:
        BadInput: the motion's expressions do not fit its frames.
    """
    shape = body.v_template + body.shapedirs[..., : min(10, len(motion.betas))] @ motion.betas[:10].astype(np.float32)
    rest = body.rest_joints(motion.betas).cpu().numpy().astype(np.float64)
    expressions = used_expressions(motion, body)
    gltf = GLTF2(asset=Asset(version="2.0", generator=f"SMPLit {smplit.__version__}"))
    buffer = GlbBuffer(gltf)
    gltf.meshes = [_mesh(buffer, shape, body, expressions)]
    gltf.materials = [Material(
        name="skin", pbrMetallicRoughness=PbrMetallicRoughness(baseColorFactor=[0.62, 0.70, 0.80, 1.0], metallicFactor=0.0, roughnessFactor=0.75),
        doubleSided=False, alphaMode=pygltflib.OPAQUE, alphaCutoff=None,
    )]
    gltf.nodes = _nodes(rest)
    gltf.skins = [_skin(buffer, rest)]
    gltf.animations = [_animation(buffer, gltf, motion, rest, expressions)]
    gltf.scenes, gltf.scene = [Scene(name="SMPLit", nodes=[_PELVIS, _MESH_NODE])], 0
    buffer.finish()
    with whole_file(path) as temporary:
        gltf.save_binary(str(temporary))


def used_expressions(motion: Motion, body: BodyModel) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Name, displacement (V,3) m and weights (T,) of every expression the motion uses.

    Names decide which of the body's expressions is meant; without names the order does.
    """
    if motion.expression is None:
        return []
    weights = np.asarray(motion.expression, np.float32)
    if weights.ndim != 2 or len(weights) != len(motion):
        raise BadInput(f"'expression' has shape {weights.shape}, expected ({len(motion)}, E).", "Export the motion again.", "wrong_shape")
    names = motion.expression_names or body.expression_names[: weights.shape[1]]
    first = 300 if body.shapedirs.shape[-1] >= 400 else 10  # where smplx looks for expressions
    used = []
    for column, name in enumerate(names):
        if name in body.expression_names and np.abs(weights[:, column]).max() > _LEAST_WEIGHT:
            used.append((name, body.shapedirs[..., first + body.expression_names.index(name)], weights[:, column]))
    return used


def top_weights(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(V,55) -> the four strongest joints (V,4) uint8 and their weights (V,4) float32, summing to 1.

    A weight of zero points to joint 0, as the glTF validator wants it.
    """
    joints = np.argsort(-weights, axis=1, kind="stable")[:, :_INFLUENCES]
    kept = np.take_along_axis(weights, joints, axis=1).astype(np.float64)
    kept[kept < 1e-4] = 0.0
    kept /= kept.sum(1, keepdims=True)
    return np.where(kept > 0, joints, 0).astype(np.uint8), kept.astype(np.float32)


def _mesh(buffer: GlbBuffer, shape: np.ndarray, body: BodyModel, expressions: list) -> Mesh:
    joints, weights = top_weights(body.weights)
    attributes = Attributes(
        POSITION=buffer.add_vertices(shape.astype(np.float32), bounds=True),
        NORMAL=buffer.add_vertices(_normals(shape, body.faces)),
        JOINTS_0=buffer.add_vertices(joints), WEIGHTS_0=buffer.add_vertices(weights),
    )
    targets = [Attributes(POSITION=buffer.add_vertices(moved.astype(np.float32), bounds=True)) for _, moved, _ in expressions]
    indices = buffer.add_indices(body.faces.reshape(-1).astype(np.uint16 if len(shape) < 65535 else np.uint32))
    mesh = Mesh(name="body", primitives=[Primitive(attributes=attributes, indices=indices, material=0, targets=targets or None)])
    if expressions:
        mesh.weights = [0.0] * len(expressions)
        mesh.extras = {"targetNames": [name for name, _, _ in expressions]}
    return mesh


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V,3) unit normals, faces weighted by their area."""
    corners = vertices[faces].astype(np.float64)
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normals = np.zeros((len(vertices), 3))
    for corner in range(3):
        np.add.at(normals, faces[:, corner], across)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.where(length > 1e-12, normals / np.maximum(length, 1e-12), [0.0, 1.0, 0.0]).astype(np.float32)


def _nodes(rest: np.ndarray) -> list[Node]:
    nodes = []
    for joint, parent in enumerate(PARENTS):
        offset = rest[joint] - (0.0 if parent < 0 else rest[parent])
        children = [child for child in range(NUM_JOINTS) if PARENTS[child] == joint]
        nodes.append(Node(name=JOINT_NAMES[joint], translation=offset.tolist(), children=children or None))
    nodes.append(Node(name="body", mesh=0, skin=0))
    return nodes


def _skin(buffer: GlbBuffer, rest: np.ndarray) -> Skin:
    inverse = np.tile(np.eye(4, dtype=np.float32), (NUM_JOINTS, 1, 1))
    inverse[:, 3, :3] = -rest  # column-major: the translation is the last column
    return Skin(name="skeleton", joints=list(range(NUM_JOINTS)), inverseBindMatrices=buffer.add(inverse), skeleton=_PELVIS)


def _animation(buffer: GlbBuffer, gltf: GLTF2, motion: Motion, rest: np.ndarray, expressions: list) -> Animation:
    seconds = times(motion)
    clock = buffer.add((seconds - seconds[0]).astype(np.float32), bounds=True)
    animation = Animation(name="motion", samplers=[], channels=[])

    def key(node: int, path: str, values: np.ndarray) -> None:
        animation.samplers.append(AnimationSampler(input=clock, output=buffer.add(values.astype(np.float32)), interpolation="LINEAR"))
        animation.channels.append(AnimationChannel(sampler=len(animation.samplers) - 1, target=AnimationChannelTarget(node=node, path=path)))

    key(_PELVIS, "translation", z_up_to_y_up(rest[0] + np.asarray(motion.trans, np.float64)))
    turned = _quaternions(motion)
    for joint in range(NUM_JOINTS):
        if joint == 0 or np.ptp(turned[:, joint], axis=0).max() > _STILL:
            key(joint, "rotation", turned[:, joint])
        else:
            gltf.nodes[joint].rotation = turned[0, joint].tolist()
    if expressions:
        key(_MESH_NODE, "weights", np.stack([weights for _, _, weights in expressions], axis=1).reshape(-1))
    return animation


def _quaternions(motion: Motion) -> np.ndarray:
    """(T,55,4) x, y, z, w, Y up, with signs that keep neighbouring frames on the short arc."""
    local = matrix_from_axis_angle(np.asarray(motion.poses, np.float64).reshape(len(motion), NUM_JOINTS, 3))
    local[:, 0] = Z_UP_TO_Y_UP @ local[:, 0]
    turned = xyzw_from_wxyz(quaternion_from_matrix(local))
    flips = np.sign((turned[1:] * turned[:-1]).sum(-1))
    flips[flips == 0] = 1.0
    turned[1:] *= np.cumprod(flips, axis=0)[..., None]
    return turned
