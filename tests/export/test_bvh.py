# SPDX-License-Identifier: GPL-3.0-or-later
"""BVH files mean the same motion to another library (bvhio) as to smplx."""

import bvhio
import numpy as np
import pytest

from smplit.export import export_motion
from smplit.motion import JOINT_NAMES


def read_positions(path, frames):
    """(N,55,3) cm as bvhio's own kinematics places the joints."""
    root = bvhio.readAsHierarchy(str(path))
    joints = {joint.Name: joint for joint, _, _ in root.layout()}
    positions = []
    for frame in frames:
        root.loadPose(frame)
        positions.append([list(joints[name].PositionWorld) for name in JOINT_NAMES])
    return np.array(positions)


def test_another_library_finds_the_joints_where_smplx_puts_them(motion, body, tmp_path, smplx_skinning):
    export_motion(motion, tmp_path / "m.bvh", None, body)
    truth, _ = smplx_skinning(body, motion)
    frames = [0, 7, 23]
    # Y up and centimetres, written out by hand: (x, z, -y) * 100.
    expected = np.stack([truth[frames, :, 0], truth[frames, :, 2], -truth[frames, :, 1]], -1) * 100.0
    assert np.abs(read_positions(tmp_path / "m.bvh", frames) - expected).max() < 0.01


def test_the_hierarchy_and_the_rate_are_as_other_tools_expect(motion, body, tmp_path):
    export_motion(motion, tmp_path / "m.bvh", None, body)
    parsed = bvhio.readAsBvh(str(tmp_path / "m.bvh"))
    assert parsed.FrameCount == 24 and parsed.FrameTime == pytest.approx(0.04)
    assert len(parsed.Root.layout()) == 55
    text = (tmp_path / "m.bvh").read_text()
    assert text.count("End Site") == 15 and text.count("JOINT") == 54


def test_uneven_frames_keep_their_seconds(motion, body, tmp_path):
    """Frames at 0, 0.04 and 0.12 s become four even ones; the third lies halfway between two given ones."""
    short = motion[:3]
    short.frame_times = np.array([5.0, 5.04, 5.12])
    short.poses = np.zeros((3, 165), np.float32)
    short.trans = np.array([[0, 0, 1], [0.1, 0, 1], [0.5, 0, 1]], np.float32)
    short.poses[:, 51] = [0.0, 0.2, 1.0]
    export_motion(short, tmp_path / "m.bvh", None, body)
    rows = np.array([line.split() for line in (tmp_path / "m.bvh").read_text().split("Frame Time:")[1].splitlines()[1:]], float)
    assert rows.shape == (4, 168)
    assert np.allclose(np.diff(rows[:, 0]), [10, 20, 20], atol=0.01)


def test_angles_do_not_jump_by_a_turn(motion, body, tmp_path):
    motion.poses[:, 0] = np.pi / 2
    motion.poses[:, 1:3] = 0
    motion.poses[:, 48:51] = np.linspace(0, 9.0, 24)[:, None] * [1, 0, 0]  # a shoulder through the poles of Z-X-Y
    export_motion(motion, tmp_path / "m.bvh", None, body)
    rows = np.array([line.split() for line in (tmp_path / "m.bvh").read_text().split("Frame Time:")[1].splitlines()[1:]], float)
    assert np.abs(np.diff(rows[:, 3:], axis=0)).max() < 60
