# SPDX-License-Identifier: GPL-3.0-or-later
"""Wrong use of the commands: exit code 2, a sentence with a remedy, nothing written."""

import json

import numpy as np
import pytest

from smplit.cli import main
from smplit.motion import Motion


@pytest.fixture
def video(tmp_path):
    path = tmp_path / "clip.mp4"
    path.write_bytes(b"not a video")
    return path


@pytest.mark.parametrize(
    "words, said",
    [
        (["--hands", "three"], "--hands 'three' is not one of"),
        (["--body", "hmr2"], "hmr2b.safetensors"),
        (["--people", "0"], "--people '0'"),
        (["--people", "anna"], "--people 'anna'"),
        (["--focal", "1"], "--focal"),
        (["--camera-file", "a.npz", "--focal", "900"], "--focal and --camera-file exclude each other"),
        (["--camera-file", "a.npz", "--camera", "moving"], "--camera and --camera-file exclude each other"),
        (["--device", "abacus"], "--device 'abacus'"),
        (["--no-such-option"], "no-such-option"),
    ],
)
def test_a_wrong_option_is_named_and_nothing_is_written(video, tmp_path, capsys, words, said):
    assert main(["capture", str(video), "-o", str(tmp_path / "out"), *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err + captured.out
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_no_video_is_refused_and_leaves_no_folder(video, tmp_path, capsys):
    assert main(["capture", str(video), "-o", str(tmp_path / "out")]) == 2
    assert "clip.mp4" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_two_videos_of_one_name_would_overwrite_each_other(tmp_path, capsys):
    assert main(["capture", str(tmp_path / "a" / "x.mp4"), str(tmp_path / "b" / "x.mp4"), "-o", str(tmp_path / "out")]) == 2
    assert "overwrite" in capsys.readouterr().err


def test_a_lost_camera_file_and_one_for_two_videos_are_refused(video, tmp_path, capsys):
    words = ["--camera-file", str(tmp_path / "lost.npz"), "-o", str(tmp_path / "out")]
    assert main(["capture", str(video), *words]) == 2
    assert "lost.npz' does not exist" in capsys.readouterr().err
    assert main(["capture", str(video), str(tmp_path / "other.mp4"), *words]) == 2
    assert "several videos" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_unknown_command_is_answered_with_the_list(capsys):
    assert main(["captur"]) == 2
    assert "smplit COMMAND" in capsys.readouterr().err


def test_import_into_a_folder_is_refused_and_an_old_file_survives(tmp_path, capsys):
    source = Motion(np.zeros((3, 165), np.float32), np.zeros((3, 3), np.float32), 30.0).save(tmp_path / "in.npz")
    assert main(["import", str(source), "-o", str(tmp_path)]) == 2
    assert "folder" in capsys.readouterr().err
    assert main(["import", str(source), "-o", str(tmp_path / "out.npz"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 3
