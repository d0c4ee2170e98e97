# SPDX-License-Identifier: GPL-3.0-or-later
"""Recognises a skeleton by its joints' names, or says what is missing and how to map it."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from smplit.datasets.skeletons import CORE, SKELETONS
from smplit.errors import BadInput
from smplit.motion import BODY_JOINTS

_COMMON_PREFIX = 0.7  # share of the names that begin with the same word for it to be a prefix ("mixamorig:", "Bip01 ")


@dataclass(frozen=True)
class JointMap:
    """`skeleton`: name in `SKELETONS`, or "map file"; `sources`: SMPL-X body joint -> the file's own joint name."""

    skeleton: str
    sources: dict[str, str]


def recognise(names: Sequence[str], source: str = "BVH", told: Mapping[str, str] | None = None) -> JointMap:
    """The skeleton that explains most of `names`.

    Args:
        names: joints of a file.
        source: names the file in errors.
        told: SMPL-X joint -> joint of the file (`read_map`); goes before what is recognised.

    Raises:
        BadInput: a joint that every motion needs is not among them; lists which, and what to write.
    """
    best = max((_fitted(skeleton, names) for skeleton in SKELETONS), key=_score)
    sources = {**best.sources, **(told or {})}
    absent = sorted(set((told or {}).values()) - set(names))
    if absent:
        raise BadInput(f"{source} has no joint {', '.join(absent)}, which the map names.", f"Its joints: {', '.join(names)}.", "bad_map")
    missing = [joint for joint in CORE if joint not in sources]
    if missing:
        some = ", ".join(names[:40]) + (" ..." if len(names) > 40 else "")
        raise BadInput(
            f"{source}: its joints ({some}) are of no known skeleton; not found: {', '.join(missing)}.",
            'Write which joint is which into a JSON file, like {"left_hip": "name in the file", ...}, and give it with --map FILE.json. '
            f"Names to map: {', '.join(BODY_JOINTS)}.", "unknown_skeleton",
        )
    return JointMap("map file" if told else best.skeleton, sources)


def read_map(path: str | Path) -> dict[str, str]:
    """A map file: JSON object, SMPL-X body joint -> joint of the source.

    Raises:
        BadInput: no such file, no JSON object of strings, or a joint that SMPL-X's body has not.
    """
    try:
        entries = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadInput(f"'{path}' cannot be read as JSON ({error}).", "Write {\"left_hip\": \"name in the file\", ...}.", "bad_map") from error
    if not isinstance(entries, dict) or not all(isinstance(value, str) for value in entries.values()):
        raise BadInput(f"'{path}' is no JSON object of names.", "Write {\"left_hip\": \"name in the file\", ...}.", "bad_map")
    unknown = sorted(set(entries) - set(BODY_JOINTS))
    if unknown:
        raise BadInput(f"'{path}' maps {', '.join(unknown)}, which SMPL-X's body has not.", f"Use {', '.join(BODY_JOINTS)}.", "bad_map")
    return entries


def _fitted(skeleton: str, names: Sequence[str]) -> JointMap:
    """The part of a skeleton's joints that are among `names`."""
    exact = set(names)
    plain = {**{_plain(_without_prefix(name, names)): name for name in reversed(names)}, **{_plain(name): name for name in reversed(names)}}
    found = {}
    for joint, source in SKELETONS[skeleton].items():
        name = source if source in exact else plain.get(_plain(source))
        if name is not None:
            found[joint] = name
    return JointMap(skeleton, found)


def _score(fit: JointMap) -> tuple[int, int, int]:
    """More of the core goes first, then more joints, then less of the skeleton that is missing."""
    core = sum(joint in fit.sources for joint in CORE)
    return core, len(set(fit.sources.values())), len(fit.sources) - len(SKELETONS[fit.skeleton])


def _plain(name: str) -> str:
    """Without name space, case, separators and leading zeros: "rig:Spine.001" -> "spine1"."""
    return re.sub(r"0+(?=[1-9])", "", re.sub(r"[^a-z0-9]", "", re.split(r"[:|]", name)[-1].lower()))


def _without_prefix(name: str, names: Sequence[str]) -> str:
    """`name` without the first word that most names share."""
    firsts = Counter(re.split(r"[:|_ .\-]", other)[0] for other in names)
    prefix, count = firsts.most_common(1)[0]
    if count < _COMMON_PREFIX * len(names) or not name.startswith(prefix) or len(name) <= len(prefix) + 1:
        return name
    return name[len(prefix) + 1 :]
