# SPDX-License-Identifier: GPL-3.0-or-later
"""`smplit train difftraj` and `smplit eval difftraj`, on a small store."""

import json

import pytest
from safetensors import safe_open

from smplit.errors import BadInput
from smplit.training.commands import eval_difftraj, report_tables, train_difftraj
from smplit.training.trainer import TrainOptions


@pytest.fixture(scope="module")
def trained(store, split, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    options = TrainOptions(folder, steps=3, eval_every=0, save_every=3)
    return train_difftraj(store.path, options, split=split, width=16, batch=2, frames=40), folder / "weights.safetensors"


def test_training_says_what_it_was_trained_on_and_the_weights_do_too(trained):
    report, weights = trained
    assert report["clips"] == 4 and report["licences"] == ["CC0"]  # neither held-out nor tuning clips
    with safe_open(weights, framework="np") as file:
        card = json.loads(file.metadata()["card"])
    assert card["licences"] == "CC0" and card["steps"] == "3" and card["data"].startswith("4 clips")


def test_commercial_safe_weights_see_free_recordings_only(store, split, tmp_path):
    with pytest.raises(BadInput, match="0 clips to train on"):  # CC0 is not on the list of the pack's free licences
        train_difftraj(store.path, TrainOptions(tmp_path / "run", steps=1), split=split, commercial_safe=True, width=16)


def test_training_goes_on_from_given_weights(trained, store, split, tmp_path):
    _, weights = trained
    options = TrainOptions(tmp_path, steps=1, eval_every=0, lr=0.0, ema=0.0)
    train_difftraj(store.path, options, split=split, batch=2, frames=40, base_model=weights)
    with safe_open(weights, framework="np") as before, safe_open(tmp_path / "weights.safetensors", framework="np") as after:
        assert (before.get_tensor("enter.weight") == after.get_tensor("enter.weight")).all()
        assert (before.get_tensor("mean") == after.get_tensor("mean")).all()


def test_evaluation_writes_every_method_on_clean_and_noisy_input(trained, store, split, tmp_path):
    _, weights = trained
    report = eval_difftraj(store.path, tmp_path, weights=weights, split=split, pictures=False)
    assert json.loads((tmp_path / "report.json").read_text())["part"] == "held_out"
    for noise in ("clean", "noisy"):
        assert set(report[noise]) == {"ours", "ours, legs as given", "velocity regression", "lowest-foot lock"}
    assert set(report["frame_rates"]) == {"24", "25", "50", "60", "120"}
    assert {row["name"] for row in report["clips"]} == {"set/clip5"}
    tables = report_tables(report)
    assert len(tables["methods"]) == 8 and tables["methods"][0]["RTE %"] == report["clean"]["ours"]["rte"]
    assert [row["fps"] for row in tables["frame_rates"]] == list(report["frame_rates"])


def test_a_part_that_the_store_lacks_is_refused(trained, store, split, tmp_path):
    with pytest.raises(BadInput, match="no clips of the part 'dancers'"):
        eval_difftraj(store.path, tmp_path, weights=trained[1], split=split, part="dancers")
