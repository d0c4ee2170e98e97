# SPDX-License-Identifier: GPL-3.0-or-later
"""From MakeHuman's 163 bones in A-pose to SMPL-X's 55 joints in T-pose."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from open_body.makehuman import FINGERS, MakeHuman
from smplit.motion import JOINT_NAMES

SIDES = (("L", "left", 1.0), ("R", "right", -1.0))
SPINE_HEIGHTS = {"spine1": 0.24, "spine2": 0.52, "spine3": 0.65}  # of the way from pelvis to neck
# Half-widths over which a torso joint takes over from the one below, same unit.
_SPINE_BLENDS = {"spine1": 0.26, "spine2": 0.24, "spine3": 0.22}
_TORSO = ("root", "pelvis.L", "pelvis.R", "spine05", "spine04", "spine03", "spine02", "spine01", "breast.L", "breast.R")
_JAW_BONES = ("special04", "oris01", "oris02", "oris06.", "oris07.", "tongue")  # lower lip; oris06 without a side is the upper
_ARM_DROP, _ARM_BACK = np.radians(6), np.radians(5)  # SMPL-X's T-pose lets the upper arms hang a little
_CLAVICLE_LIFT, _SHOULDER_LIFT = 8, 16  # degrees
_HIP_WIDTH = 0.8  # MakeHuman's hip centres lie too far out
_COLLAR_OUT = 0.25  # of the way to the shoulder
PELVIS = np.array([0.0, -0.35, 0.01])  # m: where SMPL-X's rest frame has it


def joint_index(name: str) -> int:
    return JOINT_NAMES.index(name)


def _side_bones(side: str, prefix: str) -> dict[str, str]:
    """MakeHuman bone -> SMPL-X joint that its skin follows."""
    joints = {
        "pelvis": "pelvis", "upperleg01": f"{prefix}_hip", "upperleg02": f"{prefix}_hip", "lowerleg01": f"{prefix}_knee",
        "lowerleg02": f"{prefix}_knee", "foot": f"{prefix}_ankle", "breast": "spine3", "clavicle": f"{prefix}_collar",
        "shoulder01": f"{prefix}_collar", "upperarm01": f"{prefix}_shoulder", "upperarm02": f"{prefix}_shoulder",
        "lowerarm01": f"{prefix}_elbow", "lowerarm02": f"{prefix}_elbow", "wrist": f"{prefix}_wrist", "eye": _eye(prefix),
    }  # fmt: skip
    joints |= {f"metacarpal{k}": f"{prefix}_wrist" for k in range(1, 5)}
    joints |= {f"finger{i}-{k}": f"{prefix}_{name}{k}" for i, name in enumerate(FINGERS, 1) for k in (1, 2, 3)}
    joints |= {f"toe{i}-{k}": f"{prefix}_foot" for i in range(1, 6) for k in (1, 2, 3)}
    return {f"{bone}.{side}": joint for bone, joint in joints.items()}


def _eye(prefix: str) -> str:
    return next(name for name in JOINT_NAMES if name.startswith(f"{prefix}_eye"))


def _pivots() -> dict[str, str]:
    """SMPL-X joint -> MakeHuman bone whose head it sits at."""
    pivots = {"pelvis": "spine04", "spine1": "spine03", "spine2": "spine02", "spine3": "spine01", "neck": "neck01", "head": "head", "jaw": "jaw"}
    for side, prefix, _ in SIDES:
        bones = {
            "hip": "upperleg01", "knee": "lowerleg01", "ankle": "foot", "foot": "toe2-1", "collar": "clavicle",
            "shoulder": "upperarm01", "elbow": "lowerarm01", "wrist": "wrist",
        }  # fmt: skip
        pivots |= {f"{prefix}_{joint}": f"{bone}.{side}" for joint, bone in bones.items()}
        pivots[_eye(prefix)] = f"eye.{side}"
        pivots |= {f"{prefix}_{name}{k}": f"finger{i}-{k}.{side}" for i, name in enumerate(FINGERS, 1) for k in (1, 2, 3)}
    return pivots


_BONE_TO_JOINT = {
    "root": "pelvis", "spine05": "pelvis", "spine04": "pelvis", "spine03": "spine1", "spine02": "spine2", "spine01": "spine3",
    "neck01": "neck", "neck02": "neck", "neck03": "neck", **_side_bones("L", "left"), **_side_bones("R", "right"),
}  # fmt: skip
_PIVOTS = _pivots()


def _joint_of(bone: str) -> str:
    if bone in _BONE_TO_JOINT:
        return _BONE_TO_JOINT[bone]
    return "jaw" if bone == "jaw" or bone.startswith(_JAW_BONES) else "head"  # all other bones are the face's


class RestPose:
    """Puts a person of any shape into SMPL-X's T-pose."""

    def __init__(self, human: MakeHuman, tips: dict[str, int]):
        self._human, self._tips = human, tips
        self._pivot_bones = [human.bone[_PIVOTS[name]] for name in JOINT_NAMES]

    def __call__(self, vertices: np.ndarray, heads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """A-pose vertices (V,3) and bone heads (B,3) -> T-pose vertices (V,3) and SMPL-X joints (55,3)."""
        vertices, bones = self._unfold(vertices, heads)
        joints = bones[self._pivot_bones].copy()
        for side, prefix, _ in SIDES:
            toes = [self._human.bone[f"toe{i}-1.{side}"] for i in (1, 2, 3)]
            joints[joint_index(f"{prefix}_foot")] = bones[toes].mean(0)
        hips = [joint_index("left_hip"), joint_index("right_hip")]
        between = 0.5 * (joints[hips[0]] + joints[hips[1]])
        joints[hips] = between + _HIP_WIDTH * (joints[hips] - between)
        for _, prefix, _ in SIDES:
            collar, shoulder = joint_index(f"{prefix}_collar"), joint_index(f"{prefix}_shoulder")
            joints[collar] += _COLLAR_OUT * (joints[shoulder] - joints[collar])
        spine = bones[[self._human.bone[name] for name in ("spine04", "spine03", "spine02", "spine01", "neck01")]]
        low, high = spine[0, 1], spine[4, 1]
        for name, share in SPINE_HEIGHTS.items():
            y = low + share * (high - low)
            joints[joint_index(name)] = [0, y, np.interp(y, spine[:, 1], spine[:, 2])]
        joints[0] = [0, low, between[2] + 0.02]
        offset = PELVIS - joints[0]
        return vertices + offset, joints + offset

    def _unfold(self, vertices: np.ndarray, heads: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Linear blend skinning with the turns of `_turns`: vertices (V,3), bone heads (B,3)."""
        human = self._human
        turns = self._turns(vertices, heads)
        count = len(human.bones)
        rotation, place = np.zeros((count, 3, 3)), np.zeros((count, 3))
        for number, bone in enumerate(human.bones):
            parent = human.parents[number]
            if parent < 0:
                rotation[number], place[number] = np.eye(3), heads[number]
                continue
            rotation[number] = turns.get(bone, rotation[parent])
            place[number] = place[parent] + rotation[parent] @ (heads[number] - heads[parent])
        shift = place - np.einsum("bij,bj->bi", rotation, heads)
        moved = np.einsum("vb,bij,vj->vi", human.weights, rotation, vertices, optimize=True) + human.weights @ shift
        return moved, place

    def _turns(self, vertices: np.ndarray, heads: np.ndarray) -> dict[str, np.ndarray]:
        """Global turn (3,3) of every bone that does not just follow its parent."""
        turns: dict[str, np.ndarray] = {}
        for side, _, sign in SIDES:
            at = lambda bone, side=side: heads[self._human.bone[f"{bone}.{side}"]]
            tip = lambda finger, side=side: vertices[self._tips[f"{side}{finger}"]]
            parts = _arm(at, sign) | _leg(at, sign)
            hand = parts["wrist"]
            parts |= _fingers(at, tip, hand)
            turns |= {f"{bone}.{side}": turn for bone, turn in parts.items()}
        return turns


def _arm(at, sign: float) -> dict[str, np.ndarray]:
    """Arm along X, elbow hinge vertical, palm down; the forearm's twist is shared by its two bones."""
    upper, fore = at("lowerarm01") - at("upperarm01"), at("wrist") - at("lowerarm01")
    hinge = np.cross(upper, fore)
    hanging = np.array([sign * np.cos(_ARM_DROP) * np.cos(_ARM_BACK), -np.sin(_ARM_DROP), -np.cos(_ARM_DROP) * np.sin(_ARM_BACK)])
    outward, down = np.array([sign, 0, 0.0]), np.array([0, -sign, 0.0])
    turn_upper = _frame(hanging, down) @ _frame(upper, hinge).T
    turn_fore = _frame(outward, down) @ _frame(fore, hinge).T
    palm = at("finger3-1") - at("wrist")
    back_of_hand = np.cross(at("finger2-1") - at("wrist"), at("finger5-1") - at("wrist")) * sign
    turn_hand = _frame(outward, np.array([0, 1.0, 0])) @ _frame(palm, back_of_hand).T
    swing = _align(turn_fore @ palm, outward) @ turn_fore
    twist = Rotation.from_matrix(turn_hand @ swing.T).as_rotvec()
    turns = {
        "clavicle": Rotation.from_euler("z", sign * _CLAVICLE_LIFT, degrees=True).as_matrix(),
        "shoulder01": Rotation.from_euler("z", sign * _SHOULDER_LIFT, degrees=True).as_matrix(),
        "upperarm02": turn_upper, "upperarm01": _half_twist(turn_upper, _align(upper, hanging)), "lowerarm01": turn_fore,
        "lowerarm02": Rotation.from_rotvec(0.5 * twist).as_matrix() @ turn_fore, "wrist": turn_hand,
    }  # fmt: skip
    return turns | {f"metacarpal{k}": turn_hand for k in range(1, 5)}


def _fingers(at, tip, hand: np.ndarray) -> dict[str, np.ndarray]:
    """Fingers straight, spread a little less than they were; the thumb into the palm's plane."""
    turns = {}
    for finger in range(2, 6):
        bones = [f"finger{finger}-{k}" for k in (1, 2, 3)]
        points = [*(at(bone) for bone in bones), tip(finger)]
        spread = hand @ (points[3] - points[0])
        goal = _unit(np.array([spread[0], 0, spread[2] * 0.8]))
        for k in range(3):
            turns[bones[k]] = _align(hand @ (points[k + 1] - points[k]), goal) @ hand
    thumb = hand @ (tip(1) - at("finger1-1"))
    flat = _align(thumb, np.array([thumb[0], 0.25 * thumb[1], thumb[2]])) @ hand
    return turns | {f"finger1-{k}": flat for k in (1, 2, 3)}


def _leg(at, sign: float) -> dict[str, np.ndarray]:
    """Leg straight down, foot level."""
    turn = _align(at("foot") - at("upperleg01"), np.array([sign * 0.01, -1, 0]))
    turns = {bone: turn for bone in ("upperleg01", "upperleg02", "lowerleg01", "lowerleg02")}
    return turns | {"foot": np.eye(3)} | {f"toe{i}-{k}": np.eye(3) for i in range(1, 6) for k in (1, 2, 3)}


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _align(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Smallest turn of one direction onto another."""
    source, target = _unit(source), _unit(target)
    axis = np.cross(source, target)
    sine = np.linalg.norm(axis)
    return np.eye(3) if sine < 1e-9 else Rotation.from_rotvec(axis / sine * np.arctan2(sine, source @ target)).as_matrix()


def _frame(along: np.ndarray, hinge: np.ndarray) -> np.ndarray:
    along = _unit(along)
    hinge = _unit(hinge - along * (hinge @ along))
    return np.stack([along, hinge, np.cross(along, hinge)], 1)


def _half_twist(turn: np.ndarray, swing: np.ndarray) -> np.ndarray:
    """`turn` with half of its twist relative to `swing`."""
    return Rotation.from_rotvec(0.5 * Rotation.from_matrix(turn @ swing.T).as_rotvec()).as_matrix() @ swing


def joint_weights(human: MakeHuman, vertices: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Skin weights (V,55); the torso's bones are re-divided among SMPL-X's three spine joints by height."""
    weights = np.zeros((len(vertices), len(JOINT_NAMES)))
    for number, bone in enumerate(human.bones):
        weights[:, joint_index(_joint_of(bone))] += human.weights[:, number]
    torso = human.weights[:, [human.bone[bone] for bone in _TORSO]].sum(1)
    height = (vertices[:, 1] - joints[0, 1]) / (joints[joint_index("neck"), 1] - joints[0, 1])
    above = [smooth_step((height - SPINE_HEIGHTS[name]) / (2 * _SPINE_BLENDS[name]) + 0.5) for name in ("spine1", "spine2", "spine3")]
    first, second = above[0], np.minimum(above[0], above[1])
    third = np.minimum(second, above[2])
    for name, share in (("pelvis", 1 - first), ("spine1", first - second), ("spine2", second - third), ("spine3", third)):
        weights[:, joint_index(name)] = torso * share
    return weights


def smooth_step(value: np.ndarray) -> np.ndarray:
    value = np.clip(value, 0, 1)
    return value * value * (3 - 2 * value)
