# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of `smplit models list`: one line per model, in words."""

from __future__ import annotations


def lines(rows: list[dict]) -> list[dict]:
    """Of the rows of `models.states`: name, state, what it enables, whether it may be used commercially, what to get where."""
    return [
        {
            "name": row["name"], "state": _state(row), "enables": row["enables"], "commercial use": "yes" if row["commercial"] else "no",
            "get it": "" if row["state"] == "found" else f"{row['expects']}, {row['source']}" if row["expects"] else row["source"],
        }
        for row in rows
    ]


def _state(row: dict) -> str:
    if row["state"] == "wrong file":
        return f"wrong file: {row['problem']}"
    if row["state"] == "found" and not row["shipped"]:
        return f"found, {row['build']}" if row["build"] else "found"
    return row["state"]
