# SPDX-License-Identifier: GPL-3.0-or-later
"""Recordings as the published LOCO's features, on the device, and windows of them drawn there.

Every window of past and future frames is as likely as any other, as in the original: no mirroring, no turning, no
balance of styles. The end of each recording is held out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from smplit.datasets.store import MotionStore
from smplit.difftraj.original_features import Statistics, control_signal, motion_features
from smplit.errors import BadInput
from smplit.loco.published.files import published_styles
from smplit.loco.published.paths import FPS

_HELD_OUT_SHARE = 0.1  # of each recording's frames, at its end
_LEAST_HELD_OUT = 2  # windows; a recording that cannot spare them is trained on whole
_BODY = 22


@dataclass
class Windows:
    """B windows: `past` (B,203,1,P) and `future` (B,203,1,F) normalised, `control` (B,4,1,F) as it is, `style` (B,) int64."""

    past: Tensor
    future: Tensor
    control: Tensor
    style: Tensor


class OriginalRecordings:
    """Features of all frames on the device.

    Args:
        store: at 30 frames a second; clips: indices of those in use.
        rest_joints: (22,3) m of the store's body.
        past, future: frames of a window.
        styles: names by number, () to tell all clips alike; None: those that occur, in the published order where that knows them all.
        statistics: of another training to go on with; None: of these recordings.

    Raises:
        BadInput: another frame rate, or no clip that has a style and is as long as a window.
    """

    def __init__(
        self, store: MotionStore, clips: Sequence[int], rest_joints: np.ndarray, past: int, future: int, device: str = "cpu",
        styles: Sequence[str] | None = None, statistics: Statistics | None = None,
    ):
        if abs(store.fps - FPS) > 1e-6:
            raise BadInput(f"'{store.path}' is at {store.fps:g} frames a second.", f"Make it with --fps {FPS:g}.", "wrong_fps")
        self.past, self.future, window = past, future, past + future
        self.styles = _occurring(store, clips) if styles is None else tuple(styles)
        long_enough = [i for i in clips if np.ptp(store.offsets[i : i + 2]) >= window]
        alike = styles is not None and not self.styles
        used = [i for i in long_enough if alike or store.clips[i].style in self.styles]
        if not used:
            kind = f"of {window} frames or more" + ("" if alike else " with a style")
            raise BadInput(f"'{store.path}' has no recording {kind} to train on.", "Process recordings whose styles are known.", "no_clips")
        self.clips = used
        found = [_features(store, index, rest_joints) for index in used]
        self.statistics = statistics or Statistics.of([motion for motion, _ in found])
        normalised = np.concatenate([self.statistics.normalised(motion) for motion, _ in found])
        self._motion = torch.as_tensor(normalised, dtype=torch.float32, device=device)
        self._control = torch.as_tensor(np.concatenate([control for _, control in found]), dtype=torch.float32, device=device)
        numbers = [self.styles.index(store.clips[i].style) if self.styles else 0 for i in used]
        self._style = torch.tensor(np.repeat(numbers, [len(motion) for motion, _ in found]), device=device)
        train, held_out = _starts([len(motion) for motion, _ in found], window)
        self._train, self._held_out = torch.as_tensor(train, device=device), torch.as_tensor(held_out, device=device)

    def __call__(self, generator: torch.Generator, batch: int) -> Windows:
        """Windows to train on."""
        return self._cut(self._train[torch.randint(len(self._train), (batch,), generator=generator, device=self._train.device)])

    def held_out(self, most: int) -> Windows | None:
        """Up to `most` held-out windows, spread evenly; None where no recording could spare any."""
        if not len(self._held_out):
            return None
        rows = torch.linspace(0, len(self._held_out) - 1, min(most, len(self._held_out)), device=self._held_out.device)
        return self._cut(self._held_out[rows.long()])

    def _cut(self, starts: Tensor) -> Windows:
        rows = starts[:, None] + torch.arange(self.past + self.future, device=starts.device)
        motion = self._motion[rows].transpose(1, 2)[:, :, None]
        control = self._control[rows[:, self.past :]].transpose(1, 2)[:, :, None]
        return Windows(motion[..., : self.past], motion[..., self.past :], control, self._style[starts])


def _occurring(store: MotionStore, clips: Sequence[int]) -> tuple[str, ...]:
    """Styles of the clips: all the published ones in their order where it knows each, so that the weights fit the original."""
    found = {store.clips[i].style for i in clips} - {"", "?"}
    return published_styles() if found and found <= set(published_styles()) else tuple(sorted(found))


def _features(store: MotionStore, index: int, rest_joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The 203 numbers (T,203) and the way's 4 (T,4) of a clip."""
    clip = store.clip(index)
    matrices = Rotation.from_rotvec(clip.poses.reshape(-1, 3).astype(np.float64)).as_matrix().reshape(len(clip), _BODY, 3, 3)
    given = clip.trans.astype(np.float64), Rotation.from_matrix(matrices[:, 0]), matrices[:, 1:], rest_joints
    return motion_features(*given), control_signal(*given)


def _starts(lengths: Sequence[int], window: int) -> tuple[np.ndarray, np.ndarray]:
    """First frames of windows to train on and of those held out; no frame is in both."""
    train, held_out, first = [], [], 0
    for length in lengths:
        spared = int(length * _HELD_OUT_SHARE)
        cut = length - spared if spared >= window + _LEAST_HELD_OUT - 1 else length
        train.append(first + np.arange(cut - window + 1))
        held_out.append(first + cut + np.arange(max(0, length - cut - window + 1)))
        first += length
    return np.concatenate(train), np.concatenate(held_out)
