# SPDX-License-Identifier: GPL-3.0-or-later
"""Which pieces of which recordings are locomotion, in which style and gait, and which of them are held out.

One actor performed each style, so people cannot be held out without losing the style. Held out are takes: of a
style and gait with many takes the last fifth; where a style has a take or two of a walk, its last seconds.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from smplit.datasets.store import ClipInfo, MotionStore

TRAIN, HELD_OUT = "train", "held_out"
_SAME = {"old": "elderly", "masculinity": "masculine"}  # one style under two names
_GAITS = (  # first that fits a label
    ("backward", re.compile(r"(walk|run).*back")), ("left", re.compile(r"(walk|run)-?left")), ("right", re.compile(r"(walk|run)-?right")),
    ("turn", re.compile(r"walk-turn|^turn(left|right)|standoff circle")), ("run", re.compile(r"run|dash|jog")), ("walk", re.compile(r"walk|zombie")),
)
_STYLED = ("bandai_1", "bandai_2", "deepmimic", "ase_sword")
_PLAIN = "normal"
_PLAIN_WALKS = ("cmu_amc", "cmu_expmap", "cmu_iclone")
_MANY_TAKES = 10
_LAST_SECONDS = 3.0
_LEAST_SECONDS = 1.5


@dataclass(frozen=True)
class Piece:
    """Frames `first` to `last` (exclusive) of a store's clip; `part` is TRAIN or HELD_OUT."""

    clip: int
    style: str
    gait: str
    first: int
    last: int
    part: str


def style_and_gait(info: ClipInfo) -> tuple[str, str] | None:
    """Style and gait of a recording; None for what is no locomotion, or whose way of moving is one person's own."""
    label = info.label.lower()
    gait = next((name for name, pattern in _GAITS if pattern.search(label)), None)
    if gait is None:
        return None
    if info.part in _STYLED:
        style = info.style or (_PLAIN if label.startswith("long walk") else "")
        return (_SAME.get(style, style), gait) if style else None
    if info.part in _PLAIN_WALKS and label in ("walk", "walking", "run/jog", "running"):
        return _PLAIN, gait
    return None


def pieces(store: MotionStore, free: bool = False, licences: tuple[str, ...] = ()) -> list[Piece]:
    """All locomotion of a store, a clip's frames in one or two pieces.

    Args:
        free: only recordings under `licences`; else the plain walks of other people than the styles' actors are left out.
    """
    groups = defaultdict(list)
    for index, info in enumerate(store.clips):
        found = style_and_gait(info)
        if found is None or (info.licence not in licences if free else info.part in _PLAIN_WALKS):
            continue
        groups[(info.part, *found)].append(index)
    out: list[Piece] = []
    for (_, style, gait), clips in sorted(groups.items()):
        clips = sorted(clips, key=lambda i: store.clips[i].name)
        held = set(clips[-(len(clips) // 5) :]) if len(clips) >= _MANY_TAKES else set()
        for clip in clips:
            frames = store.frames(clip)
            length = frames.stop - frames.start
            if clip in held:
                cut = 0
            elif not held and gait == "walk" and length > 2 * _LAST_SECONDS * store.fps:
                cut = length - int(_LAST_SECONDS * store.fps)
            else:
                cut = length
            spans = ((0, cut, TRAIN), (cut, length, HELD_OUT))
            out += [Piece(clip, style, gait, a, b, part) for a, b, part in spans if b - a >= _LEAST_SECONDS * store.fps]
    return out
