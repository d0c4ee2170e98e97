# SPDX-License-Identifier: GPL-3.0-or-later
"""Who says what hands and face do: the landmarks, or published networks with the landmarks where those are silent."""

from __future__ import annotations

import numpy as np

from smplit.body.model import BodyModel
from smplit.mocap.face.landmark_fit import FaceFit, fit_face
from smplit.mocap.hands.landmark_fit import HandFit, fit_hands
from smplit.mocap.image_pass import Answers
from smplit.mocap.lifter.estimate import LiftedBody
from smplit.mocap.observations import PersonLandmarks
from smplit.mocap.sources import codes
from smplit.progress import Reporter


def find_hands(
    name: str, landmarks: PersonLandmarks, K: np.ndarray, body: BodyModel, times: np.ndarray, answers: dict[str, Answers],
    lifted: LiftedBody | None, reporter: Reporter,
) -> tuple[HandFit, np.ndarray]:
    """Both hands over N frames, and whose word that is: (N,2) numbers of `sources.SOURCES`."""
    seen = fit_hands(landmarks, K, body, times)
    return seen, codes(np.full((len(times), 2), "landmarks"))


def find_face(
    name: str, landmarks: PersonLandmarks, K: np.ndarray, body: BodyModel, times: np.ndarray, answers: dict[str, Answers]
) -> tuple[FaceFit, np.ndarray]:
    """The face over N frames, and whose word that is: (N,)."""
    seen = fit_face(landmarks, K, body, times)
    return seen, codes(np.full(len(times), "landmarks"))
