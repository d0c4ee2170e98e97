# SPDX-License-Identifier: GPL-3.0-or-later
"""What fingers and faces do while nobody sees them: they ease to rest, and are at work again when seen again."""

from __future__ import annotations

import numpy as np

from smplit.mocap.smoothing import smooth_curves

_SURE = 0.4  # confidence from which a sample is taken as it is; below, it leans to rest
_FILLED = 0.2  # weight of filled frames in the last smoothing: bends them into the seen ones
_SECONDS = 0.5  # after which 37 % of a gesture is left


def smooth_at_ease(values: np.ndarray, confidence: np.ndarray, times: np.ndarray, cutoff: float, rest: np.ndarray) -> np.ndarray:
    """Smooths D curves and takes them to rest where they are unseen; short gaps are bridged, not relaxed in.

    The pull to rest of `smooth_curves` is strong enough to kink a curve where it is lost; here gaps are filled
    first with a curve that leaves and arrives without a step.

    Args: values (N,D), finite; confidence (N,) 0..1; times (N,) s; cutoff Hz; rest (D,). Returns: (N,D).
    """
    values, confidence = np.asarray(values, np.float64), np.asarray(confidence, np.float64)
    rows = np.flatnonzero(confidence > 0)
    if len(rows) == 0:
        return np.broadcast_to(rest, values.shape).astype(np.float64)
    leaning = rest + np.minimum(confidence / _SURE, 1.0)[:, None] * (values - rest)
    weight = confidence**2
    known = smooth_curves(leaning, weight, times, cutoff)
    everywhere = np.arange(len(values))
    after = np.searchsorted(rows, everywhere)  # number of the first seen row at or after each
    before = np.searchsorted(rows, everywhere, side="right") - 1
    since = np.where(before >= 0, times - times[rows[np.maximum(before, 0)]], np.inf)
    until = np.where(after < len(rows), times[rows[np.minimum(after, len(rows) - 1)]] - times, np.inf)
    last, following = known[rows[np.maximum(before, 0)]], known[rows[np.minimum(after, len(rows) - 1)]]
    both = np.isfinite(since) & np.isfinite(until)
    share = np.where(both, np.divide(since, np.maximum(since + until, 1e-9), where=both, out=np.zeros_like(since)), np.isinf(since))
    share = (share**2 * (3.0 - 2.0 * share))[:, None]
    bridge = last + share * (following - last)
    strength = np.exp(-((np.minimum(since, until) / _SECONDS) ** 2))[:, None]
    unseen = confidence <= 0
    leaning[unseen] = (rest + strength * (bridge - rest))[unseen]
    weight[unseen] = _FILLED
    return smooth_curves(leaning, weight, times, cutoff)
