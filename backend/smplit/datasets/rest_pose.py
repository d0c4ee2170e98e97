# SPDX-License-Identifier: GPL-3.0-or-later
"""Rest poses: which T-pose file belongs to a recording, or which pose of its own will do for one."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np

from smplit.axes import Z_UP_TO_Y_UP
from smplit.datasets.bvh import Bvh, read_bvh
from smplit.datasets.joint_names import JointMap, recognise
from smplit.errors import BadInput

_log = logging.getLogger(__name__)

# Share of the bones' length by which OFFSETs may differ: people differ by 0.1 to 0.2; other bone axes
# (the same joint names exported by another program) by 1 and more.
_ALIKE = 0.4
# What passes for a rest pose (T, A, or arms hanging): cosines of bones with the directions they should have.
_UPRIGHT, _LEG, _STRAIGHT, _ALIKE_ARMS = 0.85, 0.86, 0.8, 0.85
_AXES = {"y": np.eye(3), "z": Z_UP_TO_Y_UP, "-z": np.diag([1.0, -1.0, -1.0]) @ Z_UP_TO_Y_UP, "x": np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]]),
         "-x": np.array([[0.0, 1, 0], [-1, 0, 0], [0, 0, 1]]), "-y": np.diag([1.0, -1.0, -1.0])}  # to Y up, from each up axis


class RestPoses:
    """The T-pose files (`*.bvh`, first frame) of a folder, or one such file.

    Args:
        path: folder or file.
        told: SMPL-X joint -> joint of the files, as for `recognise`.

    Raises:
        BadInput: nothing there, or a file that cannot be read.
    """

    def __init__(self, path: str | Path, told: Mapping[str, str] | None = None):
        self.path = Path(path)
        files = sorted(self.path.glob("*.bvh")) if self.path.is_dir() else [self.path]
        if not files:
            raise BadInput(f"'{path}' holds no .bvh file.", "Name a folder of one-frame T-pose BVH files.", "no_rest_pose")
        self._poses = [(file.stem, pose, recognise(pose.names, f"'{file}'", told)) for file in files for pose in [read_bvh(file)]]

    def of(self, clip: Bvh, source: str) -> tuple[str, Bvh, JointMap]:
        """Name, T-pose and joints for a recording.

        Raises:
            BadInput: the recording's skeleton is unknown, or no T-pose here is of its kind.
        """
        fitting = []
        for name, pose, joints in self._poses:
            if set(joints.sources.values()) <= set(clip.names):
                fitting.append((bone_difference(clip, pose), name, pose, joints))
        near = [entry for entry in fitting if entry[0] < _ALIKE]
        if near:
            return min(near, key=lambda entry: entry[0])[1:]
        skeleton = recognise(clip.names, source).skeleton
        raise BadInput(
            f"{source}: none of the T-poses in '{self.path}' has its bones (skeleton '{skeleton}').",
            "Add a one-frame T-pose BVH exported from the same program and character.", "no_rest_pose",
        )


def bone_difference(one: Bvh, other: Bvh) -> float:
    """How differently the bones of two skeletons lie, as a share of their length, whatever their unit.

    Only joints that both have count; roots have no bone. 0 for equal skeletons, about 1.4 for bones at
    right angles.
    """
    common = [name for name in one.names if name in other.names]
    bones = []
    for skeleton in (one, other):
        found = skeleton.offsets[[skeleton.names.index(name) for name in common]].copy()
        found[[skeleton.parents[skeleton.names.index(name)] < 0 for name in common]] = 0
        bones.append(found / max(np.linalg.norm(found, axis=1).sum(), 1e-9))
    return float(np.linalg.norm(bones[0] - bones[1], axis=1).sum())


def upright(clip: Bvh, joints: JointMap, rest: Bvh | None = None) -> Bvh:
    """The clip in a world with Y up: up is the file's axis along which the person mostly stands.

    People who lie tell nothing: then the axis of `rest`, a pose that stands, decides.
    """
    axis, sure = _up_axis(clip, joints)
    if not sure and rest is not None:
        axis, _ = _up_axis(rest, joints)
    return replace(clip, world=_AXES[axis])


def _up_axis(clip: Bvh, joints: JointMap) -> tuple[str, bool]:
    places = _places(clip, joints)
    trunk = 0.5 * (places["left_shoulder"] + places["right_shoulder"] - places["left_hip"] - places["right_hip"])
    trunk /= np.maximum(np.linalg.norm(trunk, axis=-1, keepdims=True), 1e-9)
    cosines = {name: np.median(trunk @ turn[1]) for name, turn in _AXES.items()}
    best = max(cosines, key=cosines.__getitem__)
    return best, cosines[best] > 0.7


def own_rest_pose(clip: Bvh, joints: JointMap, source: str) -> Bvh:
    """A rest pose out of a recording itself, Y up and facing +Z: all angles zero if that is a person who
    stands with legs down and arms straight (T, A, or hanging), else the first frame if it is one.

    Raises:
        BadInput: neither is; says how to give one.
    """
    zero = _zero_pose(clip)
    wrong = []
    for name, pose in (("with all angles zero", zero), ("in its first frame", replace(clip, values=clip.values[:1]))):
        pose = _facing(upright(pose, joints), joints)
        fault = rest_fault(pose, joints)
        if not fault:
            if wrong:
                _log.warning("%s: its first frame was taken for the rest pose. A T-pose (--rest-pose) tells the arms' twist better.", source)
            return pose
        wrong.append(f"{name} {fault}")
    raise BadInput(
        f"{source} shows no rest pose: {'; '.join(wrong)}.",
        "Export a one-frame T-pose of the same character as BVH and give it with --rest-pose FILE.", "no_rest_pose",
    )


def given_rest_pose(path: str | Path, clip: Bvh, joints: JointMap) -> Bvh:
    """The first frame of a file as the rest pose of `clip`, Y up and facing +Z, with the clip's joint names.

    Raises:
        BadInput: not a BVH file, or it lacks joints of the clip.
    """
    pose = read_bvh(path)
    pose = replace(pose, values=pose.values[:1])
    names = pose.names
    if not set(joints.sources.values()) <= set(names):
        own = recognise(names, f"'{path}'").sources
        renamed = {own[joint]: name for joint, name in joints.sources.items() if joint in own}
        names = tuple(renamed.get(name, name) for name in names)
        missing = sorted(set(joints.sources.values()) - set(names))
        if missing:
            text = f"'{path}' lacks joints of the motion: {', '.join(missing)}."
            raise BadInput(text, "Use the rest pose of the same skeleton.", "wrong_rest_pose")
    pose = replace(pose, names=names)
    return _facing(upright(pose, joints), joints)


def rest_fault(pose: Bvh, joints: JointMap) -> str:
    """What keeps a pose (Y up, facing +Z) from being a rest pose, or ""."""
    at = {joint: place[0] for joint, place in _places(pose, joints).items()}
    down = np.array([0.0, -1.0, 0.0])
    trunk = _unit(at["left_shoulder"] + at["right_shoulder"] - at["left_hip"] - at["right_hip"])
    if -trunk @ down < _UPRIGHT:
        return "the trunk is not upright"
    hands = _hands(pose, joints)
    arms = {}
    for side, mirror in (("left", 1.0), ("right", -1.0)):
        thigh = _unit(at[f"{side}_knee"] - at[f"{side}_hip"])
        shin = _unit(at[f"{side}_ankle"] - at[f"{side}_knee"])
        if thigh @ down < _LEG or shin @ down < _LEG:
            return f"the {side} leg does not point down"
        upper = _unit(at[f"{side}_elbow"] - at[f"{side}_shoulder"])
        if side in hands and upper @ _unit(hands[side] - at[f"{side}_elbow"]) < _STRAIGHT:
            return f"the {side} arm is bent"
        arms[side] = upper * [mirror, 1.0, 1.0]
        if arms[side][0] < -0.2 or arms[side][1] > 0.5 or abs(arms[side][2]) > 0.6:
            return f"the {side} arm points neither sideways nor down"
    if arms["left"] @ arms["right"] < _ALIKE_ARMS:
        return "the arms are not alike"
    return ""


def _zero_pose(clip: Bvh) -> Bvh:
    """One frame with all angles zero and every joint at its OFFSET."""
    row = []
    for offset, channels in zip(clip.offsets, clip.channels, strict=True):
        row += [offset["XYZ".index(channel[0])] if channel.endswith("position") else 0.0 for channel in channels]
    return replace(clip, values=np.array([row]))


def _facing(pose: Bvh, joints: JointMap) -> Bvh:
    """The pose turned about Y so that its left is +X, and so it faces +Z."""
    at = _places(pose, joints)
    left = (at["left_hip"] - at["right_hip"] + at["left_shoulder"] - at["right_shoulder"])[0]
    angle = np.arctan2(left[2], left[0])
    turn = np.array([[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]])
    return replace(pose, world=turn @ (np.eye(3) if pose.world is None else pose.world))


def _places(clip: Bvh, joints: JointMap) -> dict[str, np.ndarray]:
    positions = clip.global_transforms()[1]
    return {joint: positions[:, clip.names.index(source)] for joint, source in joints.sources.items()}


def _hands(pose: Bvh, joints: JointMap) -> dict[str, np.ndarray]:
    """Wrists, or the tips of the forearms where there are none, (3,) by side."""
    rotations, positions = pose.global_transforms()
    found = {}
    for side in ("left", "right"):
        if f"{side}_wrist" in joints.sources:
            found[side] = positions[0, pose.names.index(joints.sources[f"{side}_wrist"])]
        elif (tip := pose.tips().get(joints.sources[f"{side}_elbow"])) is not None:
            at = pose.names.index(joints.sources[f"{side}_elbow"])
            found[side] = positions[0, at] + rotations[0, at] @ tip
    return {side: place for side, place in found.items() if np.isfinite(place).all()}


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)
