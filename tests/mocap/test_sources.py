# SPDX-License-Identifier: GPL-3.0-or-later
"""Every limb of every frame names its source."""

import numpy as np
import pytest

from smplit.mocap.sources import LIMBS, SOURCES, codes, limb_sources
from smplit.motion import JOINT_NAMES, Motion

FRAMES = 100
TIMES = np.arange(FRAMES) / 25.0


def _names(found, limb):
    return [SOURCES[code] for code in found["smplit_sources"][:, LIMBS.index(limb)]]


def test_every_joint_belongs_to_one_limb():
    confidence = np.zeros((1, 55))
    counted = np.zeros(55)
    for joint in range(55):
        confidence[:] = 0.0
        confidence[0, joint] = 1.0
        found = limb_sources(confidence, TIMES[:1], "lifter", True, None, None)["smplit_limb_confidence"][0]
        counted[joint] = (found > 0).sum()
    np.testing.assert_array_equal(counted, 1)


def test_limbs_carry_their_networks_and_legs_nobody_saw_are_at_rest():
    hands = codes(np.array([["acr", "landmarks"]] * FRAMES))
    found = limb_sources(np.ones((FRAMES, 55)), TIMES, "hmr2", False, hands, codes(["smirk"] * FRAMES))
    assert {limb: set(_names(found, limb)) for limb in LIMBS} == {
        "torso": {"hmr2"}, "head": {"hmr2"}, "left_arm": {"hmr2"}, "right_arm": {"hmr2"}, "left_leg": {"rest"}, "right_leg": {"rest"},
        "left_hand": {"acr"}, "right_hand": {"landmarks"}, "face": {"smirk"},
    }


def test_a_short_gap_is_bridged_and_a_long_one_at_rest():
    confidence = np.ones((FRAMES, 55))
    left = [joint for joint, name in enumerate(JOINT_NAMES) if name.startswith("left_") and joint >= 25]
    confidence[10:20, left] = 0.0  # 0.4 s
    confidence[40:80, left] = 0.0  # 1.6 s
    confidence[95:, left] = 0.0
    found = limb_sources(confidence, TIMES, "lifter", True, codes(np.array([["acr", "acr"]] * FRAMES)), None)
    expected = np.array(["acr"] * FRAMES, dtype="U9")
    expected[10:20], expected[40:80], expected[95:] = "bridged", "rest", "rest"
    assert _names(found, "left_hand") == expected.tolist()
    assert set(_names(found, "right_hand")) == {"acr"} and set(_names(found, "face")) == {"rest"}


def test_an_unknown_source_is_a_mistake():
    with pytest.raises(ValueError, match="frankmocap"):
        codes(["frankmocap"])


def test_a_part_of_a_motion_keeps_its_own_sources(tmp_path):
    told = limb_sources(np.random.default_rng(0).random((9, 55)), TIMES[:9], "wham", True, None, None)  # as many frames as limbs
    motion = Motion(np.zeros((9, 165)), np.zeros((9, 3)), 25.0, extras=told)
    part = motion[3:5]
    np.testing.assert_array_equal(part.extras["smplit_sources"], told["smplit_sources"][3:5])
    assert tuple(part.extras["smplit_limbs"]) == LIMBS
    again = Motion.load(part.save(tmp_path / "part.npz"))
    np.testing.assert_array_equal(again.extras["smplit_limb_confidence"], told["smplit_limb_confidence"][3:5])
