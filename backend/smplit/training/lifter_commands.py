# SPDX-License-Identifier: GPL-3.0-or-later
"""What `smplit train wham-stage1` and `smplit eval wham` do."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from smplit.datasets.split import HELD_OUT, OPEN_MOTION, TRAIN, Split
from smplit.datasets.store import MotionStore
from smplit.errors import BadInput
from smplit.training.commands import FREE_LICENCES
from smplit.training.trainer import TrainOptions, train, worker_device

_TUNING = "tuning"
_EVERY = 12  # one clip of so many pairs is not trained on but judged
_WINDOWS, _FRAMES = 480, 96  # of the fixed validation set
_BATCH = 40


def train_lifter(
    data: Path, options: TrainOptions, *, detections: Path | None = None, split: Path = OPEN_MOTION, commercial_safe: bool = False,
    device: str = "cpu", width: int = 320, batch: int = 40, frames: int = 48, share: float = 1.0, base_model: Path | None = None,
) -> dict:
    """Trains the lifter on a motion store, and on pairs of truth and detection where there are some.

    Args:
        data: motion store made by `smplit data process`.
        detections: folder of `tools/render_detections.py`; without it the detector's errors are drawn by a formula.
        commercial_safe: only recordings under `FREE_LICENCES`.
        share: of the recordings that are used, 0..1, drawn by the seed: how much more data would help.
        width, batch, frames: channels of the network, windows in a batch, frames of a window.
        base_model: weights to go on from.

    Returns:
        What was written and on how much was trained.
    """
    import torch

    from smplit.body.model import BodyModel
    from smplit.mocap.lifter.detections import Detections
    from smplit.mocap.lifter.weights import load_weights
    from smplit.training.lifter import LifterRecipe

    if not 0 < share <= 1:
        raise BadInput(f"--share {share} is not between 0 and 1.", "Use 0.5 for half of the recordings.", "bad_option")
    device = worker_device(device)
    store = MotionStore.open(data)
    parts = Split.load(split).indices(store)
    chosen = [i for i in parts[TRAIN] if not commercial_safe or store.clips[i].licence in FREE_LICENCES]
    order = torch.randperm(len(chosen), generator=torch.Generator().manual_seed(options.seed)).tolist()
    chosen = sorted(chosen[i] for i in order[: max(1, round(share * len(chosen)))])
    torch.manual_seed(options.seed)
    body = BodyModel.load()
    pairs = judged_pairs = None
    if detections is not None:
        every = Detections.read(detections, store, body, set(chosen))
        row = torch.arange(len(every))
        pairs, judged_pairs = every.part(row[row % _EVERY != _EVERY - 1]), every.part(row[row % _EVERY == _EVERY - 1])
        judged_pairs = judged_pairs if len(judged_pairs) else None
    base = load_weights(base_model).train() if base_model else None
    judged = parts.get(_TUNING) or parts.get(HELD_OUT, [])
    recipe = LifterRecipe(store, chosen, pairs, judged, judged_pairs, device, width, batch, frames, body, base)
    licences = sorted({store.clips[i].licence for i in chosen})
    rendered = 0 if pairs is None else len(pairs)
    card = {
        "data": f"{len(chosen)} clips, {store.hours(chosen):.2f} h; {rendered} rendered clips", "licences": ", ".join(licences), "device": device,
        "seed": str(options.seed), "date": datetime.date.today().isoformat(), "batch": f"{batch} x {frames} frames",
    }
    weights = train(recipe, options, card)
    return {"written": str(weights), "clips": len(chosen), "hours": round(store.hours(chosen), 3), "licences": licences}


def eval_lifter(
    data: Path, output: Path, *, weights: Path | None = None, detections: Path | None = None, split: Path = OPEN_MOTION, part: str = HELD_OUT,
    device: str = "cpu",
) -> dict:
    """Measures the lifter on windows of one part of a split, filmed by the same cameras every time.

    Args:
        detections: pairs of truth and detection of that part (`tools/render_detections.py --part`), which are judged beside them.

    Returns:
        The report, also written to `output/report.json`: `windows` (figures by part of the pack, and `all`), `pairs` (the lifter's and the
        detector's own 3D on the 12 joints that both have), `frames_per_second` on this machine.

    Raises:
        BadInput: the part has no clips in this store; weights or pairs that do not fit.
    """
    import torch

    from smplit.body.model import BodyModel
    from smplit.evaluation.lifting import judge_pairs, judge_windows, speed
    from smplit.export.whole_file import whole_file
    from smplit.mocap.lifter.detections import Detections
    from smplit.mocap.lifter.weights import load_weights
    from smplit.models import find

    store = MotionStore.open(data)
    clips = Split.load(split).indices(store).get(part, [])
    if not clips:
        raise BadInput(f"'{data}' has no clips of the part '{part}'.", f"Choose another part of {Path(split).name}.", "no_clips")
    file = Path(weights or find("lifter"))
    network = load_weights(file, device)
    body = BodyModel.load()
    report: dict = {"weights": file.name, "part": part, "clips": len(clips)}
    with torch.no_grad():
        report["windows"] = judge_windows(network, store, clips, body, _WINDOWS, _FRAMES, _BATCH, device)
        if detections is not None:
            report["pairs"] = judge_pairs(network, Detections.read(detections, store, body, set(clips)), device)
        report["frames_per_second"] = speed(network)
    output.mkdir(parents=True, exist_ok=True)
    with whole_file(output / "report.json") as temporary:
        temporary.write_text(json.dumps(report, indent=1))
    return report


def report_tables(report: dict) -> dict[str, list[dict]]:
    """Rows of `eval_lifter`'s report for a terminal."""
    headings = {
        "mpjpe_mm": "MPJPE", "pa_mpjpe_mm": "PA", "root_deg": "root deg", "up_deg": "up deg", "depth_percent": "depth %", "jitter_ratio": "jitter x",
    }
    windows = [{"part": name} | {heading: row[key] for key, heading in headings.items()} for name, row in report["windows"].items()]
    tables = {"windows": windows}
    if "pairs" in report:
        p = report["pairs"]
        row = lambda name, key: {"12 joints": name, "MPJPE": p[key + "mpjpe12_mm"], "PA": p[key + "pa_mpjpe12_mm"]}
        tables["pairs"] = [row("lifter", ""), row("detector", "detector_")]
        tables["pairs"].append({"12 joints": "ratio", "MPJPE": p["mpjpe12_ratio"], "PA": p["pa_mpjpe12_ratio"]})
    return tables
