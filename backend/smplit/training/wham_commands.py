# SPDX-License-Identifier: GPL-3.0-or-later
"""What `smplit train wham-stage1 --original` and `smplit train wham-stage2` do."""

from __future__ import annotations

import datetime
from pathlib import Path

import torch

from smplit.body.model import BodyModel
from smplit.datasets.split import HELD_OUT, OPEN_MOTION, TRAIN, Split
from smplit.datasets.store import MotionStore
from smplit.errors import BadInput
from smplit.mocap.wham.body import SmplBody
from smplit.mocap.wham.load import FEATURES, LIFTING, load_network
from smplit.mocap.wham.network import Wham
from smplit.mocap.wham.smpl_files import find_body
from smplit.training.commands import FREE_LICENCES
from smplit.training.trainer import train, worker_device
from smplit.training.wham_keypoints import NoiseTable
from smplit.training.wham_losses import STAGE_1, STAGE_2, STAGE_2_BEDLAM
from smplit.training.wham_options import WhamStage1Options, WhamStage2Options
from smplit.training.wham_recipes import WhamRecipe
from smplit.training.wham_sequences import open_sequences
from smplit.training.wham_videos import MOTION_SHARE, VideoWindows
from smplit.training.wham_windows import FRAMES, MotionWindows

_JUDGED_BATCHES, _JUDGED_SEED = 2, 7


def train_wham_stage1_original(
    data: Path, options: WhamStage1Options, *, split: Path = OPEN_MOTION, commercial_safe: bool = False, noise_table: Path | None = None,
    device: str = "cpu", batch: int = 64, frames: int = FRAMES, width: int = 512, base_model: Path | None = None,
) -> dict:
    """Trains the published network to lift keypoints, on a motion store.

    Args:
        data: motion store made by `smplit data process`.
        split: split file; its held-out clips are what the network is judged by.
        commercial_safe: only recordings under `FREE_LICENCES`.
        noise_table: the original's `coco_aug_dict.pth`; a substitute when None.
        batch, frames: windows in a batch, frames of a window.
        width: of the encoder, 512 as published.
        base_model: a checkpoint of stage 1 to go on from.

    Returns:
        What was written and on how much was trained.

    Raises:
        BadInput: nothing to train on, a base that does not fit, or the noise table is none.
    """
    device = worker_device(device)
    store = MotionStore.open(data)
    parts = Split.load(split).indices(store)
    chosen = [clip for clip in parts[TRAIN] if not commercial_safe or store.clips[clip].licence in FREE_LICENCES]
    arrays, real = find_body()
    body = SmplBody(arrays, device)
    table = NoiseTable.load(noise_table, device) if noise_table else None
    windows = _motion(store, chosen, body, batch, frames, device, table)
    judged = _motion(store, parts.get(HELD_OUT) or chosen, body, min(batch, 16), frames, device, table)
    torch.manual_seed(options.seed)
    network = load_network(base_model, LIFTING).train() if base_model else Wham(width)
    recipe = WhamRecipe(network, body, windows, _fixed(judged, device), LIFTING, STAGE_1, options.steps, device)
    licences = sorted({store.clips[clip].licence for clip in windows.clips})
    hours = store.hours(windows.clips)
    card = {"data": f"{len(windows.clips)} clips, {hours:.2f} h", "licences": ", ".join(licences), "body": _body_name(real)}
    weights = train(recipe, options, card | _common_card(options.seed, device, batch, frames))
    return {"written": str(weights), "clips": len(windows.clips), "hours": round(hours, 3), "licences": licences, "body": _body_name(real)}


def train_wham_stage2(
    data: tuple[Path, ...], options: WhamStage2Options, *, base_model: Path, motion: Path | None = None, held_out: tuple[Path, ...] = (),
    bedlam: bool = False, device: str = "cpu", batch: int = 64, frames: int = FRAMES,
) -> dict:
    """Teaches a network of stage 1 to use image features.

    Args:
        data: folders of sequences (format: `training.wham_sequences`).
        base_model: checkpoint of stage 1.
        motion: motion store that a fifth of each batch is made of.
        held_out: folders of sequences to judge by; the training's own when there are none.
        bedlam: loss weights of the variant with BEDLAM, whose surfaces are taught too.
        batch, frames: windows in a batch, frames of a window.

    Returns:
        What was written and on how much was trained.

    Raises:
        BadInput: a base of another stage or network, or no sequences.
    """
    device = worker_device(device)
    network = load_network(base_model, LIFTING).train()
    sets = open_sequences(list(data), frames + 1)
    judged = open_sequences(list(held_out), frames + 1) if held_out else sets
    arrays, real = find_body()
    body = SmplBody(arrays, device)
    share = max(1, round(MOTION_SHARE * batch)) if motion else 0
    if share >= batch:
        raise BadInput(f"--batch {batch} leaves no room for videos beside motion.", "Give --batch 2 or more.", "bad_option")
    recorded = None
    if motion:
        store = MotionStore.open(motion)
        recorded = _motion(store, range(len(store)), body, share, frames, device, None, features=True)
    windows = VideoWindows(sets, body, batch, frames, device, recorded, vertices=bedlam)
    torch.manual_seed(options.seed)
    fixed = _fixed(VideoWindows(judged, body, min(batch, 16), frames, device, vertices=bedlam), device)
    recipe = WhamRecipe(network, body, windows, fixed, FEATURES, STAGE_2_BEDLAM if bedlam else STAGE_2, options.steps, device, bedlam)
    sequences = [sequence for members in sets for sequence in members]
    hours = sum(len(sequence) for sequence in sequences) / 30.0 / 3600.0
    card = {"data": f"{len(sequences)} sequences, {hours:.2f} h", "base": base_model.name, "body": _body_name(real)}
    weights = train(recipe, options, card | _common_card(options.seed, device, batch, frames))
    return {"written": str(weights), "sets": len(sets), "sequences": len(sequences), "hours": round(hours, 3), "body": _body_name(real)}


def _motion(store: MotionStore, clips, body: SmplBody, batch: int, frames: int, device: str, table: NoiseTable | None, **more) -> MotionWindows:
    pelvis = BodyModel.load().rest_joints()[0].cpu()
    return MotionWindows(store, list(clips), body, pelvis, batch, frames, device, table, **more)


@torch.no_grad()
def _fixed(windows, device: str) -> list:
    """Always the same batches."""
    generator = torch.Generator(device).manual_seed(_JUDGED_SEED)
    return [windows(generator) for _ in range(_JUDGED_BATCHES)]


def _body_name(real: bool) -> str:
    return "SMPL" if real else "open body with SMPL's joints"


def _common_card(seed: int, device: str, batch: int, frames: int) -> dict[str, str]:
    return {"device": device, "seed": str(seed), "date": datetime.date.today().isoformat(), "batch": f"{batch} x {frames} frames"}
