# SPDX-License-Identifier: GPL-3.0-or-later
"""Training of the locomotion network on walkers made by hand: it learns, resumes exactly, and says on what."""

import csv
import json

import pytest
import torch
from safetensors import safe_open

from smplit.body.model import BodyModel
from smplit.cli import main
from smplit.errors import BadInput
from smplit.loco.corpus import corpus
from smplit.loco.frames import CHANNELS, mirrored
from smplit.loco.recordings import HELD_OUT, TRAIN, pieces
from smplit.loco.weights import load_weights, save_weights
from smplit.loco.windows import APPLIED, CONTROL, FUTURE, PAST
from smplit.training import loco as recipes
from smplit.training.loco import LocoRecipe
from smplit.training.loco_commands import train_loco
from smplit.training.trainer import TrainOptions, train

STEPS = 40


@pytest.fixture(scope="module")
def parts(styled):
    """Training and held-out corpora, unbent."""
    body, found = BodyModel.load(), pieces(styled)
    learned = corpus(styled, [piece for piece in found if piece.part == TRAIN], body, bends=False)
    return learned, corpus(styled, [piece for piece in found if piece.part == HELD_OUT], body, bends=False, like=learned)


@pytest.fixture(scope="module", autouse=True)
def few_bends():
    """One bent copy of a recording instead of ten."""
    import smplit.loco.corpus as bending

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bending, "_BENDS_OF_FEW", 1)
        yield


@pytest.fixture
def quick(monkeypatch):
    """Components of few windows, by the singular values: the eigenvalues of all of a window's entries take most of a minute."""
    from styled_store import principal

    monkeypatch.setattr(recipes, "_FITTED_ON", 400)
    monkeypatch.setattr(recipes.Components, "of", lambda vectors, count, weight=None: principal(vectors, count, weight))


def recipe(parts, **more):
    """With a network of its own components to go on from, as a run that was begun before has."""
    from styled_store import random_network

    return LocoRecipe(*parts, **{"batch": 32, "base": random_network(parts[0], 5).train()} | more)


def options(folder, steps, **more):
    return TrainOptions(folder, **({"steps": steps, "warmup": 5, "cooldown": 0.0, "log_every": 5, "eval_every": 0, "save_every": 10} | more))


def losses(folder):
    with (folder / "losses.csv").open(newline="") as file:
        return [float(row["loss"]) for row in csv.DictReader(file)]


def test_a_batch_holds_windows_of_the_recordings_and_their_mirrors(parts):
    made = recipe(parts, turns=3)
    batch = made.batch(torch.Generator().manual_seed(0))
    assert batch.past.shape == (32, PAST, CHANNELS) and batch.future.shape == (32, 3, FUTURE, CHANNELS) and batch.control.shape == (32, 3, CONTROL)
    known = parts[0].frames
    for window in batch.future[:8, 0]:
        off = [(known.unfold(0, FUTURE, 1).transpose(1, 2) - way).abs().amax((1, 2)).min() for way in (window, mirrored(window))]
        assert min(off) < 1e-5
    assert torch.equal(batch.future[:, 0, APPLIED : 2 * APPLIED], batch.future[:, 1, :APPLIED]), "the next window begins where the kept part ends"
    assert torch.equal(batch.future[:, 1, APPLIED:], batch.future[:, 2, :APPLIED])
    assert (batch.style.sum(1) == 1).all() and 0.5 < batch.known.float().mean() <= 1
    assert (batch.moment >= 0).all() and (batch.moment == 1).float().mean() > 0.2


def test_before_the_first_step_components_and_inputs_are_brought_to_one_size(parts, quick):
    torch.manual_seed(0)
    made = LocoRecipe(*parts, width=16, layers=1, batch=100)
    made.prepare(torch.Generator().manual_seed(0))
    batch = made.batch(torch.Generator().manual_seed(1))
    seen = made.model.see(batch.past, batch.control[:, 0])
    moving = made.model.std > 0.03  # what these walkers hold still is left as small as it is
    assert seen.std(0)[moving].median() == pytest.approx(1.0, abs=0.2) and seen.mean(0).abs().median() < 0.2
    future = made.model.components("future")
    vectors = (batch.future[:, 0] - batch.past[:, -1:]).flatten(1)
    numbers = future.write(vectors)
    assert numbers[:, :20].std(0).median() == pytest.approx(1.0, abs=0.3)
    left = (future.read(numbers) - vectors).square().mean() / vectors.square().mean()
    assert left < 0.05, "so few numbers tell a window"


def test_the_loss_falls_and_held_out_windows_get_better(parts, tmp_path):
    train(recipe(parts), options(tmp_path, STEPS, log_every=1, eval_every=STEPS, lr=3e-3, ema=0.5))
    found = losses(tmp_path)
    assert len(found) == STEPS and sum(found[-10:]) < 0.7 * sum(found[:10])
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert {f"window_{turn}_steps_{steps}" for turn in (1, 2, 3) for steps in (1, 4)} | {"standing_still"} < set(rows[0])
    assert float(rows[-1]["window_1_steps_1"]) < float(rows[-1]["standing_still"])
    before = recipe(parts)
    assert float(rows[-1]["window_1_steps_1"]) < 0.8 * before.evaluate(before.model.eval())["window_1_steps_1"]


def test_ten_steps_and_ten_resumed_are_twenty_to_the_bit(parts, tmp_path):
    folders = [tmp_path / name for name in ("whole", "parts")]
    train(recipe(parts, turns=2), options(folders[0], 20))
    train(recipe(parts, turns=2), options(folders[1], 10))
    train(recipe(parts, turns=2), options(folders[1], 20, resume=True))
    expected, found = (torch.load(folder / "training.pt", weights_only=True) for folder in folders)
    assert found["step"] == expected["step"] == 20
    for part in ("model", "average"):
        for name, value in expected[part].items():
            assert torch.equal(found[part][name], value), f"{part} {name}"
    assert losses(folders[0]) == losses(folders[1])


def test_several_windows_after_one_another_are_learnt_from_the_networks_own_past(parts, tmp_path):
    made = recipe(parts, turns=3)
    batch = made.batch(torch.Generator().manual_seed(0))
    found = made.loss(made.model, batch)
    assert set(found) == {"window_1", "window_2", "window_3"} and all(value.requires_grad for value in found.values())
    batch.moment = torch.ones_like(batch.moment)  # the whole first window is drawn, so that what follows hangs on it

    def answering(first):
        """The losses where the first answer is `first` everywhere and the others are zero."""
        calls = iter((first, 0.0, 0.0))
        made.model.forward = lambda noised, *rest: torch.full_like(noised, next(calls))
        return made.loss(made.model, batch)

    right, wrong = answering(0.0), answering(1.0)
    assert not torch.allclose(right["window_2"], wrong["window_2"]) and not torch.allclose(right["window_3"], wrong["window_3"])
    train(recipe(parts, turns=3), options(tmp_path, 20, lr=3e-3, log_every=1))
    assert sum(losses(tmp_path)[-5:]) < sum(losses(tmp_path)[:5])


def test_the_frames_that_are_asked_for_lie_within_their_recording(parts):
    for turns in (1, 3):
        made = recipe(parts, turns=turns)
        room = made.train.room[torch.isin(made.train.starts, made.usable)]
        assert room.min() >= FUTURE + (turns - 1) * APPLIED


def test_rare_styles_are_drawn_oftener_than_their_share(parts):
    learned, held = parts
    made = LocoRecipe(learned, held, width=8, layers=1)
    style = learned.style[made.usable]
    rare = int(torch.bincount(style).argmin())
    share = float((style == rare).float().mean())
    drawn = float((made.weights * (style == rare)).sum() / made.weights.sum())
    assert share < drawn < 0.5


@pytest.fixture(scope="module")
def trained(styled, parts, tmp_path_factory):
    """A base file, and what `train_loco` made of it on the store."""
    from styled_store import random_network

    folder = tmp_path_factory.mktemp("trained")
    save_weights(random_network(parts[0]), folder / "base.safetensors", {}, parts[0])
    report = train_loco(
        styled.path, options(folder / "run", 3, save_every=3), batch=8, base_model=folder / "base.safetensors"
    )
    return report, folder


def test_training_says_what_it_was_trained_on_and_the_weights_do_too(trained):
    report, folder = trained
    assert report["recordings"] == 4 and report["styles"] == ["happy", "sad"] and report["licences"] == ["CC-BY-NC", "MIT"]
    assert report["hours"] == pytest.approx((6 + 5 + 4 + 5) / 3600, abs=5e-4)
    with safe_open(folder / "run" / "weights.safetensors", framework="np") as file:
        card = json.loads(file.metadata()["card"])
    assert card["licences"] == "CC-BY-NC, MIT" and card["steps"] == "3" and card["data"].startswith("4 recordings")
    found = load_weights(folder / "run" / "weights.safetensors")
    assert found.styles == ("happy", "sad") and found.network.sizes["width"] == 32


def test_free_weights_see_free_recordings_only(styled, quick, tmp_path):
    report = train_loco(styled.path, options(tmp_path, 1), commercial_safe=True, width=16, layers=1, batch=100)
    assert report["licences"] == ["CMU-free", "MIT"] and report["styles"] == ["happy", "normal"]


def test_a_base_of_other_styles_is_refused_and_no_run_begun(trained, styled, tmp_path):
    with pytest.raises(BadInput, match="knows other styles"):
        train_loco(styled.path, options(tmp_path / "run", 1), commercial_safe=True, base_model=trained[1] / "base.safetensors")
    assert not (tmp_path / "run").exists()


def test_the_command_trains_from_nothing(styled, quick, tmp_path, capsys):
    words = ["train", "loco", "--data", str(styled.path), "--save-dir", str(tmp_path / "run"), "--steps", "2", "--width", "16", "--layers", "1"]
    assert main([*words, "--batch", "100", "--eval-every", "0", "--turns", "2", "--device", "cpu", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["written"] == str(tmp_path / "run" / "weights.safetensors") and report["recordings"] == 4
    assert load_weights(report["written"]).network.sizes.items() >= {"styles": 2, "width": 16, "layers": 1}.items()


def test_a_store_without_locomotion_is_refused_with_a_remedy(store, tmp_path, capsys):
    assert main(["train", "loco", "--data", str(store.path), "--save-dir", str(tmp_path / "run"), "--device", "cpu"]) == 2
    said = capsys.readouterr().err
    assert "no locomotion to train on" in said and "TRAINING.md" in said
    assert not (tmp_path / "run").exists()


def test_a_store_that_is_none_is_refused(tmp_path, capsys):
    assert main(["train", "loco", "--data", str(tmp_path / "none.safetensors"), "--save-dir", str(tmp_path / "run")]) == 2
    assert "none.safetensors" in capsys.readouterr().err


def test_a_store_too_small_to_hold_anything_out_is_refused(tmp_path, capsys):
    from styled_store import FPS, stood_walk

    from smplit.datasets.store import Clip, ClipInfo, write_store

    body = BodyModel.load()
    poses, pelvis, contacts = stood_walk(body, 4.0, 1.0, 0.1, False)
    info = ClipInfo("bandai_1/walk", "open", "bandai_1", "1", "happy", "walk", "MIT", FPS, 4.0)
    write_store(tmp_path / "small.safetensors", [Clip(info, poses, pelvis - body.rest_joints()[0].cpu().numpy(), contacts, FPS)], FPS, "0" * 64)
    assert main(["train", "loco", "--data", str(tmp_path / "small.safetensors"), "--save-dir", str(tmp_path / "run"), "--device", "cpu"]) == 2
    assert "nothing can be held out" in capsys.readouterr().err
