# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a walker faces at every frame: along the way, across it, against it, to a fixed side or towards a point."""

from __future__ import annotations

import numpy as np

FACINGS = ("path", "fixed", "inward", "outward", "opposite", "towards")
TRAJ_FACE_TYPE = {0: {"facing": "path"}, 1: {"facing": "fixed", "angle": 0.0}}  # the original's option, as arguments of `plan`
_RATE = 4.5  # rad/s: as fast as anybody turns while walking
_EASING = np.hanning(13)[1:-1] / np.hanning(13).sum()  # 0.4 s at 30 frames a second: turns begin before the corner and end after it
_REACH = len(_EASING) // 2
# Against the direction of travel; across it, the line's inside being on the left.
_TURNED = {"path": 0.0, "opposite": np.pi, "inward": np.pi / 2, "outward": -np.pi / 2}


def facing_along(
    kind: str, place: np.ndarray, tangent: np.ndarray, *, side: float, fps: float, lap_turn: float | None = None,
    angle: float | None = None, towards: np.ndarray | None = None,
) -> tuple[np.ndarray, float]:
    """What `kind` asks for, turning no faster than a person and without a jerk: (T,) rad, unwrapped, and the rad that a lap adds.

    Turns too sudden for a person (a point passed closely, a way that reverses) are spread evenly over the
    time before and after; steady turns are kept exactly, without lag.

    Args:
        kind: one of `FACINGS`.
        place: (T,3) m.
        tangent: (T,) rad, unwrapped: direction of travel.
        side: 1 if the line's inside is on the left of the way, -1 on the right.
        lap_turn: rad that `tangent` turns in a lap; None if the frames are no lap that repeats.
        angle: rad, for "fixed"; None: the first direction of travel.
        towards: (2,) m, for "towards".
    """
    if kind == "fixed":
        return np.full(len(place), tangent[0] if angle is None else float(angle)), 0.0
    if kind == "towards":
        wanted = _bearing(place, towards, tangent)
        if lap_turn is not None:
            lap_turn = float(np.unwrap([wanted[-1], wanted[0]])[1] - wanted[0])
    else:
        turned = _TURNED[kind] * (side if kind in ("inward", "outward") else 1.0)
        wanted = tangent + turned
    if lap_turn is None:
        return _settled(wanted, _RATE / fps), 0.0
    laps = np.concatenate([wanted - lap_turn, wanted, wanted + lap_turn])
    return _settled(laps, _RATE / fps)[len(wanted) : 2 * len(wanted)], lap_turn


def _bearing(place: np.ndarray, towards: np.ndarray, tangent: np.ndarray) -> np.ndarray:
    """Direction of a point from every place, rad, unwrapped; on the point itself as just before."""
    offset = towards - place[:, :2]
    apart = np.linalg.norm(offset, axis=1) > 1e-3
    if not apart.any():
        return tangent
    index = np.arange(len(place))
    return np.interp(index, index[apart], np.unwrap(np.arctan2(offset[apart, 1], offset[apart, 0])))


def _settled(wanted: np.ndarray, most: float) -> np.ndarray:
    """The mean of following `wanted` and of leading it, each by at most `most` rad a frame, eased at both ends of a turn."""
    both = (_followed(wanted, most) + _followed(wanted[::-1], most)[::-1]) / 2
    return np.convolve(np.pad(both, _REACH, mode="edge"), _EASING, "valid")


def _followed(wanted: np.ndarray, most: float) -> np.ndarray:
    followed = wanted.copy()
    for i in range(1, len(wanted)):
        followed[i] = followed[i - 1] + min(max(wanted[i] - followed[i - 1], -most), most)
    return followed
