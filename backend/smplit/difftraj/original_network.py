# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks of the published DiffTraj: the trajectory is denoised, local joints are the condition.

Written from their behaviour; state-dict names are the published ones. Inputs are normalised by the
statistics of the training data (`original_features`).
"""

from __future__ import annotations

from torch import Tensor, nn

from smplit.diffusion.denoiser import MotionDenoiser, frame_vectors

CONDITION = 68  # 22 joint positions, cosine and sine of the heading's step
ROOT = 11  # the trajectory's numbers a frame
ROOT_AND_CONTACTS = 13  # of the older kind: without the heading's step, with four foot contacts
MOTION = 203
POSE = 194  # MOTION without its first 9 numbers


class OriginalDenoiser(MotionDenoiser):
    """The published DiffTraj.

    Args:
        outputs: 11, or 13 for the older kind, whose checkpoints call the condition's layer otherwise.
        add_emb: the condition is added to the frames' tokens, [time, frames]; else it has tokens of
            its own, [condition, time, frames]. The checkpoints of both have the same names.
    """

    def __init__(self, outputs: int = ROOT, add_emb: bool = True, width: int = 512, layers: int = 8):
        super().__init__(outputs, 1, width, layers)
        self.outputs, self.add_emb = outputs, add_emb
        self._condition_name = "local_pose_encoder" if outputs == ROOT_AND_CONTACTS else "condition_encoder"
        setattr(self, self._condition_name, nn.Linear(CONDITION, width))

    def forward(self, x: Tensor, timesteps: Tensor, condition: Tensor) -> Tensor:
        """x0 (B,outputs,1,T) of a noised trajectory x (B,outputs,1,T) at `timesteps` (B,), given `condition` (B,68,1,T)."""
        known = getattr(self, self._condition_name)(frame_vectors(condition))
        time, frames = self.embed_timestep(timesteps), self.input_process(x)
        if self.add_emb:
            return self.decode([time], frames + known)
        return self.decode([known, time], frames)


class OriginalAutoregressiveDenoiser(MotionDenoiser):
    """The published variant that goes on from past motion: [past, future pose, time, frames]."""

    def __init__(self, width: int = 512, layers: int = 8):
        super().__init__(MOTION, 1, width, layers)
        self.p_motion_enc = nn.Linear(MOTION, width)
        self.f_pose_enc = nn.Linear(POSE, width)

    def forward(self, x: Tensor, timesteps: Tensor, past_motion: Tensor, future_pose: Tensor) -> Tensor:
        """x0 (B,203,1,T) of noised motion x (B,203,1,T), given `past_motion` (B,203,1,P) and `future_pose` (B,194,1,T)."""
        past, pose = self.p_motion_enc(frame_vectors(past_motion)), self.f_pose_enc(frame_vectors(future_pose))
        return self.decode([past, pose, self.embed_timestep(timesteps)], self.input_process(x))


def network_for(weights: dict[str, Tensor], add_emb: bool) -> OriginalDenoiser:
    """The network of a checkpoint of `OriginalDenoiser`, not yet filled; which kind it is shows in its names."""
    return OriginalDenoiser(ROOT_AND_CONTACTS if "local_pose_encoder.weight" in weights else ROOT, add_emb)
