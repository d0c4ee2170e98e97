# SPDX-License-Identifier: GPL-3.0-or-later
"""One person of one frame, as it is kept until the shot ends, and how rows become arrays."""

from __future__ import annotations

import numpy as np

from smplit.mocap.keypoints.blazepose import BodyLandmarks
from smplit.mocap.keypoints.extremities import Extremities
from smplit.mocap.keypoints.face_actions import ACTIONS
from smplit.mocap.observations import PersonLandmarks

_ROW = np.dtype([
    ("frame", "i8"), ("box", "f4", 4), ("body", "f4", (33, 2)), ("body_confidence", "f4", 33), ("body_world", "f4", (33, 3)),
    ("hands", "f4", (2, 21, 2)), ("hand_confidence", "f4", 2), ("hands_world", "f4", (2, 21, 3)),
    ("face", "f4", (468, 3)), ("face_confidence", "f4"), ("face_actions", "f4", len(ACTIONS)),
])


def row_of(index: int, box: np.ndarray, body: BodyLandmarks, found: Extremities) -> np.ndarray:
    """The row of a person in video frame `index`."""
    row = np.zeros((), _ROW)
    row["frame"], row["box"] = index, box
    row["body"], row["body_confidence"], row["body_world"] = body.pixels, body.confidence, body.world
    for side, hand in enumerate(found.hands):
        if hand is not None:
            row["hands"][side], row["hands_world"][side] = hand.pixels, hand.world
    row["hand_confidence"] = found.hand_confidence
    if found.face is not None:
        row["face"], row["face_confidence"] = found.face.points, found.face_confidence
    row["face_actions"] = np.nan if found.face is None or found.face.actions is None else found.face.actions
    return row


def dense(rows: list[np.ndarray]) -> PersonLandmarks:
    """Rows of the frames that show a person -> arrays over all frames from the first to the last; empties the list.

    Frames without the person keep zeros and zero confidence, and actions of no number; their boxes are interpolated.
    """
    frames = np.array([int(row["frame"]) for row in rows])
    first, count = int(frames[0]), int(frames[-1] - frames[0]) + 1
    arrays = {name: np.zeros((count, *_ROW[name].shape), np.float32) for name in _ROW.names if name != "frame"}
    for row, at in zip(rows, frames - first, strict=True):
        for name, values in arrays.items():
            values[at] = row[name]
    rows.clear()
    seen = np.zeros(count, bool)
    seen[frames - first] = True
    arrays["face_actions"][~seen] = np.nan
    everywhere = np.arange(count)
    for k in range(4):
        arrays["box"][:, k] = np.interp(everywhere, frames - first, arrays["box"][seen, k])
    return PersonLandmarks(person=0, first=first, seen=seen, boxes=arrays.pop("box"), **arrays)
