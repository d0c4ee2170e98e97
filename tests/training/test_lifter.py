# SPDX-License-Identifier: GPL-3.0-or-later
"""Films of recordings, the lifter's loss, and `smplit train wham-stage1`, `smplit eval wham` on a small store."""

import csv
import json

import pytest
import torch

from smplit.body.model import BodyModel
from smplit.difftraj.augment import Recordings
from smplit.errors import BadInput
from smplit.mocap.lifter import films as films_module
from smplit.mocap.lifter.films import Films
from smplit.mocap.lifter.people import MIRRORED_JOINTS, People, landmarks, pose
from smplit.training.lifter import LifterRecipe, losses
from smplit.training.lifter_commands import eval_lifter, report_tables, train_lifter
from smplit.training.trainer import TrainOptions


@pytest.fixture(scope="module")
def body():
    return BodyModel.load()


@pytest.fixture
def films(store, body):
    people = People.of(body, torch.randn(5, 10, generator=torch.Generator().manual_seed(0)))
    return Films(Recordings.of(store, list(range(6)), body.rest_joints()[0], "cpu"), None, people, batch=24, frames=40, spoil=False)


def test_truth_projects_onto_what_a_faultless_detector_sees(films, monkeypatch):
    def faultless(rand, frames, count):
        zeros = torch.zeros(rand.batch, frames, count, 3)
        return zeros[..., :2], zeros, torch.ones(rand.batch, frames, count), torch.ones(rand.batch, frames, dtype=torch.bool)

    monkeypatch.setattr(films_module, "_plain_errors", faultless)
    view, truth = films(torch.Generator().manual_seed(3))
    turned, joints = pose(truth.rotations, truth.people.bones)
    torch.testing.assert_close(joints, truth.joints, atol=1e-4, rtol=0)
    depth = truth.place[..., 2].exp() / view.scale
    pelvis = torch.cat([truth.place[..., :2] * (view.scale * depth)[..., None], depth[..., None]], -1)
    # A mirrored window's landmarks sit where the mirrored body's do, to the body's own asymmetry.
    marks = landmarks(turned, joints, truth.people) + pelvis[:, :, None]
    seen = marks[..., :2] / marks[..., 2:] / view.scale[..., None, None]
    off = (seen - view.inputs[..., :50].unflatten(-1, (25, 2))).norm(dim=-1)
    assert float(off.median()) < 0.005 and float(off.max()) < 0.06
    hips = view.inputs[..., 75:150].unflatten(-1, (25, 3)) / 3.0
    assert float(hips[:, :, [15, 16]].mean(2).abs().max()) < 1e-4  # the detector's 3D is about the hips


def test_half_of_the_windows_are_mirrored(films):
    view, truth = films(torch.Generator().manual_seed(4))
    asymmetry = lambda bones: (bones[:, 1:] - bones[:, MIRRORED_JOINTS][:, 1:] * torch.tensor([-1.0, 1.0, 1.0])).abs().amax((1, 2))
    assert float(asymmetry(truth.people.bones).max()) < 0.01  # else left and right were confused
    assert (view.inputs[..., 0] > 0).any() and (view.inputs[..., 0] < 0).any()


def test_up_is_the_worlds_and_velocity_that_of_the_pelvis(films):
    _, truth = films(torch.Generator().manual_seed(5))
    torch.testing.assert_close(truth.up.norm(dim=-1), torch.ones(24, 40), atol=1e-4, rtol=0)
    assert float(truth.up[..., 1].mean()) < -0.7  # cameras are mostly level, and y points down
    # The small store's bodies drift level at 2 m in 3 s, some played faster or slower.
    assert float((truth.velocity * truth.up).sum(-1).abs().max()) < 1e-3
    speed = truth.velocity.norm(dim=-1)[:, :-2].mean(1)
    assert ((speed > 0.3) & (speed < 1.1)).all()


def test_the_loss_is_zero_at_the_truth_but_for_what_is_a_probability(films):
    from smplit.mocap.lifter.network import Lifted

    _, truth = films(torch.Generator().manual_seed(6))
    lifted = Lifted(
        truth.rotations, truth.people.betas[:, None].expand(-1, 40, -1), truth.place, (truth.contacts > 0.5) * 40.0 - 20.0, truth.up, truth.velocity,
        torch.zeros(24, 40, 22, 2),
    )
    parts = losses(lifted, truth, torch.ones(22))
    assert all(abs(float(value)) < 2e-3 for name, value in parts.items()), {n: float(v) for n, v in parts.items()}


@pytest.fixture(scope="module")
def trained(store, split, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    options = TrainOptions(folder, steps=40, lr=3e-3, warmup=5, eval_every=20, save_every=20, log_every=1)
    return train_lifter(store.path, options, split=split, width=32, batch=8, frames=24), folder


def test_training_learns(trained):
    report, folder = trained
    assert report["clips"] == 4
    rows = list(csv.DictReader((folder / "losses.csv").open()))
    assert sum(float(row["joints"]) for row in rows[-5:]) < 0.7 * sum(float(row["joints"]) for row in rows[:5])
    judged = list(csv.DictReader((folder / "metrics.csv").open()))
    assert float(judged[-1]["mpjpe_mm"]) > 0


def test_training_resumes_to_the_same_weights(store, split, tmp_path):
    def run(folder, steps, resume=False):
        options = TrainOptions(folder, steps=steps, eval_every=0, save_every=2, cooldown=0.0, resume=resume)
        train_lifter(store.path, options, split=split, width=16, batch=4, frames=16)
        return torch.load(folder / "training.pt", weights_only=True)["model"]

    whole = run(tmp_path / "whole", 4)
    run(tmp_path / "cut", 2)
    resumed = run(tmp_path / "cut", 4, resume=True)
    for name, value in whole.items():
        torch.testing.assert_close(resumed[name], value, atol=0, rtol=0)


def test_a_share_of_the_recordings_is_used(store, split, tmp_path):
    options = TrainOptions(tmp_path / "run", steps=1, eval_every=0)
    assert train_lifter(store.path, options, split=split, width=16, batch=2, frames=16, share=0.5)["clips"] == 2
    with pytest.raises(BadInput, match="--share 0"):
        train_lifter(store.path, options, split=split, share=0.0)


def test_nothing_to_train_on_is_said(store, split, body, tmp_path):
    with pytest.raises(BadInput, match="nothing to train on"):
        LifterRecipe(store, [], None, body=body)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="render_detections"):
        train_lifter(store.path, TrainOptions(tmp_path / "run", steps=1), split=split, detections=tmp_path / "empty")


def test_evaluation_is_the_same_every_time(trained, store, split, tmp_path):
    weights = trained[1] / "weights.safetensors"
    first = eval_lifter(store.path, tmp_path, weights=weights, split=split)
    assert json.loads((tmp_path / "report.json").read_text())["windows"] == first["windows"]
    again = eval_lifter(store.path, tmp_path, weights=weights, split=split)
    assert again["windows"] == first["windows"] and first["frames_per_second"] > 0
    assert [row["part"] for row in report_tables(first)["windows"]] == ["set", "all"]
