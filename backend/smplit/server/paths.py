# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files a job may read: those below folders that the user approved, symbolic links followed.

`serve --root` fences the backend: nothing outside is read whatever a client says. `roots` of a
`submit` are the folders the user approved for that job (the add-on sends the folders he picked files
from); they must lie below the fence if there is one. Where neither is given, the client, which
holds the key and so speaks for the user, may name any file he can read. A job writes only in its own
folder below the jobs folder.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def resolve_roots(fence: Sequence[Path], asked: Sequence[object]) -> tuple[list[Path], list[str]]:
    """The approved folders of a submit, resolved, and what is wrong with those asked for.

    Args:
        fence: resolved folders of `serve --root`.
        asked: `roots` of the submit, as they came.
    """
    problems, roots = [], []
    for root in asked:
        real, problem = _resolve(root)
        if real is None:
            problems.append(problem)
        elif not os.path.isdir(real):
            problems.append(f"approved folder '{root}' is not a folder")
        elif fence and not _below(real, fence):
            problems.append(f"approved folder '{root}' is not below {_names(fence)}, the folders this backend was started for")
        else:
            roots.append(real)
    return roots or ([] if problems else list(fence)), problems


def resolve_paths(roots: Sequence[Path], asked: Sequence[object]) -> tuple[list[Path], list[str], bool]:
    """Input files of a submit, resolved; what is wrong with the others; whether one of them lies outside `roots` (none: no limit).

    A path that does not exist and lies outside is reported as outside, so that a client cannot ask
    which files exist elsewhere.
    """
    files, problems, outside = [], [], False
    for path in asked:
        real, problem = _resolve(path, strict=False)
        if real is None:
            problems.append(problem)
        elif roots and not _below(real, roots):
            outside = True
            problems.append(f"'{path}' does not lie below an approved folder ({_names(roots)})")
        elif not os.path.exists(real):  # not Path.exists, which raises where a folder may not be searched
            problems.append(f"'{path}' does not exist")
        elif not os.path.isfile(real):
            problems.append(f"'{path}' is not a file")
        elif not os.access(real, os.R_OK):
            problems.append(f"'{path}' cannot be read")
        else:
            files.append(real)
    return files, problems, outside


def _resolve(path: object, strict: bool = True) -> tuple[Path | None, str]:
    if not isinstance(path, str) or not path or "\0" in path:
        return None, f"{path!r} is not a path"
    if not os.path.isabs(path):
        return None, f"'{path}' is not an absolute path"
    try:
        return Path(os.path.realpath(path, strict=strict)), ""
    except (OSError, ValueError) as error:
        return None, f"'{path}' does not exist or cannot be read ({getattr(error, 'strerror', None) or error})"


def _below(path: Path, roots: Sequence[Path]) -> bool:
    return any(path.is_relative_to(root) for root in roots)


def _names(roots: Sequence[Path]) -> str:
    return ", ".join(f"'{root}'" for root in roots)
