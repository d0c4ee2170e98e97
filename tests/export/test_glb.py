# SPDX-License-Identifier: GPL-3.0-or-later
"""A glb, taken apart here byte by byte and animated by its own rules, shows what smplx shows."""

import json
import struct

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.export import export_motion
from smplit.motion import JOINT_NAMES

COMPONENTS = {5121: np.uint8, 5123: np.uint16, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """The parts of the glTF 2.0 specification that a viewer needs, written from the specification."""

    def __init__(self, path):
        data = path.read_bytes()
        magic, version, length = struct.unpack_from("<4sII", data)
        assert magic == b"glTF" and version == 2 and length == len(data)
        size, kind = struct.unpack_from("<I4s", data, 12)
        assert kind == b"JSON"
        self.json = json.loads(data[20 : 20 + size])
        binary, kind = struct.unpack_from("<I4s", data, 20 + size)
        assert kind == b"BIN\0" and binary >= self.json["buffers"][0]["byteLength"]
        self.binary = data[28 + size :]

    def read(self, index):
        accessor = self.json["accessors"][index]
        view = self.json["bufferViews"][accessor["bufferView"]]
        start = view.get("byteOffset", 0) + accessor.get("byteOffset", 0)
        width = WIDTHS[accessor["type"]]
        flat = np.frombuffer(self.binary, COMPONENTS[accessor["componentType"]], accessor["count"] * width, start)
        return flat if width == 1 else flat.reshape(-1, width)

    def tracks(self):
        animation = self.json["animations"][0]
        for channel in animation["channels"]:
            sampler = animation["samplers"][channel["sampler"]]
            yield channel["target"]["node"], channel["target"]["path"], self.read(sampler["input"]), self.read(sampler["output"])

    def frame(self, number):
        """World matrices (nodes,4,4) and morph weights at a key."""
        nodes = self.json["nodes"]
        moved = [np.array(n.get("translation", (0, 0, 0))) for n in nodes]
        turned = [np.array(n.get("rotation", (0, 0, 0, 1))) for n in nodes]
        morph = None
        for node, path, seconds, values in self.tracks():
            if path == "translation":
                moved[node] = values[number]
            elif path == "rotation":
                turned[node] = values[number]
            else:
                morph = values.reshape(len(seconds), -1)[number]
        world = [None] * len(nodes)

        def place(node, above):
            local = np.eye(4)
            local[:3, :3], local[:3, 3] = Rotation.from_quat(turned[node]).as_matrix(), moved[node]
            world[node] = above @ local
            for child in nodes[node].get("children", ()):
                place(child, world[node])

        for root in self.json["scenes"][0]["nodes"]:
            place(root, np.eye(4))
        return np.array(world), morph

    def skinned(self, number):
        """(V,3) m at a key."""
        world, morph = self.frame(number)
        primitive = self.json["meshes"][0]["primitives"][0]
        points = self.read(primitive["attributes"]["POSITION"]).astype(float)
        for weight, target in zip(morph if morph is not None else (), primitive.get("targets", ()), strict=False):
            points = points + weight * self.read(target["POSITION"])
        skin = self.json["skins"][0]
        inverse = self.read(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        matrices = world[skin["joints"]] @ inverse
        joints, weights = self.read(primitive["attributes"]["JOINTS_0"]), self.read(primitive["attributes"]["WEIGHTS_0"])
        blended = np.einsum("vk,vkab->vab", weights, matrices[joints])
        return np.einsum("vab,vb->va", blended, np.c_[points, np.ones(len(points))])[:, :3]


@pytest.fixture
def glb(motion, body, tmp_path):
    export_motion(motion, tmp_path / "m.glb", None, body)
    return Glb(tmp_path / "m.glb")


def y_up(points):
    return np.stack([points[..., 0], points[..., 2], -points[..., 1]], -1)


def test_joints_stand_where_smplx_puts_them(glb, motion, body, smplx_skinning):
    truth, _ = smplx_skinning(body, motion)
    names = [node["name"] for node in glb.json["nodes"]]
    order = [names.index(name) for name in JOINT_NAMES]
    for number in (0, 11, 23):
        world, _ = glb.frame(number)
        assert np.abs(world[order, :3, 3] - y_up(truth[number])).max() < 1e-4


def test_the_skin_is_smplx_skin_with_its_expressions(glb, motion, body, smplx_skinning):
    """Only the fifth and weaker joints of a vertex are lost, and the pose correctives on both sides."""
    _, truth = smplx_skinning(body, motion, expression=True)
    for number in (0, 23):
        off = np.linalg.norm(glb.skinned(number) - y_up(truth[number]), axis=-1)
        assert off.mean() < 5e-4 and off.max() < 0.02
    strong = (np.sort(body.weights, axis=1)[:, :-4].sum(1) < 1e-6) & (np.sort(body.weights, axis=1)[:, -4] > 1e-4)
    off = np.linalg.norm(glb.skinned(23) - y_up(truth[23]), axis=-1)
    assert strong.any() and off[strong].max() < 2e-4


def test_only_used_expressions_become_morph_targets(glb):
    assert sorted(glb.json["meshes"][0]["extras"]["targetNames"]) == ["browInnerUp", "jawOpen"]
    assert len(glb.json["meshes"][0]["primitives"][0]["targets"]) == 2


def test_keys_lie_at_the_frames_own_times(motion, body, tmp_path):
    motion.frame_times = 7.0 + np.cumsum(np.r_[0, np.tile([0.02, 0.05, 0.041], 8)[:23]])
    export_motion(motion, tmp_path / "m.glb", None, body)
    for _, _, seconds, _ in Glb(tmp_path / "m.glb").tracks():
        assert np.allclose(seconds, motion.frame_times - 7.0, atol=1e-6)


def test_neighbouring_quaternions_never_take_the_long_way(glb):
    for _, path, _, values in glb.tracks():
        if path == "rotation":
            assert (values[1:] * values[:-1]).sum(-1).min() > 0
            assert np.allclose(np.linalg.norm(values, axis=-1), 1, atol=1e-5)


def test_the_file_keeps_the_rules_a_validator_checks(glb):
    primitive = glb.json["meshes"][0]["primitives"][0]
    weights, joints = glb.read(primitive["attributes"]["WEIGHTS_0"]), glb.read(primitive["attributes"]["JOINTS_0"])
    assert np.allclose(weights.sum(1), 1, atol=1e-5) and joints[weights == 0].max() == 0 and joints.max() < 55
    assert np.allclose(np.linalg.norm(glb.read(primitive["attributes"]["NORMAL"]), axis=1), 1, atol=1e-5)
    for view in glb.json["bufferViews"]:
        assert view["byteOffset"] % 4 == 0
    for accessor in glb.json["accessors"]:
        assert accessor["count"] > 0
    times = glb.json["accessors"][glb.json["animations"][0]["samplers"][0]["input"]]
    assert times["min"] == [0.0] and times["max"][0] == pytest.approx(23 / 25)
