# SPDX-License-Identifier: GPL-3.0-or-later
"""What `smplit train loco` does."""

from __future__ import annotations

import datetime
from pathlib import Path

from smplit.datasets.store import MotionStore
from smplit.errors import BadInput
from smplit.training.commands import FREE_LICENCES
from smplit.training.options import TrainOptions
from smplit.training.trainer import train, worker_device


def train_loco(
    data: Path, options: TrainOptions, *, commercial_safe: bool = False, device: str = "cpu", width: int = 360, layers: int = 5, batch: int = 256,
    turns: int = 1, base_model: Path | None = None,
) -> dict:
    """Trains the locomotion network on the locomotion of a motion store; judged on held-out takes on the way.

    Args:
        data: motion store made by `smplit data process`.
        commercial_safe: only recordings under `FREE_LICENCES`.
        width, layers, batch: of the network, and windows in a batch.
        turns: windows after one another that are made from the network's own past.
        base_model: weights to go on from.

    Returns:
        What was written and on how much was trained.

    Raises:
        BadInput: no locomotion in the store, or too little to hold any out, or a base model of other styles.
    """
    import torch

    from smplit.body.model import BodyModel
    from smplit.loco.corpus import corpus
    from smplit.loco.recordings import HELD_OUT, TRAIN, pieces
    from smplit.loco.weights import load_weights
    from smplit.training.loco import LocoRecipe

    device = worker_device(device)
    store, body = MotionStore.open(data), BodyModel.load()
    found = pieces(store, commercial_safe, FREE_LICENCES)
    train_on, held = ([piece for piece in found if piece.part == part] for part in (TRAIN, HELD_OUT))
    if not train_on:
        raise BadInput(f"'{data}' holds no locomotion to train on.", "Process recordings of walking; see model_files/TRAINING.md.", "no_clips")
    held = [piece for piece in held if piece.style in {known.style for known in train_on}]
    if not held:
        raise BadInput(f"Of '{data}' nothing can be held out to judge by.", "Process walks of over six seconds, or ten takes of a style.", "no_clips")
    torch.manual_seed(options.seed)
    learned = corpus(store, train_on, body, seed=options.seed)
    judged = corpus(store, held, body, bends=False, like=learned)
    base = load_weights(base_model) if base_model else None
    if base and base.styles != learned.styles:
        raise BadInput(f"'{base_model}' knows other styles than '{data}'.", "Train without --base-model, or on the same data.", "other_styles")
    recipe = LocoRecipe(learned, judged, device, width, layers, batch, turns, base.network.train() if base else None)
    licences = sorted({store.clips[piece.clip].licence for piece in train_on})
    hours = sum(piece.last - piece.first for piece in train_on) / store.fps / 3600
    card = {
        "data": f"{len(train_on)} recordings, {hours:.2f} h", "licences": ", ".join(licences), "device": device, "seed": str(options.seed),
        "date": datetime.date.today().isoformat(), "batch": str(batch), "turns": str(turns),
    }
    weights = train(recipe, options, card)
    return {"written": str(weights), "recordings": len(train_on), "hours": round(hours, 3), "styles": list(learned.styles), "licences": licences}
