# SPDX-License-Identifier: GPL-3.0-or-later
"""Mixtures of styles along a path, and the speeds that a style has."""

import numpy as np
import pytest

from smplit.errors import BadInput
from smplit.loco.styles import mixed_speeds, possible_speed, style_shares

NAMES = ("angry", "happy", "normal", "sad")
ARC = np.linspace(2.0, 12.0, 11)  # m


def test_one_name_is_that_style_everywhere():
    assert np.array_equal(style_shares("happy", NAMES, ARC), np.tile(np.float32([0, 1, 0, 0]), (11, 1)))


@pytest.mark.parametrize("text", ["happy:0.75,sad:0.25", "happy:3,sad:1", " happy : 3 , sad ", "happy,happy,happy,sad"])
def test_a_mixture_has_its_shares_whatever_their_sum(text):
    assert np.allclose(style_shares(text, NAMES, ARC), [0, 0.75, 0, 0.25])


def test_styles_with_places_blend_along_the_path():
    shares = style_shares("happy@0,sad@1", NAMES, ARC)
    assert np.allclose(shares[:, 3], np.linspace(0, 1, 11)) and np.allclose(shares.sum(1), 1)
    later = style_shares("happy@0.2,sad@0.4", NAMES, ARC)
    assert np.allclose(later[:3, 1], 1) and np.allclose(later[4:, 3], 1) and later[3, 1] == pytest.approx(0.5)


def test_mixtures_can_have_places_too():
    shares = style_shares("happy:1@0,angry:1@0,sad@1", NAMES, ARC)
    assert np.allclose(shares[0], [0.5, 0.5, 0, 0]) and np.allclose(shares[-1], [0, 0, 0, 1]) and np.allclose(shares[5], [0.25, 0.25, 0, 0.5])


def test_a_path_of_no_length_has_the_first_style():
    assert np.allclose(style_shares("happy@0,sad@1", NAMES, np.zeros(5)), [0, 1, 0, 0])


def test_an_unknown_name_is_named_with_its_likes_and_all_there_are():
    with pytest.raises(BadInput) as error:
        style_shares("hapy", NAMES, ARC)
    assert error.value.code == "unknown_style" and "'hapy'" in error.value.message
    assert error.value.remedy.startswith("Did you mean happy") and all(name in error.value.remedy for name in NAMES)
    with pytest.raises(BadInput) as error:
        style_shares("happy,zzqq:0.5", NAMES, ARC)
    assert "'zzqq'" in error.value.message and "Did you mean" not in error.value.remedy


@pytest.mark.parametrize("text", [
    "happy:much", "happy:nan", "happy:inf", "happy@there", "happy@nan", "happy@-0.1", "happy@1.5", "happy:-1", "happy:0", "happy:0,sad:0",
    "happy:2,sad:-1", "happy:0@0,sad@1", "", ",", "happy,", ":1", "@0",
])
def test_shares_and_places_that_make_no_sense_are_refused_with_a_remedy(text):
    with pytest.raises(BadInput) as error:
        style_shares(text, NAMES, ARC)
    assert error.value.remedy and error.value.code in ("bad_style", "unknown_style")


SPEEDS = {"walk": [0.8, 1.2, 1.6], "run": [2.0, 2.5, 3.0], "backward": [0.4, 0.6, 0.8], "left": [0.3, 0.5, 0.7], "right": [0.3, 0.5, 0.9]}


@pytest.mark.parametrize("facing,usual", [("path", 1.2), ("opposite", 0.6), ("inward", 0.5), ("outward", 0.5)])
def test_without_a_wish_the_usual_speed_is_walked(facing, usual):
    assert possible_speed(SPEEDS, "happy", facing, None) == (usual, None)


@pytest.mark.parametrize("facing,speed", [
    ("path", 0.8), ("path", 1.9), ("path", 3.0), ("opposite", 0.5), ("inward", 0.9), ("fixed", 3.0), ("towards", 0.3),
])
def test_a_speed_that_was_recorded_is_walked(facing, speed):
    assert possible_speed(SPEEDS, "happy", facing, speed) == (speed, None)


@pytest.mark.parametrize("facing,speed,slow,fast", [
    ("path", 9.0, 0.8, 3.0), ("path", 0.1, 0.8, 3.0), ("opposite", 2.0, 0.4, 0.8), ("inward", 2.0, 0.3, 0.9), ("towards", 9.0, 0.3, 3.0),
])
def test_another_speed_is_brought_near_what_was_recorded_and_the_user_told(facing, speed, slow, fast):
    found, said = possible_speed(SPEEDS, "happy", facing, speed)
    assert 0.5 * slow <= found <= 1.3 * fast
    assert found >= fast if speed > fast else found <= slow, "no nearer than needed"
    assert "'happy'" in said and f"{speed:g} m/s" in said and f"{found:.1f}" in said


@pytest.mark.parametrize("facing", ["path", "opposite", "inward", "outward", "fixed", "towards"])
def test_a_way_that_was_never_recorded_has_ordinary_speeds(facing):
    usual, said = possible_speed({}, "odd", facing, None)
    assert 0.5 <= usual <= 1.5 and said is None
    found, said = possible_speed({}, "odd", facing, 10.0)
    assert found < 5 and said


def test_a_mixture_goes_as_fast_as_its_styles_do_by_their_shares():
    speeds = {"slow": {"walk": [0.2, 0.4, 0.6]}, "fast": {"walk": [1.0, 2.0, 3.0], "run": [3.0, 4.0, 5.0]}, "odd": {}}
    assert mixed_speeds([1, 0, 0], ["slow", "fast", "odd"], speeds) == {"walk": [0.2, 0.4, 0.6]}
    half = mixed_speeds([0.5, 0.5, 0], ["slow", "fast", "odd"], speeds)
    assert half["walk"] == pytest.approx([0.6, 1.2, 1.8]) and half["run"] == pytest.approx([3.0, 4.0, 5.0])
    assert mixed_speeds([0.25, 0.75, 0], ["slow", "fast", "odd"], speeds)["walk"] == pytest.approx([0.8, 1.6, 2.4])
    assert mixed_speeds([0, 0, 1], ["slow", "fast", "odd"], speeds) == {}
