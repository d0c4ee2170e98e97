# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers that the published SMIRK gave, as the repository keeps them (`python smirk_goldens.py` copies them).

Of the photograph of goldens/smirk only the landmarks that MediaPipe found in it are kept, no picture.
"""

import functools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
import torch
from formula_weights import GOLDENS, SHARED, formula_weights, smirk_pictures

from smplit.mocap.smirk.network import Smirk

_OF_THE_PHOTOGRAPH = {"face_v2.landmarks_px": "newer", "legacy478.landmarks_px": "older"}


@functools.cache
def golden(name):
    """{key: array}: "net", "crop" or "faces"."""
    with np.load(GOLDENS / f"smirk_{name}.npz") as archive:
        return {key: archive[key] for key in archive.files}


def new_network():
    """Filled by the formula."""
    network = Smirk()
    network.load_state_dict(formula_weights("smirk"))
    return network.eval().requires_grad_(False)


def pictures():
    """(3,3,224,224) 0..1."""
    return torch.from_numpy(smirk_pictures()).permute(0, 3, 1, 2) / 255.0


def sampled(maps):
    """(B,C,H,W) -> what the goldens keep of the first picture's map."""
    value = maps[0, :8].numpy()
    step = max(1, value.shape[-1] // 7)
    return value[:, step // 2 :: step, step // 2 :: step]


def _cut():
    for name in ("net", "crop"):
        with np.load(SHARED / "smirk" / f"{name}.npz") as archive:
            np.savez_compressed(GOLDENS / f"smirk_{name}.npz", **archive)
    with np.load(SHARED / "smirk" / "mediapipe_face_astronaut.npz") as archive:
        np.savez_compressed(GOLDENS / "smirk_faces.npz", **{kept: archive[key] for key, kept in _OF_THE_PHOTOGRAPH.items()})


if __name__ == "__main__":
    _cut()
