# SPDX-License-Identifier: GPL-3.0-or-later
"""Trains the pose prior of the capture's fit: a Gaussian mixture over local body rotations.

    .venv/bin/python tools/train_pose_prior.py --motion DIR --rest DIR -o model_files/pose_prior/gmm.safetensors

DIR holds the unpacked free sets of the motion pack (cmu_*, reactidle); `--rest` their T-poses. Needs
scikit-learn, whose mixtures are the reference implementation; it is no dependency of the product,
which only evaluates the mixture. About 4 minutes on one core.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from sklearn.mixture import GaussianMixture
from truth_clips.clips import SETS

from smplit.axes import matrix_from_axis_angle
from smplit.body.model import BodyModel
from smplit.datasets.bvh import read_bvh
from smplit.datasets.retarget import Retargeter, TargetBody
from smplit.mocap.fit.pose_prior import JOINTS

# Free to use and to redistribute what is learned from them. The 13-joint sets (no spine, no
# collars) would teach that spines never bend.
PARTS = ("cmu_amc", "cmu_expmap", "cmu_daz", "cmu_iclone", "cmu_m21", "cmu_keijiro", "reactidle")
# Never trained on: these subjects, and every recording that a validation truth clip shows.
HELD_OUT = {"94", "94?", "135", "135?", "003", "004", "009"}
SHOWN = {f"{person.source}.bvh" for clip in SETS["validation"] for person in clip.people}
_MIRROR = np.diag([-1.0, 1.0, 1.0])
_LEFT_RIGHT = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20]
# Weight of a set's frames: standing idle is as long as everything else together.
_SET_WEIGHT = {"reactidle": 0.35}
_FLOOR = 2e-3  # added to every variance of the 6D features: 2.5 degrees


def features(rotations: np.ndarray) -> np.ndarray:
    """Local rotations (T,22,3,3) -> (T,6 len(JOINTS)): first two columns of each prior joint's matrix."""
    return rotations[:, JOINTS, :, :2].reshape(len(rotations), -1)


def mirrored(rotations: np.ndarray) -> np.ndarray:
    return _MIRROR @ rotations[:, _LEFT_RIGHT] @ _MIRROR


def read(motion: Path, rest: Path, manifest: Path) -> tuple[dict[str, list[np.ndarray]], list[np.ndarray]]:
    """Features of the training clips per set, and of the held-out clips."""
    body = BodyModel.load()
    target = TargetBody(body.rest_joints().numpy()[:22], 0.0)
    retargeters: dict[str, Retargeter] = {}
    train: dict[str, list[np.ndarray]] = {}
    held: list[np.ndarray] = []
    for row in csv.DictReader(manifest.open()):
        if row["part"] not in PARTS:
            continue
        name = f"cmu_amc_{row['subject']}_tpose" if row["part"] == "cmu_amc" else f"{row['part']}_tpose"
        if name not in retargeters:
            retargeters[name] = Retargeter(read_bvh(rest / f"{name}.bvh"), target)
        clip = retargeters[name](read_bvh(motion / row["file"]))
        rotations = matrix_from_axis_angle(clip.poses.reshape(len(clip), -1, 3)[:, :22])[::3]
        if row["subject"] in HELD_OUT or row["file"] in SHOWN:
            held.append(features(rotations))
        else:
            train.setdefault(row["part"], []).append(np.concatenate([features(rotations), features(mirrored(rotations))]))
    return train, held


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--motion", type=Path, required=True)
    parser.add_argument("--rest", type=Path, required=True)
    parser.add_argument("--manifest", type=Path, required=True)
    parser.add_argument("--components", type=int, default=24)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    train, held = read(arguments.motion, arguments.rest, arguments.manifest)
    random = np.random.default_rng(0)
    parts = []
    for part, clips in train.items():
        frames = np.concatenate(clips)
        parts.append(frames[random.random(len(frames)) < _SET_WEIGHT.get(part, 1.0)])
    frames = np.concatenate(parts)
    mixture = GaussianMixture(arguments.components, reg_covar=_FLOOR, max_iter=60, tol=1e-2, random_state=0).fit(frames)
    unseen = np.concatenate(held)
    report = {
        "train_frames": len(frames), "held_out_frames": len(unseen), "components": arguments.components,
        "log_likelihood_train": float(mixture.score(frames)), "log_likelihood_held_out": float(mixture.score(unseen)),
        "one_gaussian_held_out": float(GaussianMixture(1, reg_covar=_FLOOR).fit(frames).score(unseen)),
    }
    print(json.dumps(report, indent=1))
    whitening = np.transpose(mixture.precisions_cholesky_, (0, 2, 1))  # |W (x - mean)|^2 is the Mahalanobis distance
    log_scale = np.log(mixture.weights_) + np.log(np.abs(np.diagonal(whitening, axis1=1, axis2=2))).sum(1)
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    save_file(
        {"means": mixture.means_.astype(np.float16), "whitening": whitening.astype(np.float16), "log_scale": log_scale.astype(np.float32)},
        arguments.output, metadata={"licence": "CMU (free for all uses), reactidle (MIT)", "report": json.dumps(report)},
    )


if __name__ == "__main__":
    main()
