# SPDX-License-Identifier: GPL-3.0-or-later
"""Who says what the body does before the fit. All of them answer alike, so that the fit need not know whom it follows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from smplit.body.model import BodyModel
from smplit.mocap.image_pass import Looked
from smplit.mocap.lifter.estimate import BodyLifter, LiftedBody
from smplit.mocap.observations import CameraMotion, PersonLandmarks

BodyEstimator = Callable[[PersonLandmarks, CameraMotion, np.ndarray, dict[str, Looked]], LiftedBody]
# How far WHAM's joints are off across and along the view, m: published mean errors (Shin et al. 2024, table 1: PA-MPJPE 36 to 46 mm).
_WHAM_SPREAD = (0.035, 0.06)


def load_body_estimator(name: str, body: BodyModel, mirror: bool = False) -> BodyEstimator | None:
    """`estimate(landmarks, camera, times, looked)` -> `LiftedBody`.

    Args:
        name: "lifter", "wham" or "hmr2", of `estimators.Estimators`; "landmarks" needs none: the detector's own 3D will do.
        mirror: WHAM looks at the mirrored video too.

    Raises:
        BadInput, MissingModel: weights that are not there or do not fit.
    """
    if name == "landmarks":
        return None
    if name == "wham":
        return _published_wham(body, mirror)
    if name == "hmr2":
        return _published_hmr2(body)
    lifter = BodyLifter.load(body, device=str(body.device))
    return lambda landmarks, camera, times, looked: lifter(landmarks, camera, times)


def _published_wham(body: BodyModel, mirror: bool) -> BodyEstimator:
    from smplit.mocap.hmr2.look import FEATURES
    from smplit.mocap.wham.estimate import WhamEstimator
    from smplit.mocap.wham.from_images import images_of, start_of_images
    from smplit.mocap.wham.from_landmarks import coco_keypoints, start_of_landmarks

    estimator = WhamEstimator.load(device=str(body.device))
    rest = body.rest_joints().cpu()

    def estimate(landmarks: PersonLandmarks, camera: CameraMotion, times: np.ndarray, looked: dict[str, Looked]) -> LiftedBody:
        size = tuple(int(side) for side in np.round(2.0 * camera.K[:2, 2]))  # our principal point is the middle
        told = looked[FEATURES].answers if FEATURES in looked else {}
        start = start_of_images(told, camera) if told else start_of_landmarks(landmarks, camera, rest)
        images = images_of(told, camera) if told else None
        found = estimator(coco_keypoints(landmarks), camera, times, size, start, images, mirror=mirror)
        spread = np.tile(np.array(_WHAM_SPREAD), (*found.rotations.shape[:2], 1))
        # Its shape is SMPL's and says nothing on our body.
        return LiftedBody(found.rotations, found.pelvis, np.zeros(10, np.float32), spread)

    return estimate


def _published_hmr2(body: BodyModel) -> BodyEstimator:
    from smplit.mocap.hmr2.look import BODY, output_of
    from smplit.mocap.hmr2.steady import steady_body

    def estimate(landmarks: PersonLandmarks, camera: CameraMotion, times: np.ndarray, looked: dict[str, Looked]) -> LiftedBody:
        return steady_body(output_of(looked[BODY]), looked[BODY].plan, landmarks, camera, times, body)

    return estimate
