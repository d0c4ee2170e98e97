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


def gaussian_kernel(sigma: float) -> Tensor | None:
    """Normalised weights over whole frames; None where frames are too far apart to matter."""
    if sigma < 0.3:
        return None
    reach = int(3.0 * sigma + 1.0)
    weights = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    return (weights / weights.sum())[None, None]


def convolve(values: Tensor, kernel: Tensor | None) -> Tensor:
    """(T,...) convolved over frames, the ends held."""
    if kernel is None:
        return values
    reach = kernel.shape[-1] // 2
    columns = values.reshape(len(values), -1).T[:, None]
    columns = torch.nn.functional.pad(columns, (reach, reach), mode="replicate")
    return torch.nn.functional.conv1d(columns, kernel)[:, 0].T.reshape(values.shape)


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
