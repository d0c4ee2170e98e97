# SPDX-License-Identifier: GPL-3.0-or-later
"""Command lines of the original SMPLit, switch by switch. Oracle: what its parsers say of them (../shared/goldens/loco/SPEC.md)."""

import pytest

from smplit import seed_switches
from smplit.loco.facing import TRAJ_FACE_TYPE
from smplit.seed_switches import translate, translate_loco


@pytest.mark.parametrize("old,new", [
    ("--difine_traj line", "--path line"),
    ("--difine_traj=circle", "--path circle"),
    ("--difine_traj rec", "--path rec"),
    ("--infer_walk_speed 1.2", "--speed 1.2"),
    ("--infer_walk_speed=1.2", "--speed 1.2"),
    ("--num_samples 3", "--samples 3"),
    ("--gen_time_length 10", "--seconds 10"),
    ("--traj_face_type 0", "--facing path"),
    ("--traj_face_type=0", "--facing path"),
    ("--traj_face_type 1", "--facing fixed --angle 0"),
    ("--traj_face_type sideways", "--facing sideways"),
    ("--traj_rev_dir 0", ""),
    ("--traj_rev_dir False", ""),
    ("--traj_rev_dir 1", "--reverse"),
    ("--traj_rev_dir=1", "--reverse"),
    ("--user_transl", ""),
    ("--user_transl --path eight", "--path eight"),
    ("--style happy --path circle -o out --seed 3 --json", "--style happy --path circle -o out --seed 3 --json"),
    ("--style=happy:0.7,sad:0.3 --path-file=a=b.csv", "--style=happy:0.7,sad:0.3 --path-file=a=b.csv"),
    ("", ""),
])
def test_a_switch_of_the_originals_walk_becomes_ours(old, new):
    assert translate_loco(old.split()) == (new.split(), [])


@pytest.mark.parametrize("switch", ["--infer_step", "--guidance_param"])
@pytest.mark.parametrize("equals", [False, True])
def test_a_switch_that_changes_nothing_is_taken_with_its_value_and_said(switch, equals):
    words = [f"{switch}=2"] if equals else [switch, "2"]
    found, notes = translate_loco(["--style", "happy", *words, "--path", "line"])
    assert found == ["--style", "happy", "--path", "line"]
    assert len(notes) == 1 and switch in notes[0] and "changes nothing" in notes[0]


def test_a_walk_with_all_of_the_originals_switches_comes_out_whole():
    old = "--difine_traj spline --traj_rev_dir 1 --traj_face_type 1 --infer_step 2 --num_samples 10 --gen_time_length 10 --infer_walk_speed 1.0"
    found, notes = translate_loco([*old.split(), "--user_transl", "--guidance_param", "2.5", "--style", "sad"])
    assert " ".join(found) == "--path spline --reverse --facing fixed --angle 0 --samples 10 --seconds 10 --speed 1.0 --style sad"
    assert len(notes) == 2


@pytest.mark.parametrize("last", ["--difine_traj", "--infer_step", "--traj_face_type", "--traj_rev_dir"])
def test_a_last_switch_without_its_value_does_no_harm(last):
    found, _ = translate_loco(["--style", "sad", last])
    assert found[:2] == ["--style", "sad"]


def test_the_command_line_and_the_plan_mean_the_same_by_a_face_type():
    for number, options in TRAJ_FACE_TYPE.items():
        found, _ = translate_loco(["--traj_face_type", str(number)])
        assert found == [word for name, value in options.items() for word in (f"--{name}", f"{value:g}" if name == "angle" else value)]


@pytest.mark.parametrize("old,new,said", [
    ("--video a.mp4 --output_pth out", "a.mp4 --output out", None),
    ("--video=a.mp4 --output-pth=out", "a.mp4 --output out", None),
    ("a.mp4 --run_smplify", "a.mp4 --fit", None),
    ("a.mp4 --use_smplx --est_hands --not_full_body", "a.mp4", None),
    ("a.mp4 --save_pkl", "a.mp4", "--save_pkl changes nothing"),
    ("a.mp4 FLIP_EVAL True", "a.mp4 --flip-eval", None),
    ("a.mp4 FLIP_EVAL False", "a.mp4", None),
    ("a.mp4 -o out --hands off", "a.mp4 -o out --hands off", None),
])
def test_a_switch_of_the_originals_capture_becomes_ours(old, new, said):
    found, notes = translate(old.split())
    assert found == new.split()
    assert (said in notes[0]) if said else notes == []


@pytest.mark.parametrize("old, new, file", [
    ("--use_acr", "--hands acr", "acr"), ("--use_smirk", "--face smirk", "smirk"), ("--use_hmr2", "--body hmr2", "hmr2a"),
])
def test_a_published_estimator_is_asked_for_where_its_file_is_and_else_its_stand_in_named(old, new, file, monkeypatch):
    monkeypatch.setattr(seed_switches, "there", lambda name: name == file)
    assert translate(["a.mp4", old]) == (["a.mp4", *new.split()], [])
    monkeypatch.setattr(seed_switches, "there", lambda name: False)
    found, notes = translate(["a.mp4", old])
    assert found == ["a.mp4"] and old in notes[0] and "smplit models list" in notes[0]
