# SPDX-License-Identifier: GPL-3.0-or-later
"""Which style where: one, a mixture, or one that changes along the path; and how fast a style can go."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import numpy as np

from smplit.errors import BadInput

_REMEDY = "Write a name, a mixture such as happy:0.7,sad:0.3, or names with places along the path such as happy@0,sad@1."
_GAITS = {"path": ("walk", "run", "turn"), "opposite": ("backward",), "inward": ("left", "right"), "outward": ("left", "right")}
_SLOWEST, _FASTEST = 0.6, 1.25  # of what was recorded: what still looks right
_ORDINARY = {"path": (0.4, 1.2, 3.5), "opposite": (0.3, 0.7, 1.2)}  # m/s, where a style was not recorded going that way


def style_shares(text: str, names: Sequence[str], arc: np.ndarray) -> np.ndarray:
    """Shares (T,S) of the styles `names` at `arc` (T,) m along a path.

    Args:
        text: parts joined by commas: NAME, NAME:SHARE, NAME@PLACE or NAME:SHARE@PLACE; a place is 0 at the path's beginning and 1
            at its end. Between places styles blend; parts without a place, or at the same one, are mixed.

    Raises:
        BadInput: unknown names (near ones are listed), shares or places that are no numbers, or shares of nothing.
    """
    at: dict[float, np.ndarray] = {}
    for part in text.split(","):
        name, _, place = part.strip().partition("@")
        name, _, share = name.partition(":")
        index = names.index(name.strip()) if name.strip() in names else _unknown(name.strip(), names)
        shares = at.setdefault(_number(place, 0.0, text), np.zeros(len(names)))
        shares[index] += _number(share, 1.0, text)
    if any(shares.min() < 0 or shares.sum() <= 0 for shares in at.values()) or not all(0 <= place <= 1 for place in at):
        raise BadInput(f"'{text}' is no mixture of styles.", _REMEDY, "bad_style")
    places = sorted(at)
    mixed = np.stack([at[place] / at[place].sum() for place in places])
    way = (arc - arc[0]) / max(float(np.ptp(arc)), 1e-9)
    return np.stack([np.interp(way, places, column) for column in mixed.T], 1).astype(np.float32)


def _number(text: str, otherwise: float, whole: str) -> float:
    try:
        value = float(text) if text.strip() else otherwise
    except ValueError:
        value = float("nan")
    if not np.isfinite(value):
        raise BadInput(f"'{text}' in the style '{whole}' is no number.", _REMEDY, "bad_style")
    return value


def _unknown(name: str, names: Sequence[str]) -> int:
    near = difflib.get_close_matches(name, names, 3, 0.4)
    hint = f"Did you mean {' or '.join(near)}? " if near else ""
    raise BadInput(f"There is no style '{name}'.", f"{hint}There are: {', '.join(names)}.", "unknown_style")


def mixed_speeds(shares: Sequence[float], names: Sequence[str], speeds: dict[str, dict[str, list[float]]]) -> dict[str, list[float]]:
    """Gait -> slowest, usual and fastest m/s of a mixture: the mean of the styles `names` that were recorded in that gait, by `shares`."""
    known = [(float(share), speeds.get(name, {})) for share, name in zip(shares, names, strict=True) if share > 0]
    gaits = dict.fromkeys(gait for _, own in known for gait in own)
    out = {}
    for gait in gaits:
        some = [(share, own[gait]) for share, own in known if gait in own]
        out[gait] = np.average([row for _, row in some], axis=0, weights=[share for share, _ in some]).tolist()
    return out


def possible_speed(
    speeds: dict[str, list[float]], style: str, facing: str, speed: float | None
) -> tuple[float, str | None]:
    """The speed to walk at, m/s, and what to tell the user where it is not the one asked for.

    Args:
        speeds: gait -> slowest, usual and fastest m/s recorded in the style.
        facing: as of `plan`; "fixed" and "towards" may go any way and are limited by the fastest alone.
        speed: None: the style's usual.
    """
    known = [speeds[gait] for gait in _GAITS.get(facing, ("walk", "run", "turn", "backward", "left", "right")) if gait in speeds]
    if known:
        slow, fast = min(row[0] for row in known), max(row[2] for row in known)
        usual = (speeds["walk"] if facing == "path" and "walk" in speeds else known[0])[1]
    else:
        slow, usual, fast = _ORDINARY["path" if facing == "path" else "opposite"]
    least, most = _SLOWEST * slow, _FASTEST * fast
    if speed is None:
        return usual, None
    if least <= speed <= most:
        return speed, None
    bound = float(np.clip(speed, least, most))
    return bound, f"'{style}' goes {least:.1f} to {most:.1f} m/s this way; {speed:g} m/s was changed to {bound:.1f}."
