# SPDX-License-Identifier: GPL-3.0-or-later
"""The 24-joint body that WHAM speaks of: the user's own SMPL arrays, or a stand-in made of the open SMPL-X body.

Everything is relative to the middle of the hips, which is what WHAM's translations are places of.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

PARENTS = (-1, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 12, 13, 14, 16, 17, 18, 19, 20, 21)
JOINTS = 24
HIPS = (11, 12)  # of the 17 keypoints
FEET = 4  # two points of the left foot, then two of the right


@dataclass
class SmplArrays:
    """A SMPL body; V vertices.

    Attributes:
        v_template: (V,3) m; shapedirs: (V,3,10); posedirs: (V,3,207); joint_regressor: (24,V); weights: (V,24).
        keypoint_regressor: (31,V): 17 COCO keypoints, then 14 "common" ones; feet_regressor: (4,V).
    """

    v_template: np.ndarray
    shapedirs: np.ndarray
    posedirs: np.ndarray
    joint_regressor: np.ndarray
    weights: np.ndarray
    keypoint_regressor: np.ndarray
    feet_regressor: np.ndarray


@dataclass
class BodyPoints:
    """Points of N posed bodies, m, relative to the middle of the hips; `offset` (N,3) is that middle in the body's own axes."""

    keypoints: Tensor  # (N,31,3)
    feet: Tensor  # (N,4,3)
    offset: Tensor  # (N,3)
    vertices: Tensor | None = None  # (N,V,3)


class SmplBody:
    """Poses a body. Without `vertices` only those are posed that keypoints and feet are made of."""

    def __init__(self, arrays: SmplArrays, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32):
        as_tensor = lambda array: torch.as_tensor(np.ascontiguousarray(array), dtype=dtype, device=device)
        self.vertices = len(arrays.v_template)
        regressors = np.concatenate([arrays.keypoint_regressor, arrays.feet_regressor])
        self._used = np.flatnonzero(np.any(regressors != 0, 0))
        self._regressor = as_tensor(regressors[:, self._used])
        self._all_regressor = as_tensor(regressors)
        self._joint_template = as_tensor(arrays.joint_regressor.astype(np.float64) @ arrays.v_template)
        self._joint_directions = as_tensor(np.einsum("jv,vck->jck", arrays.joint_regressor.astype(np.float64), arrays.shapedirs))
        self._surfaces = {
            whole: tuple(
                as_tensor(array[rows]) for array in (arrays.v_template, arrays.shapedirs, arrays.posedirs, arrays.weights)
            )
            for whole, rows in ((True, slice(None)), (False, self._used))
        }

    def rest_joints(self, betas: Tensor) -> Tensor:
        """(N,10) -> (N,24,3) m."""
        return self._joint_template + torch.einsum("jck,nk->njc", self._joint_directions, betas)

    def __call__(self, rotations: Tensor, betas: Tensor, vertices: bool = False) -> BodyPoints:
        """Local rotations (N,24,3,3), shapes (N,10)."""
        surface = self._posed(self._surfaces[vertices], rotations, betas)
        points = torch.einsum("pv,nvc->npc", self._all_regressor if vertices else self._regressor, surface)
        offset = points[:, list(HIPS)].mean(1)
        points = points - offset[:, None]
        return BodyPoints(points[:, :-FEET], points[:, -FEET:], offset, surface - offset[:, None] if vertices else None)

    def _posed(self, surface: tuple[Tensor, ...], rotations: Tensor, betas: Tensor) -> Tensor:
        """Linear blend skinning (Loper et al. 2015, SMPL): (N,V,3) m."""
        template, shape_directions, pose_directions, weights = surface
        count = len(rotations)
        bend = (rotations[:, 1:] - torch.eye(3, dtype=rotations.dtype, device=rotations.device)).flatten(1)
        shaped = template + torch.einsum("vck,nk->nvc", shape_directions, betas)
        shaped = shaped + (bend @ pose_directions.flatten(0, 1).T).view(count, -1, 3)
        turns, places = self._chain(rotations, self.rest_joints(betas))
        blended = (weights @ torch.cat([turns, places[..., None]], -1).view(count, JOINTS, 12)).view(count, -1, 3, 4)
        return (blended[..., :3] @ shaped[..., None])[..., 0] + blended[..., 3]

    @staticmethod
    def _chain(rotations: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
        """World rotations (N,24,3,3), and what takes a rest point to its place after them (N,24,3)."""
        turns, joints = [rotations[:, 0]], [rest[:, 0]]
        for joint in range(1, JOINTS):
            parent = PARENTS[joint]
            turns.append(turns[parent] @ rotations[:, joint])
            joints.append(joints[parent] + (turns[parent] @ (rest[:, joint] - rest[:, parent])[..., None])[..., 0])
        turn, place = torch.stack(turns, 1), torch.stack(joints, 1)
        return turn, place - (turn @ rest[..., None])[..., 0]
