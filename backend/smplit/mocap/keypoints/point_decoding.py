# SPDX-License-Identifier: GPL-3.0-or-later
"""From a network's outputs to points: SimCC (Li et al. 2022) and heat maps (DARK, Zhang et al. 2020, in its UDP form, Huang et al. 2020).

Points are in the crop's pixels, counted from the CENTRE of its first pixel, as the published networks count.
"""

from __future__ import annotations

import cv2
import numpy as np

_SIMCC_RATIO = 2.0  # bins a pixel: `simcc_split_ratio` of every published RTMPose and RTMW
_NEAR = 12  # bins about the peak that count as "there": two deviations of the Gaussian (6 bins) that the networks learn
# What the logits have to be multiplied with to be those of a probability: the training loss did so by 10 for RTMPose and DWPose
# (peaks about 1), by 1 for RTMW (peaks about 5 to 10).
SHARP, BLUNT = 10.0, 1.0
_PARABOLA = np.array([2.0, -1.0, -2.0, -1.0, 2.0], np.float32) / 14.0  # of the least-squares parabola through five values
_SLOPE = np.array([-2.0, -1.0, 0.0, 1.0, 2.0], np.float32) / 10.0
_BLUR = 11  # cells: ViTPose's `modulate_kernel`
_LEAST = 1e-3  # of a heat map before its logarithm


def decode_simcc(across: np.ndarray, down: np.ndarray, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """Points (P,K,2) px and confidence (P,K) 0..1 from logits (P,K,2W) and (P,K,2H).

    Published decoding takes the highest bin; here the parabola through it and its neighbours tells where between two bins. The
    published score is the logit itself, whose scale is each network's own (0..1, or 1 to 10); here it is how much more probable than
    by chance the point lies within six pixels of the peak, the lower one of both axes. `sharpness`: `sharpness_of`.
    """
    places, chances = zip(*(_peak(logits, sharpness) for logits in (across, down)), strict=True)
    return np.stack(places, -1) / _SIMCC_RATIO, np.minimum(*chances)


def sharpness_of(across: np.ndarray, down: np.ndarray) -> float:
    """`SHARP` or `BLUNT`, as the logits (P,K,2W), (P,K,2H) look: how far peaks rise over the rest, for most points."""
    heights = [logits.max(-1) - np.median(logits, -1) for logits in (across, down)]
    return BLUNT if float(np.median(np.minimum(*heights))) > 2.0 else SHARP


def _peak(logits: np.ndarray, sharpness: float) -> tuple[np.ndarray, np.ndarray]:
    """(P,K) bin of the peak, (P,K) probability near it; 0 where it is no more than of all bins being alike."""
    best = logits.argmax(-1)
    bins = logits.shape[-1]
    near = np.clip(best[..., None] + np.arange(-2, 3), 0, bins - 1)
    values = np.take_along_axis(logits, near, -1)
    bend, slope = values @ _PARABOLA, values @ _SLOPE
    shift = np.where(bend < 0, -slope / np.minimum(2.0 * bend, -1e-9), 0.0)
    chances = np.exp(sharpness * (logits - logits.max(-1, keepdims=True)))
    there = np.abs(np.arange(bins) - best[..., None]) <= _NEAR
    by_chance = (2 * _NEAR + 1) / bins
    return best + np.clip(shift, -0.5, 0.5), np.maximum(((chances * there).sum(-1) / chances.sum(-1) - by_chance) / (1 - by_chance), 0.0)


def decode_heatmaps(heatmaps: np.ndarray, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Points (P,K,2) px and confidence (P,K) 0..1 from heat maps (P,K,h,w) of a crop of `size` (W,H).

    The highest cell, moved by one Newton step up the logarithm of the blurred map (a Gaussian's is a paraboloid). As in UDP the
    first and last cells lie on the first and last pixels.
    """
    people, points, rows, columns = heatmaps.shape
    best = heatmaps.reshape(people, points, -1).argmax(-1)
    peak = heatmaps.reshape(people, points, -1).max(-1)
    cells = np.stack([best % columns, best // columns], -1)
    blur = lambda heatmap: cv2.GaussianBlur(heatmap, (_BLUR, _BLUR), 0, borderType=cv2.BORDER_CONSTANT)
    blurred = np.stack([[blur(heatmap) for heatmap in person] for person in heatmaps.astype(np.float32)])
    logs = np.pad(np.log(np.maximum(blurred, _LEAST)), ((0, 0), (0, 0), (1, 1), (1, 1)), mode="edge")
    who, which = np.ogrid[:people, :points]
    around = lambda x, y: logs[who, which, cells[..., 1] + 1 + y, cells[..., 0] + 1 + x]
    slope_x, slope_y = (around(1, 0) - around(-1, 0)) / 2, (around(0, 1) - around(0, -1)) / 2
    middle = around(0, 0)
    bend_x, bend_y = around(1, 0) - 2 * middle + around(-1, 0), around(0, 1) - 2 * middle + around(0, -1)
    twist = (around(1, 1) - around(1, -1) - around(-1, 1) + around(-1, -1)) / 4
    area = bend_x * bend_y - twist**2
    hill = (area > 1e-9) & (bend_x < 0)
    area = np.where(hill, area, 1.0)
    step = np.stack([twist * slope_y - bend_y * slope_x, twist * slope_x - bend_x * slope_y], -1) / area[..., None]
    step = np.where(hill[..., None], np.clip(step, -1.0, 1.0), 0.0)
    scale = (np.array(size) - 1.0) / (np.array([columns, rows]) - 1.0)
    return (cells + step) * scale, np.clip(peak, 0.0, 1.0)
