# SPDX-License-Identifier: GPL-3.0-or-later
"""What `smplit loco` does: a style and a path in, motion files out."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from smplit.body.model import BodyModel
from smplit.errors import BadInput
from smplit.export.whole_file import whole_file
from smplit.loco.generate import Generator
from smplit.loco.options import WalkOptions
from smplit.loco.path_file import read_path
from smplit.loco.paths import named_path
from smplit.loco.plan import Plan, plan, stand
from smplit.loco.styles import mixed_speeds, possible_speed
from smplit.loco.weights import load_weights
from smplit.progress import Reporter

STAND = "stand"  # the name of no path
_STRONGEST = 4.0  # times a style: beyond, bodies break
_PLACES = 33  # along the path, at which a mixture that changes is looked at
_STANDS = 5.0  # s, where no time is named


def walk(options: WalkOptions, output: Path, weights: Path, body: BodyModel, reporter: Reporter, seed: int = 0) -> list[dict]:
    """Writes OUTPUT/<style>_<path>.npz, or with variants _1, _2 ...

    Returns:
        A row per file: file, style, frames, path in m.

    Raises:
        BadInput: an option cannot be used; nothing is written.
    """
    if options.samples < 1 or options.steps < 1:
        raise BadInput("--samples and --steps are at least 1.", "Give a larger number.", "bad_option")
    if not 0 <= options.strength <= _STRONGEST:  # NaN fails this too
        raise BadInput(f"--strength {options.strength:g} is impossible.", f"Give a number from 0 to {_STRONGEST:g}; 1 is as recorded.", "bad_option")
    generator = Generator.load(weights, body)
    way = planned(options, generator, reporter, seed)
    stem = "-".join(part.split(":")[0].split("@")[0].strip() for part in options.style.split(","))
    stem = f"{stem}_{options.path_file.stem if options.path_file else options.path}"
    rows = []
    for variant in range(options.samples):
        reporter.stage("walk", variant, options.samples)
        reporter.check()
        motion = generator(way, options.style, seed + variant, options.steps, options.strength)
        file = output / (f"{stem}_{variant + 1}.npz" if options.samples > 1 else f"{stem}.npz")
        file.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(file) as temporary:
            motion.save(temporary)
        rows.append({"file": str(file), "style": options.style, "frames": len(motion), "path_m": round(float(np.ptp(way.arc)), 2)})
    reporter.stage("walk", options.samples, options.samples)
    return rows


def planned(options: WalkOptions, generator: Generator, reporter: Reporter, seed: int = 0) -> Plan:
    """The plan that the options ask for, on the path that they name; see `plan_along`."""
    if options.path == STAND and not options.path_file:
        generator.shares(options.style, np.zeros(1))
        start, end = _radians(options.start_facing), _radians(options.end_facing)
        return stand((0.0, 0.0), _STANDS if options.seconds is None else options.seconds, start or 0.0, end)
    points, closed = read_path(options.path_file) if options.path_file else named_path(options.path, options.length, seed)
    return plan_along(points, closed, options, generator, reporter)


def plan_along(points, closed: bool, options: WalkOptions, generator: Generator, reporter: Reporter) -> Plan:
    """The plan that the options ask for along `points` (N,2 or 3) m; a speed that the style does not have is changed, and the user told.

    Raises:
        BadInput: style, path or options make no sense.
    """
    shares = generator.shares(options.style, np.linspace(0, 1, _PLACES)).mean(0)
    speeds = mixed_speeds(shares.tolist(), generator.weights.styles, generator.weights.speeds)
    speed, warning = possible_speed(speeds, options.style, options.facing, options.speed)
    way = plan(
        points, speed=speed, closed=closed, facing=options.facing, angle=_radians(options.angle), towards=options.target,
        reverse=options.reverse, seconds=options.seconds, start_facing=_radians(options.start_facing), end_facing=_radians(options.end_facing),
    )
    if warning:
        reporter.warn(warning)
    return way


def _radians(degrees: float | None) -> float | None:
    return None if degrees is None else float(np.radians(degrees))


def style_rows(weights: Path) -> list[dict]:
    """A row per style of a file: its name, and slowest to fastest m/s ahead, back and sideways, as recorded."""
    known = load_weights(weights)
    rows = []
    for style in known.styles:
        row = {"style": style}
        for way, gaits in (("ahead", ("walk", "turn", "run")), ("back", ("backward",)), ("sideways", ("left", "right"))):
            found = [known.speeds[style][gait] for gait in gaits if gait in known.speeds.get(style, {})]
            row[f"{way} m/s"] = f"{min(r[0] for r in found):.1f} to {max(r[-1] for r in found):.1f}" if found else "-"
        rows.append(row)
    return rows
