# SPDX-License-Identifier: GPL-3.0-or-later
"""What somebody wears: colour histograms of head, trunk, arms, thighs and shins.

Hue, saturation and brightness are kept apart by body part, so that a blue shirt over black
trousers differs from a black shirt over blue ones. Pixels are sampled along the limbs, not in a
box, so that the background hardly counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

_HUES, _GREYS = 12, 6
_LEAST = 0.25  # confidence of a point that is used
# COCO points of each part: segments whose neighbourhood is sampled.
_SEGMENTS = {
    "arms": ((5, 7), (7, 9), (6, 8), (8, 10)),
    "thighs": ((11, 13), (12, 14)),
    "shins": ((13, 15), (14, 16)),
}
PARTS = ("head", "trunk", *_SEGMENTS)
_WEIGHT = np.array([0.6, 1.5, 0.6, 1.0, 0.6], np.float32)


@dataclass(frozen=True)
class Appearance:
    """`histograms` (5,18), rows sum to 1; `known` (5,) 0..1: how well each part was seen."""

    histograms: np.ndarray
    known: np.ndarray

    def distance(self, other: Appearance) -> float:
        """Mean Hellinger distance 0..1 over parts that both know; 0.5 when there is none."""
        weight = _WEIGHT * np.minimum(self.known, other.known)
        if weight.sum() < 0.2:
            return 0.5
        likeness = np.sqrt(self.histograms * other.histograms).sum(1)
        return float((weight * np.sqrt(np.maximum(1.0 - likeness, 0.0))).sum() / weight.sum())

    def follow(self, seen: Appearance, rate: float) -> Appearance:
        """This appearance moved towards `seen`; parts not known yet are taken over."""
        if rate <= 0.0:
            return self
        step = np.where(self.known > 0.1, rate, 1.0) * (seen.known > 0.1)
        return Appearance(
            (1 - step)[:, None] * self.histograms + step[:, None] * seen.histograms, np.maximum(self.known * (1 - 0.02 * rate), seen.known * step)
        )


def measure_appearance(image: np.ndarray, points: np.ndarray) -> Appearance:
    """(H,W,3) uint8 RGB and (17,3) COCO points (px, px, confidence) -> the colours of each part."""
    histograms = np.full((len(PARTS), _HUES + _GREYS), 1.0 / (_HUES + _GREYS), np.float32)
    known = np.zeros(len(PARTS), np.float32)
    for k, places in enumerate(_part_places(points)):
        if places is None or len(places) == 0:
            continue
        columns, rows = np.round(places).astype(int).T
        inside = (columns >= 0) & (rows >= 0) & (columns < image.shape[1]) & (rows < image.shape[0])
        if inside.sum() < 8:
            continue
        histograms[k] = _histogram(image[rows[inside], columns[inside]])
        known[k] = inside.mean()
    return Appearance(histograms, known)


def _part_places(points: np.ndarray) -> list[np.ndarray | None]:
    """px places to sample for each of `PARTS`; None for parts that are not seen."""
    xy, sure = points[:, :2].astype(np.float64), points[:, 2] > _LEAST
    head = None
    if sure[:5].sum() >= 2:
        reach = 0.5 * max(float(np.ptp(xy[:5][sure[:5]], axis=0).max()), 4.0)
        head = xy[:5][sure[:5]].mean(0) + reach * _DISC
    trunk = None
    if sure[[5, 6, 11, 12]].all():
        across, down = _GRID[:, :1], _GRID[:, 1:]
        trunk = (1 - down) * ((1 - across) * xy[5] + across * xy[6]) + down * ((1 - across) * xy[11] + across * xy[12])
    limbs = []
    for segments in _SEGMENTS.values():
        seen = [_along(xy[a], xy[b]) for a, b in segments if sure[a] and sure[b]]
        limbs.append(np.concatenate(seen) if seen else None)
    return [head, trunk, *limbs]


_GRID = np.stack(np.meshgrid(np.linspace(0.15, 0.85, 10), np.linspace(0.1, 0.9, 12)), -1).reshape(-1, 2)
_DISC = np.array([(x, y) for x in np.linspace(-1, 1, 9) for y in np.linspace(-1, 1, 9) if x * x + y * y <= 1.0])


def _along(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """(36,2) places about the middle of a limb, whose width is about a fifth of its length."""
    axis = end - start
    side = np.array([-axis[1], axis[0]]) * 0.08
    return (start + np.linspace(0.1, 0.9, 12)[:, None, None] * axis + np.array([-1.0, 0.0, 1.0])[:, None] * side).reshape(-1, 2)


def _histogram(pixels: np.ndarray) -> np.ndarray:
    """(K,3) uint8 RGB -> (18,): coloured pixels by hue, the rest by brightness, shared softly between neighbours."""
    hue, saturation, value = cv2.cvtColor(pixels[None], cv2.COLOR_RGB2HSV)[0].astype(np.float32).T
    chroma = saturation * value / 65025.0  # dark or pale pixels have no reliable hue
    coloured = np.clip((chroma - 0.08) / 0.12, 0.0, 1.0)
    total = np.zeros(_HUES + _GREYS, np.float32)
    place = hue / 180.0 * _HUES
    low = np.floor(place)
    np.add.at(total, low.astype(int) % _HUES, coloured * (1 - place + low))
    np.add.at(total, (low.astype(int) + 1) % _HUES, coloured * (place - low))
    place = value / 255.0 * (_GREYS - 1)
    low = np.minimum(np.floor(place), _GREYS - 2)
    np.add.at(total, _HUES + low.astype(int), (1 - coloured) * (1 - place + low))
    np.add.at(total, _HUES + low.astype(int) + 1, (1 - coloured) * (place - low))
    return total / total.sum()
