# SPDX-License-Identifier: GPL-3.0-or-later
"""The recordings of a data set's folder: which files there are, and what is known of each.

Nothing is read here but lists; `smplit.datasets.process` reads the motions.
"""

from __future__ import annotations

import csv
import os
import tarfile
from dataclasses import dataclass
from pathlib import Path

from smplit.datasets.store import ClipInfo
from smplit.errors import BadInput

SOURCES = ("amass", "100styles", "bvh")
_MOVES = ("BR", "BW", "FR", "FW", "ID", "SR", "SW", "TR1", "TR2", "TR3")  # 100STYLE: back, forwards, idle, sideways, transitions
_MOVE_LABELS = {"BR": "run backwards", "BW": "walk backwards", "FR": "run", "FW": "walk", "ID": "idle", "SR": "run sideways", "SW": "walk sideways"}
_CUT_FPS = 60.0  # frames of Frame_Cuts.csv are counted at 100STYLE's own rate


@dataclass(frozen=True)
class Recording:
    """One file to read. `cut` (first, last) s leaves the rest of it out."""

    path: Path
    info: ClipInfo
    cut: tuple[float, float] | None = None


@dataclass
class Listing:
    """What a folder holds: recordings in a fixed order, and (name, reason) of files that are none."""

    recordings: list[Recording]
    skipped: list[tuple[str, str]]


def list_recordings(source: str, path: str | Path) -> Listing:
    """The recordings of a data set.

    Args:
        source: "amass", "100styles" or "bvh".
        path: its folder, or (amass, 100styles) a text file that lists the files, one a line.

    Raises:
        BadInput: unknown source, nothing there, or none of its files is of that kind.
    """
    path = Path(path)
    if source not in SOURCES:
        raise BadInput(f"--source '{source}' is not known.", f"Use one of {', '.join(SOURCES)}.", "bad_source")
    if not path.exists():
        raise BadInput(f"'{path}' is not there.", "Name the data set's folder.", "no_such_file")
    listing = {"amass": _amass, "100styles": _hundred_styles, "bvh": _bvh}[source](path)
    if not listing.recordings:
        kinds = {"amass": "npz", "100styles": "<Style>_<Move>.bvh or .npz", "bvh": "bvh"}[source]
        raise BadInput(f"'{path}' holds no {kinds} files.", "Name the folder that the data set was unpacked into.", "no_recordings")
    return listing


def unpack_archives(folder: Path, into: Path) -> list[str]:
    """Unpacks the `*.tar.*` files of a data set's folder; members that would leave `into` are refused.

    Raises:
        BadInput: an archive is damaged or not safe.
    """
    archives = sorted(folder.glob("*.tar.*"))
    for archive in archives:
        try:
            with tarfile.open(archive) as opened:
                opened.extractall(into, filter="data")
        except (tarfile.TarError, EOFError, OSError) as error:
            raise BadInput(f"'{archive}' cannot be unpacked ({error}).", "Download it again.", "damaged_archive") from error
    return [archive.name for archive in archives]


def _files(path: Path, suffixes: tuple[str, ...]) -> tuple[Path, list[Path]]:
    """Root and files of a folder (sorted) or of a list (its order; relative lines count from the list's folder)."""
    if path.is_dir():
        found = [Path(folder, name) for folder, _, names in os.walk(path, followlinks=True) for name in names]
        return path, sorted(file for file in found if file.suffix.lower() in suffixes and file.is_file())
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except UnicodeDecodeError as error:
        raise BadInput(f"'{path}' is neither a folder nor a text file.", "Name a folder, or a list of files, one a line.", "bad_list") from error
    files = [Path(line) for line in lines if line and not line.startswith("#")]
    files = [file if file.is_absolute() or not (path.parent / file).exists() else path.parent / file for file in files]
    return path.parent, files


def _name(file: Path, root: Path) -> str:
    relative = file.relative_to(root) if file.is_relative_to(root) else Path(*file.parts[-3:])
    return relative.with_suffix("").as_posix()


def _amass(path: Path) -> Listing:
    """AMASS: <collection>/<subject>/<clip>_poses.npz (SMPL-H) or _stageii.npz (SMPL-X)."""
    root, files = _files(path, (".npz",))
    listing = Listing([], [])
    for file in files:
        name = _name(file, root)
        if file.stem in ("shape", "neutral_stagei", "male_stagei", "female_stagei"):
            continue  # a person's shape, which every AMASS folder has
        collection = file.parts[-3] if len(file.parts) >= 3 else ""
        subject = file.parts[-2] if len(file.parts) >= 2 else ""
        label = file.stem.removesuffix("_poses").removesuffix("_stageii").replace("_", " ")
        info = ClipInfo(name, "AMASS", collection, f"{collection}/{subject}", "Neutral", label, f"AMASS {collection}".strip())
        reason = _unfit_for_travel(collection, name)
        if reason:
            listing.skipped.append((name, reason))
        else:
            listing.recordings.append(Recording(file, info))
    return listing


def _unfit_for_travel(collection: str, name: str) -> str:
    """Reasons that only an AMASS file's name tells: these people do not travel by their feet on a floor."""
    lower = name.lower()
    if "skate" in lower:
        return "skating: the feet glide"
    if "treadmill" in lower or (collection == "BioMotionLab_NTroje" and "normal" in lower):
        return "treadmill: the feet slide under a body that stays"
    if collection == "MPI_HDM05" and "dg" in lower.split("/")[1:2]:
        return "HDM05 subject dg: climbing and sitting on things that are not recorded"
    return ""


def _hundred_styles(path: Path) -> Listing:
    """100STYLE: <Style>_<Move>.bvh (or npz, with any third part) beside Frame_Cuts.csv."""
    root, files = _files(path, (".bvh", ".npz"))
    cuts = _frame_cuts(root)
    listing = Listing([], [])
    for file in files:
        parts = file.stem.split("_")
        name = _name(file, root)
        if len(parts) < 2 or parts[1] not in _MOVES:
            listing.skipped.append((name, "name is not <Style>_<Move>"))
            continue
        style, move = parts[:2]
        cut = cuts.get((style, move))
        if cut is None:
            listing.skipped.append((name, "Frame_Cuts.csv has no frames for it"))
            continue
        label = _MOVE_LABELS.get(move, "transitions between moves")
        info = ClipInfo(name, "100STYLE", "100style", "1", style, label, "CC-BY-4.0")
        listing.recordings.append(Recording(file, info, (cut[0] / _CUT_FPS, cut[1] / _CUT_FPS)))
    return listing


def _frame_cuts(root: Path) -> dict[tuple[str, str], tuple[int, int]]:
    """(style, move) -> first and last frame at 60 fps.

    Raises:
        BadInput: the table is missing, or a column or number in it is.
    """
    found = sorted(root.rglob("Frame_Cuts.csv"))
    if not found:
        raise BadInput(f"'{root}' has no Frame_Cuts.csv.", "Put the table of the 100STYLE release beside the motions.", "no_frame_cuts")
    cuts = {}
    with found[0].open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            for move in _MOVES:
                first, last = row.get(f"{move}_START"), row.get(f"{move}_STOP")
                if first and last and first.strip().isdigit() and last.strip().isdigit():  # "N/A": not recorded
                    cuts[(row.get("STYLE_NAME") or "").strip(), move] = (int(first), int(last))
    if not cuts:
        raise BadInput(f"'{found[0]}' has no STYLE_NAME, <Move>_START and <Move>_STOP columns.", "Use the release's own table.", "bad_frame_cuts")
    return cuts


def _bvh(path: Path) -> Listing:
    """Any folder of BVH files; MANIFEST.csv (columns file, and any of `ClipInfo`'s) tells what each is."""
    if not path.is_dir():
        raise BadInput(f"'{path}' is not a folder.", "Name a folder of BVH files.", "not_a_folder")
    _, files = _files(path, (".bvh",))
    manifest = _manifest(path / "MANIFEST.csv")
    listing = Listing([], [])
    for file in files:
        key = file.relative_to(path).as_posix()
        name = _name(file, path)
        if manifest is None:
            folders = file.relative_to(path).parts[:-1]
            listing.recordings.append(Recording(file, ClipInfo(name, path.resolve().name, "/".join(folders[:1]), label=file.stem)))
        elif key in manifest:
            row = manifest[key]
            known = {field: (row.get(field) or "").strip() for field in ("dataset", "part", "subject", "style", "label", "licence")}
            listing.recordings.append(Recording(file, ClipInfo(name, **known)))
        else:
            listing.skipped.append((name, "not in MANIFEST.csv"))
    return listing


def _manifest(file: Path) -> dict[str, dict[str, str]] | None:
    if not file.is_file():
        return None
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    if not rows or "file" not in rows[0]:
        raise BadInput(f"'{file}' has no 'file' column.", "Name each recording's path from the manifest's folder in it.", "bad_manifest")
    return {row["file"].strip(): row for row in rows}
