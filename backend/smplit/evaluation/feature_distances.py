# SPDX-License-Identifier: GPL-3.0-or-later
"""Distances between sets of feature vectors (N,D)."""

from __future__ import annotations

import numpy as np
from scipy.linalg import sqrtm

_DRAWS = 20


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """Squared Frechet distance of the normal distributions of two sets, divided by D.

    It grows as the sets get smaller: compare only figures of equal numbers.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    cov_a, cov_b = (np.atleast_2d(np.cov(values, rowvar=False)) for values in (a, b))
    root = sqrtm(cov_a @ cov_b)
    distance = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(cov_a + cov_b - 2 * np.real(root))
    return float(max(distance, 0.0) / a.shape[1])


def balanced_frechet(reference: dict[str, np.ndarray], sample: dict[str, np.ndarray], count: int, seed: int = 0) -> float:
    """Median Frechet distance of random draws of `count` vectors per style from `sample`, and the whole `reference`, every
    style repeated to the same number. Both: style -> (N,D)."""
    random = np.random.default_rng(seed)
    most = max(len(values) for values in reference.values())
    whole = np.concatenate([np.resize(random.permutation(values), (most, values.shape[1])) for values in reference.values()])
    draw = lambda values: values[random.choice(len(values), count, replace=len(values) < count)]
    return float(np.median([frechet(whole, np.concatenate([draw(sample[style]) for style in reference])) for _ in range(_DRAWS)]))


def spread_between(groups: list[np.ndarray]) -> float:
    """Mean distance between vectors of different groups, each (N,D); NaN for fewer than two groups."""
    found = [
        np.linalg.norm(a[:, None] - b[None], axis=-1).mean() for i, a in enumerate(groups) for b in groups[i + 1 :] if len(a) and len(b)
    ]
    return float(np.mean(found)) if found else np.nan
