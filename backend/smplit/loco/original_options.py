# SPDX-License-Identifier: GPL-3.0-or-later
"""Options of the published LOCO's roll-out by its own names; without torch, so that the command line can show them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_RENAMED = {"--vis_save_dir": "--output", "--model_path": None}  # None: the checkpoint, which needs no name here
_WITHOUT_EFFECT = {  # and whether a value follows
    "--guidance_param": True, "--replication_times": True, "--user_transl": False, "--eval_cmdm_base": False, "--eval_cmdm_finetune": False,
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


def translate(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The original's arguments -> (ours, notes for the user); switches that do nothing, there or here, are taken out."""
    out: list[str] = []
    notes: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if (name in _RENAMED or _WITHOUT_EFFECT.get(name)) and not equals:
            value = rest.pop(0) if rest else ""
        if name in _RENAMED:
            out += [value] if _RENAMED[name] is None else [_RENAMED[name], value]
        elif name in _WITHOUT_EFFECT:
            notes.append(f"{name} changes nothing: the published checkpoints do not know it, or their names tell it.")
        else:
            out.append(word)
    return out, notes
