# SPDX-License-Identifier: GPL-3.0-or-later
"""What the fit does to curves over time before and while it works: gaps led over, spikes removed, unknowns smoothed."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def fill_gaps(values: np.ndarray, known: np.ndarray, times: np.ndarray | None = None) -> np.ndarray:
    """Linear interpolation of `values` (T,...) over frames that are not `known` (T,); `times` (T,), default evenly spaced."""
    if known.all() or not known.any():
        return values
    index = np.arange(len(values)) if times is None else times
    flat = values.reshape(len(values), -1)
    filled = np.stack([np.interp(index, index[known], column[known]) for column in flat.T], 1)
    return filled.reshape(values.shape).astype(values.dtype)


def median_step(times: Tensor) -> float:
    """s, of (T,) s; 1 for a single frame."""
    return float((times[1:] - times[:-1]).median()) if len(times) > 1 else 1.0


def smoother(sigma: float, frames: int) -> Tensor | None:
    """(T,T) weights of a Gaussian over whole frames, the ends held; None where frames are too far apart to matter.

    A full matrix: the product with it is ten times faster, backwards too, than a convolution.
    """
    if sigma < 0.3:
        return None
    reach = int(3.0 * sigma + 1.0)
    steps = torch.arange(-reach, reach + 1)
    weights = torch.exp(-0.5 * (steps / sigma) ** 2)
    sources = (torch.arange(frames)[:, None] + steps).clamp(0, frames - 1)
    return torch.zeros(frames, frames).scatter_add_(1, sources, (weights / weights.sum()).expand(frames, -1))


def smoothed(values: Tensor, weights: Tensor | None) -> Tensor:
    """(T,...) over frames by a `smoother`; frames lie side by side in memory afterwards (`pose_chain.frames_last`)."""
    if weights is None:
        return values
    columns = values.movedim(0, -1)
    return (columns.flatten(0, -2) @ weights.T).view(columns.shape).movedim(-1, 0)


def despike(trans: Tensor, quality: Tensor, times: Tensor, reach: int = 5) -> Tensor:
    """Translations (T,3) of frames with little evidence, or far from their neighbours' median, led over from the others."""
    if len(trans) < 3:
        return trans
    unseen = quality < 2.0
    places, known = trans.numpy().copy(), ~unseen.numpy()
    if known.any():
        places = fill_gaps(places, known, times.numpy())
    padded = np.pad(places, ((reach, reach), (0, 0)), mode="edge")
    median = np.median(np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1, axis=0), axis=-1)
    wild = np.linalg.norm(places - median, axis=-1) > 0.15 * np.linalg.norm(median, axis=-1)
    return torch.as_tensor(np.where(wild[:, None], median, places))
