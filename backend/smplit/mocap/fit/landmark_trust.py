# SPDX-License-Identifier: GPL-3.0-or-later
"""How much a detector's body landmarks count, and whether they show any legs."""

from __future__ import annotations

import numpy as np

from smplit.mocap.observations import PersonLandmarks

BELOW_THE_HIPS = slice(25, 33)  # BlazePose knees to toes
_LEGS_GUESSED = 0.1  # mean trust below which all of them are guesses


def landmark_trust(landmarks: PersonLandmarks, K: np.ndarray) -> np.ndarray:
    """(N,33) 0..1: squared confidence; a landmark outside the picture is the detector's guess and counts little."""
    size = 2.0 * K[:2, 2]
    outside = np.maximum(np.maximum(-landmarks.body, landmarks.body - size), 0.0).max(-1) / size.min()
    guessed = np.where(outside > 0.0, 0.15 * np.exp(-outside / 0.1), 1.0)
    trust = np.clip(landmarks.body_confidence * landmarks.seen[:, None], 0.0, 1.0) ** 2 * guessed
    if trust[:, BELOW_THE_HIPS].mean() < _LEGS_GUESSED:
        trust[:, BELOW_THE_HIPS] = 0.0  # a half-body shot: its legs stay at rest
    return trust


def legs_are_seen(landmarks: PersonLandmarks, K: np.ndarray) -> bool:
    """False of a half-body shot: no frame shows what is below the hips."""
    return bool((landmark_trust(landmarks, K)[:, BELOW_THE_HIPS] > 0.0).any())
