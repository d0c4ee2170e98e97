# SPDX-License-Identifier: GPL-3.0-or-later
"""The published LOCO's training, in its three kinds, on a small store of walkers."""

import csv

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from scipy.spatial.transform import Rotation

from smplit.body.model import BodyModel
from smplit.datasets.store import Clip, ClipInfo, MotionStore, write_store
from smplit.difftraj.original_features import STANDING
from smplit.errors import BadInput
from smplit.loco.published.control import OriginalControlDenoiser
from smplit.loco.published.files import load, published_styles
from smplit.loco.published.motions import original_rollout
from smplit.loco.published.network import OriginalLocoDenoiser
from smplit.loco.published.options import RolloutOptions
from smplit.loco.published.windows import OriginalRecordings
from smplit.training.loco_original import OriginalLocoRecipe, train_loco_original
from smplit.training.original_options import OriginalTrainOptions, wants_original

PAST, FUTURE, FRAMES = 4, 6, 150
SMALL = {"past": PAST, "future": FUTURE, "batch": 8, "width": 16, "layers": 1}


def walker(style, number, licence, frames=FRAMES):
    """Legs swing and the body goes on; how fast and how bent is the style's. The neck's turn is another in every frame of all."""
    time = np.arange(frames) / 30
    speed, bend = (1.4, 0.0) if style == "Rushed" else (0.6, 0.6)
    poses = np.zeros((frames, 22, 3))
    poses[:, (1, 2), 0] = np.sin(2 * np.pi * speed * time + number)[:, None] * [0.4, -0.4]
    poses[:, 3, 0], poses[:, 12, 1] = bend, 0.001 * (np.arange(frames) + FRAMES * number)
    turn = Rotation.from_rotvec((0.2 * number * time)[:, None] * [0, 0, 1])
    poses[:, 0] = (turn * STANDING).as_rotvec()
    step = speed / 30 * (1 + 0.3 * np.sin(7 * time + number))
    way = np.cumsum(turn.apply(step[:, None] * [1, 0, 0]), 0)
    return Clip(ClipInfo(f"set/{style}{number}", "set", "set", "1", style, "", licence, 30.0, frames / 30), poses, way + [0, 0, 1.3],
                np.zeros((frames, 4), np.uint8), 30.0)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    clips = [walker("Old", 0, "CC0"), walker("Rushed", 1, "CC0"), walker("Old", 2, "MIT"), walker("", 3, "MIT"), walker("Rushed", 4, "CC0", 8)]
    path = tmp_path_factory.mktemp("walkers") / "store.safetensors"
    write_store(path, clips, 30.0, "0" * 64)
    return MotionStore.open(path)


@pytest.fixture(scope="module")
def rest():
    return BodyModel.load().rest_joints()[:22].cpu().double().numpy()


def recordings(store, rest, styles=None, past=PAST, future=FUTURE):
    return OriginalRecordings(store, range(len(store)), rest, past, future, styles=styles)


def options(folder, steps, **more):
    return OriginalTrainOptions(folder, **({"steps": steps, "log_every": 1, "eval_every": 0, "save_every": 1000} | more))


def state(folder):
    return torch.load(folder / "training.pt", weights_only=True)


def test_windows_are_pieces_of_one_recording_in_order(store, rest):
    known = recordings(store, rest)
    assert known.styles == published_styles() and known.clips == [0, 1, 2]  # one has no style, one is shorter than a window
    windows = known(torch.Generator().manual_seed(0), 500)
    assert windows.past.shape == (500, 203, 1, PAST) and windows.future.shape == (500, 203, 1, FUTURE)
    assert windows.control.shape == (500, 4, 1, FUTURE)
    motion = torch.cat([windows.past, windows.future], -1)[:, :, 0].double().numpy()
    values = known.statistics.restored(motion.transpose(0, 2, 1))
    for style, speed in (("Old", 0.6), ("Rushed", 1.4)):
        these = values[windows.style.numpy() == published_styles().index(style)]
        assert len(these) > 100
        assert np.abs(np.linalg.norm(these[:, 1:, :2], axis=-1) / (speed / 30) - 1).max() < 0.31
    # The way's numbers belong to the future frames; a straight facing turns as the root does.
    assert np.abs(windows.control.numpy()[:, :2, 0] - values[:, PAST:, :2].transpose(0, 2, 1))[:, :, 1:].max() < 2e-4
    assert np.abs(windows.control.numpy()[:, 2:, 0] - values[:, PAST:, 9:11].transpose(0, 2, 1)).max() < 2e-4


def test_the_end_of_each_recording_is_held_out(store, rest):
    """Of 150 frames the last 15, and no window to train on reaches into them."""
    known = recordings(store, rest)
    held, train = known.held_out(1000), known(torch.Generator().manual_seed(1), 5000)
    assert len(held.past) == 3 * (15 - 10 + 1)

    def frames(windows):
        values = known.statistics.restored(torch.cat([windows.past, windows.future], -1)[:, :, 0].transpose(1, 2).double().numpy())
        sine = values[..., 11 + 6 * 11 + 2]  # of the neck's turn about Y: first row, third number
        return set(np.round(np.arcsin(sine) / 0.001).astype(int).ravel())

    assert frames(train) == {frame + FRAMES * number for number in (0, 1, 2) for frame in range(135)}
    assert frames(held) == {frame + FRAMES * number for number in (0, 1, 2) for frame in range(135, 150)}


def test_windows_that_no_recording_can_spare_are_trained_on(store, rest):
    known = recordings(store, rest, past=20, future=40)
    assert known.held_out(10) is None and len(known._train) == 3 * (150 - 60 + 1)
    recipe = OriginalLocoRecipe(OriginalLocoDenoiser(100, 16, 1), known)
    assert np.isnan(recipe.evaluate(recipe.model)["held_out"])


def test_styles_are_numbered_by_the_published_order_where_it_knows_them_all_else_by_name(store, rest, tmp_path):
    known = recordings(store, rest)
    assert published_styles()[known(torch.Generator().manual_seed(0), 4).style[0]] in ("Old", "Rushed")
    write_store(tmp_path / "own.safetensors", [walker("tired", 0, "MIT"), walker("Old", 1, "MIT")], 30.0, "0" * 64)
    own = recordings(MotionStore.open(tmp_path / "own.safetensors"), rest)
    assert own.styles == ("Old", "tired")


def test_without_styles_every_recording_counts(store, rest):
    known = recordings(store, rest, styles=())
    assert known.clips == [0, 1, 2, 3] and known(torch.Generator().manual_seed(0), 50).style.max() == 0


def test_nothing_to_train_on_and_other_frame_rates_are_refused(store, rest, tmp_path):
    with pytest.raises(BadInput, match="no recording of 210 frames or more"):
        recordings(store, rest, past=10, future=200)
    write_store(tmp_path / "plain.safetensors", [walker("", 0, "MIT")], 30.0, "0" * 64)
    with pytest.raises(BadInput, match="with a style"):
        recordings(MotionStore.open(tmp_path / "plain.safetensors"), rest)
    write_store(tmp_path / "fast.safetensors", [walker("Old", 0, "MIT")], 60.0, "0" * 64)
    with pytest.raises(BadInput, match="60 frames a second"):
        recordings(MotionStore.open(tmp_path / "fast.safetensors"), rest)


def test_the_options_are_the_originals():
    plan = OriginalTrainOptions(None)
    assert (plan.lr, plan.weight_decay, plan.cooldown, plan.ema, plan.steps, plan.save_every) == (1e-4, 0.0, 0.0, 0.0, 600_000, 25_000)


def test_the_loss_falls_and_held_out_walks_are_better_known(store, tmp_path):
    report = train_loco_original(store.path, options(tmp_path, 150, lr=3e-3, eval_every=75), **SMALL)
    assert report["clips"] == 3 and report["licences"] == ["CC0", "MIT"] and report["styles"] == 100
    with (tmp_path / "losses.csv").open(newline="") as file:
        losses = [float(row["loss"]) for row in csv.DictReader(file)]
    assert len(losses) == 150 and sum(losses[-10:]) < 0.5 * sum(losses[:10])
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["75", "150"] and float(rows[1]["held_out"]) < float(rows[0]["held_out"]) < 1.0
    assert float(rows[1]["way_cm"]) < 100


def test_a_run_that_resumes_is_the_run_that_did_not_stop(store, tmp_path):
    whole, parted = tmp_path / "whole", tmp_path / "parted"
    train_loco_original(store.path, options(whole, 12), **SMALL)
    train_loco_original(store.path, options(parted, 5), **SMALL)
    halfway = state(parted)
    train_loco_original(store.path, options(parted, 12, resume=True), **SMALL)
    expected, found = state(whole), state(parted)
    assert (halfway["step"], found["step"], expected["step"]) == (5, 12, 12)
    assert all(torch.equal(found["model"][name], value) for name, value in expected["model"].items())
    assert any(not torch.equal(halfway["model"][name], value) for name, value in expected["model"].items())
    assert all(torch.equal(found["average"][name], value) for name, value in found["model"].items())  # nothing is averaged


@pytest.fixture(scope="module")
def base(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("base")
    report = train_loco_original(store.path, options(folder, 3), cmdm_base=True, **SMALL)
    return report, folder / "weights.safetensors"


def test_a_base_knows_no_styles_and_sees_all_recordings(base):
    report, weights = base
    loco = load(weights)
    assert report["clips"] == 4 and report["styles"] == 0 and loco.styles == () and type(loco.network) is OriginalLocoDenoiser
    assert (loco.past, loco.future) == (PAST, FUTURE)
    assert (loco.motion.std[137:149] < 1e-5).all() and np.isfinite(loco.motion.normalised(loco.motion.mean)).all()  # one body: constants


def test_fine_tuning_begins_as_the_base_and_trains_all_of_it(store, base, tmp_path):
    still, moved = tmp_path / "still", tmp_path / "moved"
    train_loco_original(store.path, options(still, 1, lr=0.0), base_model=base[1], batch=4)
    before, after = load(base[1]), load(still / "weights.safetensors")
    assert type(after.network) is OriginalControlDenoiser and after.styles == published_styles()
    assert np.allclose(after.motion.mean, before.motion.mean)  # the base's, not these recordings'
    assert torch.equal(after.network.c_past_motion_encoder.weight, before.network.past_motion_encoder.weight)  # the branch is a copy
    x, past, way, style = torch.randn(2, 203, 1, FUTURE), torch.randn(2, 203, 1, PAST), torch.randn(2, 4, 1, FUTURE), torch.eye(100)[:2]
    step = torch.tensor([1, 5])
    assert torch.allclose(after.network(x, step, past, way, style), before.network(x, step, past, way), atol=1e-5)
    train_loco_original(store.path, options(moved, 8, lr=1e-2), base_model=base[1], batch=4)
    tuned = load_file(moved / "weights.safetensors")
    for name in ("zero_convs.0.weight", "style_onehot_fc.weight", "c_past_motion_encoder.weight", "seqTransEncoder.layers.0.linear1.weight"):
        assert not torch.equal(tuned[name], after.network.state_dict()[name]), name


def test_only_a_base_can_be_tuned_by_style(store, tmp_path):
    train_loco_original(store.path, options(tmp_path / "styled", 1), **SMALL)
    with pytest.raises(BadInput, match="knows styles already"):
        train_loco_original(store.path, options(tmp_path / "tuned", 1), base_model=tmp_path / "styled" / "weights.safetensors", **SMALL)


def test_a_published_base_needs_its_statistics(store, tmp_path):
    torch.save(OriginalLocoDenoiser(0, 16, 1).state_dict(), tmp_path / "model.pt")
    with pytest.raises(BadInput, match="no means"):
        train_loco_original(store.path, options(tmp_path / "run", 1), base_model=tmp_path / "model.pt", **SMALL)


def test_commercial_safe_training_sees_free_recordings_only(store, tmp_path):
    report = train_loco_original(store.path, options(tmp_path, 1), commercial_safe=True, **SMALL)
    assert report["licences"] == ["MIT"] and report["clips"] == 1


def test_what_was_trained_walks(base):
    made = original_rollout(load(base[1]), RolloutOptions(gen_time_length=0.5, num_samples=1), BodyModel.load())
    made[0].motion.check()
    assert len(made[0].motion) == 15


def test_switches_of_the_published_recipe_are_told_from_ours():
    assert wants_original(["--data", "x", "--original"]) == (True, ["--data", "x"])
    assert wants_original(["--cmdm_base", "--data", "x"]) == (True, ["--cmdm_base", "--data", "x"])
    assert wants_original(["--data", "x", "--base-model", "f"])[0] is False
