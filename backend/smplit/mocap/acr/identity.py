# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose hands ACR saw. It finds the clearest left and the clearest right hand of a crop, be they whose they may.

A hand is the tracked person's when it is at that wrist of theirs, rather than at another wrist or at another person's, and
as large as it should be. Distances are in hand lengths.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from smplit.mocap.acr.regions import HAND, HandSquares
from smplit.mocap.observations import PersonLandmarks

_WRISTS = [15, 16]  # BlazePose
_LEAST = 0.3  # confidence of another person's wrist that counts
_NEAR, _FAR = 0.6, 1.2  # from the wrist: trusted below, refused above
_BESIDE, _ELSEWHERE = 0.1, 0.4  # by which another wrist may be nearer: ignored below, refused above
_ALIKE, _UNLIKE = np.log(1.6), np.log(2.5)  # of the size, either way


def belonging(wrists: np.ndarray, pixels_per_metre: np.ndarray, squares: HandSquares, others: np.ndarray) -> np.ndarray:
    """How sure it is that what was found as a person's left and right hand is theirs, (N,S,2) 0..1.

    Args:
        wrists: (N,S,2,2) px of the hands found in S looks at every frame; side 0 is the LEFT.
        pixels_per_metre: (N,S,2) of them.
        squares: where this person's hands are.
        others: (N,M,2) px wrists of other people, NaN where unseen.
    """
    unit = squares.lengths[:, None, :, None]  # (N,1,2,1)
    to_own = np.linalg.norm((wrists[:, :, :, None] - squares.wrists[:, None, None]) / unit[..., None], axis=-1)  # (N,S,2,2 wrists)
    own = np.einsum("nsii->nsi", to_own)
    rivals = np.einsum("nsii->nsi", to_own[..., ::-1])  # to the wrist of the other side
    to_others = np.linalg.norm((wrists[:, :, :, None] - others[:, None, None]) / unit[..., None], axis=-1)
    nearest = np.fmin(np.where(np.isnan(rivals), np.inf, rivals), np.where(np.isnan(to_others), np.inf, to_others).min(-1, initial=np.inf))
    with np.errstate(invalid="ignore", divide="ignore"):
        growth = np.abs(np.log(np.maximum(pixels_per_metre, 1e-9) * HAND / squares.lengths[:, None]))
    trust = _falling(own, _NEAR, _FAR) * _falling(own - nearest, _BESIDE, _ELSEWHERE) * _falling(growth, _ALIKE, _UNLIKE)
    return np.nan_to_num(trust)


def wrists_of_others(landmarks: PersonLandmarks, people: Sequence[PersonLandmarks]) -> np.ndarray:
    """(N,M,2) px wrists of the other people of a shot in the frames of one of them; NaN where unseen."""
    others = [other for other in people if other.person != landmarks.person]
    wrists = np.full((len(landmarks), 2 * len(others), 2), np.nan)
    for index, other in enumerate(others):
        begin, end = max(landmarks.first, other.first), min(landmarks.first + len(landmarks), other.first + len(other))
        if begin < end:
            rows = slice(begin - other.first, end - other.first)
            seen = other.body_confidence[rows][:, _WRISTS] >= _LEAST
            wrists[begin - landmarks.first : end - landmarks.first, 2 * index : 2 * index + 2] = np.where(
                seen[..., None], other.body[rows][:, _WRISTS], np.nan
            )
    return wrists


def _falling(values: np.ndarray, full: float, none: float) -> np.ndarray:
    """1 below `full`, 0 above `none`, NaN stays."""
    return np.clip((none - values) / (none - full), 0.0, 1.0)
