# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts ../shared/goldens/{difftraj,mdm,loco,camdm} to what the tests need, into tests/goldens; run once, from anywhere.

Inputs of networks are left out, because a formula makes them (`published_input` in the tests); their outputs keep
every tenth frame. Features keep the trajectory's channels whole and every fifth frame of all.
"""

import json
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
SHARED, HERE = ROOT.parent / "shared" / "goldens", ROOT / "tests" / "goldens"
OUTPUT_STRIDE, FEATURE_STRIDE = 10, 5


def networks(name: str, sources: dict[str, str]) -> None:
    """Outputs, small inputs and the state dict's names and shapes."""
    arrays = {}
    for archive, keys in sources.items():
        with np.load(SHARED / archive) as golden:
            for key in golden.files:
                leaf = key.rsplit("/", 1)[1]
                if leaf.startswith("out"):
                    arrays[key] = golden[key][..., ::OUTPUT_STRIDE]
                elif golden[key].dtype.kind == "i" or leaf in ("style_onehot", "style_idx", "time_emb", "tokens_b0_first8", "layer_out_b0_first8"):
                    arrays[key] = golden[key]
        for model, entry in json.loads((SHARED / keys).read_text())["models"].items():
            shapes = entry.get("state_dict") or entry["parameters"] + entry["buffers"]
            arrays[f"{model}/names"] = np.array([key for key, _ in shapes])
            arrays[f"{model}/shapes"] = np.array([json.dumps(shape) for _, shape in shapes])
    np.savez_compressed(HERE / name, **arrays)


def features() -> None:
    with np.load(SHARED / "difftraj/features.npz") as golden:
        arrays = {key: golden[key] for key in golden.files if not key.startswith("clip")}
        for clip in ("clip0", "clip1", "clip2"):
            arrays.update({key: golden[key] for key in golden.files if key.startswith(clip)})
            stride, values = int(golden[f"{clip}/down_sample"]), golden[f"{clip}/features203"]
            for part in ("poses22", "trans"):
                arrays[f"{clip}/{part}"] = golden[f"{clip}/{part}"][::stride]
            arrays[f"{clip}/down_sample"] = np.array(1)
            arrays[f"{clip}/features203"], arrays[f"{clip}/features11"] = values[::FEATURE_STRIDE], values[:, :11]
    np.savez_compressed(HERE / "difftraj_features.npz", **arrays)


def whole_path() -> None:
    """Both kinds have the same input; hands are not looked at."""
    arrays = {}
    for kind in ("old", "new"):
        with np.load(SHARED / f"difftraj/pose_to_traj_{kind}.npz") as golden:
            arrays.update({f"{kind}/{key}": golden[key] for key in golden.files if key.startswith(("out", "noise", "stats", "npz/trans"))})
            arrays[f"{kind}/npz/root"] = golden["npz/poses"][:, 0]
            arrays |= {"root_aa_yup": golden["root_aa_yup"], "trans_yup": golden["trans_yup"], "body_aa": golden["body_aa"][:, :21]}
    np.savez_compressed(HERE / "difftraj_pose_to_traj.npz", **arrays)


def whole(name: str, source: str) -> None:
    with np.load(SHARED / source) as golden:
        np.savez_compressed(HERE / name, **{key: golden[key] for key in golden.files})


if __name__ == "__main__":
    networks("difftraj_networks.npz", {"difftraj/net.npz": "difftraj/net_keys.json"})
    networks("mdm_networks.npz", {"mdm/mdm_trans_enc.npz": "mdm/mdm_keys.json", "mdm/smplit3_denoisers.npz": "mdm/smplit3_keys.json"})
    networks("loco_networks.npz", {"loco/net.npz": "loco/net_keys.json"})
    networks("camdm_networks.npz", {"camdm/camdm_denoiser.npz": "camdm/camdm_denoiser_keys.json"})
    features()
    whole_path()
    for name in ("rollout", "trajectories", "metrics"):
        whole(f"loco_{name}.npz", f"loco/{name}.npz")
    for name in ("diffusion", "losses_data", "metrics"):
        whole(f"camdm_{name}.npz", f"camdm/{name}.npz")
    whole("difftraj_diffusion.npz", "difftraj/diffusion.npz")
    whole("mdm_traj_repr.npz", "mdm/traj_repr.npz")
