# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion of any length as the windows that the published DiffTraj was trained on, and back."""

from __future__ import annotations

import numpy as np

WINDOW, OVERLAP = 200, 32


def window_count(frames: int) -> int:
    """Windows that cover a motion."""
    return max(1, -(-(frames - OVERLAP) // (WINDOW - OVERLAP)))


def split_windows(values: np.ndarray) -> np.ndarray:
    """(T,C) -> (N,200,C), each sharing 32 frames with the next; the last frame is repeated to fill the last."""
    count = window_count(len(values))
    frames = np.arange(count)[:, None] * (WINDOW - OVERLAP) + np.arange(WINDOW)
    return values[np.minimum(frames, len(values) - 1)]


def merge_windows(windows: np.ndarray, frames: int) -> np.ndarray:
    """(N,200,C) -> (T,C): shared frames fade from one window to the next."""
    rising = np.linspace(0, 1, OVERLAP)[:, None]
    merged = np.zeros((len(windows) * (WINDOW - OVERLAP) + OVERLAP, windows.shape[-1]))
    for index, window in enumerate(windows):
        weight = np.ones((WINDOW, 1))
        if index > 0:
            weight[:OVERLAP] = rising
        if index < len(windows) - 1:
            weight[-OVERLAP:] = 1 - rising
        first = index * (WINDOW - OVERLAP)
        merged[first : first + WINDOW] += weight * window
    return merged[:frames]
