# SPDX-License-Identifier: GPL-3.0-or-later
"""Shot cuts: the frames where the picture is of something else, or from somewhere else.

Colour and brightness alone mistake a flash, a fast pan or a 5 fps video for a cut. A frame that
differs much is therefore compared block by block: after a pan or a flash most textured blocks of
the last picture are still found nearby (normalised correlation ignores brightness) and neighbours
moved alike; after a cut a plain edge may resemble another one, but neighbours disagree.
"""

from __future__ import annotations

import cv2
import numpy as np

_WIDE = 160  # px: width of the pictures that are compared
_BLOCK = 20
_REACH = 20  # px, of 160: how far a block may move between two frames
_CHANGE = 9.0  # grey levels: smaller mean differences are never a cut
_FOUND = 0.7  # normalised correlation from which a block counts as found again
_ALIKE = 3.0  # px, of 160: neighbouring blocks of one picture move alike within this
_TEXTURE = 6.0  # grey levels: standard deviation below which a block says nothing
_CUT_BELOW = 0.25  # share of blocks found again


class CutDetector:
    """`is_cut(image)` for the frames of one video in order; memory holds one small grey picture."""

    def __init__(self) -> None:
        self._last: np.ndarray | None = None

    def is_cut(self, image: np.ndarray) -> bool:
        """Whether a new shot begins with this (H,W,3) uint8 frame. The very first frame is no cut."""
        height, width = image.shape[:2]
        tall = max(_BLOCK, round(_WIDE * height / width))
        small = cv2.cvtColor(cv2.resize(image, (_WIDE, tall), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        last, self._last = self._last, small
        if last is None or float(np.abs(small.astype(np.int16) - last).mean()) < _CHANGE:
            return False
        return _share_found(last, small) < _CUT_BELOW


def _share_found(last: np.ndarray, now: np.ndarray) -> float:
    """Share of the textured blocks of `last` found in `now`; 1 when the pictures hold no texture to judge by.

    A picture that loses all its texture (fade to black) has lost its blocks, so it counts as a cut.
    """
    rows, columns = last.shape[0] // _BLOCK, last.shape[1] // _BLOCK
    moved = np.full((rows + 2, columns + 2, 2), np.nan)  # px x, y; a rim of nothing spares the border cases
    textured = 0
    for row in range(rows):
        for column in range(columns):
            y, x = row * _BLOCK, column * _BLOCK
            block = last[y : y + _BLOCK, x : x + _BLOCK]
            if block.std() < _TEXTURE:
                continue
            textured += 1
            left, top = max(0, x - _REACH), max(0, y - _REACH)
            _, best, _, place = cv2.minMaxLoc(
                cv2.matchTemplate(now[top : y + _BLOCK + _REACH, left : x + _BLOCK + _REACH], block, cv2.TM_CCOEFF_NORMED)
            )
            if best >= _FOUND:
                moved[row + 1, column + 1] = left + place[0] - x, top + place[1] - y
    if textured == 0:
        return 1.0 if now.std() < _TEXTURE else 0.0
    return _supported(moved) / textured


def _supported(moved: np.ndarray) -> int:
    """How many blocks of (R,C,2) px, with a rim of nan, moved like at least two of their eight neighbours."""
    inner = moved[1:-1, 1:-1]
    height, width = inner.shape[:2]
    alike = np.zeros((height, width), int)
    for down in range(3):
        for right in range(3):
            if (down, right) != (1, 1):
                alike += np.linalg.norm(moved[down : down + height, right : right + width] - inner, axis=-1) <= _ALIKE
    return int((alike >= 2).sum())
