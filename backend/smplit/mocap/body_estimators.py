# SPDX-License-Identifier: GPL-3.0-or-later
"""Who says what the body does before the fit: `--body`. All of them answer alike, so that the fit need not know whom it follows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from smplit.body.model import BodyModel
from smplit.mocap.lifter.estimate import BodyLifter, LiftedBody
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.options import CaptureOptions

BodyEstimator = Callable[[PersonLandmarks, CameraMotion, np.ndarray], LiftedBody]
# How far WHAM's joints are off across and along the view, m: published mean errors (Shin et al. 2024, table 1: PA-MPJPE 36 to 46 mm).
_WHAM_SPREAD = (0.035, 0.06)


def load_body_estimator(options: CaptureOptions, body: BodyModel) -> BodyEstimator | None:
    """`auto`: the lifter; `wham`: the published network, from its user's checkpoint; None for `landmarks`: the detector's own 3D will do.

    Raises:
        BadInput, MissingModel: weights that are not there or do not fit.
    """
    if options.body == "landmarks":
        return None
    if options.body == "wham":
        return _published_wham(options, body)
    return BodyLifter.load(body, device=str(body.device))


def _published_wham(options: CaptureOptions, body: BodyModel) -> BodyEstimator:
    from smplit.mocap.wham.estimate import WhamEstimator
    from smplit.mocap.wham.from_landmarks import coco_keypoints, start_of_landmarks

    estimator = WhamEstimator.load(device=str(body.device))
    rest = body.rest_joints().cpu()

    def estimate(landmarks: PersonLandmarks, camera: CameraMotion, times: np.ndarray) -> LiftedBody:
        size = tuple(int(side) for side in np.round(2.0 * camera.K[:2, 2]))  # our principal point is the middle
        start = start_of_landmarks(landmarks, camera, rest)
        found = estimator(coco_keypoints(landmarks), camera, times, size, start, mirror=options.flip_eval)
        spread = np.broadcast_to(np.array(_WHAM_SPREAD), (*found.rotations.shape[:2], 2))
        # Its shape is SMPL's and says nothing on our body.
        return LiftedBody(found.rotations, found.pelvis, np.zeros(10, np.float32), spread)

    return estimate
