# SPDX-License-Identifier: GPL-3.0-or-later
"""Curves of training runs as a picture: `losses.csv` and `metrics.csv`, one panel per figure."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from smplit import charts
from smplit.errors import BadInput

_SMOOTHED = 9  # rows of losses.csv over which the drawn line is a running median


def plot_runs(runs: Sequence[Path], output: Path) -> list[str]:
    """Draws one run, or several over each other, into `output` (png).

    Returns:
        The names of the panels.

    Raises:
        BadInput: a folder without figures, or matplotlib is not installed.
    """
    tables = {Path(run).name or str(run): _figures(Path(run)) for run in runs}
    panels = list(dict.fromkeys(name for table in tables.values() for name in table))
    figure, drawn = charts.sheet(panels, height=2.6, title_size=9)
    for axes, panel in zip(drawn, panels, strict=True):
        for run, table in tables.items():
            if panel in table:
                steps, values = table[panel]
                axes.plot(steps, _steady(values) if panel.startswith("losses/") else values, linewidth=1.2, label=run)
    if len(tables) > 1:
        figure.axes[0].legend(fontsize=7)
    charts.save(figure, output, 110)
    return panels


def _figures(run: Path) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Panel -> steps (N,) and values (N,) of both tables of a run."""
    panels = {}
    for name in ("losses", "metrics"):
        path = run / f"{name}.csv"
        if not path.is_file():
            continue
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        for column in rows[0] if rows else ():
            if column != "step":
                panels[f"{name}/{column}"] = tuple(np.array([float(row[key]) for row in rows]) for key in ("step", column))
    if not panels:
        raise BadInput(f"'{run}' holds no figures of a training run.", "Name the --save-dir of 'smplit train'.", "no_run")
    return panels


def _steady(values: np.ndarray) -> np.ndarray:
    if len(values) < 2 * _SMOOTHED:
        return values
    padded = np.pad(values, _SMOOTHED // 2, mode="edge")
    return np.median(np.lib.stride_tricks.sliding_window_view(padded, _SMOOTHED), -1)
