# SPDX-License-Identifier: GPL-3.0-or-later
"""The process that opens strangers' files: `python -I -m smplit.models.child FOLDER FILE...`, started by `adding`.

It recognises each file by its content and writes what is kept of it into FOLDER, with `report.json`: {"found": [...],
"skipped": [...]} or {"error": {...}}. It may write nowhere else, and knows nothing of the user's model files.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from smplit.errors import BadInput, NoSpace
from smplit.models import archives, bodies, contents, networks
from smplit.models.registry import MODELS
from smplit.models.safetensors_file import write_safetensors

if TYPE_CHECKING:
    from smplit.mocap.keypoints.onnx_kinds import OnnxKind

REPORT = "report.json"
_PASSED_OVER = {"other_model", "not_a_model", "shipped_model", "empty_file"}  # what a download may hold besides the model
_ONNX_NAMES = {133: "_wholebody", 26: "_26"}


@dataclass
class Found:
    """One converted model. `file` lies in FOLDER and goes to `relative` among the model files."""

    model: str
    title: str
    file: str
    relative: str
    source: str
    source_sha256: str
    build: str
    notes: list[str] = field(default_factory=list)


class _Finder:
    """Goes through files and collects what they are; MANO's hands wait for each other."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.found: dict[str, Found] = {}  # by where they go
        self.skipped: list[str] = []
        self._hands: dict[str, bodies.Arrays] = {}
        self._hand_sources: dict[str, tuple[str, str]] = {}

    def take(self, label: str, path: Path) -> None:
        """One file that is not an archive."""
        kind = contents.kind_of(path)
        if kind == contents.ZIP:
            raise BadInput("The file is a zip in a zip or folder.", "Unpack it, or add it by itself.", "not_a_model")
        if kind == contents.ONNX:  # alone in the folder: an export that needs files beside it is found out
            alone = self.folder / "alone.onnx"
            shutil.copyfile(path, alone)
            path = alone
        content = contents.open_file(path, bodies.WANTED)
        digest = _sha256(path)
        if kind == contents.ONNX:
            self._take_graph(label, digest, content.graph, path)
        elif kind in (contents.TORCH, contents.SAFETENSORS):
            self._take_network(label, digest, networks.recognise(content.tensors, content.about, label))
        else:
            self._take_arrays(label, digest, bodies.recognise(content.arrays))

    def finish(self) -> None:
        """Joins the hands.

        Raises:
            BadInput: one hand alone and nothing else, or nothing at all.
        """
        if self._hands:
            label, digest = next(iter(self._hand_sources.values()))
            try:
                self._write_arrays(label, digest, bodies.both_hands(self._hands))
            except BadInput as error:
                if not self.found:
                    raise
                self.skipped.append(str(error))
        if not self.found:
            raise BadInput(
                "There is no model in it that SMPLit uses." + (f" {' '.join(self.skipped[:3])}" if self.skipped else ""),
                "'smplit models list' tells the files that are used.", "other_model",
            )

    def _take_network(self, label: str, digest: str, network: networks.Network) -> None:
        target = self._target(network.model, ".safetensors")
        notes = {"format": "smplit-converted-1", "model": network.model, "source_sha256": digest}
        write_safetensors(target, networks.plain(network.tensors, network.title), network.tensors, notes)
        self._add(network.model, network.title, target, network.relative, label, digest, list(network.notes))

    def _take_arrays(self, label: str, digest: str, found: bodies.Arrays) -> None:
        if found.model in ("smplx", "smpl", "flame") and archives.is_gendered(label):
            raise BadInput(f"The file is {found.title}, by its name of a woman or a man; SMPLit uses the neutral body.",
                           "Add the neutral file.", "other_model")
        if found.side:
            if found.side in self._hands and self._hand_sources[found.side][1] != digest:
                raise BadInput(f"Two files are MANO's {found.side} hand.", "Add one left and one right hand.", "half_mano")
            self._hands[found.side], self._hand_sources[found.side] = found, (label, digest)
            return
        self._write_arrays(label, digest, found)

    def _write_arrays(self, label: str, digest: str, found: bodies.Arrays) -> None:
        target = self._target(found.model, ".npz")
        with target.open("wb") as file:
            np.savez(file, **found.arrays)
        self._add(found.model, found.title, target, "", label, digest, [])

    def _take_graph(self, label: str, digest: str, graph: OnnxKind, path: Path) -> None:
        target = self._target(graph.model, ".onnx")
        path.replace(target)
        relative = f"landmarks/{graph.model}{_ONNX_NAMES.get(graph.points, '') if graph.model != 'rtmw' else ''}.onnx"
        self._add(graph.model, graph.title, target, relative, label, digest, [])

    def _target(self, model: str, suffix: str) -> Path:
        return self.folder / f"{len(self.found)}-{model}{suffix}"

    def _add(self, model: str, title: str, target: Path, relative: str, label: str, digest: str, notes: list[str]) -> None:
        entry = MODELS[model]
        build = dict(entry.builds).get(digest, "unknown build")
        relative = relative or entry.paths[0]
        if relative in self.found:  # the first one is the better one, see `archives.candidates`
            target.unlink()
            self.skipped.append(f"'{label}' is {title} too; '{self.found[relative].source}' was taken.")
            return
        self.found[relative] = Found(model, title, target.name, relative, label, digest, build, notes)


def examine(paths: list[Path], folder: Path) -> dict:
    """The report on files, zips and folders; converted models are in `folder` afterwards."""
    finder = _Finder(folder)
    label = ""
    try:
        for path in paths:
            label = path.name
            if path.is_dir():
                _examine_folder(path, finder)
            else:
                _examine_file(path, finder)
        finder.finish()
    except _RefusedFile as error:
        return _refusal(error.label, error.reason)
    except BadInput as error:
        return _refusal(label, error)
    return {"found": [asdict(found) for found in finder.found.values()], "skipped": finder.skipped}


class _RefusedFile(Exception):
    """Which of a zip's members was refused, and why."""

    def __init__(self, label: str, reason: BadInput):
        super().__init__(label)
        self.label, self.reason = label, reason


def _examine_folder(path: Path, finder: _Finder) -> None:
    """A folder of downloads may hold anything: what is refused is passed over."""
    for label, file in archives.files_below(path):
        try:
            _examine_file(file, finder)
        except (BadInput, _RefusedFile) as error:
            finder.skipped.append(f"'{label}': {error.reason.message if isinstance(error, _RefusedFile) else error.message}")


def _examine_file(path: Path, finder: _Finder) -> None:
    """One file, or a zip, of whose members those are passed over that are no model."""
    if contents.kind_of(path) != contents.ZIP:
        finder.take(path.name, path)
        return
    for label, file in archives.members(path, finder.folder):
        try:
            finder.take(label, file)
        except BadInput as error:
            if error.code not in _PASSED_OVER:
                raise _RefusedFile(label, error) from error
            finder.skipped.append(f"'{label}': {error.message}")


def _refusal(label: str, error: BadInput) -> dict:
    return {"error": {"message": f"'{label}' was refused. {error.message}", "remedy": error.remedy, "code": error.code}}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(arguments: list[str]) -> int:
    """Confines itself, examines, and reports."""
    from smplit.models import guard

    folder, paths = Path(arguments[0]), [Path(argument) for argument in arguments[1:]]
    _import_readers(paths)
    sys.dont_write_bytecode = True  # it may not be written beside its source any more
    guard.limit(sum(_size(path) for path in paths))
    guard.confine(folder)
    try:
        report = examine(paths, folder)
    except OSError as error:
        kind = NoSpace if error.errno == errno.ENOSPC else BadInput
        report = {"error": {"message": f"The file cannot be read ({error.strerror or error}).", "remedy": "Check its permissions and the disk.",
                            "code": kind.default_code}}
        if error.errno == errno.EFBIG:  # the guard's own limit
            report = {"error": {"message": "The file was refused: it claims to hold many times more than its own size.",
                                "remedy": "Use the file as its authors published it.", "code": "lying_size"}}
    except (MemoryError, guard.Forbidden) as error:
        reason = "it would take too much memory" if isinstance(error, MemoryError) else f"it tried to do more than be read ({error})"
        remedy = "Use the file as its authors published it."
        report = {"error": {"message": f"The file was refused: {reason}.", "remedy": remedy, "code": BadInput.default_code}}
    (folder / REPORT).write_text(json.dumps(report), "utf-8")
    return 0


def _import_readers(paths: list[Path]) -> None:
    """Those libraries that load others of the system, which is forbidden later; they take seconds, so only where they are needed."""
    kinds = set()
    for path in paths:
        try:
            kinds.add(contents.ZIP if path.is_dir() else contents.kind_of(path))
        except (BadInput, OSError):  # said again, and told, when its turn comes
            continue
    if kinds & {contents.TORCH, contents.SAFETENSORS, contents.ZIP}:
        import torch

        torch.set_num_threads(1)
    if kinds & {contents.ONNX, contents.ZIP}:
        import onnxruntime  # noqa: F401


def _size(path: Path) -> int:
    if path.is_dir():
        return max((file.stat().st_size for _, file in archives.files_below(path)), default=0)
    return path.stat().st_size


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
