# SPDX-License-Identifier: GPL-3.0-or-later
"""Figures of the lifter on windows whose truth is known, by METRICS.md's definitions."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from smplit.body.model import BodyModel
from smplit.difftraj.augment import Recordings
from smplit.evaluation.detector import COMMON_JOINTS, SMPLX_ROWS
from smplit.mocap.fit.points import BLAZEPOSE_NAMES
from smplit.mocap.lifter.detections import Detections
from smplit.mocap.lifter.films import Films, Truth, filmed
from smplit.mocap.lifter.network import Lifted, Lifter
from smplit.mocap.lifter.people import People, pose
from smplit.mocap.lifter.sighting import INPUTS, View


def aligned_error(joints: Tensor, true: Tensor) -> Tensor:
    """(N,J,3) m both -> (N,J) m after the best similarity of each frame (Umeyama 1991)."""
    a, b = joints - joints.mean(1, keepdim=True), true - true.mean(1, keepdim=True)
    u, s, v = torch.linalg.svd(a.transpose(1, 2) @ b)
    sign = torch.ones_like(s)
    sign[:, 2] = torch.sign(torch.linalg.det(u @ v))
    rotation = u @ (sign[..., None] * v)
    scale = (s * sign).sum(-1) / (a**2).sum((1, 2)).clamp(min=1e-9)
    return (scale[:, None, None] * (a @ rotation) - b).norm(dim=-1)


def figures(lifted: Lifted, truth: Truth, rows: slice) -> dict[str, float]:
    """MPJPE and PA-MPJPE (mm), angles of root and up (degrees), errors of depth (%) and velocity (cm/s), contacts (% right), jitter ratio."""
    inside = truth.inside[rows]
    _, joints = pose(lifted.rotations[rows], truth.people.bones[rows])
    true = truth.joints[rows]
    error = (joints - true).norm(dim=-1).mean(-1)[inside]
    aligned = aligned_error(joints[inside], true[inside])
    turn = lifted.rotations[rows][:, :, 0].transpose(-1, -2) @ truth.rotations[rows][:, :, 0]
    cosine = ((turn.diagonal(dim1=-2, dim2=-1).sum(-1) - 1) / 2).clamp(-1, 1)[inside]
    up = (lifted.up[rows] * truth.up[rows]).sum(-1).clamp(-1, 1)[inside]
    depth = (lifted.place[rows][..., 2] - truth.place[rows][..., 2]).abs()[inside]
    contacts = ((lifted.contacts[rows] > 0) == (truth.contacts[rows] > 0.5)).float().mean(-1)[inside]
    velocity = (lifted.velocity[rows] - truth.velocity[rows]).norm(dim=-1)[inside]
    jerk = lambda values: torch.diff(values, n=3, dim=1).norm(dim=-1).mean()
    return {
        "mpjpe_mm": 1000 * float(error.mean()), "pa_mpjpe_mm": 1000 * float(aligned.mean()), "root_deg": float(torch.rad2deg(cosine.acos()).mean()),
        "up_deg": float(torch.rad2deg(up.acos()).mean()), "depth_percent": 100 * float(depth.mean()),
        "contacts_percent": 100 * float(contacts.mean()),
        "velocity_cm_s": 100 * float(velocity.mean()), "jitter_ratio": float(jerk(joints) / jerk(true)),
    }


def judge_windows(
    network: Lifter, store, clips: Sequence[int], body: BodyModel, windows: int, frames: int, batch: int, device: str
) -> dict[str, dict]:
    """Figures by part of the pack and over all parts, on clips seen by fixed cameras through a detector that errs by formula."""
    people = People.of(body, torch.randn(64, 10, generator=torch.Generator().manual_seed(6)).clamp(-2, 2)).to(device)
    rest = body.rest_joints()[0].cpu()
    groups: dict[str, list[int]] = {}
    for clip in clips:
        groups.setdefault(store.clips[clip].part.split("_")[0], []).append(clip)
    found = {}
    for name, members in sorted(groups.items()):
        recordings = Recordings.of(store, members, rest, device)
        films = Films(recordings, None, people, batch, frames, spoil=False)
        generator = torch.Generator(device).manual_seed(17)
        rows = []
        for _ in range(max(1, windows // batch // len(groups))):
            view, truth = films(generator)
            rows.append(figures(network(view), truth, slice(None)))
        found[name] = {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]}
    found["all"] = {key: sum(row[key] for row in found.values()) / len(found) for key in next(iter(found.values()))}
    return found


def judge_pairs(network: Lifter, detections: Detections, device: str, batch: int = 20) -> dict[str, float]:
    """The lifter and the detector's own 3D on rendered clips, on the 12 joints that both have (hips in the middle), over all frames seen."""
    frames = detections.quaternions.shape[1]
    sums: dict[str, float] = {}
    count = 0
    marks = [detections.people.landmarks.tolist().index(BLAZEPOSE_NAMES.index(name)) for name in COMMON_JOINTS]
    for first in range(0, len(detections), batch):
        part = detections.part(torch.arange(first, min(first + batch, len(detections)))).to(device)
        view, truth, depth = filmed(part, frames)
        lifted = network(view)
        seen = truth.inside
        _, joints = pose(lifted.rotations, people_of(lifted, part.people).bones)
        hips = lambda values: values - values[:, :2].mean(1, keepdim=True)
        true = hips(truth.joints[seen][:, SMPLX_ROWS])
        for name, said in (("", joints[seen][:, SMPLX_ROWS]), ("detector_", depth[seen][:, marks])):
            said = hips(said)
            sums[name + "mpjpe12_mm"] = sums.get(name + "mpjpe12_mm", 0.0) + 1000 * float((said - true).norm(dim=-1).mean(-1).sum())
            sums[name + "pa_mpjpe12_mm"] = sums.get(name + "pa_mpjpe12_mm", 0.0) + 1000 * float(aligned_error(said, true).mean(-1).sum())
        for name, value in figures(lifted, truth, slice(None)).items():
            sums[name] = sums.get(name, 0.0) + value * int(seen.sum())
        count += int(seen.sum())
    result = {name: value / count for name, value in sums.items()}
    for name in ("mpjpe12_mm", "pa_mpjpe12_mm"):
        result[name.replace("_mm", "_ratio")] = result[name] / result["detector_" + name]
    return result | {"frames": count}


def people_of(lifted: Lifted, people: People) -> People:
    """`people` with the bones of the shapes that the lifter says, one for each clip."""
    betas = lifted.betas.mean(1)
    return replace(people, betas=betas, bones=people.bones_of(betas))


def speed(network: Lifter, seconds: float = 2.0) -> float:
    """Frames a second of the network alone on one core, in clips of 1800 frames; the best of the runs that `seconds` give."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    frames, best, started = 1800, 0.0, time.perf_counter()
    view = View(torch.zeros(1, frames, INPUTS), torch.eye(3).expand(1, frames, 3, 3), torch.ones(1, frames))
    device = next(network.parameters()).device
    view = View(view.inputs.to(device), view.axes.to(device), view.scale.to(device))
    while time.perf_counter() - started < seconds:
        begun = time.perf_counter()
        network(view)
        best = max(best, frames / (time.perf_counter() - begun))
    torch.set_num_threads(threads)
    return best
