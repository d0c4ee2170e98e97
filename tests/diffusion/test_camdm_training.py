# SPDX-License-Identifier: GPL-3.0-or-later
"""CAMDM's rotations, losses and windows. Oracle: arrays of the published code (goldens/camdm, losses_data.npz)."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from smplit.difftraj.original_features import rows_6d
from smplit.diffusion.camdm_losses import Skeleton, camdm_losses, joint_places, matrix_from_rows_6d, standing
from smplit.loco.published.camdm_windows import camdm_window, smoothed_facing, smoothed_path

GOLDEN = Path(__file__).resolve().parents[1] / "goldens" / "camdm_losses_data.npz"
TOLERANCE, PAST, FUTURE = 1e-6, 10, 30
TOES = (24, 19)  # left, right
SIGMAS = {0.2: None, 0.6: 5.0, 0.9: 10.0}  # what the goldens' fixed draws choose: half as walked, a quarter each of 5 and 10 frames


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN) as archive:
        return {key: archive[key] for key in archive.files}


@pytest.fixture(scope="module")
def skeleton(golden):
    return Skeleton(tuple(golden["skel/parents"].tolist()), torch.from_numpy(golden["skel/offsets"]), TOES)


def quaternions(wxyz):
    return Rotation.from_quat(wxyz.reshape(-1, 4)[:, [1, 2, 3, 0]].astype(np.float64))


def as_motion(values):
    """(B,F,J+1,6) -> (B,J+1,6,F)"""
    return torch.from_numpy(values).permute(0, 2, 3, 1)


def test_six_numbers_are_two_rows(golden):
    assert np.abs(quaternions(golden["rot/quat_wxyz"]).as_matrix() - golden["rot/mat"]).max() < TOLERANCE
    assert np.array_equal(rows_6d(golden["rot/mat"]), golden["rot/repr6d_rows"])
    found = matrix_from_rows_6d(torch.from_numpy(golden["rot/raw6d"])).numpy()
    assert np.abs(found - golden["rot/raw6d_to_mat"]).max() < TOLERANCE
    expected = quaternions(golden["rot/raw6d_to_quat"])
    assert (expected * Rotation.from_matrix(found).inv()).magnitude().max() < 1e-5


def test_three_of_anything_changes_no_rotation(golden):
    """The published cross product takes the first axis of size 3, wherever it is."""
    values = torch.from_numpy(golden["rot/raw6d"])
    assert torch.equal(matrix_from_rows_6d(values[:3]), matrix_from_rows_6d(values)[:3])


def test_joints_are_where_the_original_puts_them(golden, skeleton):
    rows = np.concatenate([golden["fk/rot6d"], np.zeros((2, 9, 1, 6), np.float32)], 2)
    rows[:, :, -1, :3] = golden["fk/root"]
    assert np.abs(joint_places(as_motion(rows), skeleton).numpy() - golden["fk/xyz"]).max() < TOLERANCE


def test_the_five_losses_are_the_originals(golden, skeleton):
    true, predicted = as_motion(golden["loss/x_start"]), as_motion(golden["loss/model_output"])
    found = camdm_losses(predicted, true, skeleton)
    for name, value in found.items():
        assert np.abs(value.numpy() - golden[f"loss/loss_{name}"]).max() < TOLERANCE, name
    assert np.abs(torch.stack(list(found.values())).sum(0).numpy() - golden["loss/loss"]).max() < TOLERANCE
    toes = joint_places(true, skeleton)[:, :, list(TOES)]
    assert np.array_equal(standing(toes).numpy(), golden["loss/contact_mask"])
    assert 0.05 < golden["loss/contact_mask"].mean() < 0.95


def test_paths_and_facings_are_smoothed_as_the_original_does(golden):
    for sigma in (5, 10):
        assert np.abs(smoothed_path(golden["traj/root_positions"], sigma) - golden[f"traj/smooth{sigma}/xz"]).max() < 1e-9
        facing = smoothed_facing(golden["traj/forwards"], sigma)
        assert np.abs(np.pi / 2 - facing - golden[f"traj/smooth{sigma}/angle"]).max() < 1e-9  # counted from +X
        turns = quaternions(golden[f"traj/smooth{sigma}/quat_wxyz"])
        assert (turns.inv() * Rotation.from_rotvec(facing[:, None] * [0, 1, 0])).magnitude().max() < 1e-6


@pytest.mark.parametrize("case", [0, 1, 2])
def test_a_training_window_is_the_originals(golden, case):
    draw, yaw, facing_choice = golden[f"ds/case{case}/setting"]
    clip, *frames = golden["ds/item_index_frames"].tolist()
    assert clip == 0 and frames == list(range(17, 17 + PAST + FUTURE))
    rotations = quaternions(golden["ds/local_rot_quat_wxyz"]).as_matrix().reshape(120, 25, 3, 3)
    facing = smoothed_facing(golden["traj/forwards"], (5, 10)[int(facing_choice)])
    found = camdm_window(rotations, golden["traj/root_positions"], facing, frames[0], PAST, FUTURE, yaw=yaw, path_sigma=SIGMAS[draw])
    for part in ("past_motion", "data", "traj_trans", "traj_pose"):
        value, expected = getattr(found, part), golden[f"ds/case{case}/{part}"]
        assert value.shape == expected.shape and np.abs(value - expected).max() < TOLERANCE, part
    styles = golden["ds/styles"].tolist()
    assert styles == sorted(styles) and golden[f"ds/case{case}/style_idx"] == styles.index("Zombie")


def test_every_array_of_the_goldens_is_compared_or_given(golden):
    given = {"skel/parents", "skel/offsets", "fk/rot6d", "fk/root", "loss/x_start", "loss/model_output", "traj/root_positions", "traj/forwards",
             "ds/local_rot_quat_wxyz", "ds/styles", "ds/item_index_frames", "rot/quat_wxyz", "rot/raw6d",
             "ds/n_items"}  # of two clips, of which the goldens hold one
    given |= {f"ds/case{case}/setting" for case in range(3)}
    compared = {"rot/mat", "rot/repr6d_rows", "rot/raw6d_to_mat", "rot/raw6d_to_quat", "fk/xyz", "loss/loss", "loss/contact_mask"}
    compared |= {f"loss/loss_{name}" for name in ("data", "data_vel", "geo_xyz", "geo_xyz_vel", "foot_contact")}
    compared |= {f"traj/smooth{sigma}/{part}" for sigma in (5, 10) for part in ("xz", "angle", "quat_wxyz")}
    compared |= {f"ds/case{case}/{part}" for case in range(3) for part in ("past_motion", "data", "traj_trans", "traj_pose", "style_idx")}
    assert set(golden) == given | compared
