# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a submit can be done: everything that is wrong with it is told at once, before anything is queued."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from smplit.errors import BadInput
from smplit.protocol import Message
from smplit.server import paths
from smplit.server.kinds import JobKind

_MOST_INPUTS = 256  # files of one job: its `done` must fit into one header


class Refused(BadInput):
    """A submit that cannot be done. `problems` lists all that is wrong."""

    def __init__(self, message: str, remedy: str, code: str, problems: Sequence[str]):
        super().__init__(message, remedy, code)
        self.problems = list(problems)


def check(message: Message, kinds: Mapping[str, JobKind], fence: Sequence[Path]) -> list[Path]:
    """The resolved input files of a submit that can be done.

    Args:
        message: the submit.
        kinds: what this backend does.
        fence: resolved folders of `serve --root`.

    Raises:
        Refused: unknown kind, bad params or paths, or a path outside the approved folders.
    """
    kind = kinds.get(message["kind"])
    if kind is None:
        problem = f"This backend does no job of the kind '{message['kind'][:80]}'."
        raise Refused(problem, f"It does: {', '.join(sorted(kinds))}.", "unknown_kind", [problem])
    asked = message["paths"]
    if len(asked) > _MOST_INPUTS:
        problem = f"The job has {len(asked)} input files; at most {_MOST_INPUTS} are allowed."
        raise Refused(problem, "Submit several smaller jobs.", "bad_params", [problem])
    roots, problems = paths.resolve_roots(fence, message.get("roots") or [])
    files, bad, outside = paths.resolve_paths(roots, asked) if not problems else ([], [], False)
    problems += bad
    problems += kind.check(message["params"], [Path(str(path)) for path in asked], message.arrays)
    if outside:
        raise Refused(
            "; ".join(problems) + ".", "Choose files below an approved folder, or approve the folder that holds them.", "outside_roots", problems,
        )
    if problems:
        raise Refused("; ".join(problems) + ".", "Correct this and submit again.", "bad_params", problems)
    return files
