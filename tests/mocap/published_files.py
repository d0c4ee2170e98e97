# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of every published estimator with weights by formula, as a user drops them in: what they say means nothing, how they fit together is real."""

from __future__ import annotations

import sys
from pathlib import Path

from safetensors.torch import save_file

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE / "wham"), str(HERE / "hmr2")]

DEPTH = 2  # blocks of HMR2's backbone; the published 32 are 2.7 GB


def write_published(folder: Path, depth: int = DEPTH) -> Path:
    """`folder` as SMPLIT_MODEL_FILES with WHAM, HMR2 a and b (alike), ACR and SMIRK."""
    import hmr2_goldens
    import wham_goldens
    from formula_weights import formula_weights
    from splitmix_weights import weights

    hmr2 = weights(hmr2_goldens.manifest(depth))
    files = {
        "wham/wham_vit_bedlam_w_3dpw.safetensors": wham_goldens.published_weights(), "hmr2/hmr2a.safetensors": hmr2, "hmr2/hmr2b.safetensors": hmr2,
        "acr/wild.safetensors": formula_weights("acr"), "smirk/SMIRK_em1.safetensors": formula_weights("smirk"),
    }
    for name, tensors in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({key: value.contiguous() for key, value in tensors.items()}, path)
    return folder
