# SPDX-License-Identifier: GPL-3.0-or-later
"""A motion into other tools' formats; one module per format, each writes its file whole or not at all."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from smplit.body.model import BodyModel
from smplit.errors import BadInput
from smplit.export.bvh import write_bvh
from smplit.export.glb import write_glb
from smplit.export.joints import write_joints
from smplit.export.whole_file import whole_file
from smplit.motion import Motion

_log = logging.getLogger(__name__)
_NOT_YET = {"fbx": "glb or bvh", "usd": "glb", "usda": "glb", "usdc": "glb"}


def write_npz(motion: Motion, path: Path, body: BodyModel) -> None:
    """The motion file itself: what the SMPL-X Blender add-on and AMASS tools read."""
    with whole_file(path) as temporary:
        motion.save(temporary)


@dataclass(frozen=True)
class Format:
    """How a format is written and the suffix its files carry."""

    write: Callable[[Motion, Path, BodyModel], None]
    suffix: str
    what: str


FORMATS = {
    "npz": Format(write_npz, ".npz", "SMPL-X motion for Blender's SMPL-X add-on and AMASS tools"),
    "joints": Format(write_joints, ".npz", "joint positions in metres, in the world and in the camera"),
    "bvh": Format(write_bvh, ".bvh", "skeleton animation, Y up, centimetres"),
    "glb": Format(write_glb, ".glb", "skinned, animated body with its expressions, glTF 2.0"),
}


def export_motion(motion: Motion, output: str | Path, to: str | None, body: BodyModel) -> list[Path]:
    """Writes `motion` to `output` in the format `to`, or in the one that the suffix names.

    Returns:
        The files written.

    Raises:
        BadInput: unknown format, a suffix that does not fit it, a motion that makes no sense, or
            a place that cannot be written to; nothing is written.
        NoSpace: the disk filled up; nothing is left behind.
    """
    output = Path(output)
    name = _format_name(output, to)
    chosen = FORMATS[name]
    motion.check(str(output.name))
    _warn_about_another_body(motion, body)
    chosen.write(motion, output, body)
    return [output]


def _format_name(output: Path, to: str | None) -> str:
    name = (to or output.suffix.lstrip(".")).lower()
    known = ", ".join(FORMATS)
    if name in _NOT_YET:
        raise BadInput(f"Export to {name} is not in this version.", f"Use {_NOT_YET[name]}, which other tools read too.", "not_yet")
    if name not in FORMATS:
        raise BadInput(
            f"'{output}' names no known format." if to is None else f"--to {to!r} is not a known format.",
            f"Known formats: {known}.", "unknown_format",
        )
    if output.suffix.lower() != FORMATS[name].suffix:
        raise BadInput(
            f"'{output}' does not end in '{FORMATS[name].suffix}', as a {name} file does.",
            f"Name the output '{output.with_suffix(FORMATS[name].suffix).name}'.", "wrong_suffix",
        )
    return name


def _warn_about_another_body(motion: Motion, body: BodyModel) -> None:
    made_with = str(motion.extras.get("smplit_body", body.name))
    if made_with != body.name:
        _log.warning(
            "The shape in this motion belongs to the body %s, but %s is used: proportions will differ a little.", made_with, body.name
        )
