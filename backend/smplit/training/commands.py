# SPDX-License-Identifier: GPL-3.0-or-later
"""What `smplit train difftraj` and `smplit eval difftraj` do."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from smplit.datasets.split import HELD_OUT, OPEN_MOTION, TRAIN, Split
from smplit.datasets.store import MotionStore
from smplit.errors import BadInput
from smplit.training.trainer import TrainOptions, train, worker_device

FREE_LICENCES = ("CMU-free", "MIT")  # of recordings that weights for commercial use may be trained on
_TUNING = "tuning"
_SHOWN = 12  # clips of long paths whose pictures are drawn


def train_difftraj(
    data: Path, options: TrainOptions, *, split: Path = OPEN_MOTION, commercial_safe: bool = False, device: str = "cpu",
    width: int = 128, batch: int = 16, frames: int = 160, base_model: Path | None = None,
) -> dict:
    """Trains the trajectory network on a motion store; judged on the split's tuning clips on the way.

    Args:
        data: motion store made by `smplit data process`.
        split: split file; by default that of the shipped weights.
        commercial_safe: only recordings under `FREE_LICENCES`.
        width, batch, frames: channels of the network, windows in a batch, frames of a window.
        base_model: weights to go on from.

    Returns:
        What was written and on how much was trained.
    """
    import torch

    from smplit.difftraj.predictor import TrajectoryPredictor
    from smplit.training.difftraj import DiffTrajRecipe

    device = worker_device(device)
    store = MotionStore.open(data)
    parts = Split.load(split).indices(store)
    chosen = [i for i in parts[TRAIN] if not commercial_safe or store.clips[i].licence in FREE_LICENCES]
    judged = parts.get(_TUNING) or parts.get(HELD_OUT, [])
    torch.manual_seed(options.seed)
    base = TrajectoryPredictor.load(base_model).network.train() if base_model else None
    recipe = DiffTrajRecipe(store, chosen, judged, device, width, batch, frames, base=base)
    licences = sorted({store.clips[i].licence for i in chosen})
    card = {
        "data": f"{len(chosen)} clips, {store.hours(chosen):.2f} h", "licences": ", ".join(licences), "device": device,
        "seed": str(options.seed), "date": datetime.date.today().isoformat(), "batch": f"{batch} x {frames} frames",
    }
    weights = train(recipe, options, card)
    return {"written": str(weights), "clips": len(chosen), "hours": round(store.hours(chosen), 3), "licences": licences}


def eval_difftraj(
    data: Path, output: Path, *, weights: str | Path = "auto", split: Path = OPEN_MOTION, part: str = HELD_OUT, device: str = "cpu",
    seed: int = 0, pictures: bool = True,
) -> dict:
    """Measures a trajectory network on the clips of one part of a split, beside the baselines, on clean and noisy input.

    Writes `report.json` and, with matplotlib, `paths.png` (top views of 12 clips) into `output`.

    Returns:
        The report: `clean` and `noisy` (method -> figures, see `evaluation.trajectory.summary`), `frame_rates` (rate -> how far
        the path is off, %), `clips` (a row per clip, method and noise).

    Raises:
        BadInput: the part has no clips in this store.
    """
    import json

    from smplit.body.model import BodyModel
    from smplit.difftraj.predict import weights_file
    from smplit.difftraj.predictor import TrajectoryPredictor
    from smplit.evaluation.trajectory import CLEAN, NOISY, Candidates, evaluate, summary
    from smplit.export.whole_file import whole_file

    store = MotionStore.open(data)
    clips = Split.load(split).indices(store).get(part, [])
    if not clips:
        raise BadInput(f"'{data}' has no clips of the part '{part}'.", f"Choose another part of {split.name}.", "no_clips")
    file = weights_file(weights)
    body = BodyModel.load(device=device)
    predictor = TrajectoryPredictor.load(file, body, device)
    candidates = Candidates(predictor, body)
    report: dict = {"weights": file.name, "part": part, "clips": []}
    for label, noise in (("clean", CLEAN), ("noisy", NOISY)):
        rows = evaluate(candidates, store, clips, noise, seed)
        report[label] = summary(rows)
        report["clips"] += [row | {"noise": label} for row in rows]
    shown = _travelling(report["clips"], store, clips, _SHOWN)
    report["frame_rates"] = _frame_rates(Candidates(predictor, body, ("ours",)), store, shown)
    output.mkdir(parents=True, exist_ok=True)
    with whole_file(output / "report.json") as temporary:
        temporary.write_text(json.dumps(report, indent=1))
    if pictures:
        draw_paths(candidates, store, shown, output / "paths.png")
    return report


def report_tables(report: dict) -> dict[str, list[dict]]:
    """Rows of `eval_difftraj`'s report for a terminal: a row per input and method, and one per frame rate."""
    shown = {"RTE %": "rte", "median": "rte_median", "end %": "end", "slide cm": "slide_level", "jitter": "jitter"}  # fits 80 columns
    methods = [
        {"input": noise, "method": method} | {heading: figures[name] for heading, name in shown.items()}
        for noise in ("clean", "noisy")
        for method, figures in report[noise].items()
    ]
    return {"methods": methods, "frame_rates": [{"fps": rate} | figures for rate, figures in report["frame_rates"].items()]}


def _travelling(rows: list[dict], store: MotionStore, clips: Sequence[int], count: int) -> list[int]:
    """`count` clips of long paths, from as many styles and people as there are."""
    lengths = {row["name"]: row["path"] for row in rows}
    by_kind: dict[tuple, list[int]] = {}
    for index in sorted(clips, key=lambda i: -lengths[store.clips[i].name]):
        by_kind.setdefault((store.clips[index].part, store.clips[index].style, store.clips[index].subject), []).append(index)
    turns = [clip for layer in range(count) for clip in (kind[layer] for kind in by_kind.values() if len(kind) > layer)]
    return turns[:count]


def _frame_rates(candidates, store: MotionStore, clips: Sequence[int]) -> dict[str, dict[str, float]]:
    from smplit.evaluation.trajectory_rates import RATES, rate_differences

    found = [rate_differences(candidates, store.clip(index).motion()) for index in clips]
    return {f"{rate:g}": {name: float(np.mean([row[rate][name] for row in found])) for name in ("mean", "most")} for rate in RATES}


def draw_paths(candidates, store: MotionStore, clips: Sequence[int], picture: Path) -> None:
    """Top views of the true paths of `clips` and of every method's."""
    from smplit.evaluation.trajectory_pictures import top_views

    panels = {}
    for index in clips:
        clip = store.clip(index)
        true = clip.motion()
        paths = {"true": np.asarray(true.trans)}
        paths |= {name: motion.trans for name, motion in candidates(true).items() if name != "ours, legs as given"}
        panels[f"{clip.info.name.split('/')[-1]}\n{clip.info.label} ({clip.info.style or clip.info.subject}), {len(clip) / clip.fps:.0f} s"] = paths
    top_views(panels, picture)
