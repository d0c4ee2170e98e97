# SPDX-License-Identifier: GPL-3.0-or-later
"""The command-line switches of the original SMPLit, so that old scripts run: `smplit capture` and `smplit loco` accept them."""

from __future__ import annotations

from collections.abc import Sequence

from smplit.models import there

_WITH_VALUE = {"--output_pth": "--output", "--video": None, "--output-pth": "--output"}
# The estimators that the original's switches name: our option, the model files it can use, and what stands in for a missing one.
_PUBLISHED = {
    "--use_acr": (["--hands", "acr"], ("acr",), "hand landmarks are used"),
    "--use_smirk": (["--face", "smirk"], ("smirk",), "face landmarks are used"),
    "--use_hmr2": (["--body", "hmr2"], ("hmr2b", "hmr2a"), "the shipped estimator is used, which also takes half-body shots"),
}
_NOTHING_TO_DO = {
    "--use_smplx": None,  # results are SMPL-X always
    "--est_hands": None,  # hands are on by default
    "--not_full_body": None,  # half-body shots are recognised
    "--save_pkl": "Results are written as npz, which holds no pickled code; --save_pkl changes nothing.",
}


def translate(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Seed arguments -> (our arguments, notes for the user); arguments of ours pass through."""
    out: list[str] = []
    notes: list[str] = []
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name in _WITH_VALUE:
            if not equals:
                value = rest.pop(0) if rest else ""
            out += [value] if _WITH_VALUE[name] is None else [_WITH_VALUE[name], value]
        elif word in _PUBLISHED:
            option, files, instead = _PUBLISHED[word]
            if any(there(name) for name in files):
                out += option
            else:
                notes.append(f"{word}: its file was not added yet (smplit models list); {instead}.")
        elif word in _NOTHING_TO_DO:
            if _NOTHING_TO_DO[word]:
                notes.append(_NOTHING_TO_DO[word])
        elif word == "--run_smplify":
            out.append("--fit")
        elif word == "FLIP_EVAL" and rest and rest[0] in ("True", "False", "true", "false"):
            if rest.pop(0).lower() == "true":
                out.append("--flip-eval")
        else:
            out.append(word)
    return out, notes


_LOCO_VALUES = {
    "--difine_traj": "--path", "--infer_walk_speed": "--speed", "--num_samples": "--samples", "--gen_time_length": "--seconds",
}
_LOCO_UNUSED = {
    "--infer_step": "How many frames of a window are kept is fixed here; --infer_step changes nothing.",
    "--guidance_param": "The style is guided by --strength; --guidance_param changes nothing.",
}
_FACE_TYPES = {"0": ["--facing", "path"], "1": ["--facing", "fixed", "--angle", "0"]}


def translate_loco(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """The same for `smplit loco`: the switches of the original's roll-out."""
    out: list[str] = []
    notes: list[str] = []
    rest = list(arguments)
    while rest:
        name, equals, value = rest.pop(0).partition("=")
        takes_one = name in _LOCO_VALUES or name in _LOCO_UNUSED or name in ("--traj_face_type", "--traj_rev_dir")
        if takes_one and not equals:
            value = rest.pop(0) if rest else ""
        if name in _LOCO_VALUES:
            out += [_LOCO_VALUES[name], value]
        elif name in _LOCO_UNUSED:
            notes.append(_LOCO_UNUSED[name])
        elif name == "--traj_face_type":
            out += _FACE_TYPES.get(value, ["--facing", value])
        elif name == "--traj_rev_dir":
            out += ["--reverse"] if value not in ("0", "False", "") else []
        elif name != "--user_transl":  # a path is always followed
            out.append(name + equals + value)
    return out, notes
