# SPDX-License-Identifier: GPL-3.0-or-later
"""What `smplit data process` and `smplit data split` do; the original's option names are accepted beside ours."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import arg

from smplit import terminal


def data_process(
    source: Annotated[Literal["amass", "100styles", "bvh"], arg(aliases=["--in-data-type"])],
    input: Path, output: Annotated[Path, arg(aliases=["-o"])],
    fps: Annotated[float, arg(aliases=["--save-data-fps"])] = 30.0, window: Annotated[int, arg(aliases=["--win-size"])] = 35,
    max_clips: Annotated[int, arg(aliases=["--max-process-npz-num"])] = -1, rest_pose: Path | None = None,
    save_train_mean_std: bool = False, workers: int = 0, json: bool = False,
) -> None:
    """Motion data -> one motion store for training, and a report of what was dropped and why.

    Args:
        source: kind of data set: AMASS npz (SMPL-H or SMPL-X), 100STYLE (BVH or npz, with Frame_Cuts.csv), or any folder of BVH files.
        input: folder of the data set, or a text file that lists its files.
        output: motion store (.safetensors) to write; the report lies beside it.
        fps: frames per second of every clip, whatever the recordings had.
        window: shortest clip, frames.
        max_clips: recordings to look at; -1 for all.
        rest_pose: T-pose BVH file, or folder of them (bvh only); else each file's own rest pose.
        save_train_mean_std: also write mean and std of the original's features.
        workers: processes; 0 for one per core.
        json: print one JSON object: the report.
    """
    from smplit.datasets.process import process

    with terminal.TerminalReporter("data") as reporter:
        report = process(
            source, input, output, fps, window, max_clips, rest_pose, save_train_mean_std=save_train_mean_std, workers=workers, reporter=reporter,
        )
    shown = {"written": str(output), **report}
    if not json:
        del shown["dropped_recordings"]
        shown["dropped_by_reason"] = [{"reason": reason, "recordings": count} for reason, count in report["dropped_by_reason"].items()]
        shown["hours_by_licence"] = [{"licence": name, "hours": hours} for name, hours in report["hours_by_licence"].items()]
        shown = {name: value for name, value in shown.items() if value != []}
    terminal.result(shown, json)


def data_split(
    data: Path, output: Annotated[Path, arg(aliases=["-o"])], by: Literal["subject", "style"] = "subject", fraction: float = 0.1,
    held_out: tuple[str, ...] = (), rules: Path | None = None, stores: bool = False, seed: int = 0, json: bool = False,
) -> None:
    """A motion store's clips into what is trained on and what is held out, by whole people or styles.

    Args:
        data: motion store.
        output: folder for split.json and, with --stores, a store for each part.
        by: what is held out as a whole.
        fraction: of the time to hold out at least, drawn at random.
        held_out: names of subjects or styles to hold out instead.
        rules: split file to apply instead, e.g. datasets/splits/open_motion.json.
        stores: also write a motion store for each part.
        seed: of the draw.
        json: print one JSON object.
    """
    from smplit.datasets.split import Split, new_split, split
    from smplit.datasets.store import MotionStore

    chosen = Split.load(rules) if rules is not None else new_split(MotionStore.open(data).clips, by, fraction, held_out, seed)
    report = split(data, chosen, output if stores else None)
    chosen.save(output / "split.json")
    terminal.result({"written": str(output / "split.json"), **report}, json)
