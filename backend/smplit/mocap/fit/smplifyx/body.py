# SPDX-License-Identifier: GPL-3.0-or-later
"""The 118 fitted points on the loaded body: skinning of the few vertices they need, as the smplx package does it for all."""

from __future__ import annotations

import numpy as np
import roma
import torch
from torch import Tensor

from smplit.body.kinematics import joint_transforms
from smplit.body.model import SURFACE_POINTS, BodyModel
from smplit.errors import BadInput
from smplit.mocap.fit.smplifyx.joints import smplx_indices
from smplit.mocap.fit.smplifyx.staged import Parameters
from smplit.motion import NUM_JOINTS, PARENTS

_SHAPES, _EXPRESSIONS_FROM = 10, 300  # columns of `shapedirs`
_HAND_COMPONENTS, _FLAME_EXPRESSIONS = 12, 10  # of the published fit
_HANDS = (("left_hand_pose", "l"), ("right_hand_pose", "r"))


class SmplxPoints:
    """A `PosedBody` of the real SMPL-X or the open body, in double precision.

    Hands are 12 principal components about the body file's mean hand; expressions the first 10 of FLAME's, or all of a basis
    whose members have names (the first 10 of those would be a choice by the alphabet). Eyes look ahead: no point moves with them.
    """

    def __init__(self, body: BodyModel):
        """Raises:
            BadInput: the body file lacks hands' components or face landmarks.
        """
        named = not body.expression_names[0].startswith("flame")
        count = len(body.expression_names) if named else _FLAME_EXPRESSIONS
        try:
            with np.load(body.path, allow_pickle=False) as archive:
                components = [archive[f"hands_components{side}"][:_HAND_COMPONENTS] for _, side in _HANDS]
                means = [archive[f"hands_mean{side}"] for _, side in _HANDS]
                faces, self._weights = archive["lmk_faces_idx"].astype(np.int64), _double(archive["lmk_bary_coords"])
                regressor, correctives = archive["J_regressor"].astype(np.float64), archive["posedirs"]
        except KeyError as error:
            raise BadInput(f"'{body.path}' is not complete ({error}).", "Use SMPLX_NEUTRAL.npz as published.") from error
        columns = [*range(_SHAPES), *range(_EXPRESSIONS_FROM, _EXPRESSIONS_FROM + count)]
        picked = [vertex for vertex, _ in SURFACE_POINTS.values()]  # the smplx package's 21, in its order
        corners = body.faces[faces].ravel()
        vertices = np.concatenate([picked, corners])
        directions = np.asarray(body.shapedirs[..., columns], np.float64)
        self._template, self._directions = _double(body.v_template[vertices]), _double(directions[vertices])
        self._correctives, self._skinning = _double(correctives[vertices]), _double(body.weights[vertices])
        self._joints = _double(regressor @ body.v_template)
        self._joint_directions = _double(np.einsum("jv,vcb->jcb", regressor, directions))
        self._components, self._means = [_double(c) for c in components], [_double(mean) for mean in means]
        self._order = torch.tensor(smplx_indices())
        self.expressions = count
        self.sizes = {
            "global_orient": 3, "body_pose": 63, "betas": _SHAPES, "left_hand_pose": _HAND_COMPONENTS,
            "right_hand_pose": _HAND_COMPONENTS, "expression": count, "jaw_pose": 3,
        }

    def hands(self, parameters: Parameters) -> tuple[Tensor, Tensor]:
        """(F,45) each, rad: left and right hand about the mean one."""
        left, right = (parameters[name] @ basis for (name, _), basis in zip(_HANDS, self._components, strict=True))
        return left, right

    def axis_angles(self, parameters: Parameters) -> Tensor:
        """(F,55,3) rad; the flat hand is zero."""
        pose, frames = parameters["body_pose"], len(parameters["body_pose"])
        hands = [about + mean for about, mean in zip(self.hands(parameters), self._means, strict=True)]
        eyes = pose.new_zeros(frames, 6)
        return torch.cat([parameters["global_orient"], pose, parameters["jaw_pose"], eyes, *hands], 1).view(frames, NUM_JOINTS, 3)

    def points(self, parameters: Parameters) -> Tensor:
        """(F,118,3) m."""
        return self.all_points(parameters)[:, self._order]

    def all_points(self, parameters: Parameters) -> Tensor:
        """(F,127,3) m: the smplx package's joints, picked vertices and face points."""
        rotations = roma.rotvec_to_rotmat(self.axis_angles(parameters))
        shape = torch.cat([parameters["betas"], parameters["expression"]], 1)
        rest = self._joints + torch.einsum("jcb,fb->fjc", self._joint_directions, shape)
        turns, joints = _posed(rotations, rest)
        bent = (rotations[:, 1:] - torch.eye(3, dtype=rotations.dtype)).flatten(1)
        vertices = self._template + torch.einsum("vcb,fb->fvc", self._directions, shape) + torch.einsum("vcp,fp->fvc", self._correctives, bent)
        turn = torch.einsum("vj,fjab->fvab", self._skinning, turns)
        shift = torch.einsum("vj,fja->fva", self._skinning, joints - (turns @ rest[..., None])[..., 0])
        vertices = (turn @ vertices[..., None])[..., 0] + shift
        picked = len(SURFACE_POINTS)
        face = (vertices[:, picked:].view(len(vertices), -1, 3, 3) * self._weights[:, :, None]).sum(2)
        return torch.cat([joints, vertices[:, :picked], face], 1)


def _posed(rotations: Tensor, rest: Tensor) -> tuple[Tensor, Tensor]:
    """Global rotations (F,55,3,3) and joints (F,55,3) m of frames whose shapes differ: rest (F,55,3)."""
    turns, _ = joint_transforms(rotations, rest[0])
    places = [rest[:, 0]]
    for joint in range(1, NUM_JOINTS):
        parent = PARENTS[joint]
        places.append(places[parent] + (turns[:, parent] @ (rest[:, joint] - rest[:, parent])[..., None])[..., 0])
    return turns, torch.stack(places, 1)


def _double(array: np.ndarray) -> Tensor:
    return torch.as_tensor(np.asarray(array, np.float64))
