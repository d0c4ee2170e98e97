# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of `smplit data process` and `smplit data split`, ours and the original's."""

import json

import pytest
import tyro

from smplit.datasets.commands import data_process, data_split
from smplit.datasets.store import MotionStore
from smplit.errors import BadInput


def run(command, *words):
    return tyro.cli(command, args=[str(word) for word in words])


def test_the_original_s_option_names_are_accepted(amass, tmp_path, capsys):
    run(data_process, "--in_data_type", "amass", "--input", amass, "-o", tmp_path / "s.safetensors", "--save_data_fps", 20, "--win_size", 45,
        "--max_process_npz_num", -1, "--save_train_mean_std", "--workers", 1, "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["fps"] == 20.0 and report["window"] == 45 and report["clips"] == 2  # 3.0 and 2.5 s last as long
    assert MotionStore.open(tmp_path / "s.safetensors").mean.shape == (203,) and (tmp_path / "s_mean_std.npz").is_file()


def test_the_terminal_shows_hours_licences_and_reasons(amass, tmp_path, capsys):
    run(data_process, "--source", "amass", "--input", amass, "--output", tmp_path / "s.safetensors", "--workers", 1)
    shown = capsys.readouterr().out
    for word in ("ACCAD", "AMASS CMU", "skating", "shorter than the window"):
        assert word in shown


def test_a_split_is_written_and_applied(amass, tmp_path, capsys):
    run(data_process, "--source", "amass", "--input", amass, "--output", tmp_path / "s.safetensors", "--workers", 1)
    capsys.readouterr()
    run(data_split, "--data", tmp_path / "s.safetensors", "-o", tmp_path / "parts", "--held-out", "CMU/02", "--stores", "--json")
    parts = json.loads(capsys.readouterr().out)["parts"]
    assert [(row["part"], row["clips"]) for row in parts] == [("train", 2), ("held_out", 1)]
    run(data_split, "--data", tmp_path / "s.safetensors", "-o", tmp_path / "again", "--rules", tmp_path / "parts" / "split.json", "--json")
    assert json.loads(capsys.readouterr().out)["parts"][1]["clips"] == 1
    assert [file.name for file in (tmp_path / "again").iterdir()] == ["split.json"]


def test_a_split_of_nobody_writes_nothing(amass, tmp_path):
    run(data_process, "--source", "amass", "--input", amass, "--output", tmp_path / "s.safetensors", "--workers", 1)
    with pytest.raises(BadInput, match="nobody"):
        run(data_split, "--data", tmp_path / "s.safetensors", "-o", tmp_path / "parts", "--held-out", "nobody")
    assert not (tmp_path / "parts").exists()
