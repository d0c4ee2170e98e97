# SPDX-License-Identifier: GPL-3.0-or-later
"""What the command line shows: a progress bar and messages on standard error, results on standard output.

rich (MIT) draws both: it falls back to plain lines where standard error is no terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from smplit.progress import Reporter

_stderr = Console(stderr=True, highlight=False)


class TerminalReporter(Reporter):
    """`with TerminalReporter() as reporter: capture(..., reporter)`: one bar per stage."""

    def __init__(self, title: str = ""):
        self._title = title
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn(),
            console=_stderr, disable=not _stderr.is_terminal,
        )
        self._tasks: dict[str, Any] = {}
        self.warnings: list[str] = []

    def __enter__(self) -> TerminalReporter:
        self._progress.start()
        return self

    def __exit__(self, *error) -> None:
        self._progress.stop()

    def stage(self, name: str, done: int, total: int | None) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(f"{self._title} {name}".strip(), total=total)
        self._progress.update(self._tasks[name], completed=done, total=total)

    def warn(self, text: str) -> None:
        self.warnings.append(text)
        say(text, style="yellow")


def say(text: str, style: str | None = None) -> None:
    """One line on standard error."""
    _stderr.print(text, style=style, markup=False, soft_wrap=True)


def fail(text: str) -> None:
    """An error, on standard error."""
    say(f"smplit: {text}", style="bold red")


def result(summary: Mapping[str, Any], as_json: bool) -> None:
    """The command's outcome on standard output: one JSON object, or lines of `name: value`."""
    if as_json:
        print(json.dumps(summary, default=_plain, ensure_ascii=False))
        return
    for name, value in summary.items():
        if isinstance(value, Sequence) and not isinstance(value, str) and value and isinstance(value[0], Mapping):
            table(value)
        else:
            print(f"{name}: {value}")


def table(rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows with the same keys as a table on standard output."""
    drawn = Table(*rows[0].keys())
    for row in rows:
        drawn.add_row(*(_cell(value) for value in row.values()))
    Console(file=sys.stdout, highlight=False).print(drawn)


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    """numpy values and paths as JSON knows them."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return str(value)
