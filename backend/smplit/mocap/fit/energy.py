# SPDX-License-Identifier: GPL-3.0-or-later
"""The terms of the whole-clip fit. Every residual is divided by its standard deviation, so that the
sum is a negative log-likelihood and no further weights are needed.

After SMPLify (Bogo et al. 2016) and SMPLify-X (Pavlakos et al. 2019) in spirit; the terms here are
temporal and were written from the papers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from smplit.body.balance import centre_of_mass, standing, standing_point
from smplit.motion import BODY_JOINTS

_J = {name: i for i, name in enumerate(BODY_JOINTS)}


@dataclass
class Sigmas:
    """Standard deviations of the residuals, tuned on the tuning clips of tools/make_truth_clips.py."""

    pixel: float = 0.01  # m at the person's depth, of a confident landmark
    pixel_outlier: float = 4.0  # sigmas beyond which a landmark counts as wrong
    bone: float = 0.1  # m, end of a limb against the detector's 3D direction
    lifted: float = 0.8  # rad, joints against the lifter's; limbs' directions say the same more sharply, this adds their twist
    lean: float = 0.3  # rad, one turn of all the detector's 3D against the camera: it takes pitched cameras for level ones
    acceleration: float = 10.0  # m/s2 of joints
    acceleration_tail: float = 3.0  # sigmas beyond which a joint is thrown: in kicks and waves it reaches ten
    root_acceleration: float = 15.0  # m/s2 of the root along the viewing ray
    turning: float = 40.0  # rad/s2 of local rotations
    hinge: float = 0.06  # sideways part of a forearm's or shin's unit direction
    pose: float = 2.0  # scales the per-joint rest deviations
    pose_prior: float = 1.0  # an ordinary pose costs 1 / this^2
    shape: float = 1.0  # betas are in standard deviations already
    contact_speed: float = 0.04  # m/s of a planted foot point
    contact_escape: float = 1.5  # m/s, a walk's pace, beyond which the foot was not planted after all
    contact_height: float = 0.01  # m of a planted sole point above the floor
    contact_outlier: float = 8.0  # sigmas beyond which the foot stands on something else
    balance: float = 0.06  # m, horizontal distance of the mean centre of mass from the feet
    wrist: float = 0.25  # rad, hand landmarks' palm orientation
    head: float = 0.15  # rad, face landmarks' head orientation
    head_alone: float = 0.05  # rad, the same in a close-up
    head_aside: float = 0.005  # m, face landmarks' head place square to the line of sight
    head_depth: float = 0.06  # of the depth: how much sizes of faces differ


# How far each joint usually bends from rest, rad (one number per joint: the prior's width).
_POSE_WIDTH = {
    "spine1": 0.2, "spine2": 0.15, "spine3": 0.15, "neck": 0.3, "head": 0.3, "collar": 0.15, "shoulder": 1.2,
    "elbow": 1.5, "wrist": 0.35, "hip": 0.9, "knee": 1.5, "ankle": 0.35, "foot": 0.15,
}
POSE_WIDTHS = torch.tensor(
    [_POSE_WIDTH[name.replace("left_", "").replace("right_", "")] for name in BODY_JOINTS[1:]]
)
_LIFTED_WEIGHT = {"wrist": 0.2, "foot": 0.3, "head": 0.5, "neck": 0.5}
LIFTED_WEIGHTS = torch.tensor([_LIFTED_WEIGHT.get(name.replace("left_", "").replace("right_", ""), 1.0) for name in BODY_JOINTS])
ANKLE_LIMIT = 2.0 - 2.0 * math.cos(math.radians(45.0))  # 2 (1 - cos angle)
_HINGES = [_J[f"{side}_{name}"] for name in ("knee", "elbow") for side in ("left", "right")]
_HINGE_ENDS = [_J[f"{side}_{name}"] for name in ("ankle", "wrist") for side in ("left", "right")]
LEG_JOINTS = [_J[f"{side}_{name}"] for side in ("left", "right") for name in ("hip", "knee", "ankle", "foot")]
_LEGS_AT_REST = 0.08  # rad
LIMBS = (
    ("left_shoulder", "left_elbow"), ("left_elbow", "left_wrist"), ("right_shoulder", "right_elbow"),
    ("right_elbow", "right_wrist"), ("left_hip", "left_knee"), ("left_knee", "left_ankle"),
    ("right_hip", "right_knee"), ("right_knee", "right_ankle"), ("left_shoulder", "right_shoulder"),
    ("left_hip", "right_hip"), ("left_hip", "left_shoulder"), ("right_hip", "right_shoulder"),
    ("left_heel", "left_foot_index"), ("right_heel", "right_foot_index"), ("left_ear", "nose"), ("right_ear", "nose"),
)


def robust(squared: Tensor, outlier: float | Tensor) -> Tensor:
    """Geman-McClure: quadratic near zero, flat at outlier^2 (squared residuals in sigmas)."""
    limit = outlier * outlier
    return limit * squared / (limit + squared)


def heavy_tailed(squared: Tensor, core: float) -> Tensor:
    """Cauchy: quadratic near zero, a logarithm beyond `core` (squared residuals in sigmas). What is rare still happens."""
    return core * core * torch.log1p(squared / (core * core))


def picture_offsets(points: Tensor, pixels: Tensor, K: Tensor) -> Tensor:
    """(T,K,3) m camera frame against (T,K,2) px -> (T,K,2) m at the person's depth, so that a near person does not outweigh the
    temporal terms; the depth used for that carries no gradient."""
    depth = points[..., 2:].clamp(min=0.1)
    u = points[..., :2] / depth * torch.stack([K[0, 0], K[1, 1]]) + torch.stack([K[0, 2], K[1, 2]])
    return (u - pixels) * metres_per_pixel(points, K)


def metres_per_pixel(points: Tensor, K: Tensor) -> Tensor:
    """(T,1,1) at the depth of a person's points (T,K,3) m."""
    return points[..., 2:].detach().clamp(min=0.1).median(1, keepdim=True).values / K[0, 0]


def reprojection(points: Tensor, pixels: Tensor, weights: Tensor, K: Tensor, sigmas: Sigmas, outlier: float | Tensor) -> Tensor:
    """(T,K,3) m camera frame against (T,K,2) px, weights and `outlier` limits in sigmas (T,K): sum over all landmarks."""
    squared = picture_offsets(points, pixels, K).square().sum(-1) / sigmas.pixel**2
    return (weights * robust(squared, outlier)).sum()


def bone_directions(points: Tensor, pairs: Tensor, directions: Tensor, weights: Tensor, sigmas: Sigmas, outlier: float = 4.0) -> Tensor:
    """Limbs of the body, `points` (T,K,3) joined by `pairs` (P,2), against unit `directions` (T,P,3)."""
    ends = points.movedim(0, -1)[pairs]  # (P,2,3,T)
    limb = (ends[:, 1] - ends[:, 0]).movedim(-1, 0)
    length = limb.detach().square().sum(-1, keepdim=True).sqrt()
    squared = ((limb - length * directions) ** 2).sum(-1) / sigmas.bone**2
    return (weights * robust(squared, outlier)).sum()


def steps(values: Tensor) -> Tensor:
    """Half the squared steps from frame to frame of (T,...), as SLAHMR smooths joints (Ye et al. 2023)."""
    return 0.5 * (values[1:] - values[:-1]).square().sum()


def second_difference(values: Tensor, times: Tensor) -> Tensor:
    """(T,...) over (T,) s -> (T-2,...) per s2, for uneven times too."""
    step = (times[1:] - times[:-1]).clamp(min=1e-3).reshape(-1, *([1] * (values.dim() - 1)))
    velocity = (values[1:] - values[:-1]) / step
    return (velocity[1:] - velocity[:-1]) / ((step[1:] + step[:-1]) / 2.0)


def rest_widths(sigmas: Sigmas, legs_seen: bool) -> Tensor:
    """(21,) rad: how far each joint strays from rest. Legs that no frame shows hang at rest, whatever the hips do."""
    widths = POSE_WIDTHS * sigmas.pose
    if not legs_seen:
        widths[[joint - 1 for joint in LEG_JOINTS]] = _LEGS_AT_REST
    return widths


def anatomy(local: Tensor, rest: Tensor, widths: Tensor, sigmas: Sigmas) -> Tensor:
    """Hinges bend one way and in one plane; other joints stay near rest by `widths` (21,) rad. (T,22,3,3) -> scalar."""
    hinges = local.movedim(0, -1)[list(_HINGES)]  # (4,3,3,T)
    bones = torch.nn.functional.normalize(rest[list(_HINGE_ENDS)] - rest[list(_HINGES)], dim=-1)
    off = (hinges * bones[:, None, :, None]).sum(2) - bones[..., None]  # (4,3,T) of each bone's unit direction
    knees, elbows = slice(0, 2), slice(2, 4)
    total = ((off[knees, 0] ** 2).sum() + (off[elbows, 1] ** 2).sum()) / sigmas.hinge**2
    total = total + ((torch.relu(off[knees, 2] - 0.02) ** 2).sum() + (torch.relu(-off[elbows, 2] - 0.02) ** 2).sum()) / 0.03**2
    # Twist: the shin's x axis must stay sideways, and the forearm's y axis mostly.
    total = total + ((1.0 - hinges[knees, 0, 0]) ** 2).sum() / 0.02**2 * 0.25 + ((1.0 - hinges[elbows, 1, 1]) ** 2).sum() / 0.25**2
    # 2(1-cos) = (trace deficit): squared angle for small angles, bounded for large ones.
    squared_angle = 3.0 - local[:, 1:].diagonal(dim1=2, dim2=3).sum(-1)
    ankles = squared_angle[:, [_J["left_ankle"] - 1, _J["right_ankle"] - 1]]
    total = total + (torch.relu(ankles - ANKLE_LIMIT) ** 2).sum() / 0.05**2
    return total + (squared_angle / widths**2).sum()


def imbalance(joints: Tensor, up: Tensor, legs: Tensor, sigmas: Sigmas) -> Tensor:
    """People stand above their feet: over a while the centre of mass lies over the point that carries it.

    Args:
        joints: (T,22,3) m, in axes that do not turn with the camera.
        up: (3,) unit, in the same axes.
        legs: (T,) 0..1 trust in the legs.
    """
    rise = centre_of_mass(joints) - standing_point(joints)
    trust = legs * standing(joints.detach(), rise.detach() @ up)
    mean = (trust[:, None] * (rise - (rise @ up)[:, None] * up)).sum(0) / trust.sum().clamp(min=1e-3)
    # All frames together say one thing: it counts as half as many observations.
    return (mean**2).sum() / sigmas.balance**2 * 0.5 * trust.sum()


def head_place(head: Tensor, place: Tensor, sigmas: Sigmas) -> Tensor:
    """(T,3) m head joint against where the face is seen, both in camera axes -> (T,)."""
    depth = place[:, 2:].clamp(min=0.1)  # a frame without a face has none, and no weight
    aside = depth * head[:, :2] / head[:, 2:].clamp(min=0.1) - place[:, :2]
    return (aside**2).sum(-1) / sigmas.head_aside**2 + (head[:, 2] / depth[:, 0] - 1.0) ** 2 / sigmas.head_depth**2


def turned_away(local: Tensor, lifted: Tensor, sigmas: Sigmas) -> Tensor:
    """Local rotations (T,22,3,3) against the lifter's; the root and joints that it hardly sees count less."""
    off = geodesic_squared(local, lifted)
    return (off * LIFTED_WEIGHTS).sum() / sigmas.lifted**2


def geodesic_squared(rotation: Tensor, target: Tensor) -> Tensor:
    """Squared angle (for small angles) between (...,3,3) rotations, smooth everywhere."""
    return 3.0 - (rotation * target).sum((-1, -2))
