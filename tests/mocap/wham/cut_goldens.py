# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts ../shared/goldens/wham to what the tests need, into tests/goldens; run once, from anywhere.

Left out: what a chaotic fit ends at, of which only the loss can be compared, and most numbers of wide outputs.
"""

import json

import numpy as np
from wham_goldens import CUT, SHARED, kept

_DROPPED = ("fit_pose", "fit_cam", "fit_betas")
_FIRST_ITEM = ("trj_", "dec_", "ref_")  # of two


def cut(name: str, extra: dict[str, np.ndarray]) -> None:
    with np.load(SHARED / f"wham_{name}.npz") as archive:
        arrays = {key: kept(key, archive[key]) for key in archive.files if key not in _DROPPED}
    arrays = {key: value[:1] if key.startswith(_FIRST_ITEM) else value for key, value in arrays.items()}
    np.savez_compressed(CUT / f"wham_{name}.npz", **arrays, **extra)


if __name__ == "__main__":
    manifest = json.loads((SHARED / "weights_manifest.json").read_text())["params"]
    cut("modules", {"manifest": np.array([json.dumps(entry) for entry in manifest])})
    for name in ("full", "preproc", "train", "smplify"):
        cut(name, {})
    with np.load(SHARED / "toy_body.npz") as archive:
        wanted = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "J_regressor_wham", "J_regressor_feet", "parents")
        arrays = {name: archive[name] for name in wanted}
    np.savez_compressed(CUT / "wham_body.npz", **arrays)
