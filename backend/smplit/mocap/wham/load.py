# SPDX-License-Identifier: GPL-3.0-or-later
"""WHAM's files: the published checkpoints (`wham_vit_*.pth.tar`), and what our own training of that network writes.

A published file also holds the arrays of the SMPL body it was trained with (`smpl.*`). They are ignored, except
for two sets of regressors that the authors give out in no other form than a bundle of their own.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.torch import save_file
from torch import Tensor

from smplit import models
from smplit.diffusion.denoiser import load_strictly
from smplit.errors import BadInput
from smplit.export.whole_file import whole_file
from smplit.mocap.wham.network import Wham

FORMAT = "smplit-wham-published-1"
LIFTING, FEATURES = 1, 2  # stages of the training
_SMPL = "smpl."
_INTEGRATOR = "integrator."
_SMPL_VERTICES = 6890
_REGRESSORS = {"smpl.J_regressor_wham": 31, "smpl.J_regressor_feet": 4}


def load_network(path: str | Path, stage: int | None = None) -> Wham:
    """The network of a checkpoint, ready to answer; names and shapes must be the published ones, nothing more, nothing less.

    Args:
        stage: which stage of the training it must come from, `LIFTING` or `FEATURES`; None for any.

    Raises:
        BadInput: unreadable, of another network (names that do not fit are listed), or of the other stage.
    """
    weights = {name: value for name, value in models.load_weights(path).items() if not name.startswith(_SMPL)}
    network = Wham(_width(weights))
    load_strictly(network, weights, path)
    found = stage_of(weights)
    if stage is not None and found != stage:
        raise BadInput(
            f"'{path}' is a WHAM of stage {found}, not {stage}: its integrator of image features "
            + ("was never trained." if found == LIFTING else "has been trained."),
            "Use wham_vit_w_3dpw.pth.tar or wham_vit_bedlam_w_3dpw.pth.tar, or train it with 'smplit train wham-stage2'." if stage == FEATURES
            else "Use a checkpoint of stage 1, which 'smplit train wham-stage1 --original' writes.", "wrong_stage",
        )
    return network.eval()


def stage_of(weights: dict[str, Tensor]) -> int:
    """`LIFTING` where the integrator still has its first random numbers, else `FEATURES`.

    A checkpoint does not say it: the integrator is in both. But stage 1 never moves it, and its first numbers are drawn evenly
    from +-1/sqrt(inputs). The first step of stage 2 moves 3.2 million of them by a hundredth of that, thousands beyond the bound.
    """
    for name, value in weights.items():
        if name.startswith(_INTEGRATOR):
            inputs = weights[name.rsplit(".", 1)[0] + ".weight"].shape[1]
            if value.abs().max() > 1.0001 / inputs**0.5:
                return FEATURES
    return LIFTING


def load_regressors(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """31 keypoints' and 4 feet points' regressors, (31,6890) and (4,6890), out of a published checkpoint.

    Raises:
        BadInput: unreadable, or it holds none.
    """
    weights = models.load_weights(path)
    found = []
    for name, rows in _REGRESSORS.items():
        value = weights.get(name)
        if value is None or tuple(value.shape) != (rows, _SMPL_VERTICES):
            raise BadInput(
                f"'{path}' holds no '{name}' of shape {(rows, _SMPL_VERTICES)}.", "Use a checkpoint as published, not one stripped of its body.",
                "no_regressors",
            )
        found.append(value.double().numpy())
    return found[0], found[1]


def save_network(network: Wham, path: str | Path, stage: int, card: dict[str, str]) -> None:
    """One safetensors file with the published names; the card goes into its metadata."""
    tensors = {name: value.detach().cpu().clone() for name, value in network.state_dict().items()}
    with whole_file(path) as temporary:
        save_file(tensors, temporary, {"format": FORMAT, "stage": str(stage)} | card)


def _width(weights: dict[str, Tensor]) -> int:
    """Of the encoder: 512 as published; a narrower one of our own training is read too."""
    embedding = weights.get("motion_encoder.embed_layer.weight")
    return 512 if embedding is None or embedding.ndim != 2 else len(embedding)
