# SPDX-License-Identifier: GPL-3.0-or-later
"""Joint positions agree with the smplx package; the npz is the motion; unknown formats are named."""

import numpy as np
import pytest

from smplit.errors import BadInput
from smplit.export import export_motion
from smplit.motion import JOINT_NAMES, Motion


def test_joints_are_where_smplx_puts_them(motion, body, tmp_path, smplx_skinning):
    written = export_motion(motion, tmp_path / "j.npz", "joints", body)
    truth, _ = smplx_skinning(body, motion)
    with np.load(written[0], allow_pickle=False) as got:
        assert np.abs(got["joints"] - truth).max() < 1e-4
        assert tuple(got["names"]) == JOINT_NAMES and str(got["up"]) == "z" and float(got["fps"]) == 25.0
        assert got["time"][0] == pytest.approx(2.0) and list(np.flatnonzero(~got["valid"])) == [3]


def test_camera_joints_have_x_right_y_down_z_forward(motion, body, tmp_path):
    export_motion(motion, tmp_path / "j.npz", "joints", body)
    with np.load(tmp_path / "j.npz") as got:
        world, seen = got["joints"], got["joints_cam"]
    # The fixture's camera looks along the world's +y, 1.3 m up and 4 m back: written out by hand.
    assert np.allclose(seen[..., 0], world[..., 0] + 0.1, atol=1e-5)
    assert np.allclose(seen[..., 1], 1.3 - world[..., 2], atol=1e-5)
    assert np.allclose(seen[..., 2], world[..., 1] + 4.0, atol=1e-5)


def test_without_a_camera_or_times_the_joints_still_come(motion, body, tmp_path):
    motion.camera_R = motion.camera_t = motion.frame_times = motion.valid = None
    export_motion(motion, tmp_path / "j.npz", "joints", body)
    with np.load(tmp_path / "j.npz") as got:
        assert "joints_cam" not in got.files and got["valid"].all() and got["time"][5] == pytest.approx(0.2)


def test_the_npz_reads_back_as_the_same_motion(motion, body, tmp_path):
    path = export_motion(motion, tmp_path / "new" / "m.npz", None, body)[0]
    again = Motion.load(path)
    assert np.array_equal(again.poses, motion.poses) and again.expression_names == motion.expression_names
    assert [p.name for p in path.parent.iterdir()] == ["m.npz"]


@pytest.mark.parametrize("name, to, words", [
    ("a.fbx", None, "not in this version.*glb or bvh"), ("a.usd", None, "not in this version"),
    ("a.xyz", None, "no known format.*npz, joints, bvh, glb"),
    ("a.npz", "obj", "'obj' is not a known format"), ("a.bvh", "glb", "does not end in '.glb'.*a.glb"), ("a", None, "no known format"),
])
def test_formats_that_cannot_be_written_say_so_and_leave_nothing(motion, body, tmp_path, name, to, words):
    with pytest.raises(BadInput, match=words):
        export_motion(motion, tmp_path / name, to, body)
    assert not list(tmp_path.iterdir())
