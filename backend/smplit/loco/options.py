# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of a walk; without torch, so that the command line can show them at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass
class WalkOptions:
    """How to walk.

    Attributes:
        style: a name, a mixture such as happy:0.7,sad:0.3, or along the path: happy@0,sad@1.
        path: line, circle, square, eight, spiral or random; or stand, which is none.
        path_file: npz or csv with the path instead.
        length: m, of a named path.
        reverse: walk the path the other way.
        facing: path, fixed, inward, outward, opposite or towards.
        angle: degrees, where "fixed" faces.
        start_facing: degrees, where the character stands facing at first; it turns on the spot before it walks.
        end_facing: degrees that it turns to on the spot when it has arrived.
        target: x y in m, what "towards" faces.
        speed: m/s, mean; the style's usual one when not given.
        seconds: how long, turns on the spot not counted; to the path's end, or once round, when not given.
        samples: variants, with seeds one after the other.
        steps: of the flow for each window; 1 is the mean movement.
        strength: of the style; 1 as recorded, more exaggerates.
    """

    style: str = "normal"
    path: str = "line"
    path_file: Path | None = None
    length: float = 10.0
    reverse: bool = False
    facing: str = "path"
    angle: float | None = None
    start_facing: float | None = None
    end_facing: float | None = None
    target: tuple[float, float] | None = None
    speed: float | None = None
    seconds: float | None = None
    samples: int = 1
    steps: int = 4
    strength: float = 1.0
