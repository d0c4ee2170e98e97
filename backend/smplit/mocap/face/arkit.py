# SPDX-License-Identifier: GPL-3.0-or-later
"""The 52 scores of MediaPipe's blend shape network (when the user has added it) as expression, jaw and gaze."""

from __future__ import annotations

import numpy as np

from smplit.mocap.face.expression import JAW_OPEN_ANGLE

# Order of the network's outputs (MediaPipe face_blendshapes_graph.cc; the first is no ARKit action).
SCORE_NAMES = (
    "_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff",
    "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight",
    "eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen", "jawRight",
    "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight", "mouthFunnel", "mouthLeft",
    "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight", "mouthPucker", "mouthRight",
    "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthSmileLeft", "mouthSmileRight",
    "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft", "mouthUpperUpRight", "noseSneerLeft", "noseSneerRight",
)
_GAZE_SIDEWAYS, _GAZE_UPRIGHT = np.radians(30.0), np.radians(25.0)  # turn of an eye at a score of 1
_RESTING_PERCENTILE = 5.0  # what a face shows all the time is its shape, not an expression


class ArkitScores:
    """Scores (N,52) 0..1 of one clip, less what the face scores at rest."""

    def __init__(self, scores: np.ndarray, seen: np.ndarray):
        """`seen` (N,) bool: rows that say what the face at rest scores."""
        scores = np.clip(np.nan_to_num(np.asarray(scores, np.float64)), 0.0, 1.0)
        rest = np.percentile(scores[seen], _RESTING_PERCENTILE, axis=0) if seen.any() else np.zeros(scores.shape[1])
        rest = np.minimum(rest, 0.5)
        is_gaze = np.array([name.startswith("eyeLook") for name in SCORE_NAMES])
        self._scores = np.where(is_gaze, scores, np.clip((scores - rest) / (1.0 - rest), 0.0, 1.0))

    def _get(self, name: str) -> np.ndarray:
        return self._scores[:, SCORE_NAMES.index(name)]

    def fill(self, expression: np.ndarray, names: tuple[str, ...]) -> None:
        """Overwrites the columns of `expression` (N,E) that have a score; jaw opening and gaze are the joints' work."""
        for column, name in enumerate(names):
            if name in SCORE_NAMES and name != "jawOpen" and not name.startswith("eyeLook"):
                expression[:, column] = self._get(name)
                if name == "mouthClose":  # it closes lips over an open jaw: alone it tears them
                    expression[:, column] = np.minimum(expression[:, column], self._get("jawOpen"))

    def jaw_opening(self) -> np.ndarray:
        """(N,) rad about the jaw's x axis."""
        return self._get("jawOpen") * JAW_OPEN_ANGLE

    def gaze(self) -> np.ndarray:
        """(N,2,3) rad axis-angle of the left and right eye joints: +x looks down, +y to the person's left."""
        eyes = np.zeros((len(self._scores), 2, 3))
        for side, (name, outwards) in enumerate((("Left", 1.0), ("Right", -1.0))):
            eyes[:, side, 0] = (self._get(f"eyeLookDown{name}") - self._get(f"eyeLookUp{name}")) * _GAZE_UPRIGHT
            eyes[:, side, 1] = (self._get(f"eyeLookOut{name}") - self._get(f"eyeLookIn{name}")) * outwards * _GAZE_SIDEWAYS
        return eyes
