# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands that train and judge body estimators. Thin, like those of `cli`; imports are inside."""

from __future__ import annotations

from pathlib import Path

from tyro.conf import OmitArgPrefixes

from smplit import terminal
from smplit.cli_options import Common, Output
from smplit.training.options import TrainOptions
from smplit.training.wham_options import WhamStage1Options, WhamStage2Options


def train_wham_stage1(
    data: Path, options: OmitArgPrefixes[TrainOptions], detections: Path | None = None, split: Path | None = None, commercial_safe: bool = False,
    device: str = "auto", width: int = 320, batch: int = 40, frames: int = 48, share: float = 1.0, base_model: Path | None = None, json: bool = False,
) -> None:
    """Trains the lifter, from landmarks to body motion, on a motion store; alone or under torchrun.

    Args:
        data: motion store made by `smplit data process`.
        detections: folder of tools/render_detections.py; without it the detector's errors are drawn by a formula.
        split: split file; default that of the shipped weights.
        commercial_safe: train on recordings that allow commercial use only.
        device: auto, cpu, cuda, cuda:N or mps.
        width: channels of the network.
        batch: windows in a batch.
        frames: of a window.
        share: of the recordings to train on, above 0 up to 1.
        base_model: weights to go on from.
        json: print one JSON object.
    """
    from smplit.datasets.split import OPEN_MOTION
    from smplit.device import resolve_device
    from smplit.training.lifter_commands import train_lifter

    found = train_lifter(
        data, options, detections=detections, split=split or OPEN_MOTION, commercial_safe=commercial_safe, device=str(resolve_device(device)),
        width=width, batch=batch, frames=frames, share=share, base_model=base_model,
    )
    terminal.result(found, json)


def train_wham_original(
    data: Path, options: OmitArgPrefixes[WhamStage1Options], split: Path | None = None, commercial_safe: bool = False,
    noise_table: Path | None = None, device: str = "auto", batch: int = 64, frames: int = 81, base_model: Path | None = None, json: bool = False,
) -> None:
    """Trains the published WHAM's first stage on a motion store, alone or under torchrun.

    Args:
        data: motion store made by `smplit data process`.
        split: split file; default that of the shipped weights.
        commercial_safe: train on recordings that allow commercial use only.
        noise_table: the original's coco_aug_dict.pth; a substitute when not given.
        device: auto, cpu, cuda, cuda:N or mps.
        batch: windows in a batch.
        frames: of a window.
        base_model: checkpoint of stage 1 to go on from.
        json: print one JSON object.
    """
    from smplit.datasets.split import OPEN_MOTION
    from smplit.device import resolve_device
    from smplit.training.wham_commands import train_wham_stage1_original

    found = train_wham_stage1_original(
        data, options, split=split or OPEN_MOTION, commercial_safe=commercial_safe, noise_table=noise_table, device=str(resolve_device(device)),
        batch=batch, frames=frames, base_model=base_model,
    )
    terminal.result(found, json)


def train_wham_stage2(
    data: tuple[Path, ...], options: OmitArgPrefixes[WhamStage2Options], base_model: Path, motion: Path | None = None,
    held_out: tuple[Path, ...] = (), bedlam: bool = False, device: str = "auto", batch: int = 64, frames: int = 81, json: bool = False,
) -> None:
    """Teaches the published WHAM to use image features; the format of the data: smplit/training/wham_sequences.py.

    Args:
        data: folders of sequences.
        base_model: checkpoint of stage 1.
        motion: motion store that a fifth of each batch is made of.
        held_out: folders of sequences to judge by; the training's own when there are none.
        bedlam: loss weights of the variant with BEDLAM.
        device: auto, cpu, cuda, cuda:N or mps.
        batch: windows in a batch.
        frames: of a window.
        json: print one JSON object.
    """
    from smplit.device import resolve_device
    from smplit.training.wham_commands import train_wham_stage2 as run

    found = run(
        data, options, base_model=base_model, motion=motion, held_out=held_out, bedlam=bedlam, device=str(resolve_device(device)), batch=batch,
        frames=frames,
    )
    terminal.result(found, json)


def eval_wham(
    data: Path, output: Output, common: OmitArgPrefixes[Common], weights: Path | None = None, detections: Path | None = None,
    split: Path | None = None, part: str = "held_out",
) -> None:
    """Scores the lifter on recordings that it was not trained on, seen by the same cameras every time.

    Args:
        data: motion store.
        output: folder for report.json.
        weights: weights of your own instead of the shipped ones.
        detections: folder of tools/render_detections.py --part, whose clips are scored too, the detector's own 3D beside them.
        split: split file; default that of the shipped weights.
        part: of the split.
    """
    from smplit.datasets.split import OPEN_MOTION
    from smplit.device import resolve_device
    from smplit.training.lifter_commands import eval_lifter, report_tables

    report = eval_lifter(
        data, output, weights=weights, detections=detections, split=split or OPEN_MOTION, part=part, device=str(resolve_device(common.device))
    )
    terminal.result(report if common.json else report_tables(report), common.json)
