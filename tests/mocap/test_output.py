# SPDX-License-Identifier: GPL-3.0-or-later
"""Results appear whole or not at all, and options are checked before anything is loaded."""

import errno
import os
import subprocess
import sys

import pytest

from smplit.errors import BadInput, NoSpace
from smplit.mocap.options import CaptureOptions
from smplit.mocap.output import OutputFolder


def test_nothing_stays_when_the_work_fails(tmp_path):
    with pytest.raises(RuntimeError), OutputFolder(tmp_path / "a" / "out") as folder:
        (folder.path / "x.npz").write_text("half")
        raise RuntimeError
    assert not (tmp_path / "a" / "out").exists()


def test_an_older_result_survives_a_failed_run_and_is_replaced_by_a_good_one(tmp_path):
    (tmp_path / "x.npz").write_text("old")
    with pytest.raises(RuntimeError), OutputFolder(tmp_path) as folder:
        (folder.path / "x.npz").write_text("new")
        raise RuntimeError
    assert (tmp_path / "x.npz").read_text() == "old"
    with OutputFolder(tmp_path) as folder:
        (folder.path / "x.npz").write_text("new")
        folder.commit()
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("x.npz", "new")]


def test_a_full_disk_says_so_with_a_remedy(tmp_path):
    with pytest.raises(NoSpace, match="Free some space"), OutputFolder(tmp_path / "o"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert not (tmp_path / "o").exists()


def test_a_file_as_output_folder_is_bad_input(tmp_path):
    (tmp_path / "f").write_text("")
    with pytest.raises(BadInput, match="is a file"), OutputFolder(tmp_path / "f"):
        pass


def test_all_option_problems_are_reported_together():
    with pytest.raises(BadInput) as error:
        CaptureOptions(body="best", people="0", focal=-3).validate()
    assert all(word in str(error.value) for word in ("--body 'best'", "--people '0'", "--focal"))


def test_what_is_not_in_this_version_is_named_with_what_to_use():
    with pytest.raises(BadInput, match="not in this version; use --trajectory camera"):
        CaptureOptions(trajectory="wham").validate()


def test_unknown_option_names_list_the_known_ones():
    with pytest.raises(BadInput, match=r"peple.*Known options:.*people"):
        CaptureOptions.from_dict({"peple": "all"})


def test_what_a_killed_run_left_aside_is_removed_by_the_next_and_a_living_run_is_not_disturbed(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    (tmp_path / f".smplit-{ended.pid}-abc").mkdir()
    (tmp_path / f".smplit-{os.getpid()}-def").mkdir()
    with OutputFolder(tmp_path):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [f".smplit-{os.getpid()}-def"]
