# SPDX-License-Identifier: GPL-3.0-or-later
"""Motion files survive a round trip and refuse what they cannot trust."""

import os

import numpy as np
import pytest

from smplit.errors import BadInput
from smplit.motion import JOINT_NAMES, PARENTS, Motion


def make(frames=4):
    rng = np.random.default_rng(0)
    return Motion(
        poses=rng.normal(size=(frames, 165)).astype(np.float32), trans=rng.normal(size=(frames, 3)).astype(np.float32),
        fps=29.97, expression=np.ones((frames, 2), np.float32), expression_names=("jawOpen", "smile"),
        valid=np.ones(frames, bool), frame_times=np.arange(frames) / 29.97, extras={"smplit_source": np.array("a.mp4")},
    )


def test_a_saved_motion_reads_back_the_same(tmp_path):
    motion = make()
    again = Motion.load(motion.save(tmp_path / "ü motion.npz"))
    assert np.array_equal(again.poses, motion.poses) and np.array_equal(again.trans, motion.trans)
    assert again.fps == pytest.approx(29.97) and again.expression_names == ("jawOpen", "smile")
    assert str(again.extras["smplit_source"]) == "a.mp4" and again.contacts is None


def test_amass_entries_are_in_the_file(tmp_path):
    with np.load(make().save(tmp_path / "m.npz"), allow_pickle=False) as archive:
        assert str(archive["surface_model_type"]) == "smplx" and archive["poses"].shape == (4, 165)
        assert float(archive["mocap_time_length"]) == pytest.approx(4 / 29.97)


def test_a_failed_save_leaves_the_old_file_and_nothing_else(tmp_path):
    path = make().save(tmp_path / "m.npz")
    before = path.read_bytes()
    broken = make()
    broken.poses[0, 0] = np.nan
    with pytest.raises(BadInput, match="NaN"):
        broken.save(path)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["m.npz"]


@pytest.mark.skipif(os.name != "posix", reason="file modes are POSIX's")
def test_others_may_read_a_saved_motion_as_far_as_the_user_lets_them(tmp_path):
    before = os.umask(0o022)
    try:
        assert make().save(tmp_path / "m.npz").stat().st_mode & 0o777 == 0o644
    finally:
        os.umask(before)


def test_pickled_objects_are_refused(tmp_path):
    np.savez(tmp_path / "evil.npz", poses=np.array([{"a": 1}], dtype=object), trans=np.zeros((1, 3)))
    with pytest.raises(BadInput, match="cannot be read"):
        Motion.load(tmp_path / "evil.npz")


@pytest.mark.parametrize("change, word", [
    ({"poses": np.zeros((4, 72))}, "poses"), ({"trans": np.zeros((3, 3))}, "trans"), ({"mocap_frame_rate": 0.0}, "rate"),
])
def test_wrong_shapes_and_rates_are_named(change, word):
    with pytest.raises(BadInput, match=word):
        Motion.from_arrays({**make().arrays(), **change}, "x.npz")


def test_the_skeleton_is_ordered_parents_first():
    assert len(JOINT_NAMES) == len(PARENTS) == 55 == len(set(JOINT_NAMES))
    assert all(parent < joint for joint, parent in enumerate(PARENTS))
    assert JOINT_NAMES[25] == "left_index1" and JOINT_NAMES[54] == "right_thumb3"
