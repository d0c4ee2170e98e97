# SPDX-License-Identifier: GPL-3.0-or-later
"""WHAM's network. State-dict names are those of the published checkpoints, without their `smpl.*`.

Every recurrent part takes the state it ended a piece of a clip with and goes on from it, so that pieces one
after another give what the whole clip gives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from smplit.mocap.wham.blocks import LstmState, NeuralInitialization, Regressor

KEYPOINTS, POINTS_3D = 17, 17 * 3
INPUT = KEYPOINTS * 2 + 3  # normalised keypoints and where the box is
FEATURE = 1024  # of an image crop: HMR2.0a's token
POSE = 24 * 6
LAYERS = 3
_UNLEARNT_JOINTS = (10, 11, 22, 23)  # feet and hands are left out of the initial pose
_KNOWN_JOINTS = tuple(joint for joint in range(24) if joint not in _UNLEARNT_JOINTS)


@dataclass
class Inputs:
    """Clips as the network takes them; B clips, F frames at 30 a second.

    Attributes:
        x: (B,F,37) keypoints in their box, -1..1, then the box's centre and size relative to the picture.
        mask: (B,F,17) bool, true where a keypoint is unseen.
        init_kp: (B,88) keypoints 3D of the frame before (hip-centred, m, camera axes), then `x` of the first frame.
        init_pose: (B,24,6) pose of the first frame, 6D rows, joint 0 in camera axes.
        init_root: (B,6) root's rotation in the world before the first frame.
        cam_angvel: (B,F,6) turn of the camera, per second.
        features: (B,F,1024) of the images, or None.
        residual: (B,) bool, see `has_every_feature`; only with features.
    """

    x: Tensor
    mask: Tensor
    init_kp: Tensor
    init_pose: Tensor
    init_root: Tensor
    cam_angvel: Tensor
    features: Tensor | None = None
    residual: Tensor | None = None

    def frames(self, rows: slice) -> Inputs:
        cut = lambda values: None if values is None else values[:, rows]
        return replace(self, x=self.x[:, rows], mask=self.mask[:, rows], cam_angvel=self.cam_angvel[:, rows], features=cut(self.features))


@dataclass
class Prediction:
    """What the network says before its trajectory is refined.

    Attributes:
        kp3d: (B,F,17,3) m, hip-centred; context: (B,F,563) before image features came in.
        pose: (B,F,144) 6D rows, root in camera axes; betas: (B,F,10); cam: (B,F,3) s, tx, ty; contact: (B,F,4), not bounded.
        root: (B,F+1,6) world rotations, entry 0 the initial one or the last one of the piece before.
        velocity: (B,F,3) m per frame in the root frame of the frame before.
    """

    kp3d: Tensor
    context: Tensor
    pose: Tensor
    betas: Tensor
    cam: Tensor
    contact: Tensor
    root: Tensor
    velocity: Tensor


@dataclass
class Memory:
    """State between pieces of a clip: what was fed back last, and the LSTMs' states."""

    keypoints: Tensor  # (B,1,51)
    encoder: LstmState
    root: Tensor  # (B,1,6)
    trajectory: LstmState | None
    pose: Tensor  # (B,1,144)
    decoder: LstmState


class MotionEncoder(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.embed_layer = nn.Linear(INPUT, width)
        self.dropout = nn.Dropout(0.15)
        self.neural_init = NeuralInitialization(POINTS_3D + INPUT, width, LAYERS)
        self.regressor = Regressor(width + POINTS_3D, width, [POINTS_3D], LAYERS)

    def forward(self, x: Tensor, keypoints: Tensor, state: LstmState) -> tuple[Tensor, Tensor, LstmState]:
        """(B,F,37), the keypoints before (B,1,51) -> keypoints (B,F,51), context (B,F,width+51), state."""
        embedded = self.dropout(self.embed_layer(x))
        found, hidden = [keypoints], []
        for frame in embedded.split(1, 1):
            (keypoints,), motion, state = self.regressor(torch.cat([frame, found[-1]], -1), state)
            found.append(keypoints)
            hidden.append(motion)
        kp3d = torch.cat(found[1:], 1)
        return kp3d, torch.cat([torch.cat(hidden, 1), kp3d], -1), state


class TrajectoryDecoder(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.regressor = Regressor(width + 12, width, [3, 6], LAYERS)

    def forward(self, context: Tensor, root: Tensor, cam_angvel: Tensor, state: LstmState | None) -> tuple[Tensor, Tensor, LstmState | None]:
        """(B,F,C), the root before (B,1,6), (B,F,6) -> roots (B,F+1,6), velocities (B,F,3), state."""
        roots, velocities = [root], []
        for frame, turn in zip(context.split(1, 1), cam_angvel.split(1, 1), strict=True):
            (velocity, root), _, state = self.regressor(torch.cat([frame, roots[-1], turn], -1), state)
            roots.append(root)
            velocities.append(velocity)
        return torch.cat(roots, 1), torch.cat(velocities, 1), state


class Integrator(nn.Module):
    """Brings image features into the context."""

    def __init__(self, width: int, hidden: int = 1024):
        super().__init__()
        self.layer1 = nn.Linear(width + FEATURE, hidden)
        self.layer2 = nn.Linear(hidden, hidden)
        self.layer3 = nn.Linear(hidden, width)
        self.dropout = nn.Dropout(0.1)

    def forward(self, context: Tensor, features: Tensor, residual: Tensor) -> Tensor:
        """(B,F,C), (B,F,1024), (B,) bool -> (B,F,C); the context is added in the clips that are `residual`."""
        hidden = self.dropout(self.layer1(torch.cat([context, features], -1)).relu())
        out = self.layer3(self.dropout(self.layer2(hidden).relu()))
        return torch.where(residual[:, None, None], out + context, out)


class MotionDecoder(nn.Module):
    def __init__(self, width: int):
        super().__init__()
        self.neural_init = NeuralInitialization(len(_KNOWN_JOINTS) * 6, width, LAYERS)
        self.regressor = Regressor(width + POSE, width, [POSE, 10, 3, 4], LAYERS)

    def forward(self, context: Tensor, pose: Tensor, state: LstmState) -> tuple[list[Tensor], LstmState]:
        """(B,F,C), the pose before (B,1,144) -> pose, betas, camera, contact (B,F,...) and the state."""
        found: list[list[Tensor]] = []
        for frame in context.split(1, 1):
            values, _, state = self.regressor(torch.cat([frame, pose], -1), state)
            pose = values[0]
            found.append(values)
        return [torch.cat(values, 1) for values in zip(*found, strict=True)], state


class TrajectoryRefiner(nn.Module):
    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.refiner = Regressor(width + 12 + 9, hidden, [6, 3], 2)

    def forward(
        self, context: Tensor, feet: Tensor, root: Tensor, velocity: Tensor, state: LstmState | None
    ) -> tuple[Tensor, Tensor, LstmState]:
        """Context (B,F,C), feet's velocity (B,F,12), roots (B,F,6), velocity (B,F,3) -> refined roots, velocity, state."""
        (turn, push), _, state = self.refiner(torch.cat([context, feet, root, velocity], -1), state)
        return root + turn, velocity + push, state


class Wham(nn.Module):
    """The published network: encoder width 512, 42.03 million parameters in 83 tensors."""

    def __init__(self, width: int = 512):
        super().__init__()
        context = width + POINTS_3D
        self.mask_embedding = nn.Parameter(torch.zeros(1, 1, KEYPOINTS, 2))
        self.motion_encoder = MotionEncoder(width)
        self.trajectory_decoder = TrajectoryDecoder(context)
        self.integrator = Integrator(context)
        self.motion_decoder = MotionDecoder(context)
        self.trajectory_refiner = TrajectoryRefiner(context, width)

    def begin(self, inputs: Inputs) -> Memory:
        """The state before the first frame."""
        keypoints, known = inputs.init_kp[:, None, :POINTS_3D], inputs.init_pose[:, list(_KNOWN_JOINTS)].flatten(1)
        return Memory(
            keypoints, self.motion_encoder.neural_init(inputs.init_kp), inputs.init_root[:, None], None,
            inputs.init_pose.flatten(1)[:, None], self.motion_decoder.neural_init(known),
        )

    def masked(self, x: Tensor, mask: Tensor) -> Tensor:
        """(B,F,37) with the learned embedding in the place of unseen keypoints (B,F,17); where the box is stays."""
        points = torch.where(mask[..., None], self.mask_embedding, x[..., : 2 * KEYPOINTS].unflatten(-1, (KEYPOINTS, 2)))
        return torch.cat([points.flatten(-2), x[..., 2 * KEYPOINTS :]], -1)

    def forward(self, inputs: Inputs, memory: Memory | None = None) -> tuple[Prediction, Memory]:
        """A clip, or a piece of one with the `memory` that the piece before left."""
        memory = memory or self.begin(inputs)
        kp3d, context, encoder = self.motion_encoder(self.masked(inputs.x, inputs.mask), memory.keypoints, memory.encoder)
        root, velocity, trajectory = self.trajectory_decoder(context, memory.root, inputs.cam_angvel, memory.trajectory)
        told = context
        if inputs.features is not None:
            residual = has_every_feature(inputs.features) if inputs.residual is None else inputs.residual
            told = self.integrator(context, inputs.features, residual)
        (pose, betas, cam, contact), decoder = self.motion_decoder(told, memory.pose, memory.decoder)
        after = Memory(kp3d[:, -1:], encoder, root[:, -1:], trajectory, pose[:, -1:], decoder)
        return Prediction(kp3d.unflatten(-1, (KEYPOINTS, 3)), context, pose, betas, cam, contact, root, velocity), after


def has_every_feature(features: Tensor) -> Tensor:
    """(B,) bool: no number of any frame is zero. A single frame without an image switches the shortcut off for its whole clip."""
    return (features != 0).all(-1).all(-1)
