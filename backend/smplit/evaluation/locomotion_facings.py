# SPDX-License-Identifier: GPL-3.0-or-later
"""The second table of `smplit eval loco`: walks that do not face the way, in the styles that were recorded walking so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from smplit.body.model import BodyModel
from smplit.datasets.store import MotionStore
from smplit.evaluation.body_track import BodyTrack
from smplit.evaluation.locomotion import body_figures, figures
from smplit.evaluation.real_styles import piece_motion, travelling, walking_speed
from smplit.loco.paths import named_path
from smplit.loco.plan import Plan, plan
from smplit.loco.recordings import TRAIN, Piece, pieces
from smplit.motion import Motion
from smplit.progress import Reporter

WALKED = {  # facing: gaits that it takes
    "path": ("walk",), "fixed": ("walk", "backward", "left", "right"), "inward": ("left", "right"), "outward": ("left", "right"),
    "opposite": ("backward",),
}
_CURVES = (("circle", 12.0, 0), ("random", 15.0, 2))
_MOST_STYLES = 4
_FIGURES = ("deviation", "end", "facing", "speed", "skate", "support", "jitter")


def styles_recorded_all_ways(store: MotionStore, styles: Sequence[str]) -> list[str]:
    """Those of `styles` that train backwards and to both sides: the four of them with most windows, or fewer."""
    seconds: dict[str, float] = {}
    ways: dict[str, set[str]] = {}
    for piece in pieces(store):
        if piece.part == TRAIN and piece.style in styles:
            seconds[piece.style] = seconds.get(piece.style, 0.0) + (piece.last - piece.first) / store.fps
            ways.setdefault(piece.style, set()).add(piece.gait)
    able = [style for style in styles if set(WALKED["fixed"]) <= ways.get(style, set())]
    return sorted(sorted(able, key=lambda style: -seconds[style])[:_MOST_STYLES])


def walk_facing(
    generators: Mapping[str, Callable[[Plan, str, int], Motion]], store: MotionStore, styles: Sequence[str], body: BodyModel, seed: int,
    reporter: Reporter,
) -> list[dict]:
    """A row per method, style, facing and curve: `figures`, and as `real` the skate (%) of the style's recordings of that way of walking.

    Each way is walked at the median speed of its recordings, "fixed", which goes all ways, at the slowest of them.
    """
    own = {style: [piece for piece in pieces(store) if piece.style == style] for style in styles}
    rows = []
    for done, style in enumerate(styles):
        reporter.stage("facings", done, len(styles))
        for facing, gaits in WALKED.items():
            speed = min(walking_speed(store, own[style], (gait,)) for gait in gaits)
            real = _recorded_skate(store, own[style], gaits, speed, body)
            for name, length, curve_seed in _CURVES:
                points, closed = named_path(name, length, curve_seed)
                asked = plan(points, speed=speed, closed=closed, facing=facing)
                for method, generator in generators.items():
                    reporter.check()
                    found = figures(BodyTrack.of(generator(asked, style, seed), body), asked)
                    rows.append({"method": method, "style": style, "facing_kind": facing, "curve": name, "speed_asked": speed, "real": real} | found)
    reporter.stage("facings", len(styles), len(styles))
    return rows


def summary_of_facings(rows: Sequence[dict]) -> dict[str, dict[str, dict[str, float]]]:
    """method -> facing -> means of `figures`, the worst facing error as `facing_worst`, and `skate_ratio`."""
    out: dict[str, dict[str, dict[str, float]]] = {}
    for method in dict.fromkeys(row["method"] for row in rows):
        for facing in WALKED:
            some = [row for row in rows if row["method"] == method and row["facing_kind"] == facing]
            means = {name: float(np.nanmean([row[name] for row in some])) for name in _FIGURES}
            real = float(np.nanmean([row["real"] for row in some]))
            means |= {"facing_worst": max(row["facing"] for row in some), "skate_ratio": means["skate"] / real if real > 0 else np.nan}
            out.setdefault(method, {})[facing] = means
    return out


def _recorded_skate(store: MotionStore, own: Sequence[Piece], gaits: Sequence[str], speed: float, body: BodyModel) -> float:
    walks = [travelling(piece_motion(store, piece), speed) for piece in own if piece.gait in gaits]
    skated = [body_figures(BodyTrack.of(motion, body))["skate"] for motion in walks]
    return float(np.average(skated, weights=[len(motion) for motion in walks]))
