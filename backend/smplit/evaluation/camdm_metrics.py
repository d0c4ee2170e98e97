# SPDX-License-Identifier: GPL-3.0-or-later
"""CAMDM's own figures, so that its published tables can be read: not ours, which `metrics` and `locomotion` hold.

Y up, as its BVH files; lengths in any one unit. What it calls errors of trajectory and orientation are absolute
values of means: opposite errors cancel.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor, nn

_LEVEL = [0, 2]
_WINDOW = 60  # frames of the classifier's windows: 2 s
_INPUTS = 45  # 15 joints


def foot_sliding(toes: np.ndarray, root: np.ndarray, height: float, from_lowest: bool = True) -> float:
    """Mean level step of toes (T,2,3) that are lower than `height`, by the mean level step of the root (T,3).

    Heights count from the lowest toe of the clip. The last frame has no step and counts as 0.
    """
    steps = np.linalg.norm(np.diff(toes[..., _LEVEL], axis=0), axis=-1)
    steps = np.concatenate([steps, np.zeros_like(steps[:1])])
    heights = toes[..., 1] - (toes[..., 1].min() if from_lowest else 0.0)
    return float(steps[heights < height].mean() / _level_step(root))


def coherence(joints: np.ndarray) -> float:
    """Mean step of joints (T,J,3), by the mean level step of the first, the root."""
    return float(np.linalg.norm(np.diff(joints, axis=0), axis=-1).mean() / _level_step(joints[:, 0]))


def trajectory_error(preset: np.ndarray, root: np.ndarray) -> float:
    """Degrees between the preset direction (T,3) of each step, as Unity writes it (x mirrored), and that of the root (T,3)."""
    return _mean_turn(_mirrored(preset)[:-1], _direction(np.diff(root, axis=0)))


def orientation_error(preset: np.ndarray, facing: np.ndarray) -> float:
    """Degrees between the preset facing (T,3), as Unity writes it (x mirrored), and `facing` (T,) rad from +X towards +Z."""
    return _mean_turn(_mirrored(preset), facing)


class CamdmStyleClassifier(nn.Module):
    """The network whose last features the published FID compares: windows of 15 joints about the root -> 100 styles.

    State-dict names are the published ones.
    """

    def __init__(self, styles: int = 100):
        super().__init__()
        self.conv1, self.residual1x1_1, self.bn1 = nn.Conv1d(_INPUTS, 64, 3, padding=1), nn.Conv1d(_INPUTS, 64, 1), nn.BatchNorm1d(64)
        self.conv2, self.residual1x1_2, self.bn2 = nn.Conv1d(64, 128, 3, padding=1), nn.Conv1d(64, 128, 1), nn.BatchNorm1d(128)
        self.fc1, self.bn3 = nn.Linear(128 * _WINDOW, 1024), nn.BatchNorm1d(1024)
        self.fc2, self.bn4 = nn.Linear(1024, 512), nn.BatchNorm1d(512)
        self.fc3 = nn.Linear(512, styles)

    def forward(self, windows: Tensor) -> tuple[Tensor, Tensor]:
        """(B,45,60) m -> features (B,512) and style logits (B,S)."""
        act = nn.functional.leaky_relu
        values = act(self.bn1(self.conv1(windows))) + self.residual1x1_1(windows)
        values = act(self.bn2(self.conv2(values))) + self.residual1x1_2(values)
        values = act(self.bn3(self.fc1(values.flatten(1))))
        features = act(self.bn4(self.fc2(values)))
        return features, self.fc3(features)


def _level_step(root: np.ndarray) -> float:
    return float(np.linalg.norm(np.diff(root[:, _LEVEL], axis=0), axis=-1).mean())


def _direction(vectors: np.ndarray) -> np.ndarray:
    return np.arctan2(vectors[:, 2], vectors[:, 0])


def _mirrored(vectors: np.ndarray) -> np.ndarray:
    return np.pi - _direction(vectors)


def _mean_turn(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.degrees(np.abs((a - b).mean())))
