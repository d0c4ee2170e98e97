# SPDX-License-Identifier: GPL-3.0-or-later
"""Metrics against cases worked out by hand, physical laws and scipy."""

import numpy as np
import pytest
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from smplit.evaluation import metrics


@pytest.fixture
def walk():
    """(150,22,3) m: random but smooth joints around a root that walks 3 m along x."""
    random = np.random.default_rng(1)
    times = np.linspace(0, 5, 150)[:, None, None]
    joints = random.normal(0, 0.4, (1, 22, 3)) + 0.05 * np.sin(times * random.uniform(1, 3, (1, 22, 3)))
    joints[:, 0] = 0
    return joints + np.stack([0.6 * times[:, 0, 0], 0 * times[:, 0, 0], 0.9 + 0 * times[:, 0, 0]], -1)[:, None]


def moved(joints, degrees=(0, 0, 0), shift=(0, 0, 0), scale=1.0):
    return scale * joints @ Rotation.from_euler("xyz", degrees, degrees=True).as_matrix().T + np.asarray(shift)


def test_everything_is_zero_on_the_truth_itself(walk):
    for name in ("mpjpe", "pa_mpjpe", "wa_mpjpe100", "w_mpjpe100", "w_mpjpe100_rigid", "end_drift"):
        assert getattr(metrics, name)(walk, walk) == pytest.approx(0, abs=1e-9), name
    assert metrics.rte(walk[:, 0], walk[:, 0]) == pytest.approx(0, abs=1e-9)
    assert metrics.acceleration_error(walk, walk, 30) == 0


def test_mpjpe_ignores_where_the_pelvis_is_and_averages_over_all_joints(walk):
    wrong = walk + [0.3, -1, 2]
    wrong[:, 5] += [0.0, 0.022, 0.0]  # 22 mm at one of 22 joints
    assert metrics.mpjpe(wrong, walk) == pytest.approx(1.0)


def test_mpjpe_can_centre_on_the_middle_of_the_hips(walk):
    wrong = walk.copy()
    wrong[:, 1] += [0.02, 0, 0]
    wrong[:, 2] -= [0.02, 0, 0]  # the middle stays
    assert metrics.mpjpe(wrong, walk, (1, 2)) == pytest.approx(2 * 20 / 22)


def test_pa_mpjpe_takes_out_turn_size_and_place_of_each_frame(walk):
    each = np.stack([moved(frame, (3 * n, 2 * n, n), (n, 0, 1), 1 + 0.01 * n) for n, frame in enumerate(walk)])
    assert metrics.pa_mpjpe(each, walk) == pytest.approx(0, abs=1e-9)


def test_pa_alignment_has_the_residual_of_scipy_s_procrustes(walk):
    random = np.random.default_rng(2)
    a, b = walk[0], walk[0] + random.normal(0, 0.05, (22, 3))
    disparity = procrustes(b, a)[2]  # sum of squares, the target scaled to unit size
    aligned = metrics.transform(a, *metrics.similarity(a, b))
    size = ((b - b.mean(0)) ** 2).sum()
    assert ((aligned - b) ** 2).sum() / size == pytest.approx(disparity, rel=1e-9)


def test_alignment_never_mirrors(walk):
    mirrored = walk * [-1, 1, 1]
    assert np.linalg.det(metrics.similarity(mirrored[0], walk[0])[1]) == pytest.approx(1.0)
    assert metrics.pa_mpjpe(mirrored, walk) > 50


def test_world_figures_tell_scale_from_rigid_alignment(walk):
    grown = moved(walk, (0, 0, 70), (5, 5, 0), 1.1)
    assert metrics.wa_mpjpe100(grown, walk) == pytest.approx(0, abs=1e-9)
    assert metrics.w_mpjpe100(grown, walk) == pytest.approx(0, abs=1e-9)
    assert metrics.w_mpjpe100_rigid(grown, walk) > 50


def test_w_mpjpe_of_a_person_who_slides_away_is_the_mean_slide():
    # A rigid cloud that stands; the prediction drifts 1 mm per frame along x after the first two frames.
    joints = np.tile(np.random.default_rng(0).normal(size=(1, 22, 3)), (100, 1, 1))
    drift = np.clip(np.arange(100) - 1, 0, None) * 0.001
    drifting = joints + drift[:, None, None] * [1, 0, 0]
    assert metrics.w_mpjpe100(drifting, joints) == pytest.approx(drift.mean() * 1000)


def test_chunks_are_aligned_one_by_one():
    joints = np.tile(np.random.default_rng(0).normal(size=(1, 22, 3)), (250, 1, 1))
    jumping = joints + (np.arange(250) // 100)[:, None, None] * np.array([1.0, 0, 0])  # a jump at each chunk's border
    assert metrics.wa_mpjpe100(jumping, joints) == pytest.approx(0, abs=1e-9)
    assert metrics.w_mpjpe100(jumping, joints) == pytest.approx(0, abs=1e-9)


def test_rte_of_a_path_walked_at_the_wrong_scale(walk):
    # A straight path of 3 m predicted 10 % too long: the middles coincide, the error grows linearly to 15 cm, 7.5 cm in the mean.
    root = walk[:, 0]
    assert metrics.rte(root * [1.1, 1, 1], root) == pytest.approx(100 * 0.075 / 3, rel=0.02)
    assert metrics.rte(moved(root, (10, 20, 30), (1, 2, 3)), root) == pytest.approx(0, abs=1e-9)


def test_end_drift_is_the_last_root_s_distance_over_the_path(walk):
    late = walk.copy()
    late[-1] += [0, 0.3, 0]
    assert metrics.end_drift(moved(late, (0, 0, 40), (1, 0, 0)), walk) == pytest.approx(100 * 0.3 / 3)


def test_percentages_of_a_path_that_hardly_exists_are_not_given(walk):
    still = np.tile(walk[:1], (50, 1, 1))
    assert np.isnan(metrics.rte(still[:, 0], still[:, 0]))
    assert np.isnan(metrics.end_drift(still, still))


@pytest.mark.parametrize("fps", [24.0, 60.0])
def test_jitter_and_acceleration_of_known_motion_do_not_depend_on_the_rate(fps):
    t = np.arange(0, 2, 1 / fps)[:, None]
    cubic = np.stack([5 * t**3, 0 * t, 0 * t], -1)  # third derivative 30 m/s3
    assert metrics.jitter(cubic, fps) == pytest.approx(3.0)
    fall = np.stack([0 * t, 0 * t, -9.81 / 2 * t**2], -1)
    assert metrics.jitter(fall, fps) == pytest.approx(0, abs=1e-6)
    assert metrics.acceleration_error(fall, 0 * fall, fps) == pytest.approx(9.81)


@pytest.mark.parametrize("fps", [15.0, 30.0, 60.0])
def test_foot_slide_counts_planted_frames_alone_at_thirty_frames_a_second(fps):
    t = np.arange(0, 2, 1 / fps)
    true = np.zeros((len(t), 1, 3))
    true[t > 1, 0, 0] = 2.0 * (t[t > 1] - 1)  # stands for a second, then runs
    predicted = true.copy()
    predicted[:, 0, 1] = 0.12 * t  # slips sideways by 0.12 m/s = 4 mm per 1/30 s all the time
    assert metrics.foot_slide(predicted, true, fps) == pytest.approx(4.0)
    assert np.isnan(metrics.foot_slide(predicted[t > 1.2], true[t > 1.2], fps))


def test_foot_skate_counts_low_and_fast_points():
    points = np.zeros((5, 2, 3))
    points[:, 1, 2] = 0.3  # the second point hovers and may move
    points[:, 1, 0] = np.arange(5)
    points[1:, 0, 0] = [0.03, 0.06, 0.07, 0.08]  # two of four steps above 2.5 cm
    share, step = metrics.foot_skate(points)
    assert share == pytest.approx(50.0)
    assert step == pytest.approx(3.0)


def test_penetration_and_floating_look_at_the_lowest_point():
    points = np.zeros((4, 2, 3))
    points[:, 0, 2] = [-0.02, 0.01, 0.03, 0.0]
    points[:, 1, 2] = 0.5
    contacts = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    assert metrics.penetration(points) == pytest.approx(20 / 4)
    assert metrics.floating(points, contacts) == pytest.approx((0 + 10 + 30) / 3)
    assert np.isnan(metrics.floating(points, contacts * 0))


@pytest.mark.parametrize("angle", [0.0, 0.01, 15.0, 90.0, 180.0])
def test_tilt_is_the_angle_between_the_ups(angle):
    up = np.array([[0.0, -2.0, 0.0]])
    turned = Rotation.from_euler("z", angle, degrees=True).apply(up) * 3
    assert metrics.tilt(turned, up)[0] == pytest.approx(angle, abs=1e-6)


def test_reprojection_is_the_median_of_sure_points_in_pixels_and_of_the_box():
    fitted = np.zeros((1, 4, 2))
    detected = np.array([[[3.0, 4.0], [6.0, 8.0], [0.0, 15.0], [900.0, 0.0]]])
    confidence = np.array([[0.9, 0.8, 0.7, 0.2]])
    pixels, share = metrics.reprojection(fitted, detected, confidence, np.array([[0.0, 0.0, 30.0, 40.0]]))
    assert pixels == pytest.approx(10.0)
    assert share == pytest.approx(20.0)


def test_projection_is_the_pinhole_camera_s():
    K = np.array([[800.0, 0, 320], [0, 900.0, 240], [0, 0, 1]])
    homogeneous = K @ [0.3, -0.2, 2.0]
    np.testing.assert_allclose(metrics.project(np.array([0.3, -0.2, 2.0]), K), homogeneous[:2] / homogeneous[2])
