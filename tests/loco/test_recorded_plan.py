# SPDX-License-Identifier: GPL-3.0-or-later
"""The plan behind a recorded walk. Oracle: paths known on paper, to which a stride's sway is added."""

import numpy as np
import pytest

from smplit.loco.recorded_plan import recorded_plan

FPS = 30.0


def swaying(time, place, way, along=0.02, aside=0.03, stride=0.9):
    """Pelvis (T,2): `place` with pulses at every step and sway at every stride (Hz); `way` (T,) rad."""
    ahead = np.stack([np.cos(way), np.sin(way)], 1)
    left = np.stack([-np.sin(way), np.cos(way)], 1)
    return place + along * np.sin(4 * np.pi * stride * time)[:, None] * ahead + aside * np.sin(2 * np.pi * stride * time)[:, None] * left


def inner(values, seconds=1.0):
    cut = round(seconds * FPS)
    return values[cut:-cut]


@pytest.mark.parametrize("radius,shrunk", [(1.0, 0.025), (2.0, 0.01), (5.0, 0.01)])
def test_on_a_circle_the_sway_is_gone_and_the_radius_stays(radius, shrunk):
    time = np.arange(round(8 * FPS)) / FPS
    angle = 1.1 / radius * time
    circle = radius * np.stack([np.cos(angle), np.sin(angle)], 1)
    sway = 0.15 * np.sin(2 * np.pi * 0.9 * time)
    place, facing = recorded_plan(swaying(time, circle, angle + np.pi / 2), angle + np.pi / 2 + sway, FPS)
    found = inner(np.linalg.norm(place, axis=1))
    assert found.mean() == pytest.approx(radius, abs=shrunk) and np.ptp(found) < 0.02, "of a sway of 6 cm"
    assert np.abs(inner(facing - angle - np.pi / 2)).max() < 0.05, "of a sway of 0.15 rad"


def test_a_constant_speed_is_found_under_the_pulses_of_the_steps():
    time = np.arange(round(8 * FPS)) / FPS
    line = np.stack([1.2 * time, 0 * time], 1)
    pelvis = swaying(time, line, 0 * time)
    speed = lambda places: np.linalg.norm(np.diff(places, axis=0), axis=1) * FPS
    place, _ = recorded_plan(pelvis, 0 * time, FPS)
    assert np.ptp(inner(speed(pelvis))) > 0.4
    assert np.abs(inner(speed(place)) - 1.2).max() < 0.1
    assert inner(speed(place)).mean() == pytest.approx(1.2, rel=0.005)
    assert np.abs(inner(place - line)).max() < 0.02


def test_who_stands_at_the_ends_stands_there_in_the_plan_too():
    time = np.arange(round(6 * FPS)) / FPS
    part = np.clip((time - 1) / 4, 0, 1)
    x = 3.0 * (part * part * (3 - 2 * part))
    place, facing = recorded_plan(np.stack([x, 0 * x, 0.9 + 0 * x], 1), 0 * x, FPS)
    assert np.abs(place[[0, -1]] - [(0, 0), (3, 0)]).max() < 0.01
    assert np.ptp(place[:15], axis=0).max() < 0.01 and np.ptp(place[-15:], axis=0).max() < 0.01
    back = -np.minimum(np.diff(place[:, 0]), 0)
    assert back.sum() < 0.04 and back.max() < 0.003, "nobody walks back to where they came from"
    assert np.abs(place[:, 0] - x).max() < 0.03 and np.abs(facing).max() < 1e-9


def test_a_facing_that_goes_round_and_round_is_unwrapped():
    turn = np.linspace(0, 6 * np.pi, 300)
    _, facing = recorded_plan(np.zeros((300, 2)), np.angle(np.exp(1j * turn)), FPS)
    assert np.abs(inner(facing - turn)).max() < 1e-2


def test_a_recording_of_a_second_and_a_half_keeps_its_length_and_its_ends():
    time = np.arange(45) / FPS
    place, facing = recorded_plan(np.stack([1.2 * time, 0 * time], 1), 0 * time, FPS)
    assert place.shape == (45, 2) and facing.shape == (45,)
    assert np.abs(place - np.stack([1.2 * time, 0 * time], 1)).max() < 5e-4, "a straight way needs no smoothing, also at its ends"
