# SPDX-License-Identifier: GPL-3.0-or-later
"""Who says what hands and face do: the landmarks, or published networks with the landmarks where those are silent.

Both answer with the fit and with whose word it is, in numbers of `sources.SOURCES`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from smplit.body.model import BodyModel
from smplit.mocap.face.landmark_fit import FaceFit, fit_face
from smplit.mocap.hands.landmark_fit import HandFit, fit_hands
from smplit.mocap.image_pass import Looked
from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.sources import codes
from smplit.models import find, there
from smplit.progress import Reporter

# (landmarks, camera, times, what networks say, everybody in the shot) -> hands and (N,2) sources.
HandEstimator = Callable[[PersonLandmarks, CameraMotion, np.ndarray, dict[str, Looked], Sequence[PersonLandmarks]], tuple[HandFit, np.ndarray]]
# (landmarks, camera, times, what networks say) -> face and (N,) sources.
FaceEstimator = Callable[[PersonLandmarks, CameraMotion, np.ndarray, dict[str, Looked]], tuple[FaceFit, np.ndarray]]


def load_hand_estimator(name: str, body: BodyModel, reporter: Reporter) -> HandEstimator | None:
    """`name`: "landmarks", "acr", or "none" for no hands; `reporter` is told what a user should know of it."""
    if name == "none":
        return None
    if name == "acr":
        return _published_acr(body, reporter)

    def estimate(landmarks, camera, times, looked, everybody) -> tuple[HandFit, np.ndarray]:
        return fit_hands(landmarks, camera.K, body, times), codes(np.full((len(times), 2), "landmarks"))

    return estimate


def _published_acr(body: BodyModel, reporter: Reporter) -> HandEstimator:
    from smplit.mocap.acr.flat_hand import mean_hands
    from smplit.mocap.acr.look import AcrLook
    from smplit.mocap.acr.merge import HandSource, merge_hands
    from smplit.mocap.acr.to_smplx import hands_of_answers

    means, doubt = mean_hands(body)
    if doubt:
        reporter.warn(doubt)
    names = np.array([{HandSource.NONE: "rest", HandSource.LANDMARKS: "landmarks", HandSource.ACR: "acr"}[source] for source in HandSource])

    def estimate(landmarks, camera, times, looked, everybody) -> tuple[HandFit, np.ndarray]:
        seen = fit_hands(landmarks, camera.K, body, times)
        told = looked.get(AcrLook.name)
        if told is None or not told.answers:
            return seen, codes(np.full((len(times), 2), "landmarks"))
        own = hands_of_answers(told.answers, told.plan, landmarks, camera, times, body, means, everybody, seen)
        merged, source = merge_hands(own, seen, times)
        return merged, codes(names[source])

    return estimate


def load_face_estimator(name: str, body: BodyModel) -> FaceEstimator | None:
    """`name`: "landmarks", "smirk", or "none" for no face."""
    if name == "none":
        return None
    if name == "smirk":
        return _published_smirk(body)

    def estimate(landmarks, camera, times, looked) -> tuple[FaceFit, np.ndarray]:
        face = fit_face(landmarks, camera.K, body, times)
        return face, _told_or_seen(face)

    return estimate


def _told_or_seen(face: FaceFit) -> np.ndarray:
    """(N,) sources: the network of actions where more than half of its word counts."""
    told = np.zeros(len(face.jaw)) if face.told is None else face.told
    return codes(np.where(told > 0.5, "actions", "landmarks"))


def _published_smirk(body: BodyModel) -> FaceEstimator:
    from smplit.mocap.smirk.face import face_with_smirk
    from smplit.mocap.smirk.look import SmirkLook

    flame = find("flame") if there("flame") else None

    def estimate(landmarks, camera, times, looked) -> tuple[FaceFit, np.ndarray]:
        seen = fit_face(landmarks, camera.K, body, times)
        told = looked.get(SmirkLook.name)
        if told is None or not told.answers:
            return seen, _told_or_seen(seen)
        face, say = face_with_smirk({name: values[:, 0] for name, values in told.answers.items()}, seen, times, body, flame)
        return face, np.where(say > 0.5, codes("smirk"), _told_or_seen(seen))

    return estimate
