# SPDX-License-Identifier: GPL-3.0-or-later
"""`eval_style100`, the published LOCO's own evaluation, on recordings made by hand. Oracle: stand-ins for the network that know the
recordings by heart, so that the truth, or the truth of another style, is what must be measured."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from smplit.cli import main
from smplit.errors import BadInput
from smplit.evaluation import original_style100
from smplit.evaluation.original_style100 import eval_style100
from smplit.loco.published.files import OriginalLoco, save
from smplit.loco.published.network import OriginalLocoDenoiser
from smplit.loco.published.options import Style100Options, translate_evaluation
from smplit.loco.published.windows import OriginalRecordings
from smplit.progress import Reporter

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("loco", "difftraj")]
PAST, FUTURE = 4, 8
STYLES = ("happy", "sad")


@pytest.fixture(scope="module")
def store(body, tmp_path_factory):
    from styled_store import styled_store

    return styled_store(tmp_path_factory.mktemp("styled") / "store.safetensors", body)


@pytest.fixture(scope="module")
def recorded(store, body):
    clips = [i for i, info in enumerate(store.clips) if info.style]
    return OriginalRecordings(store, clips, body.rest_joints()[:22].double().numpy(), PAST, FUTURE)


class Prophet(torch.nn.Module):
    """Finds the frame that it is told last, and says what was recorded after it, as fast as `pace`; it remembers what it was asked."""

    def __init__(self, recorded, pace=1.0):
        super().__init__()
        self.recorded, self.pace, self.asked, self.ways = recorded._motion, pace, [], []

    def forward(self, x, timesteps, past, control, style=None):
        self.asked.append(style)
        self.ways.append(control)
        last = torch.cdist(past[:, :, 0, -1], self.recorded).argmin(1)
        rows = last[:, None] + torch.arange(1, x.shape[-1] + 1)
        made = self.recorded[rows.clamp(max=len(self.recorded) - 1)].clone()
        made[:, :, :2] += self.pace - 1
        return made.transpose(1, 2)[:, :, None]


def evaluated(tmp_path, store, body, network, recorded, monkeypatch, styles=STYLES, **options):
    """What a network gets in two rounds of at most 20 windows, the embedding taught a little."""
    monkeypatch.setattr(original_style100, "_LEARNT_IN", 40)
    loco = OriginalLoco(network, recorded.statistics, None, styles, PAST, FUTURE)
    monkeypatch.setattr(original_style100, "load", lambda *_: loco)
    wanted = Style100Options(**({"window_size": 6, "replication_times": 2, "num_samples": 20, "batch_size": 7} | options))
    return eval_style100(tmp_path / "model000100.pt", store.path, tmp_path / "out", wanted, body, Reporter())


@pytest.mark.parametrize("window", [6, 8, 15])  # shorter than what is made at once, as long, and longer, in steps of 2
def test_a_network_that_knows_the_recordings_makes_no_error(tmp_path, store, body, recorded, monkeypatch, window):
    network = Prophet(recorded)
    report = evaluated(tmp_path, store, body, network, recorded, monkeypatch, window_size=window)
    mean, sure = report["mean_dict"], report["conf_dict"]
    assert 5 <= report["samples"] <= 20 and report["styles"] == 2
    for name in ("t_err", "o_err", "emb_dist", "fid"):
        assert mean[f"{name}_vald"] == pytest.approx(0, abs=5e-4), name  # float32: processors differ
    for name in ("accel", "fs", "diversity", "acc_radio"):
        assert mean[f"{name}_vald"] == pytest.approx(mean[f"{name}_gt"], rel=1e-4), name
    assert 0.1 < mean["accel_gt"] < 2 and mean["diversity_gt"] > 0 and all(value >= 0 for value in sure.values())
    assert {len(style) for style in network.asked} <= {7, report["samples"] % 7 or 7}
    assert {way.shape[-1] for way in network.ways} == {FUTURE}


def test_what_is_made_otherwise_is_found(tmp_path, store, body, recorded, monkeypatch):
    """Normalised steps that are one deviation too long, in both directions: so many metres in `t_err`, and nothing in `o_err`."""
    mean = evaluated(tmp_path, store, body, Prophet(recorded, 2.0), recorded, monkeypatch)["mean_dict"]
    assert mean["t_err_vald"] == pytest.approx(np.linalg.norm(recorded.statistics.scale[:2]), rel=1e-4) and mean["t_err_gt"] == 0
    assert mean["o_err_vald"] == pytest.approx(0, abs=1e-6)
    assert mean["fid_vald"] > mean["fid_gt"] and mean["emb_dist_vald"] > 0.01


def test_styles_are_told_by_the_networks_own_numbers(tmp_path, store, body, recorded, monkeypatch):
    network = Prophet(recorded)
    evaluated(tmp_path, store, body, network, recorded, monkeypatch, styles=("proud", "sad", "happy"))
    told = torch.cat(network.asked)
    assert told.shape[1] == 3 and not told[:, 0].any() and told[:, 1].any() and told[:, 2].any() and (told.sum(1) == 1).all()
    with pytest.raises(BadInput, match="no recording"):
        evaluated(tmp_path, store, body, network, recorded, monkeypatch, styles=("proud", "old"))


def test_a_network_without_styles_is_evaluated_too(tmp_path, store, body, recorded, monkeypatch):
    network = Prophet(recorded)
    report = evaluated(tmp_path, store, body, network, recorded, monkeypatch, styles=())
    assert set(network.asked) == {None} and report["mean_dict"]["t_err_vald"] == pytest.approx(0, abs=1e-4)


def test_impossible_options_and_recordings_that_are_too_short_are_refused(tmp_path, store, body, recorded, monkeypatch):
    for options in ({"infer_step": 0}, {"infer_step": PAST + 1}, {"window_size": 0}, {"replication_times": 0}, {"window_size": 5000}):
        with pytest.raises(BadInput):
            evaluated(tmp_path, store, body, Prophet(recorded), recorded, monkeypatch, **options)
    assert not (tmp_path / "out").exists()


def test_the_originals_switches_are_put_into_ours():
    words = ["--model_path", "exps/loco/model000602605.pt", "--dataset", "diffgen", "--batchsize", "3200", "--replication_times", "5"]
    words.append("--eval_cmdm_finetune")
    ours, notes = translate_evaluation(words)
    assert ours == ["exps/loco/model000602605.pt", "--batch-size", "3200", "--replication_times", "5"]
    assert len(notes) == 2 and notes[0].startswith("--dataset") and notes[1].startswith("--eval_cmdm_finetune")


@pytest.mark.parametrize("command", [["eval", "style100"], ["eval_style100"]])
def test_the_command_writes_the_originals_json_beside_the_checkpoint(command, tmp_path, store, body, recorded, monkeypatch, capsys):
    monkeypatch.setattr("smplit.cli.Common.body", lambda self: body)
    monkeypatch.setattr(original_style100, "_LEARNT_IN", 20)
    torch.manual_seed(0)
    statistics = recorded.statistics
    save(OriginalLoco(OriginalLocoDenoiser(2, 16, 1), statistics, None, STYLES, PAST, FUTURE), tmp_path / "w.safetensors", {})
    words = ["--model_path", str(tmp_path / "w.safetensors"), "--dataset", "diffgen", "--batchsize", "32"]
    more = ["--data", str(store.path), "--replication_times", "2", "--num_samples", "5", "--window_size", "6", "--seed", "3"]
    assert main([*command, *words, *more]) == 0
    said = capsys.readouterr()
    assert "--dataset changes nothing" in said.err and "acc_radio" in said.out and "+-" in said.out
    written = json.loads((tmp_path / "eval_style100_w.json").read_text())
    assert {"fid_gt", "fid_vald", "emb_dist_vald", "acc_radio_vald", "accel_vald", "fs_gt", "t_err_vald"} <= set(written["mean_dict"])
    assert set(written["mean_dict"]) == set(written["conf_dict"])
    assert main([*command, *words]) == 2 and "--data" in capsys.readouterr().err
