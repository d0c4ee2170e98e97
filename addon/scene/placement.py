# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a character that was read from the scene stood, so that its result comes back to the same place and frames.

It travels through the backend among the motion's own `smplit_*` entries: a result can then be brought in
again in another session too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

_FRAME, _LOCATION, _SCALE, _ASIDE = "smplit_start_frame", "smplit_location", "smplit_scale", "smplit_aside"
_SOURCE_SCALE = "smplit_source_scale"  # how much larger the body is than the skeleton it was retargeted from


@dataclass(frozen=True)
class Placement:
    """`start` is the scene frame of the first row, None for the scene's own first; `location` (m) and `scale` are the
    armature object's. Its rotation is part of the motion: which way is up matters to what feet do. `aside`: how far the
    second person stands from that place, the third twice as far."""

    start: float | None = None
    location: tuple[float, float, float] = (0.0, 0.0, 0.0)
    scale: float = 1.0
    aside: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @classmethod
    def from_entries(cls, entries: Mapping[str, np.ndarray]) -> Placement:
        """What a motion says of its placement; what it does not say, or wrongly, is as for a fresh capture."""
        names = (_FRAME, _LOCATION, _SCALE, _SOURCE_SCALE, _ASIDE)
        start, location, scale, grown, aside = (np.asarray(entries.get(name, np.nan)) for name in names)
        good = lambda value, shape: value.dtype.kind in "fiu" and value.shape == shape and bool(np.isfinite(value).all())
        size = float(scale) if good(scale, ()) and scale > 0 else cls.scale
        if good(location, (3,)) and good(grown, ()) and grown > 0:
            size /= float(grown)  # it stands for a rig of the scene, and is as tall
        return cls(
            float(start) if good(start, ()) else None, tuple(map(float, location)) if good(location, (3,)) else cls.location, size,
            tuple(map(float, aside)) if good(aside, (3,)) else cls.aside,
        )

    def of_person(self, number: int) -> Placement:
        """The placement of a person, from 1."""
        return replace(self, location=tuple(np.add(self.location, np.multiply(self.aside, number - 1)).tolist()))

    def entries(self) -> dict[str, np.ndarray]:
        """As entries of a motion file."""
        start = {} if self.start is None else {_FRAME: np.array(float(self.start))}
        places = {_LOCATION: np.array(self.location, np.float64), _ASIDE: np.array(self.aside, np.float64)}
        return {**start, **places, _SCALE: np.array(float(self.scale))}

    def from_world(self, points: np.ndarray) -> np.ndarray:
        """Points (...,3) m of the world as the placed object has them."""
        return (np.asarray(points, np.float64) - self.location) / self.scale
