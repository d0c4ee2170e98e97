# SPDX-License-Identifier: GPL-3.0-or-later
"""Videos of people as the second stage of WHAM's training reads them: one safetensors file per person and stretch of video.

Metadata: `format` = "smplit-wham-sequence-1", `fps` = "30" (resample before: the network knows no other rate).
Tensors of float32, F frames; camera axes are OpenCV's, world axes z up, metres, pixels, radians:

| name | shape | |
|---|---|---|
| `keypoints` | (F,17,3) | COCO keypoints x, y px and confidence 0..1, finite also where unseen |
| `features` | (F,1024) | HMR2.0a's token of each frame's crop |
| `size` | (2,) | width and height of the video, px |
| `K` | (3,3) | camera matrix, px |
| `start_pose` | (F,24,3) | axis-angle of SMPL's joints, the root in camera axes, as an image network gives them; a window begins with its first |
| `boxes` | (F,3), may be missing | centre px and side by 200; else made of the keypoints |
| `pose`, `betas` | (F,24,3), (10,), both or none | the true body, the root in camera axes |
| `place` | (F,3), with `pose` only | true place of the hips' middle in camera axes |
| `camera` | (F,3,3), may be missing | rotation world to camera; missing: it does not turn |
| `world_place` | (F,3), with `pose` and `camera` only | true place of the hips' middle in the world |
| `contact` | (F,4), may be missing | 0..1, two points of the left foot, then two of the right |

Without `pose` the keypoints are the only teacher. Files lie in folders; each folder with files is a data set and they are drawn equally often.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from smplit.errors import BadInput
from smplit.export.whole_file import whole_file
from smplit.mocap.wham.boxes import SEEN, boxes_of_enough, smoothed_boxes
from smplit.mocap.wham.network import FEATURE, KEYPOINTS

FORMAT = "smplit-wham-sequence-1"
_FPS = "30"
_NEEDED: dict[str, tuple] = {
    "keypoints": ("F", KEYPOINTS, 3), "features": ("F", FEATURE), "size": (2,), "K": (3, 3), "start_pose": ("F", 24, 3),
}
_OPTIONAL: dict[str, tuple] = {
    "boxes": ("F", 3), "pose": ("F", 24, 3), "betas": (10,), "place": ("F", 3), "camera": ("F", 3, 3), "world_place": ("F", 3), "contact": ("F", 4),
}
_BELONGS = {"pose": ("betas", "place"), "betas": ("pose",), "place": ("pose",), "world_place": ("pose", "camera")}
_REMEDY = "Its format is described in smplit/training/wham_sequences.py."


def write_sequence(path: str | Path, arrays: Mapping[str, Tensor]) -> None:
    """Checks and writes one file.

    Raises:
        BadInput: arrays missing, unknown, of wrong shapes, or not finite.
    """
    found = {name: torch.as_tensor(value, dtype=torch.float32).contiguous() for name, value in arrays.items()}
    _check(path, {name: tuple(value.shape) for name, value in found.items()})
    for name, value in found.items():
        if not torch.isfinite(value).all():
            raise BadInput(f"'{path}': '{name}' has numbers that are not finite.", _REMEDY, "bad_sequence")
    with whole_file(path) as temporary:
        save_file(found, temporary, {"format": FORMAT, "fps": _FPS})


class Sequence:
    """One file, read piece by piece: `len` frames, `names` of what it holds."""

    def __init__(self, path: Path):
        try:
            self._file = safe_open(path, framework="pt")
            metadata, self.names = self._file.metadata() or {}, set(self._file.keys())
            shapes = {name: tuple(self._file.get_slice(name).get_shape()) for name in self.names}
        except (SafetensorError, OSError) as error:
            raise BadInput(f"'{path}' is no sequence, or was cut short ({error}).", _REMEDY, "damaged_sequence") from error
        if metadata.get("format") != FORMAT:
            raise BadInput(f"'{path}' is a safetensors file, but no sequence.", _REMEDY, "not_a_sequence")
        if metadata.get("fps") != _FPS:
            raise BadInput(f"'{path}' is at {metadata.get('fps')} frames a second.", f"Resample it to {_FPS}.", "wrong_fps")
        _check(path, shapes)
        self.path, self._frames = path, shapes["keypoints"][0]

    def __len__(self) -> int:
        return self._frames

    def whole(self, name: str) -> Tensor:
        return self._file.get_tensor(name)

    def piece(self, name: str, rows: slice) -> Tensor:
        return self._file.get_slice(name)[rows]

    def boxes(self, rows: slice) -> Tensor:
        """(f,3), of its own or around what is seen."""
        if "boxes" in self.names:
            return self.piece("boxes", rows)
        keypoints = self.piece("keypoints", rows)
        return smoothed_boxes(boxes_of_enough(keypoints[..., :2], keypoints[..., 2] > SEEN))


def open_sequences(folders: list[Path], shortest: int) -> list[list[Sequence]]:
    """The data sets below some folders: every folder with files is one. Sequences of fewer than `shortest` frames are left out.

    Raises:
        BadInput: no such folder, a damaged file, or nothing long enough.
    """
    sets: dict[Path, list[Sequence]] = {}
    for folder in folders:
        if not folder.is_dir():
            raise BadInput(f"'{folder}' is not a folder.", "Name a folder of sequences.", "no_such_folder")
        for path in sorted(folder.rglob("*.safetensors")):
            sequence = Sequence(path)
            if len(sequence) >= shortest:
                sets.setdefault(path.parent, []).append(sequence)
    if not sets:
        raise BadInput(
            f"No sequence of {shortest} frames or more in: {', '.join(str(folder) for folder in folders)}.", _REMEDY, "no_sequences"
        )
    return list(sets.values())


def _check(path: str | Path, shapes: Mapping[str, tuple[int, ...]]) -> None:
    known = _NEEDED | _OPTIONAL
    missing = [name for name in _NEEDED if name not in shapes]
    missing += [other for name, others in _BELONGS.items() if name in shapes for other in others if other not in shapes]
    unknown = [name for name in shapes if name not in known]
    if missing or unknown:
        listed = "; ".join(f"{what}: {', '.join(dict.fromkeys(names))}" for what, names in (("missing", missing), ("unknown", unknown)) if names)
        raise BadInput(f"'{path}' is not a whole sequence ({listed}).", _REMEDY, "bad_sequence")
    frames = shapes["keypoints"][0] if shapes["keypoints"] else 0
    for name, shape in shapes.items():
        wanted = tuple(frames if length == "F" else length for length in known[name])
        if shape != wanted:
            raise BadInput(f"'{path}': '{name}' has shape {shape}, not {wanted}.", _REMEDY, "bad_sequence")
