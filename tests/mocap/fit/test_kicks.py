# SPDX-License-Identifier: GPL-3.0-or-later
"""Which missed landmarks are taken for a kick, and which for a detector's mistake."""

import dataclasses

import numpy as np
import pytest
import torch

from smplit.mocap.fit import kicks
from smplit.mocap.observations import PersonLandmarks
from smplit.mocap.shot import _alone

FPS, FRAMES = 30.0, 40
NAMES = ("left_hip", "left_knee", "left_ankle", "left_wrist")
TIMES = torch.arange(FRAMES) / FPS
KICK = np.exp(-(((np.arange(FRAMES) / FPS - 0.65) / 0.12) ** 2))  # 1 m out and back, 7 m/s


def missed(path, off=20.0, off_other=20.0, weight=1.0, alone=True, times=TIMES):
    """Frames in which the ankle is taken for kicking; `path` (T,) m, all landmarks go along it."""
    full = lambda value: torch.full((len(times), len(NAMES)), float(value))
    places = torch.zeros(len(times), len(NAMES), 2)
    places[..., 0] = torch.as_tensor(path, dtype=torch.float32)[:, None]
    found = kicks.misses(full(off), full(off_other), places, full(weight), times, torch.full((len(times),), alone), NAMES)
    assert not found[:, [0, 3]].any(), "legs only"
    assert set(found.unique().tolist()) <= {0.0, off}
    return np.flatnonzero(found[:, 2].numpy())


def test_a_kick_is_one_from_its_rise_to_its_fall():
    assert missed(KICK).tolist() == pytest.approx(list(range(missed(KICK)[0], missed(KICK)[-1] + 1)))
    assert missed(KICK)[0] <= 16 and missed(KICK)[-1] >= 23  # 0.65 s is between 19 and 20


@pytest.mark.parametrize(
    "mistake",
    [
        {"path": 0.1 * KICK},  # slow
        {"path": np.where(np.arange(FRAMES) == 20, 1.0, 0.0)},  # one frame elsewhere
        {"path": np.where(np.arange(FRAMES) // 8 % 2, 0.8, 0.0)},  # there and back again
        {"path": KICK, "off": 4.0},  # hardly missed
        {"path": KICK, "off_other": 3.0},  # it lies on the other leg
        {"path": KICK, "weight": 0.4},  # half guessed
        {"path": KICK, "alone": False},
        {"path": KICK[::8], "times": TIMES[::8]},  # at 4 fps nobody can tell
    ],
    ids=["slow", "leap", "swaps", "near", "other leg", "guessed", "crowd", "4 fps"],
)
def test_other_misses_are_none(mistake):
    assert len(missed(**mistake)) == 0


def test_limits_are_wide_at_first_and_then_as_ever():
    off = torch.tensor([[0.0, 40.0]])
    assert kicks.limits(off, kicks.LOOK, 4.0).tolist() == [[4.0, 80.0]]
    assert kicks.limits(off, kicks.CLOSED, 4.0).tolist() == [[4.0, 4.0]]
    middle = kicks.limits(off, 0.5 * (kicks.LOOK + kicks.CLOSED), 4.0)
    assert middle[0, 0] == 4.0 and middle[0, 1] == pytest.approx(42.0)


def person(number, first, lefts):
    count, zeros = len(lefts), np.zeros
    boxes = np.array([[x, 0, x + 50, 100] for x in lefts], float)
    known = {field.name: zeros(count) for field in dataclasses.fields(PersonLandmarks)}
    return PersonLandmarks(**known | {"person": number, "first": first, "boxes": boxes})


def test_somebody_is_alone_until_half_a_second_before_and_after_a_meeting():
    walks, waits = person(1, 0, range(0, 400, 4)), person(2, 10, [200] * 90)
    alone = _alone(walks, [walks, waits], np.arange(100) / FPS)
    # The walker's box reaches the other's from frame 38 (x = 152 .. 202) to 62 (x = 248).
    assert np.flatnonzero(~alone).tolist() == list(range(38 - 15, 62 + 15 + 1))
    assert _alone(walks, [walks], np.arange(100) / FPS).all()
