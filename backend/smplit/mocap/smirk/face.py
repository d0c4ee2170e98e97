# SPDX-License-Identifier: GPL-3.0-or-later
"""SMIRK's answers over a clip become the face of the landmark fit, with SMIRK's say where it looked.

The head's place and direction stay the landmark fit's: SMIRK's camera is a crop's. On the real SMPL-X the 50 expressions are
copied (it has FLAME's basis; older files have its first ten), and so is the jaw. The eyelids, which SMPL-X cannot shut, go
along as two numbers. On a body with ARKit names they are the blinks, and `arkit` translates the rest.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from smplit.body.model import BodyModel
from smplit.mocap.face.expression import JAW_LIMITS, arkit_actions
from smplit.mocap.face.landmark_fit import EYE_CUTOFF, MOUTH_CUTOFF, FaceFit
from smplit.mocap.face.surface_cache import kept_surface
from smplit.mocap.gaps import smooth_at_ease
from smplit.mocap.smirk.arkit import ByShape, steadied

_TAKING_OVER = 0.2  # s: how long SMIRK takes to get the say where it begins, and to give it back
_LEAST_TRUST = 0.2  # in a frame that was looked at although the landmarks had lost the face


def face_with_smirk(
    answers: dict[str, np.ndarray], seen: FaceFit, times: np.ndarray, body: BodyModel, flame: str | Path | None = None
) -> tuple[FaceFit, np.ndarray]:
    """The landmark fit's face with SMIRK's expression, jaw and lids.

    Args:
        answers: `expression` (N,50), `eyelids` (N,2) and `jaw` (N,3) as in `network.SmirkFace`; NaN in frames that it did not look at.
        seen: the same N frames by the landmarks, for the same body.
        times: (N,) s.
        flame: FLAME or SMPL-X file that shows what FLAME's expressions look like; asked only for a body with ARKit names.

    Returns:
        The face, and SMIRK's say in every frame, (N,) 0..1: it is 0 in frames without an answer and grows from there
        within a fifth of a second, so that nothing jumps.

    Raises:
        BadInput: `flame` is no such file.
    """
    asked = np.all([np.isfinite(answers[name]).all(1) for name in ("expression", "eyelids", "jaw")], axis=0)
    say = _say(asked, times)
    trust = np.where(asked, np.maximum(seen.confidence, _LEAST_TRUST), 0.0)

    def curves(name: str, cutoff: float) -> np.ndarray:
        values = np.where(asked[:, None], np.nan_to_num(answers[name].astype(np.float64)), 0.0)
        return smooth_at_ease(values, trust, times, cutoff, np.zeros(values.shape[1]))

    flame_expression, jaw = curves("expression", MOUTH_CUTOFF), curves("jaw", MOUTH_CUTOFF)
    lids = np.clip(curves("eyelids", EYE_CUTOFF), 0.0, 1.0)
    jaw[:, 0] = np.clip(jaw[:, 0], 0.0, JAW_LIMITS[1])
    if arkit_actions(body.expression_names):
        expression = _actions(flame_expression, lids, jaw, seen, trust * say, body, flame)
    else:
        expression = np.zeros(seen.expression.shape)
        count = min(expression.shape[1], flame_expression.shape[1])
        expression[:, :count] = flame_expression[:, :count]

    def shared(by_smirk: np.ndarray, by_landmarks: np.ndarray) -> np.ndarray:
        return (by_landmarks + say[:, None] * (by_smirk - by_landmarks)).astype(np.float32)

    seen_lids = np.zeros_like(lids) if seen.eyelids is None else seen.eyelids
    face = replace(
        seen, expression=shared(expression, seen.expression), jaw=shared(jaw, seen.jaw), eyelids=shared(lids, seen_lids),
        confidence=np.maximum(seen.confidence, say * trust).astype(np.float32),
    )
    return face, say


def _actions(
    flame_expression: np.ndarray, lids: np.ndarray, jaw: np.ndarray, seen: FaceFit, trust: np.ndarray, body: BodyModel,
    flame: str | Path | None,
) -> np.ndarray:
    """(N,E) 0..1 in the body's names."""
    if flame is not None:
        actions = ByShape(flame, body, kept_surface(body)).actions(flame_expression)
    else:
        told = np.concatenate([flame_expression, lids, jaw], axis=1)
        actions = steadied(told, seen.expression.astype(np.float64), trust)
    for side, name in enumerate(("eyeBlinkLeft", "eyeBlinkRight")):
        actions[:, body.expression_names.index(name)] = lids[:, side]
    return np.clip(actions, 0.0, 1.0)


def _say(asked: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(N,) bool -> (N,) 0..1: rises from 0 at the last frame without an answer, smoothly."""
    silent = times[~asked]
    if len(silent) == 0:
        return np.ones(len(times))
    after = np.searchsorted(silent, times)
    away = np.minimum(
        np.where(after < len(silent), silent[np.minimum(after, len(silent) - 1)] - times, np.inf),
        np.where(after > 0, times - silent[np.maximum(after - 1, 0)], np.inf),
    )
    grown = np.clip(away / _TAKING_OVER, 0.0, 1.0)
    return np.where(asked, grown**2 * (3.0 - 2.0 * grown), 0.0)
