# SPDX-License-Identifier: GPL-3.0-or-later
"""The network of the published LOCO: future motion is denoised, given the past, a style and the way ahead.

Written from its behaviour; state-dict names are the published ones. Motion is the 203 numbers of
`difftraj.original_features`, normalised; the way ahead its 4 numbers, as they are.
"""

from __future__ import annotations

from torch import Tensor, nn

from smplit.diffusion.denoiser import MotionDenoiser, frame_vectors

MOTION, CONTROL = 203, 4


class OriginalLocoDenoiser(MotionDenoiser):
    """Tokens: [past, style, way ahead, time, frames].

    Args:
        styles: number of styles; 0 for the variant without.
    """

    def __init__(self, styles: int = 100, width: int = 512, layers: int = 8):
        super().__init__(MOTION, 1, width, layers)
        self.styles = styles
        self.past_motion_encoder = nn.Linear(MOTION, width)
        self.ctrl_traj_encoder = nn.Linear(CONTROL, width)
        if styles:
            self.style_onehot_fc = nn.Linear(styles, width)

    def forward(self, x: Tensor, timesteps: Tensor, past_motion: Tensor, control: Tensor, style: Tensor | None = None) -> Tensor:
        """x0 (B,203,1,T) of noised motion x (B,203,1,T).

        Args: timesteps (B,) int64; past_motion (B,203,1,P); control (B,4,1,T); style (B,S), one-hot or a mixture.
        """
        before = [self.past_motion_encoder(frame_vectors(past_motion))]
        if style is not None:
            before.append(self.style_onehot_fc(style)[:, None])
        before += [self.ctrl_traj_encoder(frame_vectors(control)), self.embed_timestep(timesteps)]
        return self.decode(before, self.input_process(x))
