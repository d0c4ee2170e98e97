# SPDX-License-Identifier: GPL-3.0-or-later
"""What the published WHAM is trained to minimise, in both stages (goldens/wham/SPEC.md, section 7)."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from smplit.mocap.wham.body import HIPS
from smplit.mocap.wham.camera import BOX_UNIT, project, project_weakly
from smplit.mocap.wham.camera_turn import identity_turn
from smplit.mocap.wham.lift import Lifted, Scene
from smplit.mocap.wham.network import KEYPOINTS
from smplit.mocap.wham.rotations import matrix_from_rows, rows_from_matrix

_COCO = (0.5,) * 5 + (1.5, 1.5, 4.0, 4.0, 4.0, 4.0, 1.5, 1.5, 4.0, 4.0, 4.0, 4.0)
_COMMON = (4.0, 4.0, 1.5, 1.5, 4.0, 4.0) * 2 + (0.5, 0.5)
_COMMON_HIPS = (19, 20)
_LOOSE_JOINTS = (0, 10, 11, 22, 23)  # root, toes, hands
_WINDOWS = (1, 3, 9, 27)  # frames over which a velocity's error is summed
_FPS = 30.0


@dataclass(frozen=True)
class LossWeights:
    """`whole` times each of the others; `weak` is that of the crop's camera beside the picture's."""

    whole: float
    pose: float
    betas: float
    kp2d: float
    kp3d: float
    cascade: float
    camera: float
    contact: float = 0.04
    sliding: float = 0.5
    vertices: float = 1.0
    weak: float = 5.0
    root: float = 0.4
    velocity: float = 0.001


STAGE_1 = LossWeights(50.0, pose=8.0, betas=0.004, kp2d=0.1, kp3d=0.4, cascade=0.0, camera=0.04)
STAGE_2 = LossWeights(60.0, pose=1.0, betas=0.0, kp2d=3.0, kp3d=6.0, cascade=0.05, camera=0.01)
STAGE_2_BEDLAM = replace(STAGE_2, pose=3.0, kp2d=5.0, kp3d=5.0)


@dataclass
class Targets:
    """Truth of B clips of F frames. World axes: y down.

    Attributes:
        pose: (B,F,24,6) rows, root in camera axes; betas: (B,F,10).
        keypoints: (B,F,31,4) m about any origin, camera axes, and confidence.
        pixels: (B,F,31,3) px and confidence; crop: (B,F,31,3) in half sides of the crop, and confidence.
        contact: (B,F,4) 0..1, -1 where not known.
        root: (B,F+1,6) and velocity: (B,F,3) as `network.Prediction`; all zero in clips without.
        camera: (B,F+1,3,3) world to camera; cam_angvel: (B,F,6).
        has_smpl, has_path: (B,) bool: pose and betas, or camera and path, are known.
        vertices: (B,F,V,3) m where `has_vertices` (B,) says so.
    """

    pose: Tensor
    betas: Tensor
    keypoints: Tensor
    pixels: Tensor
    crop: Tensor
    contact: Tensor
    root: Tensor
    velocity: Tensor
    camera: Tensor
    cam_angvel: Tensor
    has_smpl: Tensor
    has_path: Tensor
    vertices: Tensor | None = None
    has_vertices: Tensor | None = None


@dataclass
class Views:
    """Bodies as the cameras see them: `pixels` (B,F,31,2) px, `crop` (B,F,31,2) half sides of the crop, `camera` (B,F,3,3) world to camera."""

    pixels: Tensor
    crop: Tensor
    camera: Tensor


def views(found: Lifted, scene: Scene) -> Views:
    """The camera is the one that follows from the root as it sees it and as it is in the world."""
    return Views(
        project(found.keypoints + found.place[:, :, None], scene.K), project_weakly(found.keypoints, found.cam),
        matrix_from_rows(found.pose[..., :6]) @ matrix_from_rows(found.root).transpose(-1, -2),
    )


def losses(found: Lifted, seen: Views, truth: Targets, bbox: Tensor, weights: LossWeights, with_camera: bool = True) -> dict[str, Tensor]:
    """Weighted parts of the loss; their sum is minimised.

    Args:
        bbox: (B,F,3) centre px and side by 200.
        with_camera: the original leaves the camera's part out in the first five epochs of stage 1.
    """
    zero = found.pose.new_zeros(())
    smpl = truth.has_smpl
    parts = {
        "pose": weights.pose * _supervised(found.pose.unflatten(-1, (24, 6)) - truth.pose, smpl, _joint_weights(found.pose)),
        "betas": weights.betas * _supervised(found.betas - truth.betas, smpl),
        "2d": weights.kp2d * _keypoints_2d(seen, truth, bbox, weights.weak),
        **_keypoints_3d(found, truth, weights),
        "v3d": zero if truth.vertices is None else weights.vertices * _vertices(found.vertices, truth.vertices, truth.has_vertices),
        "contact": weights.contact * _mean((found.contact - truth.contact).square(), truth.contact != -1.0),
        "root": _root(found.root, found.velocity, truth, weights), "root_ref": _root(found.refined_root, found.refined_velocity, truth, weights),
        "sliding": weights.sliding * _sliding(found.feet, truth.contact),
        "sliding_ref": weights.sliding * _sliding(found.refined_feet, truth.contact),
        "camera": weights.camera * _camera(seen.camera, truth) if with_camera else zero,
    }
    return {name: weights.whole * value for name, value in parts.items()}


def _mean(values: Tensor, where: Tensor) -> Tensor:
    """Over where it is true; zero, with a gradient of zero, where it is nowhere. Without a branch, so that nothing waits for the device."""
    return torch.where(where, values, 0.0).sum() / where.expand_as(values).sum().clamp(min=1)


def _items(values: Tensor, which: Tensor) -> Tensor:
    """Mean over the clips (B,) that count."""
    return _mean(values, which.view(-1, *[1] * (values.ndim - 1)))


def _supervised(error: Tensor, which: Tensor, weight: Tensor | float = 1.0) -> Tensor:
    return _items(weight * error.square(), which) * which.float().mean()


def _joint_weights(like: Tensor) -> Tensor:
    """(24,1)."""
    weights = torch.ones(24, dtype=like.dtype, device=like.device)
    weights[list(_LOOSE_JOINTS)] = 0.1
    return (weights / weights.mean())[:, None]


def _keypoint_weights(like: Tensor) -> Tensor:
    return torch.tensor(_COCO + _COMMON, dtype=like.dtype, device=like.device)


def _distances(error: Tensor, confidence: Tensor) -> Tensor:
    """Errors (...,K,2 or 3) of the first K keypoints, as one number."""
    weight = _keypoint_weights(error)[: error.shape[-2]]
    return (weight * confidence * error.norm(dim=-1)).mean() * confidence.mean()


def _keypoints_2d(seen: Views, truth: Targets, bbox: Tensor, weak: float) -> Tensor:
    in_picture = (seen.pixels - truth.pixels[..., :2]) / (bbox[..., None, 2:] * BOX_UNIT)
    in_crop = seen.crop - truth.crop[..., :2]
    return _distances(in_picture, truth.pixels[..., 2]) + weak * _distances(in_crop, truth.crop[..., 2])


def _about_hips(keypoints: Tensor) -> Tensor:
    """COCO and common keypoints about their own hips: the two sets' hips need not agree."""
    coco = keypoints[..., :KEYPOINTS, :] - keypoints[..., HIPS, :].mean(-2, keepdim=True)
    common = keypoints[..., KEYPOINTS:, :] - keypoints[..., _COMMON_HIPS, :].mean(-2, keepdim=True)
    return torch.cat([coco, common], -2)


def _keypoints_3d(found: Lifted, truth: Targets, weights: LossWeights) -> dict[str, Tensor]:
    """The body's, the encoder's, and both against each other; the encoder's are about the hips as they come."""
    confidence = truth.keypoints[..., 3]
    body, true = _about_hips(found.keypoints), _about_hips(truth.keypoints[..., :3])
    coco = confidence[..., :KEYPOINTS]
    return {
        "3d": weights.kp3d * _distances(body - true, confidence),
        "3d_nn": weights.kp3d * _distances(found.kp3d - true[..., :KEYPOINTS, :], coco),
        "casc": weights.cascade * _distances(found.kp3d - body[..., :KEYPOINTS, :], coco) / 2.0,
    }


def _vertices(found: Tensor, truth: Tensor, which: Tensor) -> Tensor:
    error = (found - found.mean(-2, keepdim=True)) - (truth - truth.mean(-2, keepdim=True))
    return _items(error.abs().sum(-1), which) * which.float().mean()


def _root(root: Tensor, velocity: Tensor, truth: Targets, weights: LossWeights) -> Tensor:
    """Turn and way. As in the original, windows of the way start at most as late as the batch is large, not the clip."""
    has_root = (truth.root != 0).all(-1).all(-1)
    has_way = (truth.velocity != 0).all(-1).all(-1) & (truth.contact != -1.0).any(1).any(1)
    error = velocity - truth.velocity
    off = error.new_zeros(len(error))
    for window in _WINDOWS:
        for first in range(len(error) // window):
            off = off + error[:, first : (first + 1) * window].sum(1).norm(dim=-1)
    return weights.root * _items((root - truth.root[:, 1:]).square(), has_root) + weights.velocity * _items(off, has_way)


def _sliding(feet: Tensor, contact: Tensor) -> Tensor:
    return ((feet[:, 1:] - feet[:, :-1]).norm(dim=-1) * (contact[:, 1:] > 0.5)).mean()


def _camera(camera: Tensor, truth: Targets) -> Tensor:
    """Where it looks and how it turns."""
    step = rows_from_matrix(camera[:, :-1] @ camera[:, 1:].transpose(-1, -2))
    turn = (step - identity_turn(step)) * _FPS
    rotation = (rows_from_matrix(camera) - rows_from_matrix(truth.camera[:, 1:])).square()
    return _items(rotation, truth.has_path) + _items((turn - truth.cam_angvel[:, 1:]).square(), truth.has_path)
