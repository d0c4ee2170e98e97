# SPDX-License-Identifier: GPL-3.0-or-later
"""`smplit loco`: what it writes, where, and what it refuses."""

import json

import numpy as np
import pytest

from smplit.cli import main
from smplit.motion import Motion


@pytest.fixture(autouse=True)
def one_body(body, monkeypatch):
    """The body is read once for all."""
    monkeypatch.setattr("smplit.cli.Common.body", lambda self: body)


@pytest.fixture
def loco(loco_weights, tmp_path, capsys):
    """`loco("--style", "happy")` -> exit code, what was said, rows written; into tmp_path/out."""

    def run(*words):
        code = main(["loco", "-o", str(tmp_path / "out"), "--weights", str(loco_weights), "--json", *map(str, words)])
        captured = capsys.readouterr()
        return code, " ".join((captured.err + captured.out).split()), json.loads(captured.out)["written"] if code == 0 else []

    return run


@pytest.fixture
def files(tmp_path):
    return lambda: sorted(path.name for path in (tmp_path / "out").glob("**/*")) if (tmp_path / "out").exists() else []


def pelvis(path, body):
    return Motion.load(path).trans + body.rest_joints()[0].cpu().numpy()


def test_a_style_and_a_path_become_one_file_that_ends_where_the_path_does(loco, body, files):
    code, _, (row,) = loco("--style", "happy", "--path", "line", "--length", 3, "--speed", 1)
    assert code == 0 and files() == ["happy_line.npz"]
    motion = Motion.load(row["file"])
    assert row["frames"] == len(motion) == pytest.approx(90, abs=2) and row["path_m"] == 3.0 and row["style"] == "happy"
    assert np.abs(pelvis(row["file"], body)[-1, :2] - [3, 0]).max() < 1e-3


def test_variants_are_files_of_their_own_and_repeat_with_the_seed(loco, files):
    words = ("--style", "happy", "--length", 2, "--samples", 2)
    _, _, first = loco(*words, "--seed", 3)
    assert files() == ["happy_line_1.npz", "happy_line_2.npz"]
    before = [Motion.load(row["file"]).poses for row in first]
    assert not np.array_equal(*before)
    again = [Motion.load(row["file"]).poses for row in loco(*words, "--seed", 3)[2]]
    assert all(map(np.array_equal, before, again))
    assert np.array_equal(Motion.load(loco(*words, "--seed", 4)[2][0]["file"]).poses, before[1]), "the second variant is the next seed"


@pytest.mark.parametrize("style", ["happy:0.7,sad:0.3", "happy@0,sad@1", " happy , sad "])
def test_a_mixture_names_its_styles_in_the_file(loco, files, style):
    assert loco("--style", style, "--length", 2)[0] == 0
    assert files() == ["happy-sad_line.npz"]


def test_a_path_file_is_walked_and_names_the_result(loco, body, files, tmp_path):
    (tmp_path / "yard.csv").write_text("x,y,z\n0,0,0\n2,0,0.2\n2,2,0.2\n")
    _, _, (row,) = loco("--style", "sad", "--path-file", tmp_path / "yard.csv", "--speed", 0.6)
    assert files() == ["sad_yard.npz"]
    assert np.abs(pelvis(row["file"], body)[-1, :2] - [2, 2]).max() < 1e-3
    np.savez(tmp_path / "ring.npz", points=np.array([(0.0, 0), (2, 0), (2, 2), (0, 2)]), closed=True)
    _, _, (row,) = loco("--style", "happy", "--path-file", tmp_path / "ring.npz", "--speed", 1)
    assert row["path_m"] == pytest.approx(8, abs=0.1)


def test_seconds_facing_and_reverse_are_taken(loco, body):
    _, _, (row,) = loco("--style", "happy", "--length", 20, "--seconds", 2, "--facing", "fixed", "--angle", 90, "--reverse", "--speed", 1)
    assert row["frames"] == 60
    assert pelvis(row["file"], body)[0, 0] > 18, "from the far end"


@pytest.mark.parametrize("speed", ["6", "0.01", "0", "-1"])
def test_a_speed_that_the_style_does_not_have_is_changed_and_said(loco, speed):
    code, said, (row,) = loco("--style", "sad", "--length", 2, "--speed", speed)
    assert code == 0 and f"{speed} m/s was changed to" in said and "'sad'" in said
    assert 60 < row["frames"] < 400, "this one was recorded at 0.6 m/s"


def test_an_unknown_style_lists_near_names_and_nothing_is_written(loco, files):
    code, said, _ = loco("--style", "hapy")
    assert code == 2 and "no style 'hapy'" in said and "Did you mean happy" in said and files() == []


@pytest.mark.parametrize("words, said", [
    (["--style", "happy:much"], "'much'"),
    (["--style", ""], "There are: happy, sad"),
    (["--path", "figure"], "no path 'figure'"),
    (["--length", "0"], "0 m"),
    (["--length", "nan"], "nan m"),
    (["--seconds", "0"], "0 s"),
    (["--speed", "nan"], "nan"),
    (["--facing", "sideways"], "sideways"),
    (["--facing", "towards"], "needs the point"),
    (["--samples", "0"], "--samples"),
    (["--steps", "0"], "--steps"),
    (["--strength", "nan"], "--strength nan"),
    (["--strength", "-1"], "--strength -1"),
    (["--strength", "1e9"], "--strength 1e+09"),
    (["--path-file", "nowhere.csv"], "nowhere.csv"),
    (["--length", "long"], "long"),
    (["--no-such-option"], "no-such-option"),
])
def test_what_makes_no_sense_is_named_and_nothing_is_written(loco, files, words, said):
    style = [] if "--style" in words else ["--style", "happy"]
    code, found, _ = loco(*style, *words)
    assert code == 2 and said in found and files() == []


def test_a_path_file_with_wrong_columns_is_refused(loco, files, tmp_path):
    (tmp_path / "wrong.csv").write_text("east,north\n0,0\n1,1\n")
    code, said, _ = loco("--style", "happy", "--path-file", tmp_path / "wrong.csv")
    assert code == 2 and "wrong.csv" in said and "x and y" in said and files() == []


def test_without_a_folder_it_says_how_to_name_one(loco_weights, capsys):
    assert main(["loco", "--weights", str(loco_weights), "--style", "happy"]) == 2
    assert "smplit loco -o DIR" in capsys.readouterr().err


def test_weights_of_another_kind_are_refused(tmp_path, capsys):
    (tmp_path / "w.safetensors").write_bytes(b"nothing")
    assert main(["loco", "-o", str(tmp_path / "out"), "--weights", str(tmp_path / "w.safetensors")]) == 2
    assert main(["loco", "-o", str(tmp_path / "out"), "--weights", str(tmp_path / "none.safetensors")]) == 2
    said = capsys.readouterr().err
    assert "w.safetensors" in said and "none.safetensors" in said and not (tmp_path / "out").exists()


def test_the_styles_and_their_speeds_are_listed(loco_weights, capsys):
    assert main(["loco", "--weights", str(loco_weights), "--list-styles", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["styles"]
    assert [row["style"] for row in rows] == ["happy", "sad"]
    slow, fast = map(float, rows[0]["ahead m/s"].split(" to "))
    assert 0 < slow < fast < 1.5 and rows[0]["back m/s"] == "-"


def test_an_old_command_line_runs(loco, files):
    words = "--user_transl --difine_traj rec --traj_rev_dir 1 --traj_face_type 0 --infer_step 2 --num_samples 2 --gen_time_length 2"
    code, said, rows = loco("--style", "happy", *words.split(), "--infer_walk_speed", "0.9", "--guidance_param", "2.5")
    assert code == 0 and len(rows) == 2 and all(row["frames"] == 60 for row in rows)
    assert "--infer_step" in said and "--guidance_param" in said, "the user is told what changes nothing"
    assert all(name.startswith("happy_") for name in files())


def test_a_character_that_only_turns_on_the_spot(loco, body):
    code, _, (row,) = loco("--style", "happy", "--path", "stand", "--seconds", 1, "--start-facing", 10, "--end-facing", 100)
    motion = Motion.load(row["file"])
    assert code == 0 and row["path_m"] == 0 and 45 < len(motion) < 90
    assert np.abs(pelvis(row["file"], body)[:, :2]).max() < 0.15
    code, _, (row,) = loco("--style", "happy", "--path", "stand")
    assert code == 0 and row["frames"] == 150


def test_a_character_that_turns_before_it_walks_and_when_it_has_arrived(loco, body):
    _, _, (plain,) = loco("--style", "happy", "--length", 2, "--speed", 1)
    code, _, (row,) = loco("--style", "happy", "--length", 2, "--speed", 1, "--start-facing", 180, "--end-facing", 90)
    assert code == 0 and row["frames"] > plain["frames"] + 90
    places = pelvis(row["file"], body)
    assert np.abs(places[:60, :2]).max() < 0.15 and np.abs(places[-30:, :2] - [2, 0]).max() < 0.15
    code, said, _ = loco("--style", "happy", "--start-facing", "nan")
    assert code == 2 and "Facing" in said
