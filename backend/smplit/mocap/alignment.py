# SPDX-License-Identifier: GPL-3.0-or-later
"""Rigid alignment of point sets, batched, and the line of sight: shared by hands and face."""

from __future__ import annotations

import numpy as np

from smplit.axes import matrix_from_axis_angle


def procrustes(source: np.ndarray, target: np.ndarray, weights: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Best similarity between point sets (Umeyama 1991), without its shift.

    Args:
        source, target: (...,K,3), each taken about its own (weighted) mean.
        weights: (K,) or (...,K), positive; None weighs all points alike.

    Returns:
        Rotations (...,3,3) and scales (...) with target ~ scale * R source.
    """
    w = np.ones(source.shape[-2]) if weights is None else np.asarray(weights, np.float64)
    w = (w / w.sum(-1, keepdims=True))[..., None]
    source = source - (w * source).sum(-2, keepdims=True)
    target = target - (w * target).sum(-2, keepdims=True)
    u, s, vt = np.linalg.svd(np.swapaxes(w * target, -1, -2) @ source)
    sign = np.ones(s.shape)
    sign[..., 2] = np.sign(np.linalg.det(u @ vt))
    scale = (s * sign).sum(-1) / np.maximum((w * source**2).sum((-1, -2)), 1e-12)
    return (u * sign[..., None, :]) @ vt, scale


def sight_rotations(pixels: np.ndarray, K: np.ndarray) -> np.ndarray:
    """(...,P,2) px, (3,3) px -> (...,3,3): smallest rotation from the optical axis to the points' line of sight.

    A landmark network sees a crop and reports its 3D as if the thing stood straight ahead.
    """
    centre = np.nan_to_num(pixels).mean(-2)
    ray = np.concatenate([centre, np.ones((*centre.shape[:-1], 1))], axis=-1) @ np.linalg.inv(K).T
    ray /= np.linalg.norm(ray, axis=-1, keepdims=True)
    axis = np.stack([-ray[..., 1], ray[..., 0], np.zeros(ray.shape[:-1])], axis=-1)  # z x ray
    sine = np.linalg.norm(axis, axis=-1, keepdims=True)
    return matrix_from_axis_angle(axis / np.maximum(sine, 1e-12) * np.arctan2(sine, ray[..., 2:]))
