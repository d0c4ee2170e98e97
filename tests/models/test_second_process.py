# SPDX-License-Identifier: GPL-3.0-or-later
"""The process of its own in which files are read: its walls hold, and what it answers is not trusted."""

import json
import subprocess
import sys

import pytest

from smplit.errors import BadInput, SmplitError
from smplit.models import adding

posix = pytest.mark.skipif(sys.platform == "win32", reason="the programs in it are of POSIX")


def test_a_pickle_that_asks_for_all_memory_ends_in_the_second_process(model_folder, tmp_path):
    """It asks for a table of two thousand million places before it holds anything."""
    (tmp_path / "gmm_08.pkl").write_bytes(b"\x80\x02}r\xff\xff\xff\x7f.")
    with pytest.raises(BadInput, match=r"gmm_08\.pkl|reader ended"):
        adding.add([tmp_path / "gmm_08.pkl"])
    assert not model_folder.exists()


WALLS = """
import os, shutil, socket, subprocess, sys
from pathlib import Path
from smplit.models import guard
inside, outside = Path(sys.argv[1]), Path(sys.argv[2])
(outside / "old").write_text("x")
guard.limit(1 << 20)
guard.confine(inside)
(inside / "own").write_text("x")
(inside / "own").unlink()
shutil.copyfile(outside / "old", inside / "copy")
(inside / "copy").rename(inside / "moved")
(inside / "moved").unlink()
assert (outside / "old").read_text() == "x"
for attempt in (
    lambda: os.system("true"), lambda: subprocess.run([sys.executable, "-c", ""]), lambda: os.fork(), lambda: socket.socket(),
    lambda: (outside / "new").write_text("x"), lambda: os.open(outside / "new", os.O_CREAT | os.O_WRONLY), lambda: (outside / "old").unlink(),
    lambda: os.rename(outside / "old", inside / "old"), lambda: os.symlink(outside, outside / "link"),
    lambda: (inside / ".." / "new").write_text("x"),
    lambda: os.posix_spawn("/bin/true", ["true"], {}), lambda: os.execv("/bin/true", ["true"]), lambda: bytearray(40 << 30),
    lambda: os.kill(os.getppid(), 0), lambda: shutil.copyfile(outside / "old", outside / "new"),
    lambda: shutil.move(outside / "old", inside / "old"),
):
    try:
        attempt()
    except (guard.Forbidden, MemoryError):
        continue
    sys.exit(9)
sys.exit(0)
"""


@posix
def test_the_walls_of_the_second_process_hold(tmp_path):
    """Oracle: the calls themselves, each of which works without them."""
    for name in ("inside", "outside"):
        (tmp_path / name).mkdir()
    run = subprocess.run([sys.executable, "-c", WALLS, tmp_path / "inside", tmp_path / "outside"], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert [file.name for file in tmp_path.rglob("*") if file.is_file()] == ["old"]


@posix
def test_a_reader_that_dies_or_hangs_is_told_from_a_refusal(model_folder, tmp_path, monkeypatch):
    (tmp_path / "wild.pkl").write_bytes(b"x")
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nkill -9 $$\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(BadInput, match="its reader ended with -9"):
        adding.add([tmp_path / "wild.pkl"])
    python.write_text("#!/bin/sh\nexec sleep 60\n")
    monkeypatch.setattr(adding, "_SECONDS", 0.2)
    with pytest.raises(BadInput, match="took longer than 0 s"):
        adding.add([tmp_path / "wild.pkl"])
    assert not model_folder.exists()


@posix
@pytest.mark.parametrize("lie", [
    {"relative": "../acr/wild.safetensors"}, {"relative": "/etc/acr/wild.safetensors"}, {"relative": "acr/../../wild.safetensors"},
    {"relative": "body/OPEN_NEUTRAL.npz"}, {"model": "lifter", "relative": "wham/stage1.safetensors"}, {"file": "../secret"}, {"file": "link"},
    {"file": "gone"}, {"title": 3}, {"model": "dance"}, None,
])
def test_a_reader_that_was_taken_over_cannot_choose_where_files_go(model_folder, tmp_path, monkeypatch, lie):
    """In its place a program that answers what a fault would make it answer."""
    true = {"model": "acr", "file": "own", "relative": "acr/wild.safetensors", "title": "ACR", "source": "", "source_sha256": "", "build": ""}
    true["notes"] = []
    (tmp_path / "answer").write_text(json.dumps({"found": [true | lie if lie else true], "skipped": []}))
    (tmp_path / "secret").write_text("secret")
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncp "{tmp_path}/answer" report.json\necho own > own\nln -s own link\necho own > ../secret\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    (tmp_path / "wild.pkl").write_bytes(b"x")
    if lie is None:  # the program itself is right
        assert adding.add([tmp_path / "wild.pkl"])["added"][0]["model"] == "acr"
        return
    with pytest.raises(SmplitError, match="answer that cannot be"):
        adding.add([tmp_path / "wild.pkl"])
    assert [file.name for file in model_folder.rglob("*") if file.is_file()] == ["secret"]
