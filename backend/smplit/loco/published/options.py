# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the published LOCO's roll-out by its own names; without torch, so that the command line can show them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_RENAMED = {"--vis_save_dir": "--output", "--model_path": None}  # None: the checkpoint, which needs no name here
_WITHOUT_EFFECT = {  # and whether a value follows
    "--guidance_param": True, "--replication_times": True, "--user_transl": False, "--eval_cmdm_base": False, "--eval_cmdm_finetune": False,
}
_EVALUATION_RENAMED = {"--model_path": None, "--batchsize": "--batch-size", "--model-path": None}
_EVALUATION_WITHOUT_EFFECT = {
    "--dataset": True, "--guidance_param": True, "--eval_mode": True, "--eval_cmdm_base": False, "--eval_cmdm_finetune": False,
    "--eval_joints_metrics": False,
}


@dataclass
class RolloutOptions:
    """What the published roll-out is asked for.

    Attributes:
        difine_traj: line, rec, circle or spline (as the original spells it).
        traj_rev_dir: 1 to turn the other way.
        traj_face_type: 0 to face along the path, 1 always the same way (strafing).
        infer_walk_speed: m/s.
        gen_time_length: seconds.
        infer_step: frames kept of each window; fewer follow the way better and take longer.
        num_samples: motions.
    """

    difine_traj: str = "rec"
    traj_rev_dir: int = 0
    traj_face_type: int = 0
    infer_walk_speed: float = 1.0
    gen_time_length: float = 10.0
    infer_step: int = 2
    num_samples: int = 10


@dataclass
class Style100Options:
    """What the published evaluation is asked for, with its defaults.

    Attributes:
        infer_step: frames kept of each window.
        window_size: frames that are compared.
        replication_times: how often all of it is made anew.
        num_samples: held-out windows to go on with, if there are so many.
        batch_size: windows at once.
    """

    infer_step: int = 2
    window_size: int = 24
    replication_times: int = 20
    num_samples: int = 1000
    batch_size: int = 128


def translate(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The original's arguments -> (ours, notes for the user); switches that do nothing, there or here, are taken out."""
    return _translated(arguments, _RENAMED, _WITHOUT_EFFECT, "the published checkpoints do not know it, or their names tell it.")


def translate_evaluation(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The same for `eval_style100`, which its users know as `python -m eval.eval_style100`."""
    because = "--data names the recordings, the checkpoint tells what it is, and all figures are always given."
    return _translated(arguments, _EVALUATION_RENAMED, _EVALUATION_WITHOUT_EFFECT, because)


def _translated(
    arguments: Sequence[str], renamed: dict[str, str | None], without_effect: dict[str, bool], because: str
) -> tuple[list[str], list[str]]:
    out: list[str] = []
    notes: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if (name in renamed or without_effect.get(name)) and not equals:
            value = rest.pop(0) if rest else ""
        if name in renamed:
            out += [value] if renamed[name] is None else [renamed[name], value]
        elif name in without_effect:
            notes.append(f"{name} changes nothing: {because}")
        else:
            out.append(word)
    return out, notes
