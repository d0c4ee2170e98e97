# SPDX-License-Identifier: GPL-3.0-or-later
"""`smplit capture` ended from outside: whatever happens, no result is half there.

The worst moment is when files are written aside but not moved in. A driver gets there at once: it
runs the real command with a motion of noise in place of the estimators.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from smplit.motion import Motion

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
VIDEO = Path(__file__).resolve().parents[3] / "shared" / "videos" / "squats_5fps_portrait.mp4"
DRIVER = """
import sys, time
import numpy as np
from smplit import cli
from smplit.mocap import pipeline
from smplit.mocap.output import OutputFolder
from smplit.motion import Motion

seconds = float(sys.argv.pop())

def capture(video, output, options, reporter, body):
    noise = np.random.default_rng(0).normal(size=(4000, 165)).astype(np.float32)
    with OutputFolder(output) as folder:
        for person in (1, 2):
            folder.save(Motion(noise, noise[:, :3], 30.0), f"a_p{person}.npz")
        print("written aside", flush=True)
        time.sleep(seconds)
        folder.commit()
    return []

pipeline.capture = capture
sys.exit(cli.main(sys.argv[1:]))
"""
WAITING_DRIVER = """
import sys, time
from smplit import cli, terminal

stage = sys.argv.pop()

class Waiting(terminal.TerminalReporter):
    def stage(self, name, done, total):
        if name == stage and done:
            print("so far", flush=True)
            time.sleep(60)

terminal.TerminalReporter = Waiting
sys.exit(cli.main(sys.argv[1:]))
"""


def run(output, seconds, command=None):
    command = command or [sys.executable, "-c", DRIVER, "capture", "a.mp4", "-o", output, "--device", "cpu", str(seconds)]
    # A test run started in the background of a script ignores Ctrl-C, and so would its children.
    heard = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heard)


def stopped_aside(output, number):
    """The exit code and last words of a run that got a signal when its files lay aside."""
    with run(output, 60) as process:
        assert process.stdout.readline() == "written aside\n", process.stderr.read()
        process.send_signal(number)
        words = process.stderr.read()
    return process.returncode, words


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_terminated_or_interrupted_capture_removes_what_it_began(tmp_path, number):
    code, words = stopped_aside(tmp_path / "out", number)
    assert code == 1 and "nothing was left half-written" in words and "Traceback" not in words
    assert not list(tmp_path.iterdir())


def test_a_terminated_capture_leaves_the_results_of_an_earlier_one_alone(tmp_path):
    (tmp_path / "a_p1.npz").write_text("earlier")
    stopped_aside(tmp_path, signal.SIGTERM)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [("a_p1.npz", "earlier")]


def test_a_killed_capture_shows_no_result_and_the_next_run_writes_whole_ones(tmp_path):
    out = tmp_path / "out"
    code, _ = stopped_aside(out, signal.SIGKILL)
    assert code == -signal.SIGKILL and not list(out.glob("*.npz"))
    with run(out, 0) as process:
        process.communicate()
    assert process.returncode == 0
    assert [len(Motion.load(file)) for file in sorted(out.glob("*.npz"))] == [4000, 4000]


def test_a_full_disk_ends_a_capture_with_a_remedy_and_leaves_nothing(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    if not shutil.which("mount") or subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", small], capture_output=True).returncode:
        pytest.skip("a small disk can only be mounted by root")
    try:
        with run(small / "out", 0) as process:
            _, words = process.communicate()
        assert process.returncode == 1 and "No space left" in words and "Free some space" in words and "Traceback" not in words
        assert not list(small.iterdir()), "the first person fitted, but its file goes with the second's"
    finally:
        subprocess.run(["umount", "-l", small], check=True)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["people and landmarks", "fit"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_real_capture_stopped_on_its_way_leaves_no_result(tmp_path, number, stage):
    if not VIDEO.exists():
        pytest.skip("needs ../shared/videos/squats_5fps_portrait.mp4")
    out = tmp_path / "out"
    with run(out, 0, [sys.executable, "-c", WAITING_DRIVER, "capture", VIDEO, "-o", out, "--range", "0:3", "--device", "cpu", stage]) as process:
        assert process.stdout.readline() == "so far\n", process.stderr.read()
        process.send_signal(number)
        words = process.stderr.read()
    assert process.returncode == (1 if number == signal.SIGTERM else -signal.SIGKILL) and "Traceback" not in words
    # Nobody can tidy up after SIGKILL: the folder of the files aside stays, hidden, until the next run removes it.
    assert not list(tmp_path.iterdir()) or (number == signal.SIGKILL and stage == "fit" and not list(out.glob("[!.]*")))
