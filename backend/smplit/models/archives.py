# SPDX-License-Identifier: GPL-3.0-or-later
"""The files inside a download: a zip as it came, or a folder. Members are written under names of our own, one at a time."""

from __future__ import annotations

import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from smplit.errors import BadInput

_MODELS = (".npz", ".pkl", ".pt", ".pth", ".ckpt", ".safetensors", ".onnx", ".pth.tar")
_MOST_FILES = 20_000
_MOST_BYTES = 24 << 30
_MOST_RATIO = 400  # models do not shrink; a member that does holds nothing
_PIECE = 1 << 20
_DEEPEST = 8  # folders below the chosen one
_OTHER_SEX = re.compile(r"(?<![a-z])(fe)?male(?![a-z])|basicmodel_[fm]_", re.IGNORECASE)


def is_gendered(name: str) -> bool:
    """Whether a body's file is, by its name, of a woman or a man: the arrays do not tell, and SMPLit uses the neutral body."""
    return bool(_OTHER_SEX.search(PurePosixPath(name).name))


def candidates(names: list[str]) -> list[str]:
    """Those that may be models, best first: no women's and men's bodies; npz before the pkl of the same name."""
    chosen = [name for name in names if name.lower().endswith(_MODELS) and not is_gendered(name)]
    plain = {PurePosixPath(name).stem for name in chosen if name.lower().endswith(".npz")}
    return sorted((name for name in chosen if not (name.lower().endswith(".pkl") and PurePosixPath(name).stem in plain)), key=_rank)


def _rank(name: str) -> tuple[bool, str]:
    return not name.lower().endswith(".npz"), name


def members(path: Path, scratch: Path) -> Iterator[tuple[str, Path]]:
    """(name in the zip, file of its content) of all that may be models; each file is gone when the next one comes.

    Raises:
        BadInput: damaged, encrypted, links or paths that leave the folder, sizes that cannot be.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            entries = {entry.filename: entry for entry in archive.infolist() if not entry.is_dir()}
            _check(list(archive.infolist()), path)
            for number, name in enumerate(candidates(list(entries))):
                target = scratch / f"member{number}"
                try:
                    _extract(archive, entries[name], target)
                    yield name, target
                finally:
                    target.unlink(missing_ok=True)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise BadInput(f"The zip is damaged ({str(error)[:100] or type(error).__name__}).", "Download it again.", "damaged") from error


def _check(entries: list[zipfile.ZipInfo], path: Path) -> None:
    remedy = "Download it again from its official page."
    if len(entries) > _MOST_FILES:
        raise BadInput(f"The zip holds {len(entries)} files.", remedy, "bad_zip")
    for entry in entries:
        name = entry.filename.replace("\\", "/")
        if name.startswith("/") or ".." in name.split("/") or re.match(r"[A-Za-z]:", name):
            raise BadInput(f"The zip holds a path that leaves its folder ('{entry.filename[:80]}').", remedy, "bad_zip")
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise BadInput(f"The zip holds a link ('{entry.filename[:80]}').", remedy, "bad_zip")
        if entry.flag_bits & 1:
            raise BadInput("The zip is encrypted.", "Unpack it, and add the folder.", "bad_zip")
        if entry.file_size > _MOST_RATIO * max(entry.compress_size, 1024):
            raise BadInput(f"The zip's '{entry.filename[:80]}' would unpack to {entry.file_size >> 20} MiB of nothing.", remedy, "bad_zip")
    if sum(entry.file_size for entry in entries) > _MOST_BYTES or sum(entry.compress_size for entry in entries) > path.stat().st_size:
        raise BadInput("The zip's members are larger than it can hold.", remedy, "bad_zip")


def _extract(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path) -> None:
    with archive.open(entry) as source, target.open("wb") as file:
        while piece := source.read(_PIECE):
            file.write(piece)


def files_below(folder: Path) -> list[tuple[str, Path]]:
    """(path below the folder, file) of all that may be models, and of zips; links are not followed."""
    found = []
    for where, folders, names in os.walk(folder):
        depth = len(Path(where).relative_to(folder).parts)
        folders[:] = sorted(folders) if depth < _DEEPEST else []
        found += [str((Path(where) / name).relative_to(folder).as_posix()) for name in names if not (Path(where) / name).is_symlink()]
        if len(found) > _MOST_FILES:
            raise BadInput(f"'{folder}' holds more than {_MOST_FILES} files.", "Name the file itself.", "too_many_files")
    zips = sorted(name for name in found if name.lower().endswith(".zip"))
    return [(name, folder / name) for name in (*candidates(found), *zips) if (folder / name).is_file()]
