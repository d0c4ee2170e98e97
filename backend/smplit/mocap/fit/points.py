# SPDX-License-Identifier: GPL-3.0-or-later
"""Where BlazePose's 33 landmarks sit on the SMPL-X body.

Each landmark follows one joint rigidly, at an offset in that joint's rest axes. Points on the
surface (nose, toes ...) take the offset from the body's own vertex, so that shape moves them;
joint landmarks carry a constant offset, because what annotators click is not the SMPL-X joint.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import torch
from torch import Tensor

from smplit.body.model import SURFACE_POINTS, BodyModel
from smplit.motion import JOINT_NAMES

BLAZEPOSE_NAMES = (
    "nose", "left_eye_inner", "left_eye", "left_eye_outer", "right_eye_inner", "right_eye", "right_eye_outer",
    "left_ear", "right_ear", "mouth_left", "mouth_right", "left_shoulder", "right_shoulder", "left_elbow",
    "right_elbow", "left_wrist", "right_wrist", "left_pinky", "right_pinky", "left_index", "right_index",
    "left_thumb", "right_thumb", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle",
    "left_heel", "right_heel", "left_foot_index", "right_foot_index",
)

# landmark: (joint it follows, surface point or None, offset in m for the LEFT side, trust 0..1).
# The offset is in the joint's rest axes (x to the person's left, y up, z forward), measured on the tuning
# clips by tools/measure_landmark_offsets.py, and halved where the clips disagree.
_ATTACHMENT: dict[str, tuple[str, str | None, tuple[float, float, float], float]] = {
    "nose": ("head", "nose", (0, 0.006, -0.005), 0.7),
    "left_eye": ("head", "left_eye", (-0.004, 0.006, -0.012), 0.5),
    "left_ear": ("head", "left_ear", (-0.018, 0.006, 0.018), 0.6),
    "left_shoulder": ("left_collar", None, (-0.004, 0.008, -0.003), 1.0),
    "left_elbow": ("left_elbow", None, (-0.008, 0.005, 0.014), 1.0),
    "left_wrist": ("left_wrist", None, (0, 0.003, 0), 1.0),
    "left_pinky": ("left_wrist", None, (-0.017, 0, 0.03), 0.25),
    "left_index": ("left_wrist", None, (-0.03, 0, -0.014), 0.25),
    "left_hip": ("pelvis", None, (0.005, -0.003, 0.025), 0.8),
    "left_knee": ("left_knee", None, (-0.004, -0.005, 0), 1.0),
    "left_ankle": ("left_ankle", None, (0.004, 0.016, 0.006), 1.0),
    "left_heel": ("left_ankle", "left_heel", (-0.006, -0.004, 0.012), 0.5),
    "left_foot_index": ("left_foot", "left_big_toe", (0.002, 0.003, -0.028), 0.5),
}
# The rest joint a joint landmark starts from, where it is not the followed joint itself.
_BASE_JOINT = {
    "left_shoulder": "left_shoulder", "left_hip": "left_hip", "left_pinky": "left_pinky1", "left_index": "left_index1",
}


# The detector's own 3D sits elsewhere than its pixels: what to add to the offset for it (LEFT side, m), from
# the same measurement, rounded down.
_IN_DEPTH: dict[str, tuple[float, float, float]] = {
    "left_shoulder": (-0.005, -0.015, -0.03), "left_hip": (0.0, 0.0, -0.025), "left_knee": (0.01, -0.005, -0.025),
    "left_ankle": (0.02, 0.02, 0.0), "left_heel": (0.02, 0.04, 0.04), "left_foot_index": (0.03, 0.02, -0.04),
}


def _carried(rotations: Tensor, joints: Tensor, followed: list[int], offsets: Tensor) -> Tensor:
    """(T,K,3) m: points at rest offsets (K,3) from the joints they follow; fast where frames lie side by side in memory."""
    rows = torch.tensor(followed, device=joints.device)
    turns, places = (values.movedim(0, -1).index_select(0, rows) for values in (rotations, joints))
    return (places + (turns * offsets[:, None, :, None]).sum(2)).movedim(-1, 0)


@dataclass
class BodyPoints:
    """Landmarks as points of the body: index into BlazePose's 33, joint, rest offset (K,3), trust (K,).

    `depth_offsets` (K,3): where the detector's own 3D puts them.
    """

    landmarks: list[int]
    joints: list[int]
    offsets: Tensor
    depth_offsets: Tensor
    trust: Tensor

    def positions(self, rotations: Tensor, joints: Tensor, in_depth: bool = False) -> Tensor:
        """(T,22,3,3) global rotations and (T,22,3) m joints -> (T,K,3) m, same frame."""
        return _carried(rotations, joints, self.joints, self.depth_offsets if in_depth else self.offsets)


@dataclass(frozen=True)
class _Attached:
    """What does not depend on the shape: of each used landmark its number, the joint it follows, where it starts from (row of the
    rest joints, surface points after them), offset and offset in depth from there (K,3) m, and trust."""

    landmarks: list[int]
    joints: list[int]
    bases: list[int]
    offsets: Tensor
    depth_offsets: Tensor
    trust: Tensor


@functools.cache
def _attached() -> _Attached:
    joint_index = {name: i for i, name in enumerate(JOINT_NAMES)}
    surface_index = {name: i for i, name in enumerate(SURFACE_POINTS, len(JOINT_NAMES))}
    rows = []
    for number, name in enumerate(BLAZEPOSE_NAMES):
        mirrored = name.startswith("right_")
        key = name.replace("right_", "left_") if mirrored else name
        if key not in _ATTACHMENT:
            continue
        joint_name, surface_name, offset, weight = _ATTACHMENT[key]
        side = (lambda text: text.replace("left_", "right_")) if mirrored else (lambda text: text)
        base = surface_index[side(surface_name)] if surface_name else joint_index[side(_BASE_JOINT.get(key, joint_name))]
        shift = torch.tensor([offset, _IN_DEPTH.get(key, (0.0, 0.0, 0.0))])
        if mirrored:
            shift = shift * torch.tensor([-1.0, 1.0, 1.0])
        rows.append((number, joint_index[side(joint_name)], base, shift[0], shift[0] + shift[1], weight))
    landmarks, joints, bases, offsets, depth_offsets, trust = zip(*rows, strict=True)
    return _Attached(list(landmarks), list(joints), list(bases), torch.stack(offsets), torch.stack(depth_offsets), torch.tensor(trust))


def body_points(model: BodyModel, betas: Tensor) -> BodyPoints:
    """The attachment of every used landmark for one shape (10,)."""
    attached, rest = _attached(), model.rest_joints(betas)
    base = torch.cat([rest, model.rest_surface_points(betas)])[attached.bases] - rest[attached.joints]
    return BodyPoints(
        attached.landmarks, attached.joints, base + attached.offsets.to(rest), base + attached.depth_offsets.to(rest),
        attached.trust.to(rest.device),
    )


_SOLES = (("left_ankle", "left_heel"), ("left_foot", "left_big_toe"), ("right_ankle", "right_heel"), ("right_foot", "right_big_toe"))


@dataclass
class SolePoints:
    """Heel and toe points under both feet, in the order of `motion.CONTACT_NAMES`: joint (4,) and rest offset (4,3)."""

    joints: list[int]
    offsets: Tensor

    def positions(self, rotations: Tensor, joints: Tensor) -> Tensor:
        """(T,22,3,3) global rotations and (T,22,3) m joints -> (T,4,3) m, same frame."""
        return _carried(rotations, joints, self.joints, self.offsets)


def sole_points(model: BodyModel, betas: Tensor) -> SolePoints:
    """Where the feet of one shape (10,) touch the floor when they stand flat at rest."""
    rest, surface = model.rest_joints(betas), model.rest_surface_points(betas)
    names = list(SURFACE_POINTS)
    sole = model.ground(betas)
    joints, offsets = [], []
    for joint_name, point in _SOLES:
        joint = JOINT_NAMES.index(joint_name)
        offset = surface[names.index(point)] - rest[joint]
        joints.append(joint)
        offsets.append(torch.stack([offset[0] * 0, sole - rest[joint, 1], offset[2]]))
    return SolePoints(joints, torch.stack(offsets))
