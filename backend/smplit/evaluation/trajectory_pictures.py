# SPDX-License-Identifier: GPL-3.0-or-later
"""Top views of true and predicted paths."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from smplit import charts

_LINES = {"true": ("black", 2.2), "ours": ("tab:red", 1.4), "velocity regression": ("tab:blue", 0.9), "lowest-foot lock": ("tab:green", 0.9)}


def top_views(clips: Mapping[str, Mapping[str, np.ndarray]], output: Path) -> None:
    """One panel per clip: title -> {"true": (T,2 or 3) m, method: ...}. A dot marks the start, a cross each end.

    Raises:
        BadInput: matplotlib is not installed.
    """
    figure, panels = charts.sheet(list(clips), height=4.0, title_size=8)
    for axes, paths in zip(panels, clips.values(), strict=True):
        for name, path in paths.items():
            colour, width = _LINES[name]
            level = np.asarray(path)[:, :2] - np.asarray(path)[0, :2]
            axes.plot(*level.T, color=colour, linewidth=width, label=name)
            axes.plot(*level[-1], "x", color=colour)
        axes.plot(0, 0, "ko", markersize=4)
        axes.set_aspect("equal", adjustable="datalim")
    figure.axes[0].legend(fontsize=7)
    charts.save(figure, output, 90)
