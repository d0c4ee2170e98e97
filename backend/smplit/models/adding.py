# SPDX-License-Identifier: GPL-3.0-or-later
"""`smplit models add`: a process of its own looks at the files; what it made of them goes among the user's model files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

import smplit
from smplit import models
from smplit.errors import BadInput, NoSpace, SmplitError
from smplit.models.added import NOTE
from smplit.models.archives import files_below
from smplit.models.child import REPORT
from smplit.models.registry import MODELS

_GIB = 1 << 30
_MOST_BYTES = 24 * _GIB
_SECONDS, _SECONDS_PER_GIB = 240.0, 240.0  # a slow disk reads and writes 10 MB/s
_MOST_REPORT = 1 << 20
_SPARE = 64 << 20  # bytes of the disk that stay free
_PREFIX, _FORGOTTEN = ".adding-", 86400.0  # s
_KEPT_VARIABLES = ("PATH", "SYSTEMROOT", "WINDIR", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


def add(paths: list[Path], say: Callable[[str], None] = lambda _: None) -> dict:
    """Recognises, converts and files models; all of them or, when one is refused, none.

    Args:
        paths: files, zips as downloaded, or folders.
        say: told what is going on, in a sentence.

    Returns:
        `added`: one row per model (name, title, path, build, source, notes); `skipped`: sentences on what was passed over.

    Raises:
        BadInput: refused; says why.
        NoSpace: the disk is full.
    """
    for path in paths:
        _check(path)
    target = models.user_folder()
    with _scratch(target, sum(_bytes_of(path) for path in paths if path.is_file())) as scratch:
        say(f"Looking at {', '.join(path.name for path in paths)}")
        report = _ask_child([path.resolve() for path in paths], scratch)
        try:
            prepared = [_prepared(found, scratch, target) for found in report["found"]]
            rows = [_filed(*each) for each in prepared]
        except OSError as error:
            raise BadInput(f"The model cannot be put into '{target}' ({error.strerror or error}).",
                           "If a capture uses the older file, wait until it has ended.", "not_writable") from error
        return {"added": rows, "skipped": report["skipped"], "folder": str(target)}


@contextmanager
def _scratch(target: Path, needed: int) -> Iterator[Path]:
    """A folder on the disk of the model files for what is made; it goes in the end, with folders that were made for it and stayed empty."""
    made = [folder for folder in (target, *target.parents) if not folder.exists()]
    try:
        try:
            target.mkdir(parents=True, exist_ok=True)
            room = shutil.disk_usage(target).free
            scratch = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=target))
        except OSError as error:
            raise BadInput(f"Nothing can be written to '{target}' ({error.strerror}).", "Set SMPLIT_MODEL_FILES to a folder of yours.",
                           "not_writable") from error
        try:
            for left in target.glob(f"{_PREFIX}*"):  # of a process that was killed
                if left.stat().st_mtime < time.time() - _FORGOTTEN:
                    shutil.rmtree(left, ignore_errors=True)
            if room < needed + _SPARE:
                raise NoSpace(f"'{target}' has no room for {needed / _GIB:.1f} GiB.", "Free some, or set SMPLIT_MODEL_FILES to a folder elsewhere.")
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    finally:
        for folder in made:  # deepest first
            if folder.exists() and not any(folder.iterdir()):
                folder.rmdir()


def _check(path: Path) -> None:
    remedy = "Check the path."
    if not path.exists():
        raise BadInput(f"'{path}' is not there.", remedy, "no_such_file")
    if not (path.is_file() or path.is_dir()):
        raise BadInput(f"'{path}' is neither a file nor a folder.", remedy, "no_such_file")
    if not os.access(path, os.R_OK):
        raise BadInput(f"'{path}' cannot be read (no permission).", "Change its permissions or copy it.", "no_permission")
    if path.is_file() and path.stat().st_size > _MOST_BYTES:
        raise BadInput(f"'{path}' is larger than any model ({path.stat().st_size / _GIB:.0f} GiB).", remedy, "too_large")


def _bytes_of(path: Path) -> int:
    return path.stat().st_size if path.is_file() else sum(file.stat().st_size for _, file in files_below(path))


def _ask_child(paths: list[Path], scratch: Path) -> dict:
    """Runs `child` and reads its report.

    Raises:
        BadInput, NoSpace: it refused, crashed, or took too long.
    """
    seconds = _SECONDS + _SECONDS_PER_GIB * sum(_bytes_of(path) for path in paths) / _GIB
    environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    environment |= {"TMPDIR": str(scratch), "TEMP": str(scratch), "TMP": str(scratch), "OMP_NUM_THREADS": "1"}
    hidden = {"creationflags": subprocess.CREATE_NO_WINDOW} if sys.platform == "win32" else {}
    with (scratch / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-I", "-m", "smplit.models.child", str(scratch), *map(str, paths)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            env=environment, cwd=scratch, **hidden,
        )
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            raise BadInput(f"Looking at the file took longer than {seconds:.0f} s.", "Copy it to a faster disk, and add it again.", "slow") from error
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    report = scratch / REPORT
    if code != 0 or not report.is_file() or report.stat().st_size > _MOST_REPORT:
        tail = (scratch / "log").read_text("utf-8", "replace").strip().splitlines()[-1:]
        raise BadInput(f"The file could not be looked at: its reader ended with {code} ({' '.join(tail)[:200] or 'no message'}).",
                       "Download the file again.", "reader_died")
    try:
        told = json.loads(report.read_text("utf-8"))
        if error := told.get("error"):
            kind = NoSpace if error["code"] == NoSpace.default_code else BadInput
            raise kind(str(error["message"]), str(error["remedy"]), str(error["code"]))
        return {"found": [_sound(found, scratch) for found in told["found"]], "skipped": [str(text) for text in told["skipped"]]}
    except (ValueError, KeyError, TypeError, AttributeError) as error:  # a file may have taken the reader over: its word is not trusted
        raise SmplitError("The reader of the files gave an answer that cannot be.", "Do not trust the files.", "reader_died") from error


def _sound(found: dict, scratch: Path) -> dict:
    """What was found, if it names a file in `scratch` and a place of its model's own.

    Raises:
        ValueError, KeyError, TypeError: it does not.
    """
    source, relative = scratch / found["file"], PurePosixPath(found["relative"])
    plain = len(relative.parts) == 2 and not {"..", ".", "/"} & set(relative.parts) and "\\" not in found["relative"]
    if not plain or not any(relative.match(path) for path in MODELS[found["model"]].paths) or MODELS[found["model"]].shipped:
        raise ValueError(found["relative"])
    if source.parent != scratch or not source.is_file() or source.is_symlink():
        raise ValueError(found["file"])
    if not all(isinstance(found[name], str) for name in ("title", "build", "source", "source_sha256")) or not isinstance(found["notes"], list):
        raise TypeError(found["title"])
    return found


def _prepared(found: dict, scratch: Path, target: Path) -> tuple[Path, Path, dict]:
    """(the converted file, where it goes, its note); nothing is moved yet."""
    source = scratch / found["file"]
    with source.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    note = {name: found[name] for name in ("model", "title", "build", "source", "source_sha256", "notes")}
    note |= {"sha256": digest, "size": source.stat().st_size, "added": time.strftime("%Y-%m-%d"), "smplit": smplit.__version__}
    return source, target / found["relative"], note


def _filed(source: Path, path: Path, note: dict) -> dict:
    """Moves a file to its place, and its note beside it: each whole or not at all, being on one disk."""
    written = source.with_name(source.name + NOTE)
    written.write_text(json.dumps(note, indent=1, ensure_ascii=False), "utf-8")
    path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, path)
    os.replace(written, path.with_name(path.name + NOTE))
    return {name: note[name] for name in ("model", "title", "build", "source", "size", "notes")} | {
        "path": str(path), "enables": MODELS[note["model"]].enables,
    }
