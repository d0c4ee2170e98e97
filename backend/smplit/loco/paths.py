# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths on the floor, walked at a constant speed: (T,2) m, one point a frame, `step` m apart."""

from __future__ import annotations

import itertools

import numpy as np


def line(points: int, step: float) -> np.ndarray:
    """From the origin along X."""
    return np.stack([np.arange(points) * step, np.zeros(points)], -1)


def square(points: int, step: float) -> np.ndarray:
    """Once round, counter-clockwise from the origin; points that do not divide by four wait at the end."""
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]) * (points * step / 4)
    share = np.arange(points // 4)[:, None] / max(points // 4, 1)
    edges = [start + share * (end - start) for start, end in itertools.pairwise(corners)]
    return np.concatenate([*edges, np.zeros((points % 4, 2))])


def circle(points: int, step: float) -> np.ndarray:
    """Once round, counter-clockwise about the origin, from the point on X."""
    angle = 2 * np.pi * np.arange(points) / points
    return np.stack([np.cos(angle), np.sin(angle)], -1) * (points * step / (2 * np.pi))
