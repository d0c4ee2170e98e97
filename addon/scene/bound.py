# SPDX-License-Identifier: GPL-3.0-or-later
"""Walks and the curve they belong to. A result's collection points to its curve, so renaming and saving do no harm."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import bpy
import numpy as np

from . import marks

PROP_CURVE = "smplit_curve"  # on a result's collection: the curve object
PROP_WALK = "smplit_walk"  # the options that it was made with, JSON
_PROP_MADE = "smplit_made"  # s since 1970
_PROP_REPLACES = "smplit_replaces"  # ids of the results that it takes the place of
_ROLE = "result"


def results_of(curve: bpy.types.Object) -> list[bpy.types.Collection]:
    """The collections of a curve's walks, the newest last."""
    bound = [collection for collection in bpy.data.collections if collection.get(PROP_CURVE) == curve]
    return sorted(bound, key=lambda collection: collection.get(_PROP_MADE, 0.0))


def options_of(collection: bpy.types.Collection) -> dict[str, object]:
    """What a walk was made with; nothing where that cannot be read."""
    try:
        options = json.loads(collection.get(PROP_WALK, "{}"))
    except (TypeError, ValueError):
        return {}
    return options if isinstance(options, dict) else {}


@dataclass(frozen=True)
class Binding:
    """What a result belongs to: `curve` (name of the object), `walk` (its options, JSON), and the results (ids) that it takes the place of."""

    curve: str = ""
    walk: str = ""
    replaces: tuple[str, ...] = ()

    @classmethod
    def from_entries(cls, entries: Mapping[str, np.ndarray], replaces: tuple[str, ...]) -> Binding:
        """As a motion's first chunk tells it."""
        curve, walk = (str(np.asarray(entries.get(name, ""))) for name in (PROP_CURVE, PROP_WALK))
        return cls(curve, walk, replaces)

    def tie(self, collection: bpy.types.Collection) -> None:
        """Binds a result's new collection."""
        collection[_PROP_REPLACES] = " ".join(self.replaces)
        curve = bpy.data.objects.get(self.curve)
        if curve is not None and curve.type == "CURVE":
            collection[PROP_CURVE], collection[PROP_WALK], collection[_PROP_MADE] = curve, self.walk, time.time()


def hide(results: Iterable[str], hidden: bool) -> None:
    """Takes results (ids) out of sight while a successor grows, or brings them back."""
    for result in results:
        collection = next((c for c in bpy.data.collections if marks.is_marked(c, result, _ROLE)), None)
        if collection is not None and collection.hide_viewport != hidden:
            collection.hide_viewport = collection.hide_render = hidden


def replaced_by(collection: bpy.types.Collection) -> list[str]:
    """The results (ids) that this one was to take the place of."""
    return str(collection.get(_PROP_REPLACES, "")).split()
