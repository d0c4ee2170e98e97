# SPDX-License-Identifier: GPL-3.0-or-later
"""Cuts ../shared/goldens/wham to what the tests need, into tests/goldens; run once, from anywhere.

Left out: what a formula or another key gives again, vertices of the random loss case, and most numbers of wide outputs.
"""

import json

import numpy as np
from wham_goldens import CUT, SHARED, kept

_DROPPED = {
    "full": (
        "in_cam_intrinsics", "flipin_cam_intrinsics", "flipin_cam_angvel", "flipin_res", "raw_trk_flipped_keypoints", "raw_trk_flipped_bbox",
        "plain_poses_body", "flipavg_poses_body", "nofeat_pose", "flippass_pose", "plain_verts_cam", "flipavg_verts_cam",
    ),
    "modules": ("stage_integrated", "stage_preprocessed_x", "smpl_vertices"),
    "preproc": ("det_in_frame_id", "crop0_norm_stride4", "crop2_norm_stride4"),
    "train": ("batch_features", "rl_pred_verts_cam", "rl_gt_verts", "speed_l23_pose", "speed_l23_transl"),
    "smplify": ("fit_pose", "fit_cam", "fit_betas"),
}
_FIRST_ITEM = ("trj_", "dec_", "ref_")  # of two
_CROP_1 = (slice(118, None), slice(0, 102))  # all of the picture that the second crop shows


def cut(name: str, extra: dict[str, np.ndarray]) -> None:
    with np.load(SHARED / f"wham_{name}.npz") as archive:
        arrays = {key: kept(key, archive[key]) for key in archive.files if key not in _DROPPED[name]}
    arrays = {key: value[:1] if key.startswith(_FIRST_ITEM) else value for key, value in arrays.items()}
    if name == "preproc":
        seen = np.zeros_like(arrays["crop_img_bgr"])
        seen[_CROP_1] = arrays["crop_img_bgr"][_CROP_1]
        arrays["crop_img_bgr"] = seen
    np.savez_compressed(CUT / f"wham_{name}.npz", **arrays, **extra)


if __name__ == "__main__":
    manifest = json.loads((SHARED / "weights_manifest.json").read_text())["params"]
    cut("modules", {"manifest": np.array([json.dumps(entry) for entry in manifest])})
    for name in ("full", "preproc", "train", "smplify"):
        cut(name, {})
    with np.load(SHARED / "toy_body.npz") as archive:
        wanted = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "J_regressor_wham", "J_regressor_feet")
        arrays = {name: archive[name] for name in wanted}
    np.savez_compressed(CUT / "wham_body.npz", **arrays)
