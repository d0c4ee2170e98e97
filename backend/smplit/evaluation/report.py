# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows for the tables of `smplit eval capture`. The camera's source stands beside every figure of the world."""

from __future__ import annotations

import numpy as np

# table heading: figure's name in report.json
_POSE = {
    "PA mm": "pa_mpjpe12_mm", "detector": "detector_pa_mpjpe12_mm", "ratio": "pa_ratio", "cam mm": "mpjpe12_camera_mm",
    "detector ": "detector_mpjpe12_camera_mm", "ratio ": "mpjpe_ratio", "PA22": "pa_mpjpe_mm", "cam22": "mpjpe_camera_mm", "px": "reprojection_px",
}
_WORLD = {
    "WA mm": "wa_mpjpe100_mm", "W mm": "w_mpjpe100_mm", "RTE %": "rte_percent", "drift %": "end_drift_percent", "tilt deg": "gravity_tilt_deg",
    "slide mm": "foot_slide_mm", "jitter x": "jitter_ratio", "accel": "acceleration_error", "pen mm": "penetration_mm", "float mm": "floating_mm",
}
_HANDS = {"finger px": "finger_px", "p90 px": "finger_p90_px", "finger mm": "finger_mm", "arm mm": "arm_mm", "in picture": "hands_in_picture"}
_CAMERA = {"px": "focal_px", "true px": "true_focal_px", "turn deg": "camera_rotation_step_deg", "drift deg": "camera_drift_deg"}
_SUMMED = (
    "pa_mpjpe12_mm", "detector_pa_mpjpe12_mm", "mpjpe12_camera_mm", "detector_mpjpe12_camera_mm", "pa_mpjpe_mm", "mpjpe_camera_mm",
    "wa_mpjpe100_mm", "w_mpjpe100_mm", "rte_percent", "gravity_tilt_deg", "camera_rotation_step_deg", "camera_drift_deg",
    "foot_slide_mm", "foot_joint_slide_mm", "jitter_ratio", "acceleration_error", "penetration_mm",
    "finger_px", "finger_mm", "arm_mm",
)
_RATIOS = {"pa_ratio": ("pa_mpjpe12_mm", "detector_pa_mpjpe12_mm"), "mpjpe_ratio": ("mpjpe12_camera_mm", "detector_mpjpe12_camera_mm")}


def tables(people: list[dict]) -> dict[str, list[dict]]:
    """`pose` (12 joints that the detector has too, then all 22), `world` and `hands`, one row per captured person; `camera`, one per clip."""
    pose, world, hands, filmed = [], [], [], {}
    for row in people:
        who = {"clip": row["clip"] + (f" p{row['person']}" if row["person"] > 1 else ""), "focal": row["focal"]}
        pose.append({**who, **{heading: row[name] for heading, name in _POSE.items()}})
        hands.append({**who, **{heading: row[name] for heading, name in _HANDS.items()}})
        camera = f"{row['true_camera']} seen as {row['estimated_camera']}"
        world.append({**who, "camera": camera, **{heading: row[name] for heading, name in _WORLD.items()}})
        filmed.setdefault((row["clip"], row["focal"]), {**who, "camera": camera, **{heading: row[name] for heading, name in _CAMERA.items()}})
    return {"pose": pose, "world": world, "hands": hands, "camera": list(filmed.values())}


def summarise(people: list[dict]) -> list[dict]:
    """Means over the captured persons: one row per figure, one column per focal setting; ratios are of those means."""
    columns = {focal: [row for row in people if row["focal"] == focal] for focal in dict.fromkeys(row["focal"] for row in people)}
    rows = [{"mean of": name, **{focal: _mean([row[name] for row in chosen]) for focal, chosen in columns.items()}} for name in _SUMMED]
    means = {row["mean of"]: row for row in rows}
    rows += [{"mean of": name, **{focal: means[own][focal] / means[base][focal] for focal in columns}} for name, (own, base) in _RATIOS.items()]
    return rows


def _mean(values: list[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
