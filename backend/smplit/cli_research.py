# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of research: training, evaluation, curves. Thin, like those of `cli`; imports are inside."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from tyro.conf import OmitArgPrefixes, Positional, arg

from smplit import terminal
from smplit.cli_options import Common, Output
from smplit.errors import BadInput
from smplit.loco.published.options import Style100Options
from smplit.mocap.options import CaptureOptions
from smplit.training.options import TrainOptions
from smplit.training.original_options import OriginalTrainOptions


def train_difftraj(
    data: Path, options: OmitArgPrefixes[TrainOptions], split: Path | None = None, commercial_safe: bool = False, device: str = "auto",
    width: int = 128, batch: int = 16, frames: int = 160, base_model: Path | None = None, json: bool = False,
) -> None:
    """Trains the trajectory network on a motion store, alone or under torchrun.

    Args:
        data: motion store made by `smplit data process`.
        split: split file; default that of the shipped weights.
        commercial_safe: train on recordings that allow commercial use only.
        device: auto, cpu, cuda, cuda:N or mps.
        width: channels of the network.
        batch: windows in a batch.
        frames: of a window.
        base_model: weights to go on from.
        json: print one JSON object.
    """
    from smplit.datasets.split import OPEN_MOTION
    from smplit.device import resolve_device
    from smplit.training.commands import train_difftraj as run

    found = run(
        data, options, split=split or OPEN_MOTION, commercial_safe=commercial_safe, device=str(resolve_device(device)), width=width, batch=batch,
        frames=frames, base_model=base_model,
    )
    terminal.result(found, json)


def train_loco(
    data: Path, options: OmitArgPrefixes[TrainOptions], commercial_safe: bool = False, device: str = "auto", width: int = 360, layers: int = 5,
    batch: int = 256, turns: int = 1, base_model: Path | None = None, json: bool = False,
) -> None:
    """Trains the locomotion network on a motion store, alone or under torchrun.

    Args:
        data: motion store made by `smplit data process`.
        commercial_safe: train on recordings that allow commercial use only.
        device: auto, cpu, cuda, cuda:N or mps.
        width: of the network.
        layers: of the network.
        batch: windows in a batch.
        turns: windows after one another that the network makes from its own past.
        base_model: weights to go on from.
        json: print one JSON object.
    """
    from smplit.device import resolve_device
    from smplit.training.loco_commands import train_loco as run

    found = run(
        data, options, commercial_safe=commercial_safe, device=str(resolve_device(device)), width=width, layers=layers, batch=batch, turns=turns,
        base_model=base_model,
    )
    terminal.result(found, json)


def train_loco_original(
    data: Path, options: OmitArgPrefixes[OriginalTrainOptions], cmdm_base: bool = False, base_model: Path | None = None,
    statistics: Path | None = None, commercial_safe: bool = False, device: str = "auto", past: int = 10, future: int = 30, batch: int = 64,
    json: bool = False,
) -> None:
    """Trains the published LOCO's network on a motion store: one-hot styles, a base without, or fine-tuning of a base.

    Args:
        data: motion store made by `smplit data process`.
        cmdm_base: without styles.
        base_model: base to fine-tune by style.
        statistics: mean and std npz of a published base.
        commercial_safe: train on recordings that allow commercial use only.
        device: auto, cpu, cuda, cuda:N or mps.
        past: frames of the past.
        future: frames made at once.
        batch: windows in a batch.
        json: print one JSON object.
    """
    from smplit.device import resolve_device
    from smplit.training.loco_original import train_loco_original as run

    found = run(
        data, options, cmdm_base=cmdm_base, base_model=base_model, statistics=statistics, commercial_safe=commercial_safe,
        device=str(resolve_device(device)), past=past, future=future, batch=batch,
    )
    terminal.result(found, json)


def eval_capture(
    truth: Positional[Path], output: Output, options: OmitArgPrefixes[CaptureOptions], only: tuple[str, ...] = (), json: bool = False
) -> None:
    """Scores capture against rendered truth (tools/make_truth_clips.py), the detector's own 3D beside it.

    Args:
        truth: folder with `<clip>.mp4` and `<clip>_truth.npz`.
        output: folder for the captures and report.json.
        only: names of clips; default all.
        json: print one JSON object.
    """
    from smplit.evaluation.capture import evaluate_capture

    with terminal.TerminalReporter("evaluation") as reporter:
        report = evaluate_capture(truth, output, options, reporter, only=only)
    terminal.result(report, json)


def eval_difftraj(
    data: Path, output: Output, common: OmitArgPrefixes[Common], weights: str = "auto", split: Path | None = None, part: str = "held_out",
    pictures: bool = True,
) -> None:
    """Scores a trajectory network beside its baselines, on clean and noisy input.

    Args:
        data: motion store.
        output: folder for report.json and paths.png.
        weights: auto, free or a file.
        split: split file; default that of the shipped weights.
        part: of the split.
        pictures: draw top views of twelve paths.
    """
    from smplit.datasets.split import OPEN_MOTION
    from smplit.device import resolve_device
    from smplit.training.commands import eval_difftraj as run
    from smplit.training.commands import report_tables

    device = str(resolve_device(common.device))
    report = run(data, output, weights=weights, split=split or OPEN_MOTION, part=part, device=device, seed=common.seed, pictures=pictures)
    terminal.result(report if common.json else report_tables(report), common.json)


def eval_loco(
    data: Path, output: Output, common: OmitArgPrefixes[Common], weights: Path | None = None, steps: int = 4, styles: tuple[str, ...] = (),
    curves: tuple[str, ...] = (), baseline: bool = True, pictures: bool = True,
) -> None:
    """Styled walks along curves: the network, motion matching and held-out recordings in one table.

    Args:
        data: motion store.
        output: folder for report.json, the style classifier and contact sheets.
        weights: weights of your own instead of the shipped ones.
        steps: of the flow.
        styles: some of the styles; all when not given.
        curves: some of the curves; all when not given.
        baseline: also let motion matching walk.
        pictures: draw contact sheets.
    """
    from smplit.evaluation.locomotion_commands import OURS, NetworkWalks
    from smplit.evaluation.locomotion_commands import eval_loco as run
    from smplit.evaluation.locomotion_report import report_tables
    from smplit.models import find

    body = common.body()
    with terminal.TerminalReporter("eval loco") as reporter:
        report = run(
            data, output, {OURS: NetworkWalks(weights or find("loco"), body, steps)}, styles=styles or None, curves=curves or None,
            baseline=baseline, seed=common.seed, pictures=pictures, reporter=reporter, body=body,
        )
    terminal.result(report if common.json else report_tables(report), common.json)


def eval_style100(
    model: Positional[Path], options: OmitArgPrefixes[Style100Options], common: OmitArgPrefixes[Common], data: Path | None = None,
    output: Annotated[Path | None, arg(aliases=["-o"])] = None, statistics: Path | None = None,
) -> None:
    """The published LOCO's own evaluation, by its own switches: held-out recordings gone on with, and its figures of both.

    Args:
        model: model*.pt of the original, or weights of 'smplit train loco --original'.
        data: motion store.
        output: folder for the JSON file; that of the checkpoint when not given.
        statistics: mean and std npz that a published checkpoint was trained with.
    """
    from smplit.evaluation.original_style100 import eval_style100 as run
    from smplit.evaluation.original_style100 import table

    if data is None:
        raise BadInput("No recordings to evaluate on were named.", "Write: --data STORE, made by 'smplit data process'.", "bad_option")
    body = common.body()
    with terminal.TerminalReporter("eval_style100") as reporter:
        report = run(
            model, data, output or model.parent, options, body, reporter, statistics=statistics, seed=common.seed, device=str(body.device)
        )
    terminal.result(report if common.json else table(report), common.json)


def plot(runs: Positional[tuple[Path, ...]], output: Output) -> None:
    """Loss and metric curves of training runs -> PNG.

    Args:
        runs: folders of runs; several are drawn over each other.
        output: png to write.
    """
    from smplit.training.plot import plot_runs

    panels = plot_runs(runs, output)
    terminal.result({"written": str(output), "panels": ", ".join(panels)}, False)
