# SPDX-License-Identifier: GPL-3.0-or-later
"""A sheet of panels to draw on, by matplotlib: the field's own tool, asked for only here (the extra `train`)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from smplit.errors import BadInput

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS, _WIDTH = 4, 4.0  # panels in a row, inches of one


def sheet(titles: list[str], height: float, title_size: int) -> tuple[Figure, list[Axes]]:
    """A figure with a titled panel, `height` inches high, for each title.

    Raises:
        BadInput: matplotlib is not installed.
    """
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        raise BadInput("matplotlib is not installed.", "Install the extra: pip install 'smplit[train]'.", "no_matplotlib") from error
    rows = -(-len(titles) // _COLUMNS)
    figure = Figure(figsize=(_WIDTH * _COLUMNS, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    panels = []
    for number, title in enumerate(titles):
        panels.append(figure.add_subplot(rows, _COLUMNS, number + 1))
        panels[-1].set_title(title, fontsize=title_size)
        panels[-1].tick_params(labelsize=7)
        panels[-1].grid(alpha=0.3)
    return figure, panels


def save(figure: Figure, output: Path, dots_per_inch: int) -> None:
    """Writes a png, with the folders above it."""
    output.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(output, dpi=dots_per_inch)
