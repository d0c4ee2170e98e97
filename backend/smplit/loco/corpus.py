# SPDX-License-Identifier: GPL-3.0-or-later
"""All locomotion of a store as frames on plans, each recording also bent onto other paths, ready to be cut into windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from smplit.difftraj.features import FOOT_JOINTS, BodyShape, heading, posed
from smplit.difftraj.quaternions import matrices, quaternion_from_axis_angle
from smplit.loco import frames as numbers
from smplit.loco.bend import Change, changed
from smplit.loco.frames import as_tensor
from smplit.loco.recorded_plan import recorded_plan
from smplit.loco.recordings import Piece
from smplit.loco.windows import AHEAD, PAST
from smplit.mocap.fit.points import sole_points

_STILL = 0.12  # m/s: slower, a recording's end stands
_HOLD = 30  # frames that a standing end is held for
_FEW_SECONDS = 60.0
_BENDS_OF_FEW, _BENDS_OF_MANY = 10, 3  # bent copies of recordings of a style and gait with less, or more, than that
_MOST_TURN = 1.3  # rad/s


@dataclass
class Corpus:
    """Recordings one after the other; after each come AHEAD rows in which only the plan goes on.

    Attributes:
        frames: (N,CHANNELS); place: (N,2) m; facing: (N,) rad.
        style: (N,) index into `styles`; gait: (N,) index into `gaits`.
        starts: (M,) rows that can be a window's last known frame, with `room` (M,) known frames after each.
        bent: (N,) bool: not as recorded.
        leg: m, thigh plus shin of the body that this was recorded on.
    """

    frames: Tensor
    place: Tensor
    facing: Tensor
    style: Tensor
    gait: Tensor
    starts: Tensor
    room: Tensor
    bent: Tensor
    styles: tuple[str, ...]
    gaits: tuple[str, ...]
    leg: float


def piece_on_plan(store, piece: Piece, body) -> tuple[Tensor, np.ndarray, np.ndarray]:
    """A piece's frames (T,CHANNELS), and place (T,2) m and facing (T,) rad of its plan, which the whole clip tells."""
    clip = store.clip(piece.clip)
    rotations = matrices(quaternion_from_axis_angle(as_tensor(clip.poses)))
    pelvis = as_tensor(clip.trans) + body.rest_joints()[0].cpu()
    pelvis[:, 2] -= _sunk(rotations, pelvis, as_tensor(clip.contacts), body)
    place, facing = recorded_plan(pelvis.numpy(), heading(rotations[:, 0]).numpy(), clip.fps)
    cut = slice(piece.first, piece.last)
    frames = numbers.encode(
        rotations[cut], pelvis[cut], as_tensor(clip.contacts)[cut], as_tensor(place)[cut], as_tensor(facing)[cut], numbers.shape_of(body)
    )
    return frames, place[cut], facing[cut]


def _sunk(rotations: Tensor, pelvis: Tensor, contacts: Tensor, body) -> float:
    """m: how high the soles are where they stand. Recordings sink a centimetre or two; planted so, every leg would be bent."""
    shape, points = numbers.shape_of(body), sole_points(body, torch.zeros(10))
    soles = posed(rotations, BodyShape(shape.bones, points.offsets.float().cpu()))[1][:, len(FOOT_JOINTS) :, 2] + pelvis[:, None, 2]
    stands = contacts > 0.5
    return float(soles[stands].median()) if stands.any() else 0.0


def corpus(
    store, pieces: list[Piece], body, bends: bool = True, like: Corpus | None = None, seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Corpus:
    """Reads `pieces`; with `bends` every one also on other paths, recordings of scarce styles oftener. Styles and gaits are numbered
    as in `like`, where given."""
    random = np.random.default_rng(seed)
    styles, gaits = (tuple(sorted({getattr(piece, name) for piece in pieces})) for name in ("style", "gait"))
    if like:
        styles, gaits = like.styles, like.gaits
    seconds: dict[tuple[str, str], float] = {}
    for piece in pieces:
        seconds[piece.style, piece.gait] = seconds.get((piece.style, piece.gait), 0.0) + (piece.last - piece.first) / store.fps
    parts: list[tuple] = []
    for done, piece in enumerate(pieces):
        if progress:
            progress(done, len(pieces))
        original = piece_on_plan(store, piece, body)
        few = seconds[piece.style, piece.gait] < _FEW_SECONDS
        copies = (_BENDS_OF_FEW if few else _BENDS_OF_MANY) if bends else 0
        versions = [(original, False)]
        for _ in range(copies):
            versions.append((changed(*original, _drawn(random, original[1], store.fps), body, store.fps), True))
        parts += [_padded(version, store.fps) + (styles.index(piece.style), gaits.index(piece.gait), bent) for version, bent in versions]
    return _joined(parts, styles, gaits, float(numbers.shape_of(body).leg))


def _drawn(random: np.random.Generator, place: np.ndarray, fps: float) -> Change:
    speed = np.linalg.norm(np.diff(place, axis=0), axis=1).mean() * fps
    sharpest = min(1.2, _MOST_TURN / max(speed, 0.3))
    return Change(
        pace=float(np.exp(random.uniform(-0.1, 0.1))), stride=float(np.exp(random.uniform(-0.15, 0.12))),
        curve=float(random.uniform(-sharpest, sharpest)), crab=float(random.normal() * 0.08),
    )


def _padded(version: tuple[Tensor, np.ndarray, np.ndarray], fps: float) -> tuple[Tensor, np.ndarray, np.ndarray, int]:
    """Standing ends held for a while, and a plan that goes on; the last number counts the frames that are known."""
    frames, place, facing = version
    speed = lambda a, b: float(np.linalg.norm(place[b] - place[a])) * fps / abs(b - a)
    first, last = speed(0, 5) < _STILL, speed(-6, -1) < _STILL
    before, after = (PAST if first else 0), (_HOLD if last else 0)
    frames = torch.cat([frames[:1].expand(before, -1), frames, frames[-1:].expand(after, -1)])
    known = len(frames)
    frames = torch.cat([frames, frames[-1:].expand(AHEAD, -1)])
    goes_on = np.arange(1, AHEAD + 1)
    way = np.zeros(2) if last else (place[-1] - place[-6]) / 5
    turn = 0.0 if last else (facing[-1] - facing[-6]) / 5
    place = np.concatenate([np.repeat(place[:1], before, 0), place, np.repeat(place[-1:], after, 0), place[-1] + goes_on[:, None] * way])
    facing = np.concatenate([np.repeat(facing[:1], before), facing, np.repeat(facing[-1:], after), facing[-1] + goes_on * turn])
    return frames, place, facing, known


def _joined(parts: list[tuple], styles: tuple[str, ...], gaits: tuple[str, ...], leg: float) -> Corpus:
    starts, room, at = [], [], 0
    for frames, _, _, known, *_ in parts:
        rows = np.arange(PAST - 1, known - 1)
        starts.append(at + rows)
        room.append(known - 1 - rows)
        at += len(frames)
    repeated = lambda index, kind: torch.cat([torch.full((len(part[0]),), part[index], dtype=kind) for part in parts])
    return Corpus(
        torch.cat([part[0] for part in parts]), as_tensor(np.concatenate([part[1] - part[1][:1] for part in parts])),
        as_tensor(np.concatenate([part[2] for part in parts])), repeated(4, torch.long), repeated(5, torch.long),
        torch.from_numpy(np.concatenate(starts)), torch.from_numpy(np.concatenate(room)), repeated(6, torch.bool), styles, gaits, leg,
    )
