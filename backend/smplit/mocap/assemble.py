# SPDX-License-Identifier: GPL-3.0-or-later
"""Body, hands and face of one person become one Motion."""

from __future__ import annotations

import numpy as np
import torch

from smplit.axes import axis_angle_from_matrix
from smplit.body.model import BodyModel
from smplit.mocap.face.landmark_fit import FaceFit
from smplit.mocap.fit.body_fit import BodyFit
from smplit.mocap.hands.landmark_fit import HandFit
from smplit.mocap.observations import PersonLandmarks
from smplit.mocap.world.placement import PlacedPerson
from smplit.motion import NUM_JOINTS, Motion


def assemble_motion(
    landmarks: PersonLandmarks, times: np.ndarray, fit: BodyFit, place: PlacedPerson, hands: HandFit | None,
    face: FaceFit | None, K: np.ndarray, body: BodyModel,
) -> Motion:
    """One person's Motion from the stages' outputs; T frames, all rows of `landmarks`.

    `hands` and `face` are None when those stages are switched off.
    """
    frames = len(landmarks)
    poses = np.zeros((frames, NUM_JOINTS, 3))
    poses[:, :22] = axis_angle_from_matrix(place.rotations)
    confidence = np.zeros((frames, NUM_JOINTS), np.float32)
    confidence[:, :22] = fit.confidence
    rest = body.rest_joints(torch.as_tensor(fit.betas)).numpy()
    if hands is not None:
        poses[:, 25:40], poses[:, 40:55] = hands.poses[:, 0], hands.poses[:, 1]
        confidence[:, 25:40], confidence[:, 40:55] = hands.confidence[:, :1], hands.confidence[:, 1:]
    expression, extras = None, {}
    if face is not None:
        poses[:, 22], poses[:, 23:25] = face.jaw, face.eyes
        confidence[:, 22:25] = face.confidence[:, None]
        expression = face.expression.astype(np.float32)
        if face.eyelids is not None:
            extras["smplit_eyelids"] = face.eyelids.astype(np.float32)
    steps = np.diff(times)
    return Motion(
        poses=poses.reshape(frames, -1).astype(np.float32),
        trans=(place.root - rest[0]).astype(np.float32),
        fps=float(1.0 / np.median(steps)) if len(steps) else 30.0,
        betas=fit.betas.astype(np.float32),
        expression=expression,
        expression_names=tuple(body.expression_names) if expression is not None else None,
        contacts=place.contacts.astype(np.float32),
        joint_confidence=confidence,
        valid=landmarks.seen.astype(bool),
        frame_times=times.astype(np.float64),
        camera_R=place.camera_R.astype(np.float32),
        camera_t=place.camera_t.astype(np.float32),
        camera_K=K.astype(np.float32),
        extras=extras,
    )
