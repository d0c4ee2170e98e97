# SPDX-License-Identifier: GPL-3.0-or-later
"""The word of the network of actions (`keypoints.face_actions`) beside what the mesh shows, in faces that are clear enough for it.

It learned from people what the mesh cannot tell: a grin over shut teeth from an open jaw, a single brow, a funnel of the lips. The
mesh, fitted in this person's own head and to this body, knows how far things moved. Both err, and differently: on 24 rendered
faces with known curves their mean follows brows, wide eyes, squints and funnels better than either (inner brow 0.70 against 0.57 by
the mesh, brows down 0.78 against 0.73), jaws and upper lips a little worse than the mesh (0.95 against 0.96), and opens the jaws of
grins less. Renders, whose mouths have no teeth, are easy for the mesh; on a film of a real face the jaw is where the mean gains most.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from smplit.mocap.keypoints.face import sharpness
from smplit.mocap.keypoints.face_actions import ACTIONS

_SAY = 0.75  # its part of the mean
# Lids are measured against how far this person's open; of a grin's lower lip it knows little; the others it never moves.
_NO_SAY = ("eyeBlink", "mouthLowerDown", "cheekSquint", "noseSneer", "jaw")
# It calls the shape of somebody's eyes and brows a squint or a frown: what they never fall short of is taken off.
_SHAPED, _AT_REST, _MOST_SHAPE = ("eyeSquint", "brow"), 10.0, 0.3
_ASIDE, _FACING = 0.70, 0.87  # cosine of the face's turn from the camera: up to here (45 degrees) it is not heard, from here (30) fully
# rad: how far a jaw goes for a jawOpen of 1. Rendered mouths say 0.33; real ones, which it calls all but shut while they laugh, more.
_JAW, _LEAST_JAW, _MOST_JAW = 0.33, 0.2, 1.2
_ENOUGH = 0.02  # jawOpen, root mean square, from which a clip says by itself how far this person's goes


@dataclass(frozen=True)
class Told:
    """`expression` (N,E) 0..1 and `jaw` (N,1) rad; and their weights against the mesh's, `say` (N,E) and `jaw_say` (N,1) 0..1."""

    expression: np.ndarray
    jaw: np.ndarray
    say: np.ndarray
    jaw_say: np.ndarray


def how_much_is_heard(actions: np.ndarray, span: np.ndarray, rotations: np.ndarray) -> np.ndarray:
    """(N,) 0..1: how much of the network's word counts in a frame.

    Args:
        actions: (N,51) as in `PersonLandmarks.face_actions`, NaN where nothing was asked.
        span: (N,) px between the outer eye corners; rotations: (N,3,3) of the head to the picture's axes.
    """
    facing = np.clip((-rotations[:, 2, 2] - _ASIDE) / (_FACING - _ASIDE), 0.0, 1.0)
    return np.isfinite(actions).all(1) * sharpness(span) * facing


def jaw_angle(opening: np.ndarray, seen: np.ndarray, trust: np.ndarray) -> np.ndarray:
    """jawOpen (N,) 0..1 -> (N,) rad: when and by which share a jaw opens is the network's word, how far this person's goes over
    the clip the mesh's, which says `seen` (N,) rad with `trust` (N,) 0..1."""
    mean_square = lambda values: float((trust * values**2).sum() / max(trust.sum(), 1e-9))
    reach = np.sqrt((mean_square(np.maximum(seen, 0.0)) + (_ENOUGH * _JAW) ** 2) / (mean_square(opening) + _ENOUGH**2))
    return np.clip(reach, _LEAST_JAW, _MOST_JAW) * opening


def told_actions(
    actions: np.ndarray, heard: np.ndarray, names: tuple[str, ...], columns: list[int], jaw: np.ndarray, trust: np.ndarray
) -> Told:
    """What the network says, in a body's own order.

    Args:
        actions: (N,51) as in `PersonLandmarks.face_actions`; heard: (N,) of `how_much_is_heard`.
        names: (E,) the body's expressions; columns: those that are told of at all.
        jaw: (N,) rad by the mesh, and how sure it is of it: trust (N,) 0..1.
    """
    known = np.nan_to_num(np.asarray(actions, np.float64))
    expression, say = (np.zeros((len(known), len(names))) for _ in range(2))
    for column in columns:
        name = names[column]
        if name in ACTIONS and not name.startswith(_NO_SAY):
            curve = known[:, ACTIONS.index(name)]
            expression[:, column], say[:, column] = _from_rest(curve, heard) if name.startswith(_SHAPED) else curve, _SAY * heard
    angle = jaw_angle(known[:, ACTIONS.index("jawOpen")], jaw, trust * heard)
    return Told(expression, angle[:, None], say, _SAY * heard[:, None])


def _from_rest(curve: np.ndarray, heard: np.ndarray) -> np.ndarray:
    """(N,) 0..1 -> the same from the person's face at rest on."""
    if not (heard > 0.5).any():
        return curve
    rest = min(np.percentile(curve[heard > 0.5], _AT_REST), _MOST_SHAPE)
    return np.maximum(curve - rest, 0.0) / (1.0 - rest)
