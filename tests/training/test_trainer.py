# SPDX-License-Identifier: GPL-3.0-or-later
"""A run that stops and resumes must be the run that did not stop."""

import csv

import pytest
import torch
from safetensors.torch import load_file

from smplit.errors import BadInput
from smplit.training.difftraj import DiffTrajRecipe
from smplit.training.trainer import TrainOptions, learning_rate, train


def recipe(store):
    torch.manual_seed(5)
    return DiffTrajRecipe(store, [0, 1, 2, 3], [4, 5], width=16, batch=3, frames=40, quick=2)


def options(folder, steps, **more):
    return TrainOptions(folder, **({"steps": steps, "warmup": 3, "cooldown": 0.0, "log_every": 5, "eval_every": 0, "save_every": 10} | more))


@pytest.fixture(scope="module")
def whole_run(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("whole")
    train(recipe(store), options(folder, 20))
    return folder


def state(folder):
    return torch.load(folder / "training.pt", weights_only=True)


def test_ten_steps_and_ten_resumed_are_twenty_to_the_bit(store, whole_run, tmp_path):
    train(recipe(store), options(tmp_path, 10))
    halfway = state(tmp_path)
    train(recipe(store), options(tmp_path, 20, resume=True))
    expected, found = state(whole_run), state(tmp_path)
    assert halfway["step"] == 10 and found["step"] == expected["step"] == 20
    for part in ("model", "average"):
        for name, value in expected[part].items():
            assert torch.equal(found[part][name], value), f"{part} {name}"
    assert any(not torch.equal(halfway["model"][name], value) for name, value in expected["model"].items())
    assert (tmp_path / "losses.csv").read_text().count("\n") == (whole_run / "losses.csv").read_text().count("\n")


def test_the_shipped_weights_are_the_averaged_ones(whole_run):
    average, model, shipped = state(whole_run)["average"], state(whole_run)["model"], load_file(whole_run / "weights.safetensors")
    name = "blocks.3.mix.weight"
    assert torch.equal(shipped[name], average[name].half())
    assert not torch.equal(shipped[name], model[name].half())


def test_learning_goes_up_stays_and_comes_down_to_zero():
    plan = TrainOptions(None, steps=100, lr=1.0, warmup=10, cooldown=0.2)
    rates = [learning_rate(step, plan) for step in range(101)]
    assert rates[0] == pytest.approx(0.1) and rates[9:80] == [1.0] * 71
    assert rates[90] == pytest.approx(0.5) and rates[100] == 0.0


def test_the_loss_falls(store, tmp_path):
    train(recipe(store), options(tmp_path, 60, log_every=1, save_every=100, lr=3e-3))
    with (tmp_path / "losses.csv").open(newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 60
    assert sum(losses[-10:]) < 0.8 * sum(losses[:10])


def test_held_out_clips_are_measured_while_training_goes_on(store, tmp_path):
    train(recipe(store), options(tmp_path, 4, eval_every=2))
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["2", "4"]
    assert {"clean_rte", "noisy_rte", "clean_slide"} <= set(rows[0])


def test_a_folder_with_a_run_is_not_overwritten(store, whole_run):
    before = (whole_run / "losses.csv").read_bytes()
    with pytest.raises(BadInput, match="already holds a run"):
        train(recipe(store), options(whole_run, 20))
    assert (whole_run / "losses.csv").read_bytes() == before


def test_there_must_be_a_run_to_resume(store, tmp_path):
    with pytest.raises(BadInput, match="no run to resume"):
        train(recipe(store), options(tmp_path, 20, resume=True))


def test_no_clip_is_both_trained_on_and_held_out(store):
    with pytest.raises(BadInput, match="held out"):
        DiffTrajRecipe(store, [0, 1], [1, 2])


def test_curves_of_a_run_are_drawn(whole_run, tmp_path):
    pytest.importorskip("matplotlib")
    import cv2

    from smplit.training.plot import plot_runs

    panels = plot_runs([whole_run], tmp_path / "curves.png")
    assert {"losses/loss", "losses/velocity", "losses/lr"} <= set(panels)
    picture = cv2.imread(str(tmp_path / "curves.png"))
    assert picture is not None and (picture < 250).mean() > 0.01
    with pytest.raises(BadInput, match="no figures"):
        plot_runs([tmp_path], tmp_path / "none.png")


def test_a_run_that_is_told_to_stop_saves_what_it_has(store, tmp_path):
    import os
    import signal

    stopping = recipe(store)
    make_batch, made = stopping.batch, []

    def batch(generator):
        made.append(1)
        if len(made) == 25:  # 20 batches measure the inputs
            os.kill(os.getpid(), signal.SIGTERM)
        return make_batch(generator)

    stopping.batch = batch
    before = signal.getsignal(signal.SIGTERM)
    train(stopping, options(tmp_path, 100))
    assert state(tmp_path)["step"] == 5 and (tmp_path / "weights.safetensors").is_file()
    assert signal.getsignal(signal.SIGTERM) is before
