# SPDX-License-Identifier: GPL-3.0-or-later
"""Contact sheets: pictures in rows, each with its words in a corner."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from smplit.errors import SmplitError

_GAP = 6  # px between tiles
_PAPER = 24  # grey level behind them


def write_words(image: np.ndarray, text: str, at: tuple[int, int] | None = None, colour: np.ndarray | None = None) -> None:
    """White (or `colour`, RGB 0..1) ASCII words with a dark rim; `at` px is their left base, default bottom left."""
    size = max(0.5, min(image.shape[:2]) / 640.0)
    left, base = at or (round(12 * size), image.shape[0] - round(12 * size))
    ink = (255, 255, 255) if colour is None else tuple(round(255 * float(c)) for c in colour)
    for paint, width in (((0, 0, 0), max(3, round(5 * size))), (ink, max(1, round(2 * size)))):
        cv2.putText(image, text, (left, base), cv2.FONT_HERSHEY_SIMPLEX, size, paint, width, cv2.LINE_AA)


def sheet(tiles: list[np.ndarray], columns: int) -> np.ndarray:
    """Tiles of one size (h,w,3) in rows of `columns` -> one picture."""
    height, width = tiles[0].shape[:2]
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    paper = np.full((rows * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3), _PAPER, np.uint8)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        top, left = _GAP + row * (height + _GAP), _GAP + column * (width + _GAP)
        paper[top : top + height, left : left + width] = tile
    return paper


def write_png(path: Path, image: np.ndarray) -> None:
    """Writes (H,W,3) uint8 RGB. OpenCV's own writer fails silently and knows no unicode names on Windows."""
    done, data = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 6])
    if not done:
        raise SmplitError(f"'{path}' could not be encoded as PNG.", "Choose a smaller picture.")
    path.write_bytes(data.tobytes())
