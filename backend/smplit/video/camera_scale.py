# SPDX-License-Identifier: GPL-3.0-or-later
"""The unit of a travelling camera's path, and which way is up: from the ground that people stand on.

The background around somebody's feet is as far away as the feet are. Feet are known in metres (a body
has a height), the ground in the path's unit: their ratio makes the path metric, and the ground's own
plane tells up better than a body seen from one side can.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_NEAR_ROWS, _NEAR_COLUMNS = 0.15, 0.4  # of the picture: how close to a foot ground is looked for
_LOOKS = 24  # moments at which the ground around the feet is gathered
_TRIES = 400
_FLAT = 0.03  # of the distance: how far off the plane ground may lie
_STEEPEST = np.radians(40.0)  # between the plane's normal and the expected up
_LEAST_POINTS = 15


@dataclass
class MetricGround:
    """`metres`: one unit of the camera's path in metres; `up` (3,) unit normal of the ground in the first frame's
    camera axes; `height` m of the first frame's camera above it; `spread`: relative scatter of `metres` over
    the feet it came from (their median deviation); `support`: background points that lie on the plane."""

    metres: float
    up: np.ndarray
    height: float
    spread: float
    support: int


@dataclass
class Feet:
    """F sightings of planted feet: `frame` (F,) of the shot, `pixels` (F,2), `depth` (F,) m along that frame's
    camera axis, `trust` (F,) 0..1."""

    frame: np.ndarray
    pixels: np.ndarray
    depth: np.ndarray
    trust: np.ndarray


def metric_ground(
    rotation: np.ndarray, path: np.ndarray, points: np.ndarray, points_frame: np.ndarray, K: np.ndarray, feet: Feet,
    expected_up: np.ndarray | None = None,
) -> MetricGround | None:
    """Scale and ground of a travelling shot; None where too little ground is seen around the feet.

    Args:
        rotation, path, points, points_frame: of the shot's `TrackedCamera`.
        K: (3,3) px.
        expected_up: (3,) in the first frame's axes; by default the camera is taken to be held level.
    """  # fmt: skip
    seen = feet.trust > 0.1
    if seen.sum() < 2:
        return None
    rays = np.concatenate([(feet.pixels - K[:2, 2]) / K[[0, 1], [0, 1]], np.ones((len(feet.pixels), 1))], axis=1)
    around = _around(rotation, path, points, K, feet, seen)
    if around.sum() < _LEAST_POINTS:
        return None
    ground = points[around]
    distance = np.linalg.norm(ground - path[points_frame[around]], axis=1)
    plane = _plane(ground, distance, np.array([0.0, -1.0, 0.0]) if expected_up is None else expected_up)
    if plane is None:
        return None
    up, offset, support = plane
    # Where each foot's ray meets the plane up . X = offset.
    directions = np.einsum("fji,fj->fi", rotation[feet.frame], rays)
    units = (offset - path[feet.frame] @ up) / np.where(np.abs(directions @ up) < 1e-6, np.nan, directions @ up)
    good = seen & np.isfinite(units) & (units > 0)
    if good.sum() < 2:
        return None
    ratio = feet.depth[good] / units[good]
    metres = _weighted_median(ratio, feet.trust[good])
    spread = _weighted_median(np.abs(ratio - metres), feet.trust[good]) / metres
    return MetricGround(metres, up, float((path[0] @ up - offset) * metres), spread, support)


def _around(rotation: np.ndarray, path: np.ndarray, points: np.ndarray, K: np.ndarray, feet: Feet, seen: np.ndarray) -> np.ndarray:
    """(M,) bool: the background points that pass near some foot in the picture."""
    reach = np.array([_NEAR_COLUMNS, _NEAR_ROWS]) * 2.0 * K[:2, 2]
    near = np.zeros(len(points), bool)
    moments = np.flatnonzero(seen)
    for row in moments[np.linspace(0, len(moments) - 1, min(_LOOKS, len(moments))).round().astype(int)]:
        frame = feet.frame[row]
        local = (points - path[frame]) @ rotation[frame].T
        pixels = local[:, :2] / np.maximum(local[:, 2:], 1e-6) * K[[0, 1], [0, 1]] + K[:2, 2]
        near |= (local[:, 2] > 0) & (np.abs(pixels - feet.pixels[row]) < reach).all(axis=1)
    return near


def _plane(points: np.ndarray, distance: np.ndarray, expected_up: np.ndarray) -> tuple[np.ndarray, float, int] | None:
    """Unit normal (3,) and offset of the plane that most points lie on (RANSAC, Fischler & Bolles 1981), and how many."""
    pick = np.random.default_rng(0).integers(0, len(points), (_TRIES, 3))
    corner = points[pick[:, 0]]
    normal = np.cross(points[pick[:, 1]] - corner, points[pick[:, 2]] - corner)
    length = np.linalg.norm(normal, axis=1)
    usable = length > 1e-9
    normal[usable] /= length[usable, None]
    normal *= np.where(normal @ expected_up < 0.0, -1.0, 1.0)[:, None]
    usable &= normal @ expected_up > np.cos(_STEEPEST)
    if not usable.any():
        return None
    normal, corner = normal[usable], corner[usable]
    off = np.abs(points @ normal.T - (normal * corner).sum(1)) / distance[:, None]
    best = int(np.argmax((1.0 / (1.0 + (off / _FLAT) ** 2)).sum(0)))
    trust = 1.0 / (1.0 + (off[:, best] / _FLAT) ** 2) ** 2 / distance**2
    for _ in range(10):
        centre = np.average(points, axis=0, weights=trust)
        _, vectors = np.linalg.eigh(np.einsum("mi,m,mj->ij", points - centre, trust, points - centre))
        up = vectors[:, 0] * np.sign(vectors[:, 0] @ expected_up)
        error = np.abs((points - centre) @ up) / distance
        trust = 1.0 / (1.0 + (error / (_FLAT / 2)) ** 2) ** 2 / distance**2
    support = int((error < _FLAT).sum())
    if support < _LEAST_POINTS or up @ expected_up < np.cos(_STEEPEST):
        return None
    return up, float(up @ centre), support


def _weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])
