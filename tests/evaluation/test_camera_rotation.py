# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of a camera's turning, on turns whose error is known; scipy's rotations are the oracle."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.evaluation.camera_rotation import drift, step_error, true_kind


def panning(degrees: np.ndarray) -> np.ndarray:
    """World-to-camera rotations (N,3,3) of a camera that turns about its own y axis."""
    return Rotation.from_euler("y", degrees[:, None], degrees=True).as_matrix()


TRUE = panning(np.linspace(0, 40, 21))


def test_a_pan_found_one_percent_too_wide_errs_by_a_hundredth_of_each_step_and_of_the_whole():
    found = panning(np.linspace(0, 40.4, 21))
    assert step_error(found, TRUE) == pytest.approx(0.02, abs=1e-6)
    assert drift(found, TRUE) == pytest.approx(0.4, abs=1e-6)


def test_an_error_that_comes_and_goes_is_in_the_steps_and_not_in_the_drift():
    sway = Rotation.from_euler("x", (0.1 * (np.arange(21) % 2))[:, None], degrees=True).as_matrix()
    assert step_error(sway @ TRUE, TRUE) == pytest.approx(0.1, abs=1e-6)
    assert drift(sway @ TRUE, TRUE) == pytest.approx(0.0, abs=1e-6)


def test_another_world_is_no_error():
    elsewhere = Rotation.from_euler("zxy", [130, 20, -40], degrees=True).as_matrix()
    assert step_error(TRUE @ elsewhere, TRUE) == pytest.approx(0.0, abs=1e-5)
    assert drift(TRUE @ elsewhere, TRUE) == pytest.approx(0.0, abs=1e-5)


def test_single_precision_files_are_exact_to_a_ten_thousandth_of_a_degree():
    assert step_error(TRUE.astype(np.float32), TRUE) < 1e-4


def test_one_frame_has_no_step():
    assert np.isnan(step_error(TRUE[:1], TRUE[:1])) and drift(TRUE[:1], TRUE[:1]) == 0.0


def test_a_camera_that_was_to_stand_and_is_held_by_hand_is_called_so():
    shaken = panning(0.4 * np.sin(np.arange(30) / 3.0))
    assert [true_kind("static", shaken), true_kind("static", TRUE[:1].repeat(30, 0)), true_kind("pan", TRUE)] == ["hand-held", "static", "pan"]
