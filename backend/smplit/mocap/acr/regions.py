# SPDX-License-Identifier: GPL-3.0-or-later
"""Where to look at a person's hands: squares in which a hand is about as large as in the pictures that ACR was trained on.

There a hand takes between an eighth and a half of the picture; in a shot of a whole body it takes a fiftieth. Hands that are
close together share a square, so that the network sees which is which and what they do with each other, at half the price;
hands that are far apart get one each. Squares follow slowly and keep their size: what a network says changes with its crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from smplit.mocap.observations import CameraMotion, PersonLandmarks
from smplit.mocap.smoothing import smooth_curves

HAND = 0.19  # m from the wrist to the middle finger's tip of an adult
_WRISTS, _KNUCKLES = (15, 16), ((17, 19), (18, 20))  # BlazePose; the knuckles of little and index finger
# Bones of an adult, m: BlazePose's trunk, arms and legs, MediaPipe's hand.
_BONES = {(11, 12): 0.36, (11, 23): 0.48, (12, 24): 0.48, (11, 13): 0.28, (12, 14): 0.28, (13, 15): 0.25, (14, 16): 0.25,
          (23, 25): 0.42, (24, 26): 0.42, (25, 27): 0.42, (26, 28): 0.42}
_HAND_BONES = {(0, 9): 0.095, (5, 17): 0.065, (0, 12): HAND}
_LEAST = 0.3  # confidence of a landmark that counts
_BODY_SAY = 0.25  # of the body's landmarks of a hand against the hand's own
_PLACE_CUTOFF, _SIZE_CUTOFF, _APART_CUTOFF = 2.0, 0.5, 1.0  # Hz
_BRIDGED = 0.25  # s before and after a hand is seen in which it is looked for, too
# All in hand lengths:
_ALONE = 2.8  # side of one hand's square
_MARGIN = 1.0  # between a hand's middle and the edge of a square for both
_JOIN, _PART = 5.0, 5.8  # sides of a square for both: shared below, given up above
_STRAY = 0.5  # from the smoothed place to a hand that moves fast
_SMALLEST = 64  # px side; less is blur
_LARGEST_RATIO = 2.5  # of a hand's own scale to the body's


@dataclass
class HandSquares:
    """One person's hands through N frames; side 0 is the LEFT.

    `squares` (N,2,3) left, top and side px, whole numbers, side 0 where there is nothing to look for, and the same for both
    hands where they share it; `wrists` (N,2,2) px and `lengths` (N,2) px of the hands as the landmarks have them, NaN there.
    """

    squares: np.ndarray
    wrists: np.ndarray
    lengths: np.ndarray

    def shared(self, row: int) -> bool:
        """Whether both hands of a frame are in one square."""
        return bool(self.squares[row, 0, 2] > 0 and np.array_equal(self.squares[row, 0], self.squares[row, 1]))


def hand_squares(landmarks: PersonLandmarks, times: np.ndarray, size: Sequence[int]) -> HandSquares | None:
    """The squares of all frames; None where no frame shows anything of the arms.

    Args:
        times: (N,) s.
        size: width and height of the picture, px. Squares stay within it where they fit, and are never larger than all of it.
    """
    middles, wrists, weight = _sighted(landmarks, np.asarray(size, np.float64))
    lengths = _hand_lengths(landmarks, times)
    if lengths is None or not (weight > 0).any():
        return None
    wanted = np.stack([_near_seen(weight[:, side] > 0, times) for side in (0, 1)], 1)
    middles = _followed(middles, weight, times, _STRAY * lengths)
    wrists = _followed(wrists, weight, times, np.zeros_like(lengths))
    both = wanted.all(1)
    needed, shared_middle, hand = _for_both(middles, lengths)
    both &= _kept_together(needed / hand, both, times)
    sides = np.where(both[:, None], needed[:, None], _ALONE * lengths)
    middles = np.where(both[:, None, None], shared_middle[:, None], middles)
    squares = _within(middles, sides, size)
    squares[~wanted] = 0
    return HandSquares(squares, np.where(wanted[..., None], wrists, np.nan), np.where(wanted, lengths, np.nan))


def picture_size(camera: CameraMotion) -> tuple[int, int]:
    """Width and height, px."""
    width, height = camera.size or np.round(2.0 * camera.K[:2, 2])
    return int(width), int(height)


def _sighted(landmarks: PersonLandmarks, size: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middles and wrists of the hands (N,2,2) px and how sure they are (N,2), 0 where there is none within the picture."""
    own = np.nan_to_num(np.asarray(landmarks.hand_confidence, np.float64))
    body = np.nan_to_num(np.asarray(landmarks.body_confidence, np.float64))[:, list(_WRISTS)]
    own, body = (np.where(values >= _LEAST, values, 0.0) for values in (own, body))
    hands, pixels = np.nan_to_num(landmarks.hands.astype(np.float64)), np.nan_to_num(landmarks.body.astype(np.float64))
    say = np.stack([own**2, _BODY_SAY * (body * (1.0 - own)) ** 2])  # (2,N,2)
    share = (say / np.maximum(say.sum(0), 1e-12))[..., None]
    middles = share[0] * hands.mean(2) + share[1] * np.stack([pixels[:, list(pair)].mean(1) for pair in _KNUCKLES], 1)
    wrists = share[0] * hands[:, :, 0] + share[1] * pixels[:, list(_WRISTS)]
    inside = ((middles >= 0) & (middles <= size)).all(-1)
    return middles, wrists, np.where(inside, np.maximum(own, np.sqrt(_BODY_SAY) * body), 0.0)


def _hand_lengths(landmarks: PersonLandmarks, times: np.ndarray) -> np.ndarray | None:
    """(N,2) px, steady over time; None where nothing can be measured."""
    hands, hand_trust = _scales(landmarks.hands, np.repeat(np.asarray(landmarks.hand_confidence)[..., None], 21, -1), _HAND_BONES)
    body, body_trust = (values[:, None] for values in _scales(landmarks.body, landmarks.body_confidence, _BONES))
    # Bones only shorten when they point at the camera: the longest tells, and a hand is as near as the body, or nearer.
    scale = np.where(body_trust > 0, np.clip(hands, body, body * _LARGEST_RATIO), hands)
    trust = np.maximum(hand_trust, body_trust)  # (N,2)
    measured = (trust > 0).any(0)
    if not measured.any():
        return None
    source = np.where(measured, [0, 1], [1, 0])  # a hand that is never measured is as large as the other
    steady = [smooth_curves(np.log(scale[:, [side]]), trust[:, side], times, _SIZE_CUTOFF)[:, 0] for side in source]
    return HAND * np.exp(np.stack(steady, 1))


def _scales(pixels: np.ndarray, confidence: np.ndarray, bones: dict[tuple[int, int], float]) -> tuple[np.ndarray, np.ndarray]:
    """(...,P,2) px, (...,P) -> (...) px/m by the bone that is seen longest, and how sure it is: 0 where nothing is seen."""
    pixels, confidence = np.nan_to_num(pixels.astype(np.float64)), np.nan_to_num(np.asarray(confidence, np.float64))
    first, last = np.array(list(bones)).T
    scale = np.linalg.norm(pixels[..., first, :] - pixels[..., last, :], axis=-1) / np.array(list(bones.values()))
    trust = np.minimum(confidence[..., first], confidence[..., last])
    counted = (trust >= _LEAST) & (scale > 1.0)
    return np.where(counted, scale, 1.0).max(-1), np.where(counted, trust, 0.0).max(-1)


def _near_seen(seen: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(N,) bool: seen, or a moment before or after it."""
    rows = np.flatnonzero(seen)
    if len(rows) == 0:
        return seen
    nearest = np.clip(np.searchsorted(times[rows], times), 1, max(len(rows) - 1, 1))
    around = np.stack([times[rows[np.minimum(nearest - 1, len(rows) - 1)]], times[rows[np.minimum(nearest, len(rows) - 1)]]])
    return np.abs(around - times).min(0) <= _BRIDGED


def _followed(places: np.ndarray, weight: np.ndarray, times: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """(N,2,2) px of both hands smoothed, and through gaps; where a hand is seen, no further from it than `reach` (N,2) px."""
    seen = weight > 0
    smooth = np.stack([smooth_curves(places[:, side], weight[:, side], times, _PLACE_CUTOFF) for side in (0, 1)], 1)
    stray, reach = np.where(seen[..., None], places - smooth, 0.0), reach[..., None]
    return smooth + stray - np.clip(stray, -reach, reach)


def _for_both(middles: np.ndarray, lengths: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Side (N,) px and middle (N,2) px of a square for both hands, and the smaller hand's length (N,) px."""
    larger = lengths.max(1)
    side = np.maximum(np.abs(middles[:, 0] - middles[:, 1]).max(1) + 2.0 * _MARGIN * larger, _ALONE * larger)
    return side, middles.mean(1), lengths.min(1)


def _kept_together(ratio: np.ndarray, both: np.ndarray, times: np.ndarray) -> np.ndarray:
    """(N,) bool: whether a square for both is small enough; near the limit it stays as it was."""
    calm = smooth_curves(np.where(both, np.minimum(ratio, 2.0 * _PART), 0.0)[:, None], both.astype(float), times, _APART_CUTOFF)[:, 0]
    together, state = np.zeros(len(ratio), bool), bool(calm[both][0] <= 0.5 * (_JOIN + _PART)) if both.any() else False
    for row in np.flatnonzero(both):
        state = calm[row] <= (_PART if state else _JOIN)
        together[row] = state
    return together


def _within(middles: np.ndarray, sides: np.ndarray, size: Sequence[int]) -> np.ndarray:
    """(N,2,2) px, (N,2) px -> (N,2,3) whole px: moved into the picture along each side of it that is long enough."""
    sides = np.round(np.clip(sides, _SMALLEST, max(size)))
    picture = np.asarray(size, np.float64)
    corners = middles - sides[..., None] / 2.0
    spare = picture - sides[..., None]
    corners = np.where(spare >= 0, np.clip(corners, 0.0, np.maximum(spare, 0.0)), spare / 2.0)
    return np.concatenate([np.floor(corners), sides[..., None]], -1).astype(np.int64)
