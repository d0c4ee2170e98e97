# SPDX-License-Identifier: GPL-3.0-or-later
"""First guess of the body from the detector's own 3D landmarks, by closed-form limb frames."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from smplit.axes import axis_angle_from_matrix
from smplit.body.rotations import frame_from_axes, matrix_from_rotvec, rotation_between
from smplit.mocap.fit.points import BLAZEPOSE_NAMES
from smplit.motion import BODY_JOINTS

_INDEX = {name: i for i, name in enumerate(BLAZEPOSE_NAMES)}
_JOINT = {name: i for i, name in enumerate(BODY_JOINTS)}
# Cosine-scaled weight of the straight-limb fall-back: below ~8 degrees of bend the limb's own
# plane is noise and the trunk's frame decides.
_STRAIGHT = 0.15


def towards_person(boxes: np.ndarray, K: np.ndarray) -> np.ndarray:
    """Rotation (T,3,3) from the optical axis to the ray through each box's centre (T,4 px).

    A detector sees a crop and reports 3D as if the person stood straight ahead; people at the
    picture's edge are turned by this angle against the real camera (as in SPEC, Li et al. 2022 CLIFF).
    """
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2.0
    rays = np.stack([(centre[:, 0] - K[0, 2]) / K[0, 0], (centre[:, 1] - K[1, 2]) / K[1, 1], np.ones(len(boxes))], -1)
    ahead = torch.tensor([0.0, 0.0, 1.0]).expand(len(boxes), 3)
    return rotation_between(ahead, torch.as_tensor(rays, dtype=torch.float32)).numpy()


def _limb_frames(upper: Tensor, lower: Tensor, bend_axis: Tensor) -> Tensor:
    """Frame (T,3,3) of the upper bone whose y axis is the hinge; `bend_axis` (T,3) steadies straight limbs."""
    unit_upper = torch.nn.functional.normalize(upper, dim=-1)
    unit_lower = torch.nn.functional.normalize(lower, dim=-1)
    return frame_from_axes(upper, torch.linalg.cross(unit_upper, unit_lower) + _STRAIGHT * bend_axis)


def _share(turns: Tensor, share: float) -> Tensor:
    """Rotations (T,3,3) by a share of the angle."""
    return matrix_from_rotvec(torch.as_tensor(share * axis_angle_from_matrix(turns.numpy()), dtype=turns.dtype))


def initial_rotations(world: Tensor, rest: Tensor) -> Tensor:
    """Local rotations (T,22,3,3) whose limbs point as the landmarks do.

    Args:
        world: (T,33,3) m, camera axes, root-relative (scale does not matter).
        rest: (55,3) m rest joints.
    """
    point = lambda name: world[:, _INDEX[name]]
    joint = lambda name: rest[_JOINT[name]]
    frames = len(world)
    identity = torch.eye(3).expand(frames, 3, 3)
    shoulders = point("left_shoulder") - point("right_shoulder")
    hips = point("left_hip") - point("right_hip")
    up = (point("left_shoulder") + point("right_shoulder") - point("left_hip") - point("right_hip")) / 2.0

    def trunk(across: Tensor) -> Tensor:
        upward = torch.nn.functional.normalize(up, dim=-1)
        return frame_from_axes(across - (across * upward).sum(-1, keepdim=True) * upward, upward)

    # The hips' own line is short and noisy: the trunk leans on the shoulders' too.
    pelvis = trunk(torch.nn.functional.normalize(hips, dim=-1) + 0.3 * torch.nn.functional.normalize(shoulders, dim=-1))
    chest = trunk(shoulders)
    global_ = {"pelvis": pelvis}
    third = _share(pelvis.transpose(1, 2) @ chest, 1.0 / 3.0)
    global_["spine1"] = pelvis @ third
    global_["spine2"] = global_["spine1"] @ third
    global_["spine3"] = chest
    global_["left_collar"] = global_["right_collar"] = chest
    ears = point("left_ear") - point("right_ear")
    forward = point("nose") - (point("left_ear") + point("right_ear")) / 2.0
    # Rest: nose lies ahead of and slightly below the ears; 0.25 rad measured on the open body.
    head_z = torch.nn.functional.normalize(forward, dim=-1)
    head_x = torch.nn.functional.normalize(ears, dim=-1)
    head = frame_from_axes(head_x, torch.linalg.cross(head_z, head_x))
    head = head @ matrix_from_rotvec(torch.tensor([-0.25, 0.0, 0.0]))
    half = _share(chest.transpose(1, 2) @ head, 0.5)
    global_["neck"], global_["head"] = chest @ half, head
    for side, sign in (("left", 1.0), ("right", -1.0)):
        shoulder, elbow, wrist = (joint(f"{side}_{n}") for n in ("shoulder", "elbow", "wrist"))
        axis_rest = torch.tensor([0.0, -sign, 0.0])
        upper, lower = point(f"{side}_elbow") - point(f"{side}_shoulder"), point(f"{side}_wrist") - point(f"{side}_elbow")
        rest_frame = frame_from_axes(elbow - shoulder, axis_rest)
        arm = _limb_frames(upper, lower, chest @ axis_rest) @ rest_frame.T
        forearm = rotation_between(arm @ (wrist - elbow), lower) @ arm
        global_[f"{side}_shoulder"], global_[f"{side}_elbow"], global_[f"{side}_wrist"] = arm, forearm, forearm
        hip, knee, ankle, toe = (joint(f"{side}_{n}") for n in ("hip", "knee", "ankle", "foot"))
        upper, lower = point(f"{side}_knee") - point(f"{side}_hip"), point(f"{side}_ankle") - point(f"{side}_knee")
        axis_rest = torch.tensor([1.0, 0.0, 0.0])
        thigh = _limb_frames(upper, lower, pelvis @ axis_rest) @ frame_from_axes(knee - hip, axis_rest).T
        shin = rotation_between(thigh @ (ankle - knee), lower) @ thigh
        sole = point(f"{side}_foot_index") - point(f"{side}_heel")
        rest_sole = (toe - ankle) * torch.tensor([1.0, 0.0, 1.0])
        foot = rotation_between(shin @ rest_sole, sole) @ shin
        global_[f"{side}_hip"], global_[f"{side}_knee"] = thigh, shin
        global_[f"{side}_ankle"] = global_[f"{side}_foot"] = foot
    stacked = torch.stack([global_.get(name, identity) for name in BODY_JOINTS], 1)
    parents = [0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19]
    local = stacked[:, parents].transpose(2, 3) @ stacked
    return torch.cat([stacked[:, :1], local[:, 1:]], 1)


def initial_translation(points: Tensor, pixels: Tensor, weights: Tensor, K: Tensor) -> Tensor:
    """Translation (T,3) m that best projects root-relative `points` (T,K,3) onto `pixels` (T,K,2).

    Linear least squares of x/z = u for every point, weighted by `weights` (T,K).
    """
    u = (pixels[..., 0] - K[0, 2]) / K[0, 0]
    v = (pixels[..., 1] - K[1, 2]) / K[1, 1]
    zero, one = torch.zeros_like(u), torch.ones_like(u)
    rows = torch.stack([torch.stack([one, zero, -u], -1), torch.stack([zero, one, -v], -1)], 2)
    right = torch.stack([u * points[..., 2] - points[..., 0], v * points[..., 2] - points[..., 1]], 2)
    weight = weights[..., None, None]
    normal = (rows * weight).flatten(1, 2).transpose(1, 2) @ rows.flatten(1, 2)
    target = (rows * weight).flatten(1, 2).transpose(1, 2) @ right.flatten(1, 2)[..., None]
    # A weak pull to 4 m ahead keeps frames with few points solvable.
    ridge = 1e-4 * torch.eye(3)
    prior = ridge @ torch.tensor([[0.0], [0.0], [4.0]])
    solution = torch.linalg.solve(normal + ridge, target + prior)[..., 0]
    return torch.cat([solution[:, :2], solution[:, 2:].clamp(min=0.3)], -1)
