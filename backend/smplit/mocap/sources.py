# SPDX-License-Identifier: GPL-3.0-or-later
"""Who says what: the source of every limb in every frame, and how sure it is. Kept in the motion file, so that a doubtful
wrist can be traced to its network, and other tools can weigh limbs.
"""

from __future__ import annotations

import numpy as np

from smplit.motion import JOINT_NAMES

# "rest": nothing was seen for long, the limb is at ease. "bridged": between frames that show it. Others: who was asked;
# "actions" is the network of a face's actions together with the landmarks.
SOURCES = ("rest", "bridged", "landmarks", "lifter", "wham", "hmr2", "acr", "smirk", "smplifyx", "actions")
_REST, _BRIDGED = 0, 1
_LEGS = ("hip", "knee", "ankle", "foot")
_ARMS = ("collar", "shoulder", "elbow", "wrist")


def _of_side(side: str, names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{side}_{name}" for name in names)


def _hand(side: str) -> tuple[str, ...]:
    return tuple(name for name in JOINT_NAMES[25:] if name.startswith(side))


_JOINTS = {
    "torso": ("pelvis", "spine1", "spine2", "spine3"), "head": ("neck", "head"),
    "left_arm": _of_side("left", _ARMS), "right_arm": _of_side("right", _ARMS),
    "left_leg": _of_side("left", _LEGS), "right_leg": _of_side("right", _LEGS),
    "left_hand": _hand("left"), "right_hand": _hand("right"), "face": JOINT_NAMES[22:25],
}
LIMBS = tuple(_JOINTS)
_UNSEEN = 0.02  # mean confidence of a limb's joints below which a frame does not show it
_BRIDGED_SECONDS = 1.0  # a gap up to this long is bridged from both ends


def codes(names: np.ndarray | list[str]) -> np.ndarray:
    """Names of `SOURCES` -> their numbers, uint8, same shape."""
    names = np.asarray(names)
    found = np.full(names.shape, 255, np.uint8)
    for number, name in enumerate(SOURCES):
        found[names == name] = number
    if (found == 255).any():
        raise ValueError(f"no source is called {names[found == 255].flat[0]!r}")
    return found


def limb_sources(
    joint_confidence: np.ndarray, times: np.ndarray, body: str, legs_seen: bool, hands: np.ndarray | None, face: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Entries for a motion file.

    Args:
        joint_confidence: (T,55) 0..1; times: (T,) s.
        body: who the body is from.
        legs_seen: False where no frame shows the legs, which are then at rest.
        hands: (T,2) numbers of `SOURCES`, left and right, or None for hands that were not looked for; face: (T,) likewise.

    Returns:
        `smplit_limbs` (9,) names; `smplit_source_names` names; `smplit_sources` (T,9) uint8, numbers among them;
        `smplit_limb_confidence` (T,9) 0..1.
    """
    confidence = np.stack([joint_confidence[:, [JOINT_NAMES.index(j) for j in joints]].mean(1) for joints in _JOINTS.values()], 1)
    told = np.full(confidence.shape, codes([body])[0], np.uint8)
    limb = LIMBS.index
    if not legs_seen:
        told[:, [limb("left_leg"), limb("right_leg")]] = _REST
    told[:, [limb("left_hand"), limb("right_hand")]] = _REST if hands is None else hands
    told[:, limb("face")] = _REST if face is None else face
    for column in range(len(LIMBS)):
        told[:, column] = _unseen_named(told[:, column], confidence[:, column], times)
    return {
        "smplit_limbs": np.array(LIMBS), "smplit_source_names": np.array(SOURCES), "smplit_sources": told,
        "smplit_limb_confidence": confidence.astype(np.float32),
    }


def _unseen_named(told: np.ndarray, confidence: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Frames that do not show the limb are bridged, or at rest in the middle of a long gap and at a clip's ends."""
    seen = confidence >= _UNSEEN
    if seen.all() or not seen.any():
        return told if seen.all() else np.full_like(told, _REST)
    rows = np.flatnonzero(seen)
    after = np.searchsorted(rows, np.arange(len(told)))
    inside = (after > 0) & (after < len(rows))
    gap = np.full(len(told), np.inf)
    gap[inside] = times[rows[after[inside]]] - times[rows[after[inside] - 1]]
    return np.where(seen, told, np.where(gap <= _BRIDGED_SECONDS, _BRIDGED, _REST)).astype(np.uint8)
