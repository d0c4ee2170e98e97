# SPDX-License-Identifier: GPL-3.0-or-later
"""The motion store: many clips of body motion in one safetensors file, read through a memory map.

safetensors, which the product has anyway, holds plain numbers only (nothing is unpickled), checks
its own sizes, and its tensors lie in the file as they lie in memory, so that a store of any length
opens at once and forked loaders share its pages.

Tensors, for N frames of C clips, all at the store's frame rate:

- `poses` (N,22,3) float32: axis-angle rad of the SMPL-X body joints, local, the root in the world (Z up)
- `trans` (N,3) float32 m: AMASS meaning (see `smplit.motion`), for the body's mean shape
- `contacts` (N,4) uint8: 1 where planted: left ankle (heel), left toe, right ankle (heel), right toe
- `offsets` (C+1,) int64: clip i is frames offsets[i] to offsets[i+1]

Every clip starts with the pelvis at x = y = 0, facing +x, with the floor at z = 0. The metadata are
strings: `format`, `fps`, `body_sha256`, `clips` (JSON list of `ClipInfo`), `report` (JSON).
"""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from safetensors import SafetensorError, safe_open

from smplit.errors import BadInput
from smplit.export.whole_file import whole_file
from smplit.motion import NUM_JOINTS, Motion

FORMAT = "smplit-motion-store-1"
_PER_FRAME = {"poses": ("F32", np.float32, (22, 3)), "trans": ("F32", np.float32, (3,)), "contacts": ("U8", np.uint8, (4,))}
_REMEDY = "Make it again with 'smplit data process'."


@dataclass(frozen=True)
class ClipInfo:
    """What is known of one clip beside its frames.

    `name` is the recording's path in its set without the ending; `dataset` and `part` say which set
    and which piece of it; `subject` and `style` what a split goes by ("" or "?" when not known);
    `source_fps` is the recording's own rate; `weight_hint` 0..1 how often training should draw it
    (a person who stands teaches little about travel).
    """

    name: str
    dataset: str = ""
    part: str = ""
    subject: str = ""
    style: str = ""
    label: str = ""
    licence: str = ""
    source_fps: float = 0.0
    seconds: float = 0.0
    weight_hint: float = 1.0


@dataclass(frozen=True)
class Clip:
    """One clip's frames: `poses` (T,22,3), `trans` (T,3), `contacts` (T,4) as in the store, and its `info`."""

    info: ClipInfo
    poses: np.ndarray
    trans: np.ndarray
    contacts: np.ndarray
    fps: float

    def __len__(self) -> int:
        return len(self.poses)

    def motion(self) -> Motion:
        """The clip as a motion of 55 joints, hands flat and face at rest."""
        poses = np.zeros((len(self), NUM_JOINTS, 3), np.float32)
        poses[:, :22] = self.poses
        return Motion(poses.reshape(len(self), -1), np.array(self.trans), self.fps, contacts=self.contacts.astype(np.float32))


class MotionStore:
    """An open store: `len(store)` clips; `poses`, `trans`, `contacts`, `offsets` are read-only memory maps.

    `fps`, `body_sha256`, `clips` (list of `ClipInfo`) and `report` (what was read, kept and dropped)
    are its metadata; `mean` and `std` the channel statistics of a feature set, when they were saved.
    """

    def __init__(self, path: Path, arrays: Mapping[str, np.ndarray], metadata: Mapping[str, str], clips: list[ClipInfo]):
        self.path = path
        self.poses, self.trans, self.contacts, self.offsets = (arrays[name] for name in ("poses", "trans", "contacts", "offsets"))
        self.mean, self.std = arrays.get("features_mean"), arrays.get("features_std")
        self.fps = float(metadata["fps"])
        self.body_sha256 = metadata["body_sha256"]
        self.clips = clips
        self.report = json.loads(metadata["report"])

    @classmethod
    def open(cls, path: str | Path) -> MotionStore:
        """Opens a store without reading its frames.

        Raises:
            BadInput: no such file, damaged or cut short, or a safetensors file of another kind.
        """
        path = Path(path)
        if not path.is_file():
            raise BadInput(f"'{path}' is not a file.", "Name a motion store made by 'smplit data process'.", "no_such_file")
        try:
            with safe_open(path, framework="numpy") as file:  # checks sizes and offsets against the file
                metadata = file.metadata() or {}
        except (SafetensorError, OSError) as error:
            raise BadInput(f"'{path}' is no motion store, or was cut short ({error}).", _REMEDY, "damaged_store") from error
        if metadata.get("format") != FORMAT:
            raise BadInput(f"'{path}' is a safetensors file, but no motion store.", _REMEDY, "not_a_store")
        arrays = _mapped(path)
        try:
            clips = [ClipInfo(**{**{"name": ""}, **_known(entry)}) for entry in json.loads(metadata["clips"])]
            _check(arrays, len(clips))
            return cls(path, arrays, metadata, clips)
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"'{path}': the store does not fit together ({error}).", _REMEDY, "damaged_store") from error

    def __len__(self) -> int:
        return len(self.clips)

    def frames(self, index: int) -> slice:
        """Where a clip lies in the per-frame arrays."""
        return slice(int(self.offsets[index]), int(self.offsets[index + 1]))

    def clip(self, index: int) -> Clip:
        """Clip `index`; its arrays are pieces of the memory map."""
        part = self.frames(index)
        return Clip(self.clips[index], self.poses[part], self.trans[part], self.contacts[part], self.fps)

    def select(self, predicate: Callable[[ClipInfo], bool]) -> list[int]:
        """Indices of the clips that `predicate` wants."""
        return [index for index, info in enumerate(self.clips) if predicate(info)]

    def hours(self, indices: Iterable[int] | None = None) -> float:
        """Length of some clips, or of all, in hours."""
        chosen = range(len(self)) if indices is None else indices
        lengths = np.diff(self.offsets)
        return float(sum(int(lengths[index]) for index in chosen)) / self.fps / 3600


def write_store(
    path: str | Path, clips: Iterable[Clip], fps: float, body_sha256: str, report: Callable[[], dict] | dict | None = None,
    statistics: Callable[[], tuple[np.ndarray, np.ndarray]] | None = None,
) -> int:
    """Writes clips as they come, whole or not at all; memory holds one clip at a time.

    Args:
        path: file to write.
        clips: each at `fps`.
        body_sha256: of the body file whose mean shape `trans` is for.
        report: what goes into the metadata; called after the last clip, if it can be.
        statistics: gives mean and std of a feature set's channels, each (F,), after the last clip.

    Returns:
        Number of clips.

    Raises:
        BadInput: there was no clip, or the file cannot be written.
        NoSpace: the disk is full.
    """
    path = Path(path)
    infos: list[dict] = []
    offsets = [0]
    with whole_file(path) as temporary, ExitStack() as stack:
        spools = {name: stack.enter_context(TemporaryFile(dir=temporary.parent)) for name in _PER_FRAME}
        for clip in clips:
            for name, (_, kind, shape) in _PER_FRAME.items():
                values = np.ascontiguousarray(getattr(clip, name), kind)
                if values.shape != (len(clip), *shape):
                    raise ValueError(f"{clip.info.name}: {name} has shape {values.shape}")
                spools[name].write(values.data)
            infos.append(asdict(clip.info))
            offsets.append(offsets[-1] + len(clip))
        if not infos:
            raise BadInput(f"No clip was left to write into '{path}'.", "Look at the report for why they were dropped.", "no_clips")
        found = report() if callable(report) else report or {}
        metadata = {
            "format": FORMAT, "fps": repr(float(fps)), "body_sha256": body_sha256,
            "clips": json.dumps(infos, ensure_ascii=False), "report": json.dumps(found, ensure_ascii=False),
        }
        whole = {"offsets": np.array(offsets, np.int64)}
        if statistics is not None:
            whole.update(zip(("features_mean", "features_std"), (np.asarray(part, np.float32) for part in statistics()), strict=True))
        with temporary.open("wb") as out:
            out.write(_header(whole, offsets[-1], metadata))
            for values in whole.values():
                out.write(np.ascontiguousarray(values).data)
            for spool in spools.values():
                spool.seek(0)
                shutil.copyfileobj(spool, out, 1 << 20)
    return len(infos)


def _header(whole: dict[str, np.ndarray], frames: int, metadata: dict[str, str]) -> bytes:
    """safetensors' header: length (8 bytes, little endian), then JSON filled up to 8 bytes. Tensors follow
    in this order: 8-byte integers, floats, bytes, so that each is aligned."""
    entries: dict[str, dict] = {"__metadata__": metadata}
    at = 0
    kinds = {"i8": "I64", "f4": "F32"}
    tensors = [(name, kinds[values.dtype.str[1:]], list(values.shape), values.nbytes) for name, values in whole.items()]
    for name, (kind, dtype, shape) in _PER_FRAME.items():
        tensors.append((name, kind, [frames, *shape], frames * int(np.prod(shape)) * np.dtype(dtype).itemsize))
    for name, kind, shape, size in tensors:
        entries[name] = {"dtype": kind, "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(entries, ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _mapped(path: Path) -> dict[str, np.ndarray]:
    """The tensors as memory maps; safe_open has checked the header already, but hands out copies only."""
    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        entries = json.loads(file.read(length))
    kinds = {"F32": np.float32, "U8": np.uint8, "I64": np.int64}
    return {
        name: np.memmap(path, kinds[entry["dtype"]], "r", 8 + length + entry["data_offsets"][0], tuple(entry["shape"]))
        for name, entry in entries.items()
        if name != "__metadata__" and entry["dtype"] in kinds and 0 not in entry["shape"]
    }


def _known(entry: dict) -> dict:
    names = {field.name for field in fields(ClipInfo)}
    return {name: value for name, value in entry.items() if name in names}


def _check(arrays: Mapping[str, np.ndarray], clips: int) -> None:
    offsets = arrays["offsets"]
    if offsets.shape != (clips + 1,) or offsets[0] != 0 or np.any(np.diff(offsets) <= 0):
        raise ValueError(f"offsets do not bound {clips} clips")
    for name, (_, kind, shape) in _PER_FRAME.items():
        if arrays[name].shape != (int(offsets[-1]), *shape) or arrays[name].dtype != kind:
            raise ValueError(f"{name} has shape {arrays[name].shape}")
