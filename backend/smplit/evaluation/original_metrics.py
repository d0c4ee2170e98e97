# SPDX-License-Identifier: GPL-3.0-or-later
"""The published LOCO's own figures, so that its tables can be read: not ours, which `metrics` and `locomotion` hold."""

from __future__ import annotations

import numpy as np

from smplit.difftraj.original_features import ROOT_CHANNELS
from smplit.evaluation.feature_distances import frechet

_FPS_CLAIMED = 20.0  # the original's motions have 30
_STEP, _TILT = slice(0, 2), slice(3, 9)
_PAIRS = 300
_FEET = (7, 8, 10, 11)  # left and right ankle, left and right toe joint
_ANKLE_LOW, _TOE_LOW = 0.08, 0.04  # m


def accel(joints: np.ndarray) -> float:
    """What the original calls accel: mean speed of joints (B,T,J,3) m, as if of 20 frames a second."""
    return float(np.linalg.norm(np.diff(joints, axis=1), axis=-1).mean() * _FPS_CLAIMED)


def fs(joints: np.ndarray) -> float:
    """Its foot skate, m a frame, of joints (B,T,J,3) m that stand on z = 0: for tables only, it says nothing of feet.

    Speeds come in the order left ankle, right ankle, left toe, right toe; the contacts that they are multiplied with in the order
    left ankle, left toe, right ankle, right toe. So does each height, which moreover is 0, and its weight full, without contact.
    """
    feet = joints[:, :, list(_FEET)]
    speed = np.linalg.norm(np.gradient(feet[..., :2], axis=1), axis=-1)
    height = feet[..., 2]
    low = np.array([_ANKLE_LOW, _ANKLE_LOW, _TOE_LOW, _TOE_LOW])
    contact = (height < low)[..., [0, 2, 1, 3]]
    weight = 2 - 2 ** np.clip(height * contact / low, 0, 1)
    return float((speed * contact * weight).mean())


def step_error(predicted: np.ndarray, true: np.ndarray) -> float:
    """t_err: mean distance of the root's level steps, of (B,T,C) features of the 203 or their first 11."""
    return _mean_distance(predicted[..., ROOT_CHANNELS][..., _STEP], true[..., ROOT_CHANNELS][..., _STEP])


def tilt_error(predicted: np.ndarray, true: np.ndarray) -> float:
    """o_err: mean distance of the 6 numbers of the root's rotation without heading, of the same features."""
    return _mean_distance(predicted[..., ROOT_CHANNELS][..., _TILT], true[..., ROOT_CHANNELS][..., _TILT])


def fid(a: np.ndarray, b: np.ndarray) -> float:
    """Squared Frechet distance of two sets of features (N,D), not divided by D as ours is."""
    return frechet(a, b) * a.shape[1]


def diversity(features: np.ndarray, seed: int = 0, pairs: int = _PAIRS) -> float:
    """Mean distance of `pairs` random pairs of features (N,D), N at least `pairs`, drawn as the original draws them."""
    random = np.random.RandomState(seed)
    first, second = (random.choice(len(features), pairs, replace=False) for _ in range(2))
    return _mean_distance(features[first], features[second])


def _mean_distance(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.linalg.norm(a - b, axis=-1).mean())
