# SPDX-License-Identifier: GPL-3.0-or-later
"""`smplit difftraj`: what it writes, where, and what it refuses."""

import json

import numpy as np
import pytest

from smplit.cli import main
from smplit.difftraj.commands import axis_turn
from smplit.motion import Motion


@pytest.fixture
def walk(tmp_path):
    """A second of marching on the spot, saved."""
    frames = 31
    swing = np.sin(2 * np.pi * np.arange(frames) / 30)
    poses = np.zeros((frames, 55, 3), np.float32)
    poses[:, 0, 0] = np.pi / 2  # Y up -> Z up
    poses[:, 1, 0], poses[:, 2, 0] = -0.4 * np.maximum(swing, 0), -0.4 * np.maximum(-swing, 0)
    poses[:, 4, 0], poses[:, 5, 0] = 0.7 * np.maximum(swing, 0), 0.7 * np.maximum(-swing, 0)
    trans = np.tile(np.float32([2.0, -1.0, 1.3]), (frames, 1))
    return Motion(poses=poses.reshape(frames, -1), trans=trans, betas=np.zeros(10, np.float32), fps=30.0).save(tmp_path / "walk.npz")


def test_one_motion_becomes_one_file_that_starts_where_the_input_did(walk, tmp_path, capsys):
    assert main(["difftraj", str(walk), "-o", str(tmp_path / "out.npz"), "--json"]) == 0
    row = json.loads(capsys.readouterr().out)["written"][0]
    result = Motion.load(tmp_path / "out.npz")
    assert row["frames"] == len(result) == 31
    assert np.abs(result.trans[0, :2] - [2.0, -1.0]).max() < 0.02
    assert result.contacts is not None and result.contacts.shape == (31, 4)


def test_the_camera_that_filmed_the_old_path_is_not_kept(walk, tmp_path):
    filmed = Motion.load(walk)
    filmed.camera_R, filmed.camera_t = np.tile(np.eye(3, dtype=np.float32), (31, 1, 1)), np.zeros((31, 3), np.float32)
    filmed.camera_K = np.eye(3, dtype=np.float32)
    filmed.save(walk)
    assert main(["difftraj", str(walk), "-o", str(tmp_path / "out.npz")]) == 0
    assert Motion.load(tmp_path / "out.npz").camera_R is None


def test_samples_are_files_of_their_own_and_repeat_with_the_seed(walk, tmp_path):
    for folder in ("a", "b"):
        assert main(["difftraj", str(walk), "-o", str(tmp_path / folder), "--samples", "2", "--seed", "3"]) == 0
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == ["walk_s1.npz", "walk_s2.npz"]
    assert all(np.array_equal(Motion.load(tmp_path / "a" / n).trans, Motion.load(tmp_path / "b" / n).trans) for n in names)


def test_several_results_do_not_fit_one_file(walk, tmp_path, capsys):
    assert main(["difftraj", str(walk), "-o", str(tmp_path / "out.npz"), "--samples", "3"]) == 2
    assert "Name a folder" in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()


def test_degrees_instead_of_radians_are_refused_and_nothing_is_written(walk, tmp_path, capsys):
    motion = Motion.load(walk)
    motion.poses = np.degrees(motion.poses)
    motion.save(tmp_path / "degrees.npz")
    assert main(["difftraj", str(tmp_path / "degrees.npz"), "-o", str(tmp_path / "out.npz")]) == 2
    assert "degrees" in capsys.readouterr().err
    assert not (tmp_path / "out.npz").exists()


def test_the_published_network_needs_its_statistics(walk, tmp_path, capsys):
    assert main(["difftraj", str(walk), "-o", str(tmp_path / "out.npz"), "--original", str(tmp_path / "model.pt")]) == 2
    assert "--statistics" in capsys.readouterr().err


def test_flips_turn_by_half_or_by_the_angle_and_an_angle_alone_about_up():
    assert axis_turn(False, False, False, None) is None
    assert np.allclose(axis_turn(True, False, False, None), np.diag([1, -1, -1]))
    assert np.allclose(axis_turn(False, False, False, 90) @ [1, 0, 0], [0, 1, 0])
    assert np.allclose(axis_turn(True, False, False, 90) @ [0, 1, 0], [0, 0, 1])
