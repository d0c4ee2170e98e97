# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of model files in the preferences: what is there, what each would enable, and how to get it. Drawing only."""

from __future__ import annotations

import bpy

from . import preferences
from .bridge import pump

_ICONS = {"found": "CHECKMARK", "missing": "ADD", "wrong file": "ERROR"}
_LINE = 110  # characters of a line of text at the preferences' usual width


def draw_models(layout: bpy.types.UILayout, chosen: preferences.SmplitPreferences) -> None:
    """All models, those that can be added first."""
    box = layout.box()
    row = box.row(align=True)
    row.label(text="Model Files", icon="FILE_FOLDER")
    row.operator("smplit.add_model", icon="FILE_NEW")
    row.operator("smplit.refresh_models", text="", icon="FILE_REFRESH")
    rows = pump.BACKEND.models()
    if not rows:
        box.label(text="Press the arrows to see which models are there, and what others would enable", icon="INFO")
        return
    published = [row for row in rows if not row["shipped"]]
    for row in published:
        _draw_row(box, row, chosen.shown_model == row["name"])
    broken = [row for row in rows if row["shipped"] and row["state"] != "found"]
    for row in broken:
        _draw_row(box, row, True)
    count = sum(row["shipped"] for row in rows) - len(broken)
    box.label(text=f"{count} models that come with SMPLit are there", icon="CHECKMARK")


def invitation(row: dict) -> str:
    """One line about a model: what it gives, and if it is not there how far it is."""
    if row["state"] == "wrong file":
        return f"{row['title']}: {row['problem']}"
    if row["state"] == "found" or row["enables"].startswith("nothing"):
        return f"{row['title']}: {row['enables']}"
    enables = row["enables"][:1].upper() + row["enables"][1:]
    return f"{enables}: get {row['title']}, {len(row['steps'])} steps" if row["steps"] else f"{row['title']} is missing"


def _draw_row(box: bpy.types.UILayout, row: dict, is_open: bool) -> None:
    line = box.row(align=True)
    line.operator("smplit.show_model", text="", icon="DISCLOSURE_TRI_DOWN" if is_open else "DISCLOSURE_TRI_RIGHT", emboss=False).name = row["name"]
    line.label(text=invitation(row), icon=_ICONS[row["state"]])
    if row["added"]:
        line.operator("smplit.remove_model", text="", icon="TRASH").name = row["name"]
    if not is_open:
        return
    column = box.column(align=True)
    facts = [f"Licence: {row['licence']}. Commercial use: {'yes' if row['commercial'] else 'no'}."]
    if row["state"] == "found":
        facts.append(f"{row['build'] or 'Not checked'}: {row['path']}")
    else:
        facts.append(f"File: {row['expects']}")
        facts += [f"{number}. {step}" for number, step in enumerate(row["steps"], 1)]
    for fact in facts:
        for part in _wrapped(fact):
            column.label(text=part, icon="BLANK1")


def _wrapped(text: str) -> list[str]:
    """A label does not wrap."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + len(word) >= _LINE:
            lines.append("   ")
        lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines
