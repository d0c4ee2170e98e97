# SPDX-License-Identifier: GPL-3.0-or-later
"""Top views of true and predicted paths. Drawn by matplotlib (the extra `train`)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from smplit.errors import BadInput

_COLUMNS = 4
_LINES = {"true": ("black", 2.2), "ours": ("tab:red", 1.4), "velocity regression": ("tab:blue", 0.9), "lowest-foot lock": ("tab:green", 0.9)}


def top_views(clips: Mapping[str, Mapping[str, np.ndarray]], output: Path) -> None:
    """One panel per clip: title -> {"true": (T,2 or 3) m, method: ...}. A dot marks the start, a cross each end.

    Raises:
        BadInput: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BadInput("matplotlib is not installed.", "Install the extra: pip install 'smplit[train]'.", "no_matplotlib") from error
    rows = -(-len(clips) // _COLUMNS)
    figure = Figure(figsize=(4 * _COLUMNS, 4 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    for number, (title, paths) in enumerate(clips.items()):
        axes = figure.add_subplot(rows, _COLUMNS, number + 1)
        for name, path in paths.items():
            colour, width = _LINES[name]
            level = np.asarray(path)[:, :2] - np.asarray(path)[0, :2]
            axes.plot(*level.T, color=colour, linewidth=width, label=name)
            axes.plot(*level[-1], "x", color=colour)
        axes.plot(0, 0, "ko", markersize=4)
        axes.set_title(title, fontsize=8)
        axes.set_aspect("equal", adjustable="datalim")
        axes.grid(alpha=0.3)
        axes.tick_params(labelsize=7)
    figure.axes[0].legend(fontsize=7)
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=90)
