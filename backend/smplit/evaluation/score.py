# SPDX-License-Identifier: GPL-3.0-or-later
"""One captured person against the truth: figures of the pose, of the world, and of the detector's own 3D."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from smplit.body.model import SURFACE_POINTS, BodyModel
from smplit.evaluation import camera_rotation, metrics
from smplit.evaluation.detector import COMMON_JOINTS, HIPS, SMPLX_ROWS, detector_joints
from smplit.evaluation.hands import hand_figures
from smplit.evaluation.truth import Truth
from smplit.mocap.fit.points import body_points
from smplit.mocap.observations import PersonLandmarks
from smplit.motion import BODY_JOINTS, JOINT_NAMES, Motion, joint_transforms

SOLES = ("left_heel", "left_big_toe", "right_heel", "right_big_toe")
_BODY = len(BODY_JOINTS)
_FOOT_JOINTS = [BODY_JOINTS.index(name) for name in ("left_ankle", "left_foot", "right_ankle", "right_foot")]


@dataclass
class Compared:
    """The same N frames of a capture and of the truth, world metres (Z up) unless said.

    `rows` (N,) frames of the truth; `seen` (N,) bool; `joints` (N,22,3), `rotations` (N,22,3,3)
    global, `soles` (N,4,3) of the capture; `true_joints`, `true_soles` alike; `camera`,
    `true_camera` (N,22,3) joints in camera axes, `all_camera`, `true_all_camera` (N,55,3) with fingers;
    `landmarks` of the same frames.
    """

    motion: Motion
    landmarks: PersonLandmarks
    truth: Truth
    rows: np.ndarray
    seen: np.ndarray
    rotations: np.ndarray
    joints: np.ndarray
    soles: np.ndarray
    camera: np.ndarray
    true_joints: np.ndarray
    true_soles: np.ndarray
    true_camera: np.ndarray
    all_camera: np.ndarray
    true_all_camera: np.ndarray


def compare(motion: Motion, landmarks: PersonLandmarks, truth: Truth, person: int, body: BodyModel) -> Compared:
    """Brings a capture's person and the truth's `person` (column) to the same frames; every captured frame is one of the truth's."""
    rows = truth_rows(motion.frame_times, truth)
    rest = body.rest_joints(motion.betas).numpy()
    rotations, joints = joint_transforms(motion.poses, rest)
    joints = joints + np.asarray(motion.trans, np.float64)[:, None]
    true_joints = truth.joints[rows, person, :_BODY]
    camera = np.einsum("tij,tkj->tki", motion.camera_R.astype(np.float64), joints) + motion.camera_t.astype(np.float64)[:, None]
    true_camera = truth.in_camera(truth.joints[rows, person], rows)
    return Compared(
        motion, landmarks, truth, rows, np.asarray(landmarks.seen, bool), rotations[:, :_BODY], joints[:, :_BODY],
        _soles(rotations, joints, rest, motion.betas, body), camera[:, :_BODY], true_joints, truth.foot_points[rows, person],
        true_camera[:, :_BODY], camera, true_camera,
    )


def truth_rows(times: np.ndarray, truth: Truth) -> np.ndarray:
    """(N,) the truth's frame of each time (s)."""
    return np.abs(truth.frame_times[None] - times[:, None]).argmin(1)


def _soles(rotations: np.ndarray, joints: np.ndarray, rest: np.ndarray, betas: np.ndarray, body: BodyModel) -> np.ndarray:
    """(N,4,3) the sole under heels and big toes (the points that touch a floor at rest), each moving rigidly with its joint."""
    surface = body.rest_surface_points(betas).numpy()
    names = list(SURFACE_POINTS)
    carriers = [JOINT_NAMES.index(SURFACE_POINTS[name][1]) for name in SOLES]
    offsets = surface[[names.index(name) for name in SOLES]]
    offsets[:, 1] = float(body.ground(betas))
    offsets -= rest[carriers]
    return joints[:, carriers] + np.einsum("tkij,kj->tki", rotations[:, carriers], offsets)


def figures(pair: Compared, body: BodyModel) -> dict:
    """All metrics of one person by name, in the units of METRICS.md; the pose's over frames in which the person was seen."""
    seen = pair.seen
    ours, true = pair.camera[seen][:, SMPLX_ROWS], pair.true_camera[seen][:, SMPLX_ROWS]
    theirs = detector_joints(pair.landmarks)[seen]
    fps, soles = pair.truth.fps, pair.soles
    out = {
        "frames": len(pair.rows), "seen": float(seen.mean()),
        "pa_mpjpe12_mm": metrics.pa_mpjpe(ours, true), "detector_pa_mpjpe12_mm": metrics.pa_mpjpe(theirs, true),
        "mpjpe12_camera_mm": metrics.mpjpe(ours, true, HIPS), "detector_mpjpe12_camera_mm": metrics.mpjpe(theirs, true, HIPS),
        "pa_mpjpe_mm": metrics.pa_mpjpe(pair.camera[seen], pair.true_camera[seen]),
        "mpjpe_camera_mm": metrics.mpjpe(pair.camera[seen], pair.true_camera[seen]),
        "mpjpe_world_mm": metrics.mpjpe(pair.joints[seen], pair.true_joints[seen]),
        "wa_mpjpe100_mm": metrics.wa_mpjpe100(pair.joints, pair.true_joints), "w_mpjpe100_mm": metrics.w_mpjpe100(pair.joints, pair.true_joints),
        "w_mpjpe100_rigid_mm": metrics.w_mpjpe100_rigid(pair.joints, pair.true_joints),
        "path_m": metrics.path_length(pair.true_joints[:, 0]),
        "root_error_mm": 1000.0 * metrics.root_error(pair.joints[:, 0], pair.true_joints[:, 0]),
        "rte_percent": metrics.rte(pair.joints[:, 0], pair.true_joints[:, 0]), "end_drift_percent": metrics.end_drift(pair.joints, pair.true_joints),
        "camera_distance_ratio": float(np.median(pair.camera[seen, 0, 2] / pair.true_camera[seen, 0, 2])),
        "jitter": metrics.jitter(pair.joints, fps), "true_jitter": metrics.jitter(pair.true_joints, fps),
        "acceleration_error": metrics.acceleration_error(pair.joints, pair.true_joints, fps),
        "foot_slide_mm": metrics.foot_slide(soles, pair.true_soles, fps),
        "true_foot_slide_mm": metrics.foot_slide(pair.true_soles, pair.true_soles, fps),
        "foot_joint_slide_mm": metrics.foot_slide(pair.joints[:, _FOOT_JOINTS], pair.true_joints[:, _FOOT_JOINTS], fps),
        "penetration_mm": metrics.penetration(soles),
        "floating_mm": metrics.floating(soles, pair.motion.contacts),
    }
    out["foot_skate_percent"], out["foot_skate_cm"] = metrics.foot_skate(soles)
    tilt = metrics.tilt(pair.motion.camera_R[:, :, 2].astype(np.float64), pair.truth.up[pair.rows])
    out["gravity_tilt_deg"], out["gravity_tilt_mean_deg"] = float(tilt[0]), float(tilt.mean())
    found_R, true_R = pair.motion.camera_R, pair.truth.camera_R[pair.rows]
    out["camera_rotation_step_deg"], out["camera_drift_deg"] = camera_rotation.step_error(found_R, true_R), camera_rotation.drift(found_R, true_R)
    out["reprojection_px"], out["reprojection_percent"] = _reprojection(pair, body)
    out |= hand_figures(pair.all_camera[seen], pair.true_all_camera[seen], pair.motion.camera_K, pair.truth.camera_K)
    for name, own, base in (
        ("pa_ratio", "pa_mpjpe12_mm", "detector_pa_mpjpe12_mm"), ("mpjpe_ratio", "mpjpe12_camera_mm", "detector_mpjpe12_camera_mm"),
        ("jitter_ratio", "jitter", "true_jitter"),
    ):
        out[name] = out[own] / out[base] if out[base] > 0 else np.nan
    return out


def _reprojection(pair: Compared, body: BodyModel) -> tuple[float, float]:
    points = body_points(body, torch.as_tensor(pair.motion.betas))
    world = points.positions(torch.as_tensor(pair.rotations, dtype=torch.float32), torch.as_tensor(pair.joints, dtype=torch.float32)).numpy()
    camera = np.einsum("tij,tkj->tki", pair.motion.camera_R, world) + pair.motion.camera_t[:, None]
    seen, used = pair.landmarks, points.landmarks
    return metrics.reprojection(metrics.project(camera, pair.motion.camera_K), seen.body[:, used], seen.body_confidence[:, used], seen.boxes)


def joint_figures(pair: Compared) -> list[dict]:
    """Per body joint: mean error, and mean offset (mm) from the true joint in camera axes and in the true body's own axes.

    Offsets are of pelvis-centred joints, camera axes (x right, y down, z away); body axes are those of
    the true pelvis, from the hips and the spine: x to the person's left, y up, z forward.
    """
    seen = pair.seen
    ours = pair.camera[seen] - pair.camera[seen, :1]
    true = pair.true_camera[seen] - pair.true_camera[seen, :1]
    difference = (ours - true) * 1000.0
    aligned = metrics.aligned_joint_errors(pair.camera[seen], pair.true_camera[seen])
    in_body = np.einsum("tij,tki->tkj", _pelvis_axes(true), difference)
    theirs = metrics.joint_errors(detector_joints(pair.landmarks)[seen], true[:, SMPLX_ROWS], HIPS).mean(0)
    detector = dict(zip(COMMON_JOINTS, theirs.tolist(), strict=True))
    return [
        {
            "joint": name, "error_mm": float(np.linalg.norm(difference[:, j], axis=-1).mean()), "aligned_error_mm": float(aligned[:, j].mean()),
            "detector_error_mm": detector.get(name),
            "camera_offset_mm": difference[:, j].mean(0).round(1).tolist(), "body_offset_mm": in_body[:, j].mean(0).round(1).tolist(),
        }
        for j, name in enumerate(BODY_JOINTS)
    ]


def _pelvis_axes(joints: np.ndarray) -> np.ndarray:
    """(N,3,3) columns: left, up, forward of the pelvis, from hips and first spine joint (N,22,3)."""
    left = joints[:, 1] - joints[:, 2]
    left /= np.linalg.norm(left, axis=-1, keepdims=True)
    up = joints[:, 3] - 0.5 * (joints[:, 1] + joints[:, 2])
    up -= (up * left).sum(-1, keepdims=True) * left
    up /= np.linalg.norm(up, axis=-1, keepdims=True)
    return np.stack([left, up, np.cross(left, up)], -1)
