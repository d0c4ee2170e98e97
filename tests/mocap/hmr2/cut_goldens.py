# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts ../shared/goldens/hmr2 to what the tests need, into tests/goldens; run once, from anywhere.

Left out: what another array gives again, and columns of pictures that the network does not look at.
"""

import json

import numpy as np
from hmr2_goldens import CUT, deeper

from smplit.mocap.wham.crop import FEATURE_COLUMNS

SHARED = CUT.parents[2] / "shared" / "goldens" / "hmr2"


def read(name):
    with np.load(SHARED / f"hmr2_{name}.npz") as archive:
        return {key: archive[key] for key in archive.files}


def save(name, arrays):
    np.savez_compressed(CUT / f"hmr2_{name}.npz", **arrays)


if __name__ == "__main__":
    shallow, deep = read("depth2"), read("depth32")
    for key in ("image_rgb_u8", "patch_embed_tok_stride16"):
        assert np.array_equal(deep.pop(key)[0], shallow[key][0])
    seen = np.zeros_like(shallow["image_rgb_u8"])
    seen[:, :, FEATURE_COLUMNS] = shallow["image_rgb_u8"][:, :, FEATURE_COLUMNS]
    shallow["image_rgb_u8"] = seen
    manifest = {depth: json.loads((SHARED / f"weights_manifest_depth{depth}.json").read_text())["params"] for depth in (2, 32)}
    assert sorted(deeper(manifest[2], 32), key=lambda entry: entry["name"]) == sorted(manifest[32], key=lambda entry: entry["name"])
    named = json.loads((SHARED / "keys_4dhumans_full.json").read_text())["params"]
    others = {name: shape for name, shape in named.items() if not name.startswith(("backbone.", "smpl_head."))}
    save("depth2", shallow | {"manifest": np.array([json.dumps(entry) for entry in manifest[2]]), "other_keys": np.array(json.dumps(others))})
    save("depth32", deep)
    save("4dhumans", read("4dhumans"))
