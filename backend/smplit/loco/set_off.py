# SPDX-License-Identifier: GPL-3.0-or-later
"""From standing to walking: both bodies are known, the feet get from the one to the other by their first steps.

Each foot stays where it stands until the walking body swings it for the first time; through that swing it comes over to where the
walking body has it. Who stops does the same backwards in time: the last swing of each foot leads to where it will stand.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from smplit.loco.feet import Body
from smplit.loco.legs import SIDES, FootTrack, feet_of, on_their_feet
from smplit.mocap.runs import runs

_BLENDS = 16  # frames over which the body comes from how it stands to how it walks
_SHORTEST, _USUAL, _LONGEST = 7, 12, 16  # frames of a step
_UNNATURAL, _LATE = 2.0, 0.05  # what a step costs that is none of the walking body's own, and every frame until both are done
_BEHIND = 0.38  # m: farther behind or ahead of the pelvis no foot is left standing
_CLEAR = 0.04  # m that a first step is lifted at least


def set_off(
    stood: Body, feet: dict[str, FootTrack], walked: Body, stands: np.ndarray, rest: np.ndarray, fps: float, size: float
) -> Body:
    """K frames that begin as `stood` and end as `walked`.

    Args:
        stood: how it would stand all the time, carried along with the plan. feet: where the feet really stand, one frame.
        stands: (K,2) bool: which foot of the walking body stands.
        rest: (J,3) m, joints at rest. size: leg of the body by an ordinary one.
    """
    count = len(walked)
    far = [_left_behind(walked.pelvis, feet[side], _BEHIND * size) for side in SIDES]
    steps = first_steps(stands, far)
    share = eased(np.clip(np.arange(1, count + 1) / (_BLENDS + 1), 0, 1))
    rotations = _between(stood.rotations, walked.rotations, share)
    pelvis = stood.pelvis + share[:, None] * (walked.pelvis - stood.pelvis)
    own = feet_of(walked.rotations, walked.pelvis, dict(zip(SIDES, stands.T, strict=True)), rest)
    tracks, contacts = {}, walked.contacts.copy()
    for number, (side, (lift, land)) in enumerate(zip(SIDES, steps, strict=True)):
        tracks[side] = _from_stand(feet[side], own[side], lift, land)
        contacts[:lift, 2 * number : 2 * number + 2] = 1.0
        contacts[lift:land, 2 * number : 2 * number + 2] = 0.0
    return Body(*on_their_feet(rotations, pelvis, tracks, rest, fps), contacts)


def first_steps(stands: np.ndarray, far: list[int]) -> list[tuple[int, int]]:
    """For each foot the first frame in the air and the first one down again, one foot after the other.

    A foot comes down where the walking body's does, best when that ends a swing; sooner than it would be left behind; in a step
    that is neither hasty nor slow.

    Args:
        stands: (K,2) bool. far: for each foot, from which frame on it cannot stay where it is.
    """
    count = len(stands)
    landings = [_landings(stands[:, foot]) for foot in range(2)]
    best, steps = np.inf, [(max(count // 2 - 1, 0), count), (0, max(count // 2, 1))]
    for one, other in ((0, 1), (1, 0)):
        for land, lift, natural in landings[one]:
            cost, lift = _cost(lift, land, natural, 0, far[one])
            if cost + _LATE * land > best:
                continue
            for second_land, second_lift, second_natural in landings[other]:
                second_cost, second_lift = _cost(second_lift, second_land, second_natural, land, far[other])
                if (both := cost + second_cost + _LATE * second_land) < best:
                    best = both
                    steps[one], steps[other] = (lift, land), (second_lift, second_land)
    return steps


def _landings(stands: np.ndarray) -> list[tuple[int, int, bool]]:
    """Frames in which a foot could come down, from when on it would best be in the air, and whether it is so anyway."""
    found = []
    for first, last in runs(stands):
        lift = first
        while lift and not stands[lift - 1]:
            lift -= 1
        if first >= _SHORTEST:
            found.append((first, max(lift, first - _LONGEST), True))
        found += [(land, land - _USUAL, False) for land in range(max(first + 1, _SHORTEST), last, 2)]
    return found


def _cost(lift: int, land: int, natural: bool, free: int, far: int) -> tuple[float, int]:
    """How bad a step is, and when it begins; it cannot before `free`, and ought to before `far`."""
    lift = max(min(lift, far), free)
    lasts = land - lift
    if lasts < _SHORTEST:
        return np.inf, lift
    return ((lasts - _USUAL) / 4) ** 2 + _UNNATURAL * (not natural) + (max(lift - far, 0) / 3) ** 2, lift


def eased(share: np.ndarray) -> np.ndarray:
    """0..1 -> 0..1 without a jolt at either end."""
    return share * share * share * (10 - 15 * share + 6 * share * share)


def _left_behind(pelvis: np.ndarray, foot: FootTrack, reach: float) -> int:
    """From which frame on the pelvis (K,3) m is farther than `reach` m from a foot that stays."""
    far = np.flatnonzero(np.linalg.norm(pelvis[:, :2] - foot.ankle[0, :2], axis=1) > reach)
    return int(far[0]) if len(far) else len(pelvis)


def _from_stand(stood: FootTrack, walked: FootTrack, lift: int, land: int) -> FootTrack:
    """A foot that stands as `stood` (one frame) until `lift`, and is where it is `walked` (K frames) from `land` on."""
    share = np.clip((np.arange(len(walked.ankle)) - lift + 1) / (land - lift + 1), 0, 1)
    left = 1 - eased(share)
    before = max(lift - 1, 0)
    ankle = walked.ankle + left[:, None] * (stood.ankle - walked.ankle[before])
    off = Rotation.from_matrix(stood.rotation[0] @ walked.rotation[before].T).as_rotvec()
    rotation = Rotation.from_rotvec(left[:, None] * off).as_matrix() @ walked.rotation
    ankle[:lift], rotation[:lift] = stood.ankle, stood.rotation
    highest = float((ankle[lift:land, 2] - stood.ankle[0, 2]).max(initial=0.0))
    ankle[:, 2] += max(_CLEAR - highest, 0.0) * np.sin(np.pi * share) ** 2
    stands = walked.stands.copy()
    stands[:lift], stands[lift:land] = True, False
    return FootTrack(ankle, rotation, stands)


def _between(before: np.ndarray, after: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Rotations (K,22,3,3): `share` (K,) of the way from `before` to `after`."""
    turn = Rotation.from_matrix((np.swapaxes(before, -1, -2) @ after).reshape(-1, 3, 3)).as_rotvec()
    turn = Rotation.from_rotvec(turn * np.repeat(share, before.shape[1])[:, None]).as_matrix()
    return before @ turn.reshape(before.shape)
