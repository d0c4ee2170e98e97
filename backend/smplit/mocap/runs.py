# SPDX-License-Identifier: GPL-3.0-or-later
"""Stretches of frames in which something holds."""

from __future__ import annotations

import numpy as np


def runs(flags: np.ndarray) -> list[tuple[int, int]]:
    """First and past-the-last index of each stretch of true flags (T,)."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], np.asarray(flags, np.int8), [0]])))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
