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

_COMMON_PREFIX = 0.7  # share of the names that begin alike for it to be a prefix ("mixamorig:", "Bip01 ")


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
    spelt = _spellings(names)
    best = max((_fitted(skeleton, spelt) for skeleton in SKELETONS), key=_score)
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


def _spellings(names: Sequence[str]) -> dict[str, str]:
    """Every way in which a skeleton's table may write a joint -> the file's own name."""
    spelt: dict[str, str] = {}
    prefix = _shared_prefix(names)
    for readings in (names, [_plain(name) for name in names], [_plain(name.removeprefix(prefix) or name) for name in names]):
        for reading, name in zip(readings, names, strict=True):
            spelt.setdefault(reading, name)
    return spelt


def _fitted(skeleton: str, spelt: Mapping[str, str]) -> JointMap:
    """The part of a skeleton's joints that are there."""
    found = {joint: spelt.get(name, spelt.get(_plain(name))) for joint, name in SKELETONS[skeleton].items()}
    return JointMap(skeleton, {joint: name for joint, name in found.items() if name is not None})


def _score(fit: JointMap) -> tuple[int, int, int]:
    """More of the core goes first, then more joints, then less of the skeleton that is missing."""
    core = sum(joint in fit.sources for joint in CORE)
    return core, len(set(fit.sources.values())), len(fit.sources) - len(SKELETONS[fit.skeleton])


def _plain(name: str) -> str:
    """Without name space, case, separators and leading zeros: "rig:Spine.001" -> "spine1"."""
    return re.sub(r"0+(?=[1-9])", "", re.sub(r"[^a-z0-9]", "", re.split(r"[:|]", name)[-1].lower()))


def _shared_prefix(names: Sequence[str]) -> str:
    """The longest beginning, up to a separator, that most names share."""
    beginnings = Counter(name[: cut.end()] for name in names for cut in re.finditer(r"[:|_ .\-]", name))
    return max((prefix for prefix, count in beginnings.items() if count >= _COMMON_PREFIX * len(names)), key=len, default="")
