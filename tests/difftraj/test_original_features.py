# SPDX-License-Identifier: GPL-3.0-or-later
"""The 203 + 4 features and their way back. Oracle: arrays of the original code (goldens/difftraj, goldens/mdm).

The stated tolerance of features and statistics is 1e-4 (the original computes in float32), that of a path
summed up from them the same.
"""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.difftraj.original_features import (
    Statistics,
    columns_6d,
    control_signal,
    decode_path,
    decode_root,
    encode_path,
    encode_root,
    from_origin,
    heading_steps,
    matrix_from_columns_6d,
    motion_features,
    rows_6d,
)
from smplit.motion import PARENTS

GOLDENS = Path(__file__).resolve().parents[1] / "goldens"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "goldens" / "difftraj" / "features.npz"
TOLERANCE = 1e-4
STRIDE = 5  # of the frames that tests/goldens keeps of the 203 features
WINDOW = 35  # of the original's data files


def arrays(path):
    with np.load(path) as archive:
        return {key: archive[key] for key in archive.files}


@pytest.fixture(scope="module")
def golden():
    return arrays(GOLDENS / "difftraj_features.npz")


@pytest.fixture(scope="module")
def roots():
    return arrays(GOLDENS / "mdm_traj_repr.npz")


def clip(golden, index):
    """trans (T,3), root, body (T,21,3,3), rest joints of a synthetic clip, thinned out as the original does."""
    stride = int(golden[f"clip{index}/down_sample"])
    poses = golden[f"clip{index}/poses22"][::stride].astype(np.float64)
    trans = golden[f"clip{index}/trans"][::stride].astype(np.float64)
    size = float(golden["female_scale"]) if str(golden[f"clip{index}/gender"]) == "female" else 1.0
    body = Rotation.from_rotvec(poses[:, 1:].reshape(-1, 3)).as_matrix().reshape(-1, 21, 3, 3)
    return trans, Rotation.from_rotvec(poses[:, 0]), body, golden["rest_joints_male"] * size


def quaternions(wxyz):
    return Rotation.from_quat(wxyz[:, [1, 2, 3, 0]])


def apart(first, second):
    """Largest difference of matrix entries."""
    return np.abs(first.as_matrix() - second.as_matrix()).max()


def assert_clip(golden, index, stride):
    values, expected = motion_features(*clip(golden, index)), golden[f"clip{index}/features203"]
    assert np.abs(values[::stride] - expected).max() < TOLERANCE
    assert np.abs(control_signal(*clip(golden, index)) - golden[f"clip{index}/ctrl4"]).max() < TOLERANCE
    assert len(values) - WINDOW == golden[f"clip{index}/length_field"]
    trans, root = decode_root(golden.get(f"clip{index}/features11", expected)[:, :11])
    assert np.abs(trans - golden[f"clip{index}/recovered_trans"]).max() < TOLERANCE
    assert apart(root, quaternions(golden[f"clip{index}/recovered_quat_wxyz"])) < TOLERANCE
    path, _ = decode_path(golden[f"clip{index}/ctrl4"].astype(np.float64))
    assert np.abs(path - golden[f"clip{index}/ctrl_recovered_xy"]).max() < TOLERANCE


def assert_statistics(golden):
    clips = [clip(golden, index) for index in range(3)]
    motion = Statistics.of([motion_features(*one) for one in clips])
    control = Statistics.of([control_signal(*one) for one in clips])
    assert np.abs(motion.mean - golden["stats/motoin_info_all_list_mean"]).max() < TOLERANCE
    assert np.abs(motion.std - golden["stats/motoin_info_all_list_std"]).max() < TOLERANCE
    assert np.abs(control.mean - golden["stats/ctrl_signal_mean"]).max() < TOLERANCE
    assert np.abs(control.std - golden["stats/ctrl_signal_std"]).max() < TOLERANCE


@pytest.mark.parametrize("index", [0, 1, 2])
def test_features_and_their_way_back_are_the_originals(golden, index):
    assert int(golden[f"clip{index}/down_sample"]) == 1
    assert_clip(golden, index, STRIDE)
    assert np.array_equal(golden["parents"], PARENTS[:22])


def test_means_and_deviations_are_the_originals(golden):
    assert_statistics(golden)


@pytest.mark.parametrize("index", [0, 1, 2])
def test_the_whole_goldens_agree_too(index):
    if not SHARED.is_file():
        pytest.skip("needs the whole goldens in ../shared beside the repository")
    whole = arrays(SHARED)
    assert_clip(whole, index, 1)
    assert_statistics(whole)


def test_clips_of_one_body_have_channels_that_never_change_and_stay_finite(golden):
    statistics, original = Statistics.of([motion_features(*clip(golden, 0))]), golden["stats_single_gender/motion_std"]
    assert np.abs(statistics.std - original).max() < TOLERANCE
    never = original < 1e-6
    assert never[137:149].all() and (original == 0).sum() >= 3  # where the original divides by zero
    assert np.all(statistics.scale[never] == 1.0) and np.array_equal(statistics.scale[~never], statistics.std[~never])
    other_body = motion_features(*clip(golden, 1))
    assert np.abs(statistics.normalised(other_body)[:, 137:149]).max() < 0.1
    assert np.abs(statistics.restored(statistics.normalised(other_body)) - other_body).max() < 1e-12


def test_a_roots_eleven_numbers_are_the_originals(roots):
    trans, root = roots["glamr11/trans"].astype(np.float64), quaternions(roots["glamr11/orient_q_wxyz"])
    values = encode_root(trans, root)
    assert np.abs(values - roots["glamr11/local"]).max() < TOLERANCE
    back, turned = decode_root(roots["glamr11/local"])
    assert np.abs(back - roots["glamr11/back_trans"]).max() < TOLERANCE and apart(turned, quaternions(roots["glamr11/back_q"])) < TOLERANCE
    started = from_origin(values)
    assert np.abs(started - roots["glamr11/canon_local"]).max() < TOLERANCE
    back, turned = decode_root(started)
    assert np.abs(back - roots["glamr11/canon_trans"]).max() < TOLERANCE and apart(turned, quaternions(roots["glamr11/canon_q"])) < TOLERANCE


def test_root_and_body_write_six_numbers_in_their_own_order(roots):
    matrices = roots["rot6d/mat"]
    assert np.abs(columns_6d(matrices) - roots["rot6d/cols_glamr"]).max() < 1e-6
    assert np.abs(rows_6d(matrices) - roots["rot6d/rows_pytorch3d"]).max() < 1e-6
    assert np.abs(matrix_from_columns_6d(roots["rot6d/cols_glamr"].astype(np.float64)) - matrices).max() < 1e-6


def test_a_paths_four_numbers_are_the_originals(roots):
    control = encode_path(roots["ctrl4/xy"].astype(np.float64), roots["ctrl4/tangent"].astype(np.float64))
    assert np.abs(control - roots["ctrl4/local"]).max() < TOLERANCE
    path, directions = decode_path(control)
    assert np.abs(path - roots["ctrl4/back_xy"]).max() < TOLERANCE
    # The original hands back the turns of the facing where it means the facing.
    assert np.abs(control[:, 2:] - roots["ctrl4/back_fwd"]).max() < TOLERANCE
    assert np.abs(directions - roots["ctrl4/tangent"]).max() < TOLERANCE


def test_heading_steps_are_channels_9_and_10_of_a_motion_that_starts_at_the_origin(golden):
    trans, root, *_ = clip(golden, 0)
    assert np.abs(heading_steps(root) - from_origin(encode_root(trans, root))[:, 9:11]).max() < 1e-12
