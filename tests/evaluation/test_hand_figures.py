# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of known size of arms and fingers have those figures."""

import numpy as np
import pytest

from smplit.evaluation.hands import hand_figures
from smplit.motion import JOINT_NAMES

K = np.array([[800.0, 0, 320], [0, 800.0, 240], [0, 0, 1]])
LEFT = [i for i, name in enumerate(JOINT_NAMES) if name.startswith("left_") and name[-1] in "123"]
RIGHT = [i for i, name in enumerate(JOINT_NAMES) if name.startswith("right_") and name[-1] in "123"]


@pytest.fixture
def true():
    """Everything within 20 cm of a point two metres ahead."""
    return np.random.default_rng(3).uniform(-0.2, 0.2, (5, 55, 3)) * [1, 1, 0] + [0, 0, 2.0]


def test_fingers_a_centimetre_aside_are_that_far_off_in_space_and_in_the_picture(true):
    joints = true.copy()
    joints[:, LEFT + RIGHT, 0] += 0.01
    found = hand_figures(joints, true, K, K)
    assert found["finger_mm"] == pytest.approx(10.0) and found["finger_px"] == pytest.approx(4.0) == found["finger_p90_px"]
    assert found["arm_mm"] == 0 and found["hands_in_picture"] == 1.0


def test_a_wrist_aside_moves_the_arm_and_leaves_the_fingers_behind(true):
    joints = true.copy()
    joints[:, JOINT_NAMES.index("left_wrist"), 1] += 0.02
    found = hand_figures(joints, true, K, K)
    assert found["arm_mm"] == pytest.approx(20.0 / 4)  # one of elbow and wrist, one of two arms
    assert found["finger_mm"] == pytest.approx(20.0 / 2) and found["finger_px"] == 0


def test_a_body_elsewhere_in_depth_has_its_hands_right_in_space(true):
    found = hand_figures(true + [0, 0, 0.5], true, K, K)
    assert found["finger_mm"] == pytest.approx(0, abs=1e-9) and found["finger_px"] > 1


def test_a_hand_partly_out_of_the_picture_or_behind_the_camera_does_not_count(true):
    true[:2, LEFT[4], 0] = 2.0  # far right of the picture
    true[4, RIGHT[0], 2] = -2.0
    joints = true.copy()
    joints[:2, LEFT, 1] += 0.3
    joints[4, RIGHT, 1] += 0.3
    found = hand_figures(joints, true, K, K)
    assert found["finger_mm"] == pytest.approx(0, abs=1e-9) and found["hands_in_picture"] == pytest.approx(7 / 10)


def test_without_any_whole_hand_there_is_no_figure(true):
    found = hand_figures(true, true + [5.0, 0, 0], K, K)
    assert found.pop("hands_in_picture") == 0 and all(np.isnan(value) for value in found.values())
