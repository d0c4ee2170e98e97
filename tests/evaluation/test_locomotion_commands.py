# SPDX-License-Identifier: GPL-3.0-or-later
"""`smplit eval loco` on recordings made by hand, and its tables."""

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy.spatial.transform import Rotation

from smplit import terminal
from smplit.errors import BadInput
from smplit.evaluation import style_classifier
from smplit.evaluation.locomotion_commands import CURVES, eval_loco
from smplit.evaluation.locomotion_report import report_tables, summary
from smplit.evaluation.real_styles import travelling
from smplit.motion import Motion

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("loco", "difftraj")]


@pytest.fixture(scope="module")
def store(body, tmp_path_factory):
    from styled_store import styled_store

    return styled_store(tmp_path_factory.mktemp("styled") / "store.safetensors", body)


@pytest.fixture(scope="module")
def glider(body):
    """Glides along the plan, 2 cm to the left of it."""
    upright = Rotation.from_euler("zx", [90, 90], degrees=True)
    rest = body.rest_joints()[0].numpy()

    def generate(plan, style, seed):
        poses = np.zeros((len(plan), 55, 3), np.float32)
        poses[:, 0] = (Rotation.from_euler("z", plan.facing[:, None]) * upright).as_rotvec()
        left = np.stack([-np.sin(plan.tangent), np.cos(plan.tangent), 50 + 0 * plan.tangent], 1)
        return Motion(poses.reshape(len(plan), -1), (plan.drawn + 0.02 * left - rest).astype(np.float32), plan.fps)

    return generate


@pytest.fixture(scope="module")
def evaluated(store, body, glider, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(style_classifier, "_STEPS", 60)
        output = tmp_path_factory.mktemp("eval")
        return eval_loco(store.path, output, {"glider": glider}, curves=["random 5 m", "circle"], body=body), output


def test_every_method_walks_every_style_along_every_curve(evaluated):
    report, _ = evaluated
    methods = ["glider", "matching", "matching feet", "matching path"]
    walks = {(w["method"], w["style"], w["curve"], w["seed"]) for w in report["walks"]}
    assert walks == {(m, s, *c) for m in methods for s in ("happy", "sad") for c in (("random 5 m", 0), ("random 5 m", 1), ("circle", 0))}
    assert set(report["methods"]) == {*methods, "real"}
    assert report["methods"]["glider"]["deviation"] == pytest.approx(2.0, abs=0.01)
    assert report["methods"]["glider"]["deviation_max"] == pytest.approx(2.0, abs=0.01)
    assert report["methods"]["glider"]["diversity"] == pytest.approx(0.0, abs=1e-4)  # every take is the same


def test_styles_walk_at_the_speed_of_their_recordings(evaluated):
    report, _ = evaluated
    asked = {w["style"]: w["speed_asked"] for w in report["walks"] if w["curve"] == "circle"}
    assert asked["happy"] == pytest.approx(1.0, abs=0.1) and asked["sad"] == pytest.approx(0.6, abs=0.05)


def test_the_report_is_json_beside_a_contact_sheet_of_every_method(evaluated):
    report, output = evaluated
    assert json.loads((output / "report.json").read_text())["methods"].keys() == report["methods"].keys()
    names = {path.name for path in output.iterdir()}
    sheets = {f"circle_{method}.png" for method in ("glider", "matching", "matching_feet", "matching_path")}
    assert names == {"report.json", "style_classifier.safetensors", "recordings.png"} | sheets


def test_recordings_and_methods_are_judged_by_as_many_windows(evaluated):
    report, _ = evaluated
    assert report["windows_per_style"] >= 4
    assert report["methods"]["real"]["fid"] < report["methods"]["glider"]["fid"]


def test_tables_fit_a_terminal_of_80_columns(evaluated, monkeypatch):
    report, _ = evaluated
    for name, rows in report_tables(report).items():
        shown = io.StringIO()
        monkeypatch.setattr(terminal, "Console", lambda file, highlight, shown=shown: Console(file=shown, width=300))
        terminal.table(rows)
        assert max(len(line) for line in shown.getvalue().splitlines()) <= 80, name


def test_of_a_recording_the_walk_is_measured_not_the_standing():
    way = np.zeros((150, 3), np.float32)
    way[:, 0] = np.interp(np.arange(150), [0, 30, 110, 149], [0.0, 0.0, 3.2, 3.2])  # 1.2 m/s from the second second on
    found = travelling(Motion(np.zeros((150, 165), np.float32), way, 30.0), 1.2)
    assert 75 <= len(found) <= 95
    assert found.trans[0, 0] < 0.1 and found.trans[-1, 0] > 3.1
    still = Motion(np.zeros((90, 165), np.float32), np.zeros((90, 3), np.float32), 30.0)
    assert len(travelling(still, 1.2)) == 90


def test_unknown_styles_and_curves_are_named_with_those_there_are(store, body, tmp_path, monkeypatch):
    monkeypatch.setattr(style_classifier, "_STEPS", 2)
    with pytest.raises(BadInput, match="no style 'grumpy'") as told:
        eval_loco(store.path, tmp_path, {}, styles=["grumpy"], body=body)
    assert "happy, sad" in told.value.remedy
    with pytest.raises(BadInput, match="no curve 'heart'") as told:
        eval_loco(store.path, tmp_path, {}, curves=["heart"], body=body)
    assert all(curve in told.value.remedy for curve in CURVES)


def test_shares_and_ratios_are_of_the_recordings_own():
    of_a_body = ("skate_step", "support", "penetration", "floating", "jitter")
    walk = dict.fromkeys(("deviation", "deviation_max", "nearest", "end", "facing", "speed", "skate", *of_a_body), 3.0)
    walk |= {"method": "m", "curve": "circle", "seconds": 10.0, "cpu": 2.0, "windows": 4}
    rows = [walk | {"style": "a", "style_right": 4, "end": 1.0}, walk | {"style": "b", "style_right": 2, "skate": 9.0}]
    real = dict.fromkeys(of_a_body, 1.0)
    report = summary(rows, {"a": real | {"skate": 2.0, "style": 100.0}, "b": real | {"skate": 6.0, "style": 50.0}}, ["a", "b"])
    whole = report["methods"]["m"]
    assert (whole["skate"], whole["skate_ratio"]) == (6.0, 6.0 / 4.0)
    assert (whole["style"], whole["style_share"]) == (75.0, 100.0)
    assert (whole["end"], whole["end_worst"], whole["real_time"]) == (2.0, 3.0, 5.0)
    assert report["styles"]["m"]["b"]["style_share"] == 100.0 and report["styles"]["m"]["a"]["skate_ratio"] == 1.5
