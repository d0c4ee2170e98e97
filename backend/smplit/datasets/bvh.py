# SPDX-License-Identifier: GPL-3.0-or-later
"""BVH files: hierarchy, channels, and the global transforms of every joint.

An own reader on purpose: `bvhio` (MIT) keeps a Python object per joint and frame and needs a
compiled GLM; `bvh` (2017) hands out raw channels only. Ours is vectorised over frames.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from smplit.errors import BadInput

_CHANNEL = re.compile(r"([XYZ])(position|rotation)", re.IGNORECASE)
_REMEDY = "Export the motion as BVH again."


@dataclass(frozen=True)
class Bvh:
    """One BVH file; lengths keep the file's unit (mostly cm), angles its degrees.

    `parents` holds -1 for a root; `offsets` (J,3); `channels` names each joint's channels in file
    order; `end_sites` maps a leaf joint to its tip's offset (3,); `values` (T,C); `frame_time` s;
    `world` (3,3) turns the file's world into the one that is asked for.
    """

    names: tuple[str, ...]
    parents: tuple[int, ...]
    offsets: np.ndarray
    channels: tuple[tuple[str, ...], ...]
    end_sites: dict[int, np.ndarray]
    values: np.ndarray
    frame_time: float
    world: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.values)

    @property
    def fps(self) -> float:
        return 1.0 / self.frame_time

    def local_transforms(self) -> tuple[np.ndarray, np.ndarray]:
        """Rotations (T,J,3,3) and translations (T,J,3) of every joint against its parent.

        Angles of the joint's channels are applied in file order, each about the axes turned so far.
        Position channels replace the joint's OFFSET, as nearly every writer means them; where those of a
        joint that has a parent stay near zero although its OFFSET is long, they are added to it (iClone).
        """
        frames, joints = len(self.values), len(self.names)
        rotations = np.broadcast_to(np.eye(3), (frames, joints, 3, 3)).copy()
        translations = np.broadcast_to(self.offsets, (frames, joints, 3)).copy()
        column = 0
        for joint, channels in enumerate(self.channels):
            axes, angles = "", []
            for channel in channels:
                axis, kind = channel[0], channel[1:]
                if kind == "rotation":
                    axes += axis
                    angles.append(self.values[:, column])
                else:
                    translations[:, joint, "XYZ".index(axis)] = self.values[:, column]
                column += 1
            places = [channel[0] for channel in channels if channel.endswith("position")]
            length = np.linalg.norm(self.offsets[joint])
            if len(places) == 3 and self.parents[joint] >= 0 and np.linalg.norm(translations[:, joint].mean(0)) < 0.5 * length:
                translations[:, joint] += self.offsets[joint]
            if axes:
                rotations[:, joint] = Rotation.from_euler(axes, np.stack(angles, 1), degrees=True).as_matrix()
        return rotations, translations

    def global_transforms(self) -> tuple[np.ndarray, np.ndarray]:
        """Rotations (T,J,3,3) and positions (T,J,3) in the world, file units."""
        rotations, positions = self.local_transforms()
        if self.world is not None:
            roots = [joint for joint, parent in enumerate(self.parents) if parent < 0]
            rotations[:, roots], positions[:, roots] = self.world @ rotations[:, roots], positions[:, roots] @ self.world.T
        for joint, parent in enumerate(self.parents):
            if parent >= 0:
                positions[:, joint] = positions[:, parent] + np.einsum("tij,tj->ti", rotations[:, parent], positions[:, joint])
                rotations[:, joint] = rotations[:, parent] @ rotations[:, joint]
        return rotations, positions

    def tips(self) -> dict[str, np.ndarray]:
        """End sites of the leaf joints by joint name, (3,) in the joint's own frame."""
        return {self.names[joint]: offset for joint, offset in self.end_sites.items()}


def read_bvh(path: str | Path) -> Bvh:
    """Reads a BVH file.

    Raises:
        BadInput: no such file, or not a BVH file; says what is wrong in it.
    """
    path = Path(path)
    if not path.is_file():
        raise BadInput(f"'{path}' is not a file.", "Check the path.", "no_such_file")
    try:
        text = path.read_text(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise BadInput(f"'{path}' cannot be read ({error}).", "Check the file's permissions.", "unreadable") from error
    return parse_bvh(text, str(path))


def parse_bvh(text: str, source: str = "BVH") -> Bvh:
    """Parses the text of a BVH file; `source` names it in errors.

    Raises:
        BadInput: not a BVH file; says what is wrong in it.
    """
    head, marker, tail = text.partition("MOTION")
    if not marker or "HIERARCHY" not in head:
        raise BadInput(f"{source} has no HIERARCHY and MOTION parts.", "Use a BVH file.", "not_a_bvh")
    try:
        names, parents, offsets, channels, end_sites = _parse_hierarchy(head.split())
    except (IndexError, ValueError) as error:
        raise BadInput(f"{source}: its HIERARCHY is damaged ({error}).", _REMEDY, "damaged_bvh") from error
    header = re.match(r"\s*Frames:\s*(\d+)\s+Frame Time:\s*([-+0-9.eE]+)", tail)
    if header is None or float(header[2]) <= 0:
        raise BadInput(f"{source}: 'Frames:' or a positive 'Frame Time:' is missing.", _REMEDY, "damaged_bvh")
    try:
        numbers = np.array(tail[header.end() :].split(), np.float64)
    except ValueError as error:
        raise BadInput(f"{source}: a motion value is not a number ({error}).", _REMEDY, "damaged_bvh") from error
    width = sum(len(c) for c in channels)
    frames = int(header[1])
    if frames == 0:
        raise BadInput(f"{source} holds no frames.", "Choose a file with a motion.", "no_frames")
    if width == 0 or len(numbers) != frames * width:
        raise BadInput(f"{source}: {len(numbers)} motion values, expected {frames} frames x {width} channels.", _REMEDY, "damaged_bvh")
    if not np.all(np.isfinite(numbers)):
        raise BadInput(f"{source}: a motion value is NaN or infinite.", _REMEDY, "not_finite")
    return Bvh(tuple(names), tuple(parents), np.array(offsets), tuple(channels), end_sites, numbers.reshape(frames, width), float(header[2]))


def _parse_hierarchy(words: list[str]) -> tuple[list, list, list, list, dict]:
    """Walks the words of the HIERARCHY part; joints come out in file (depth-first) order."""
    names: list[str] = []
    parents: list[int] = []
    offsets: list[list[float]] = []
    channels: list[tuple[str, ...]] = []
    end_sites: dict[int, np.ndarray] = {}
    open_joints: list[int] = []  # -2 stands for an end site's braces
    opening: int | None = None
    at = words.index("HIERARCHY") + 1
    while at < len(words):
        word = words[at]
        if word in ("ROOT", "JOINT"):
            # A name may hold blanks: it runs up to the opening brace.
            end = words.index("{", at)
            names.append(" ".join(words[at + 1 : end]))
            parents.append(open_joints[-1] if open_joints else -1)
            offsets.append([0.0, 0.0, 0.0])
            channels.append(())
            opening, at = len(names) - 1, end
        elif word == "End":
            opening, at = -2, at + 2
        elif word == "{":
            if opening is None:
                raise ValueError("a brace without a joint")
            open_joints.append(opening)
            opening, at = None, at + 1
        elif word == "}":
            open_joints.pop()
            at += 1
        elif word == "OFFSET":
            offset = [float(number) for number in words[at + 1 : at + 4]]
            if open_joints[-1] == -2:
                end_sites[open_joints[-2]] = np.array(offset)
            else:
                offsets[open_joints[-1]] = offset
            at += 4
        elif word == "CHANNELS":
            count = int(words[at + 1])
            found = [_CHANNEL.fullmatch(channel) for channel in words[at + 2 : at + 2 + count]]
            if len(found) != count or None in found:
                raise ValueError(f"unknown channels {words[at + 2 : at + 2 + count]}")
            channels[open_joints[-1]] = tuple(match[1].upper() + match[2].lower() for match in found)
            at += 2 + count
        else:
            raise ValueError(f"unexpected '{word}'")
    if open_joints or not names:
        raise ValueError("braces do not match")
    return names, parents, offsets, channels, end_sites
