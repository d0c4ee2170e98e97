# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures where BlazePose's landmarks sit on the SMPL-X body, from clips whose truth is known.

    .venv/bin/python tools/measure_landmark_offsets.py out/truth/tuning

For every landmark that the fit uses (`smplit.mocap.fit.points`), the offset in metres that has to be
added to its present attachment point, in the rest axes of the joint it hangs on, LEFT side (x to the
person's left, y up, z forward; right landmarks are mirrored into it):

- `2d`: least squares over all frames of the picture residuals (each says two of three coordinates;
  turning bodies give the third), `left` across the picture after it, and the spread between clips;
- `3d`: mean and deviation of the detector's own 3D point, hips on hips.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch

from smplit.body.model import BodyModel
from smplit.evaluation.score import truth_rows
from smplit.evaluation.truth import Truth, find_truth, match_people, read_truth
from smplit.mocap.fit.points import BLAZEPOSE_NAMES, body_points
from smplit.mocap.observations import PersonLandmarks
from smplit.mocap.observe import observe
from smplit.mocap.options import CaptureOptions
from smplit.models import CHECKOUT_FILES
from smplit.motion import joint_transforms
from smplit.progress import Reporter
from smplit.terminal import table

_SURE = 0.6  # confidence
_HUBER = 0.04  # m across the picture: larger residuals are mistakes rather than offsets
_MIRROR = np.array([-1.0, 1.0, 1.0])


class Samples:
    """Equations of one landmark (side folded away): `A` (n,2,3) o = `b` (n,2) m across the picture; `direct` (m,3) m."""

    def __init__(self):
        self.A: list[np.ndarray] = []
        self.b: list[np.ndarray] = []
        self.clip: list[np.ndarray] = []
        self.direct: list[np.ndarray] = []

    def add(self, A: np.ndarray, b: np.ndarray, direct: np.ndarray, clip: int, mirrored: bool) -> None:
        self.A.append(A * _MIRROR if mirrored else A)
        self.b.append(b)
        self.direct.append(direct * _MIRROR if mirrored else direct)
        self.clip.append(np.full(len(A), clip))

    def solve(self) -> dict:
        A, b, clip = np.concatenate(self.A), np.concatenate(self.b), np.concatenate(self.clip)
        offset, left = _robust(A, b)
        each = np.array([_robust(A[clip == c], b[clip == c])[0] for c in np.unique(clip) if (clip == c).sum() > 20])
        direct = np.concatenate(self.direct)
        return {
            "2d": _cm(offset), "left cm": round(100 * left, 1), "clips' spread": _cm(each.std(0)) if len(each) > 1 else "-",
            "3d": _cm(direct.mean(0)), "3d spread": _cm(direct.std(0)), "frames": len(b),
        }


def _robust(A: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, float]:
    """Offset (3,) m by reweighted least squares, a faint pull to zero where no view tells; and the median residual in m."""
    weight = np.ones(len(b))
    for _ in range(15):
        normal = np.einsum("n,nki,nkj->ij", weight, A, A) + 1e-3 * len(b) * np.eye(3)
        offset = np.linalg.solve(normal, np.einsum("n,nki,nk->i", weight, A, b))
        distance = np.linalg.norm(b - A @ offset, axis=1)
        weight = np.minimum(1.0, _HUBER / np.maximum(distance, 1e-9))
    return offset, float(np.median(distance))


def _cm(values: np.ndarray) -> str:
    return " ".join(f"{100 * v:+5.1f}" for v in values)


def collect(
    samples: dict[str, Samples], truth: Truth, person: int, landmarks: PersonLandmarks, times: np.ndarray, body: BodyModel, clip: int
) -> None:
    """Adds the equations of one person of one clip."""
    rows = truth_rows(times, truth)
    with np.load(truth.video.with_name(f"{truth.clip}_truth.npz"), allow_pickle=False) as archive:
        poses, betas = archive["poses"][rows, person], archive["betas"][person]
    rotations = joint_transforms(poses, body.rest_joints(betas).numpy())[0][:, :22]
    points = body_points(body, torch.as_tensor(betas))
    joints = truth.joints[rows, person, :22]
    base = joints[:, points.joints] + np.einsum("tkij,kj->tki", rotations[:, points.joints], points.offsets.numpy())
    seen = truth.in_camera(base, rows)
    hips = truth.in_camera(joints[:, [1, 2]].mean(1), rows)
    for k, (landmark, joint) in enumerate(zip(points.landmarks, points.joints, strict=True)):
        used = landmarks.seen & (landmarks.body_confidence[:, landmark] > _SURE)
        if not used.any():
            continue
        at, turn = seen[used, k], truth.camera_R[rows[used]] @ rotations[used, joint]
        # Metres across the picture at the point's depth: d(pixel) Z / f = (dx - x/z dz, dy - y/z dz).
        flat = np.zeros((len(at), 2, 3))
        flat[:, 0, 0] = flat[:, 1, 1] = 1.0
        flat[:, :, 2] = -at[:, :2] / at[:, 2:]
        pixel = at[:, :2] / at[:, 2:] * truth.focal + truth.camera_K[:2, 2]
        across = (landmarks.body[used, landmark] - pixel) * at[:, 2:] / truth.focal
        own = np.einsum("tji,tj->ti", turn, landmarks.body_world[used, landmark] + hips[used] - at)
        name = BLAZEPOSE_NAMES[landmark]
        samples.setdefault(name.replace("right_", "left_"), Samples()).add(flat @ turn, across, own, clip, name.startswith("right_"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("truth", type=Path, help="folder of tools/make_truth_clips.py (the tuning set)")
    arguments = parser.parse_args()
    body = BodyModel.load(CHECKOUT_FILES / "body" / "OPEN_NEUTRAL.npz")
    samples: dict[str, Samples] = {}
    for clip, path in enumerate(find_truth(arguments.truth)):
        truth = read_truth(path)
        for shot in observe(truth.video, CaptureOptions(hands="none", face="none"), Reporter()):
            times = [shot.frame_times[p.first - shot.start :][: len(p)] for p in shot.people]
            for captured, person in match_people([(truth_rows(t, truth), p.boxes) for t, p in zip(times, shot.people, strict=True)], truth):
                collect(samples, truth, person, shot.people[captured], times[captured], body, clip)
    table([{"landmark": name, **entry.solve()} for name, entry in samples.items()])


if __name__ == "__main__":
    main()
