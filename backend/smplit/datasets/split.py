# SPDX-License-Identifier: GPL-3.0-or-later
"""`smplit data split`: a store's clips into what is trained on and what is not, by person or style.

Never by file: takes of one person doing one thing are so alike that a network which has seen one
knows the others (the pack's measurements: twice the error as soon as styles are unseen).

A split is a small JSON: `parts` maps a part's name to a list of rules, each a dict of `ClipInfo`
fields to shell patterns ("?" and "*" as in file names; "[?]" is a question mark); a clip belongs to
the first part one of whose rules fits it in every field, else to "train". Rules may hold a `why`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from smplit.datasets.store import ClipInfo, MotionStore, write_store
from smplit.errors import BadInput
from smplit.export.whole_file import whole_file

OPEN_MOTION = Path(__file__).parent / "splits" / "open_motion.json"
TRAIN, HELD_OUT = "train", "held_out"
_FIELDS = {field.name for field in fields(ClipInfo)}
_UNKNOWN = ("", "?", "n/a")  # of a subject or style: nobody knows whether two such clips are of one person


@dataclass(frozen=True)
class Split:
    """Rules by part, in order; see the module. `reason` tells why these."""

    parts: dict[str, list[dict[str, str]]]
    reason: str = ""

    @classmethod
    def load(cls, path: str | Path = OPEN_MOTION) -> Split:
        """Reads a split file; by default that of the shipped models.

        Raises:
            BadInput: no such file, no JSON, or a rule with unknown fields.
        """
        path = Path(path)
        try:
            entries = json.loads(path.read_text(encoding="utf-8"))
            parts = {str(name): [dict(rule) for rule in rules] for name, rules in entries["parts"].items()}
        except (OSError, UnicodeDecodeError, ValueError, KeyError, TypeError, AttributeError) as error:
            text = f"'{path}' is no split file ({error or type(error).__name__})."
            raise BadInput(text, "Make one with 'smplit data split'.", "bad_split") from error
        for rules in parts.values():
            for rule in rules:
                unknown = set(rule) - _FIELDS - {"why"}
                if unknown or not set(rule) - {"why"}:
                    raise BadInput(f"'{path}': a rule names {sorted(unknown) or 'no field'}.", f"Use {', '.join(sorted(_FIELDS))}.", "bad_split")
        return cls(parts, str(entries.get("reason", "")))

    def save(self, path: str | Path) -> None:
        """Writes the split file, whole or not at all."""
        with whole_file(path) as temporary:
            temporary.write_text(json.dumps({"reason": self.reason, "parts": self.parts}, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def part(self, info: ClipInfo) -> str:
        """The part a clip belongs to."""
        for name, rules in self.parts.items():
            if any(_fits(rule, info) for rule in rules):
                return name
        return TRAIN

    def indices(self, store: MotionStore) -> dict[str, list[int]]:
        """Clip indices by part; every part is there, "train" first."""
        found: dict[str, list[int]] = {TRAIN: [], **{name: [] for name in self.parts}}
        for index, info in enumerate(store.clips):
            found[self.part(info)].append(index)
        return found


def _fits(rule: dict[str, str], info: ClipInfo) -> bool:
    return all(fnmatchcase(str(getattr(info, field)), pattern) for field, pattern in rule.items() if field != "why")


def new_split(clips: Sequence[ClipInfo], by: str, fraction: float = 0.1, held: Sequence[str] = (), seed: int = 0) -> Split:
    """A split that holds out whole people or styles.

    Args:
        clips: of a store.
        by: "subject" or "style".
        fraction: of the time that is held out at least, drawn person by person (style by style), when
            `held` names nobody.
        held: names to hold out.
        seed: of the draw.

    Raises:
        BadInput: an option makes no sense, or the clips do not tell their subjects (styles).
    """
    if by not in ("subject", "style"):
        raise BadInput(f"--by '{by}' is not known.", "Use subject or style (by file would leak: takes repeat).", "bad_option")
    groups: dict[tuple[str, str], float] = {}
    for info in clips:
        if getattr(info, by) not in _UNKNOWN:
            groups[info.dataset, getattr(info, by)] = groups.get((info.dataset, getattr(info, by)), 0.0) + info.seconds
    if held:
        unknown = sorted(set(held) - {name for _, name in groups})
        if unknown:
            there = ", ".join(sorted({name for _, name in groups}))
            raise BadInput(f"No clip has the {by} {', '.join(unknown)}.", f"There are: {there}.", "unknown_name")
        chosen = [group for group in groups if group[1] in held]
    else:
        chosen = _drawn(groups, by, fraction, sum(info.seconds for info in clips), seed)
    rules = [{"dataset": _plain(dataset), by: _plain(name)} for dataset, name in chosen]
    return Split({HELD_OUT: rules}, f"by {by}, " + (f"named: {', '.join(held)}" if held else f"at least {fraction:.0%} of the time, seed {seed}"))


def _drawn(groups: dict[tuple[str, str], float], by: str, fraction: float, total: float, seed: int) -> list[tuple[str, str]]:
    if not 0 < fraction < 1:
        raise BadInput(f"--fraction {fraction} is not between 0 and 1.", "Use 0.1.", "bad_option")
    if len(groups) < 2:
        raise BadInput(f"The clips tell fewer than two names of a {by}.", "Split by the other, or name rules in a split file.", "no_groups")
    names = sorted(groups)
    chosen, seconds = [], 0.0
    for index in np.random.default_rng(seed).permutation(len(names))[:-1]:  # one stays to train on
        if seconds >= fraction * total:
            break
        chosen.append(names[index])
        seconds += groups[names[index]]
    return chosen


def _plain(name: str) -> str:
    """A pattern that fits this name only."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in name)


def split(store: str | Path, split_file: Split, output: str | Path | None = None) -> dict:
    """Applies a split to a store: figures, and with `output` a store per part.

    Args:
        store: motion store.
        split_file: its rules.
        output: folder for `<store stem>_<part>.safetensors`; without it nothing is written.

    Returns:
        Per part: clips, hours, subjects and styles, and the store that was written.

    Raises:
        BadInput: not a store; a part has no clip.
    """
    opened = MotionStore.open(store)
    found = split_file.indices(opened)
    empty = [name for name, indices in found.items() if not indices]
    if empty:
        raise BadInput(f"'{store}': no clip belongs to {', '.join(empty)}.", "Look at the split's rules and the clips' names.", "empty_part")
    rows = []
    for name, indices in found.items():
        infos = [opened.clips[index] for index in indices]
        row = {
            "part": name, "clips": len(indices), "hours": round(opened.hours(indices), 3),
            "subjects": len({(info.dataset, info.subject) for info in infos}), "styles": len({(info.dataset, info.style) for info in infos}),
        }
        if output is not None:
            path = Path(output) / f"{Path(store).stem}_{name}.safetensors"
            report = {"split": {"reason": split_file.reason, "part": name}, "from": opened.report}
            write_store(path, (opened.clip(index) for index in indices), opened.fps, opened.body_sha256, report)
            row["written"] = str(path)
        rows.append(row)
    return {"parts": rows}
