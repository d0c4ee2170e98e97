# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole captures with a camera that is known, on a real clip (../shared/videos)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.errors import BadInput
from smplit.mocap.options import CaptureOptions
from smplit.mocap.pipeline import capture

VIDEO = Path(__file__).parents[3] / "shared" / "videos" / "squats_5fps_portrait.mp4"
FAST = {"hands": "none", "face": "none", "range": "0:2"}


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A capture of two seconds without a camera file."""
    if not VIDEO.exists():
        pytest.skip("needs squats_5fps_portrait.mp4 of ../shared/videos")
    (result,) = capture(VIDEO, tmp_path_factory.mktemp("first"), CaptureOptions(**FAST))
    return result


@pytest.mark.slow
def test_a_captures_own_result_fed_back_gives_the_same_camera_and_motion(first, tmp_path):
    (again,) = capture(VIDEO, tmp_path, CaptureOptions(**FAST, camera_file=str(first.path)))
    np.testing.assert_allclose(again.motion.camera_R, first.motion.camera_R, atol=1e-5)
    np.testing.assert_allclose(again.motion.camera_K, first.motion.camera_K, rtol=1e-6)
    np.testing.assert_allclose(again.motion.trans, first.motion.trans, atol=0.02)
    assert str(again.motion.extras["smplit_focal_source"]) == "given"
    np.testing.assert_array_equal(again.motion.extras["smplit_video_size"], first.motion.extras["smplit_video_size"])


@pytest.mark.slow
def test_the_files_world_and_lens_are_those_of_the_result(first, tmp_path):
    """Another focal length and another heading: the person is further away in proportion, the camera looks where the file says."""
    K = first.motion.camera_K.astype(float) * [[1.5, 1, 1], [1, 1.5, 1], [1, 1, 1]] + [[0, 0, 12], [0, 0, 0], [0, 0, 0]]
    heading = Rotation.from_euler("z", 75, degrees=True).as_matrix()
    R = first.motion.camera_R[0] @ heading
    np.savez(tmp_path / "camera.npz", camera_R=R, camera_t=np.zeros(3), camera_K=K)
    (again,) = capture(VIDEO, tmp_path / "out", CaptureOptions(**FAST, camera_file=str(tmp_path / "camera.npz")))
    np.testing.assert_allclose(again.motion.camera_R, np.tile(R, (len(again.motion), 1, 1)), atol=1e-5)
    np.testing.assert_allclose(again.motion.camera_K, K, rtol=1e-6)
    depth = lambda motion: np.median((np.einsum("tij,tj->ti", motion.camera_R, motion.trans) + motion.camera_t)[:, 2])
    assert depth(again.motion) / depth(first.motion) == pytest.approx(1.5, rel=0.12)  # her size is fitted too
    assert again.motion.extras["smplit_video_size"].tolist() == [720, 1280]  # though the principal point is off the middle


@pytest.mark.slow
def test_a_file_of_another_length_is_refused_and_nothing_is_written(first, tmp_path):
    np.savez(tmp_path / "camera.npz", camera_R=np.tile(np.eye(3), (9, 1, 1)), camera_t=np.zeros((9, 3)), camera_K=first.motion.camera_K)
    with pytest.raises(BadInput, match="9 poses; the video has 10 frames"):
        capture(VIDEO, tmp_path / "out", CaptureOptions(**FAST, camera_file=str(tmp_path / "camera.npz")))
    assert not (tmp_path / "out").exists()
