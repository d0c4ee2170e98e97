# SPDX-License-Identifier: GPL-3.0-or-later
"""`smplit eval loco`: named generators walk every style along every curve; recordings, motion matching and networks in one table."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from smplit.body.model import BodyModel
from smplit.datasets.store import MotionStore
from smplit.errors import BadInput
from smplit.evaluation.body_track import BodyTrack
from smplit.evaluation.feature_distances import balanced_frechet, spread_between
from smplit.evaluation.locomotion import figures
from smplit.evaluation.locomotion_facings import styles_recorded_all_ways, summary_of_facings, walk_facing
from smplit.evaluation.locomotion_report import summary
from smplit.evaluation.real_styles import RealStyles, held_out_walk
from smplit.evaluation.style_windows import FRAMES, cut, window_frames
from smplit.export.whole_file import whole_file
from smplit.loco.motion_matching import MotionMatching
from smplit.loco.paths import named_path
from smplit.loco.plan import Plan, plan
from smplit.motion import Motion
from smplit.progress import Reporter

REPORT, CLASSIFIER = "report.json", "style_classifier.safetensors"
CURVES = {  # name of the path, m, seed
    "circle": ("circle", 12.0, 0), "eight": ("eight", 18.0, 0), "square": ("square", 16.0, 0), "spiral": ("spiral", 16.0, 0),
    "random 5 m": ("random", 5.0, 1), "random 15 m": ("random", 15.0, 2), "random 50 m": ("random", 50.0, 3),
}
_HOP = 30  # frames between windows of a generated walk
_STANDING = 0.5  # of the mean speed: windows in which the plan is slower show no walk
_SHOWN = "circle"
OURS, BASELINES = "loco", ("matching", "matching feet", "matching path")

LocoGenerator = Callable[[Plan, str, int], Motion]  # one with `stream(plan, style, seed)` tells its latency by the first of its pieces


class NetworkWalks:
    """The shipped network, or other weights of its kind, as a generator of the table."""

    def __init__(self, weights: Path, body: BodyModel, steps: int = 4):
        from smplit.loco.generate import Generator

        self.network, self.steps = Generator.load(weights, body), steps

    def __call__(self, asked: Plan, style: str, seed: int) -> Motion:
        return self.network(asked, style, seed, self.steps)

    def stream(self, asked: Plan, style: str, seed: int) -> Iterator:
        """Its chunks, as they come."""
        return self.network.chunks(asked, style, seed, self.steps)


@dataclass
class Walks:
    """What one generator made: rows of figures, features of its windows by style, and the walks for the contact sheet."""

    rows: list[dict]
    features: dict[str, list[np.ndarray]]
    shown: dict[str, tuple[Motion, Plan]]
    diversity: list[float]
    first_ms: list[float]


def motion_matching_rows(store: MotionStore, body: BodyModel) -> dict[str, LocoGenerator]:
    """The classical baseline as it is, with planted feet, and with planted feet and drawn onto the path."""
    plain, feet, path = BASELINES
    return {
        plain: MotionMatching(store, body), feet: MotionMatching(store, body, foot_lock=True),
        path: MotionMatching(store, body, pull=True, foot_lock=True),
    }


def eval_loco(
    data: Path, output: Path, generators: Mapping[str, LocoGenerator], *, styles: Sequence[str] | None = None,
    curves: Sequence[str] | None = None, baseline: bool = True, facings: bool = True, seeds: int = 2, seed: int = 0, pictures: bool = True,
    reporter: Reporter | None = None, body: BodyModel | None = None,
) -> dict:
    """Lets every generator walk every style along every curve at the style's own walking speed.

    Writes `report.json`, the style classifier and, with `pictures`, a contact sheet per generator (each style along the circle)
    and one of held-out recordings.

    Args:
        data: motion store; the classifier and motion matching see its training pieces only.
        generators: by name; motion matching joins them if `baseline`.
        curves: names of `CURVES`; None: all.
        facings: also walk backwards, sideways and facing one way, in the styles that were recorded so (see `locomotion_facings`).
        seeds: walks of one prompt (the first curve), whose differences are the diversity.

    Speeds are seconds of motion by seconds of processor time, of all threads: what one core does, whoever else uses the machine.

    Returns:
        The report: `methods`, `styles`, `curves` (figures by name), `real` (by style), `walks` (a row each); with `facings`,
        where a style was recorded so, `facings`, `facing_walks` and `facing_styles` beside them.

    Raises:
        BadInput: unknown style or curve, or a store without locomotion.
    """
    reporter, body = reporter or Reporter(), body or BodyModel.load()
    store = MotionStore.open(data)
    output.mkdir(parents=True, exist_ok=True)
    real = RealStyles.of(store, body, output / CLASSIFIER, seed, reporter)
    styles = _known(styles, real.classifier.styles, "style")
    curves = _known(curves, tuple(CURVES), "curve")
    generators = dict(generators) | (motion_matching_rows(store, body) if baseline else {})
    if pictures:
        from smplit.evaluation.locomotion_pictures import style_sheet

        style_sheet({style: (held_out_walk(store, style), None) for style in styles}, body, output / "recordings.png")
    walks: dict[str, Walks] = {}
    for name, generator in generators.items():
        walks[name] = walk_all(name, generator, styles, curves, real, body, seeds, seed, reporter)
        if pictures:
            style_sheet(walks[name].shown, body, output / f"circle_{name.replace(' ', '_')}.png")
    report = summary([row for made in walks.values() for row in made.rows], real.figures, styles)
    for name, made in walks.items():
        report["methods"][name] |= {"first_ms": float(np.median(made.first_ms)), "diversity": float(np.nanmean(made.diversity))}
    report["methods"]["real"]["diversity"] = real.diversity
    report["windows_per_style"] = add_frechet(report["methods"], walks, real, styles, seed)
    able = styles_recorded_all_ways(store, styles) if facings else []
    if able:
        report["facing_walks"] = walk_facing(generators, store, able, body, seed, reporter)
        report["facings"] = summary_of_facings(report["facing_walks"])
        report["facing_styles"] = able
    report["threads"] = torch.get_num_threads()
    with whole_file(output / REPORT) as temporary:
        temporary.write_text(json.dumps(_plain(report), indent=1, allow_nan=False), encoding="utf-8")
    return report


def walk_all(
    name: str, generator: LocoGenerator, styles: Sequence[str], curves: Sequence[str], real: RealStyles, body: BodyModel, seeds: int,
    seed: int, reporter: Reporter,
) -> Walks:
    """One generator, all styles and curves."""
    made = Walks([], {}, {}, [], [])
    for done, style in enumerate(styles):
        reporter.stage(name, done, len(styles))
        prompts = [(curve, curve_plan(curve, real.speed[style])) for curve in curves]
        generator(prompts[0][1].rows(np.arange(2 * FRAMES)), style, seed)  # what is loaded once is not timed
        for number, (curve, asked) in enumerate(prompts):
            same_prompt = []
            for take in range(seeds if number == 0 else 1):
                reporter.check()
                row, features, motion = _walk(generator, asked, style, seed + take, real, body)
                made.rows.append({"method": name, "style": style, "curve": curve, "seed": seed + take} | row)
                made.features.setdefault(style, []).append(features)
                same_prompt.append(features)
                if curve == _SHOWN or style not in made.shown:
                    made.shown[style] = (motion, asked)
            if number == 0:
                made.diversity.append(spread_between(same_prompt))
                made.first_ms.append(_first_piece(generator, asked, style, seed))
    reporter.stage(name, len(styles), len(styles))
    return made


def curve_plan(curve: str, speed: float) -> Plan:
    """A curve of the table at a speed, m/s."""
    name, length, seed = CURVES[curve]
    points, closed = named_path(name, length, seed)
    return plan(points, speed=speed, closed=closed)


def _walk(generator: LocoGenerator, asked: Plan, style: str, seed: int, real: RealStyles, body: BodyModel) -> tuple[dict, np.ndarray, Motion]:
    """Figures of one walk, the features of its windows (N,D), and the walk."""
    begin = time.process_time()
    motion = generator(asked, style, seed)
    spent = time.process_time() - begin
    track = BodyTrack.of(motion, body)
    windows = cut(window_frames(track), _HOP)
    moving = cut(asked.speed[:, None], _HOP)[:, :, 0].mean(1) > _STANDING * asked.mean_speed
    features, named = real.classifier.features(windows[moving]) if moving.any() else (np.empty((0, 1)), np.empty(0, int))
    right = np.array(real.classifier.styles)[named] == style
    row = figures(track, asked) | {
        "style_right": int(right.sum()), "windows": len(right), "seconds": len(asked) / asked.fps, "cpu": spent, "speed_asked": asked.mean_speed,
    }
    return row, features, motion


def _first_piece(generator: LocoGenerator, asked: Plan, style: str, seed: int) -> float:
    """ms of processor time until something of a walk is there: a generator's `stream`, if it has one, gives pieces."""
    begin = time.process_time()
    stream = getattr(generator, "stream", None)
    if stream is None:
        generator(asked, style, seed)
    else:
        next(iter(stream(asked, style, seed)))
    return 1000.0 * (time.process_time() - begin)


def add_frechet(methods: dict[str, dict], walks: Mapping[str, Walks], real: RealStyles, styles: Sequence[str], seed: int) -> int:
    """Writes `fid` into every method and the recordings' row; all of as many windows per style, which is returned."""
    sets = {name: {style: np.concatenate(made.features[style]) for style in styles} for name, made in walks.items()}
    sets["real"] = {style: real.held_out[style] for style in styles}
    count = min(len(values) for some in sets.values() for values in some.values())
    for name, some in sets.items():
        methods[name]["fid"] = balanced_frechet({s: real.reference[s] for s in styles}, some, count, seed) if count else np.nan
    return count


def _known(asked: Sequence[str] | None, known: Sequence[str], what: str) -> tuple[str, ...]:
    if asked is None:
        return tuple(known)
    wrong = [name for name in asked if name not in known]
    if wrong:
        raise BadInput(f"There is no {what} '{wrong[0]}'.", f"Choose from: {', '.join(known)}.", f"unknown_{what}")
    return tuple(asked)


def _plain(value):
    """For JSON: numpy numbers as Python's, NaN as None."""
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if np.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value
