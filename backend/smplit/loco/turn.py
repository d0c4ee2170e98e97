# SPDX-License-Identifier: GPL-3.0-or-later
"""Turning where one stands: before a walk, after it, or without any."""

from __future__ import annotations

import math

import numpy as np

from smplit.errors import BadInput

_TURN_RATE, _SETTLES = 1.35, 0.4  # rad/s on average, and s more: 90 degrees in 1.6 s
_BEFORE, _AFTER = 0.2, 0.5  # s of standing before a turn, and after it, in which the feet come to rest
_NO_TURN = 1e-3  # rad


def turned_on_the_spot(begins: float, ends: float, fps: float) -> np.ndarray:
    """(n,) rad: standing and turning from one facing to the other by the shorter way, at `ends` or whole turns beside it; (0,) if they agree."""
    angle = math.remainder(ends - begins, 2 * math.pi)
    if abs(angle) < _NO_TURN:
        return np.zeros(0)
    frames = round((abs(angle) / _TURN_RATE + _SETTLES) * fps)
    share = np.arange(1, frames + 1) / frames
    share = share**3 * (10 - 15 * share + 6 * share**2)
    turn = np.pad(share, (round(_BEFORE * fps), round(_AFTER * fps)), mode="constant", constant_values=(0.0, 1.0))
    return begins + angle * turn


def checked_facing(facing: float | None, when: str) -> None:
    """Raises `BadInput` for a facing, rad, that is no number; `when` is start or end."""
    if facing is not None and not math.isfinite(facing):
        raise BadInput(f"Facing {facing} at the {when} is impossible.", "Give an angle.")
