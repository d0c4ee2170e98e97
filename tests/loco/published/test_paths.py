# SPDX-License-Identifier: GPL-3.0-or-later
"""The published LOCO's named paths and control numbers. Oracle: the original's own (goldens/loco, trajectories.npz):
4 s at 0.8 m/s, 30 frames a second, 10 x 3 frames of standing at the end. It computes in float32."""

from pathlib import Path

import numpy as np
import pytest

from smplit.difftraj.original_features import decode_path
from smplit.errors import BadInput
from smplit.loco.published.paths import FIXED, PATHS, named_path, path_control

GOLDEN = Path(__file__).resolve().parents[2] / "goldens" / "loco_trajectories.npz"
FRAMES, SPEED, REST, TOLERANCE = 120, 0.8, 30, 1e-5


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as archive:
        return {key: archive[key] for key in archive.files}


@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("name", PATHS)
def test_paths_and_control_numbers_are_the_originals(golden, name, reverse):
    path = named_path(name, FRAMES, SPEED, bool(reverse), seed=10)
    assert np.abs(path - golden[f"{name}_rev{reverse}/xy_smoothed"]).max() < TOLERANCE
    for face in (0, 1):
        control = path_control(path, REST, face, original=True)
        assert control.shape == (150, 4)
        assert np.abs(control - golden[f"{name}_rev{reverse}_face{face}/ctrl4"]).max() < TOLERANCE
        assert np.abs(decode_path(control)[0] - golden[f"{name}_rev{reverse}_face{face}/xy_canonical"]).max() < TOLERANCE


def test_every_array_of_the_goldens_is_compared(golden):
    compared = {f"{name}_rev{r}_face{f}/{part}" for name in PATHS for r in (0, 1) for f in (0, 1) for part in ("ctrl4", "xy_canonical")}
    assert set(golden) == compared | {f"{name}_rev{r}/xy_smoothed" for name in PATHS for r in (0, 1)}


@pytest.mark.parametrize("name", PATHS)
def test_who_has_arrived_keeps_facing_where_the_path_led(name):
    """The original turns to world X within a frame: by 86 degrees at the end of a circle."""
    path = named_path(name, FRAMES, SPEED)
    ours, originals = path_control(path, REST), path_control(path, REST, original=True)
    turn = lambda control: np.degrees(np.abs(np.arctan2(control[:, 3], control[:, 2])))
    assert turn(ours)[FRAMES - 2 :].max() < 25  # the random path itself turns by up to 23 degrees a frame
    assert np.array_equal(ours[: FRAMES - 1], originals[: FRAMES - 1])
    assert np.abs(ours[FRAMES:] - (0, 0, 1, 0)).max() < 1e-12
    if name == "circle":
        assert turn(originals).max() > 80


def test_a_path_of_two_frames_and_one_of_none_and_unknown_ones():
    assert named_path("circle", 2).shape == (2, 2)
    assert np.isfinite(path_control(named_path("line", 1), 5)).all()
    with pytest.raises(BadInput, match="no path 'eight'") as error:
        named_path("eight", 10)
    assert "spline" in error.value.remedy
    for frames, speed, text in ((0, 1.0, "0 frames"), (10, 0.0, "0.0 m/s"), (10, float("nan"), "nan m/s"), (10, float("inf"), "inf m/s")):
        with pytest.raises(BadInput, match=text):
            named_path("line", frames, speed)
    with pytest.raises(BadInput, match="facing 2"):
        path_control(named_path("line", 10), 5, 2)


def test_strafing_faces_one_way_all_the_time():
    control = path_control(named_path("circle", FRAMES), REST, FIXED)
    assert np.abs(control[:, 2:] - (1, 0)).max() < 1e-12
    assert np.linalg.norm(decode_path(control)[0], axis=-1).max() > 0.5
