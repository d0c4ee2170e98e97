# SPDX-License-Identifier: GPL-3.0-or-later
"""How far each eye is shut: the gap of the lids tells a blink better than a fit to all points."""

from __future__ import annotations

import numpy as np

_LIDS = np.array([[[385, 380], [386, 374], [387, 373]], [[158, 153], [159, 145], [160, 144]]])  # left, right eye
_EYE_CORNERS = np.array([[362, 263], [133, 33]])
# Of the open eye's lid gap, what the mesh still shows when the eye is shut: at a first look, and where it looked closer.
_SHUT, _SHUT_CLOSER = 0.56, 0.2
_OPEN = 85.0  # percentile of the lid gaps that counts as an open eye
_SQUINT = 0.3  # of the way to shut is no blink yet: smiling and looking down narrow the eyes


def lid_gaps(face: np.ndarray) -> np.ndarray:
    """(n,468,3) m -> (n,2): mean distance of the lids of each eye as a share of the eye's width."""
    gap = np.linalg.norm(face[:, _LIDS[..., 0]] - face[:, _LIDS[..., 1]], axis=-1).mean(-1)
    return gap / np.linalg.norm(face[:, _EYE_CORNERS[:, 0]] - face[:, _EYE_CORNERS[:, 1]], axis=-1)


def blinks(lids: np.ndarray, seen: np.ndarray, sharp: np.ndarray) -> np.ndarray:
    """(N,2) lid gaps -> (N,2) 0..1: how far each eye is shut, against how far this person's eyes open.

    Args: seen (N,) bool; sharp (N,) 0..1, how much the network's closer look counted.
    """
    if not seen.any():
        return np.zeros_like(lids)
    opened = np.maximum(np.percentile(lids[seen], _OPEN, axis=0), 0.18)
    shut = _SHUT + sharp[:, None] * (_SHUT_CLOSER - _SHUT)
    closing = (1.0 - lids / opened) / (1.0 - shut)
    return np.clip((closing - _SQUINT) / (1.0 - _SQUINT - 0.1), 0.0, 1.0)
