# SPDX-License-Identifier: GPL-3.0-or-later
"""Walks that do not face the way: which styles are asked for them, and what is measured. Oracle: somebody who glides as told, or turned
by a known angle."""

import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from smplit.evaluation.locomotion_facings import WALKED, styles_recorded_all_ways, summary_of_facings, walk_facing
from smplit.evaluation.locomotion_report import report_tables, summary
from smplit.motion import Motion
from smplit.progress import Reporter

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("loco", "difftraj")]
CLIPS = tuple(
    (f"{style}_{number}", "bandai_1", style, label, "MIT", 3.0, speed, 0.1, False)
    for style, known in (("happy", 4), ("sad", 2))
    for number, (label, speed) in enumerate((("walk", 1.2), ("walk-back", 0.6), ("walk-left", 0.9), ("walk-right", 0.8))[:known])
)


@pytest.fixture(scope="module")
def store(body, tmp_path_factory):
    import styled_store

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(styled_store, "CLIPS", CLIPS)
        return styled_store.styled_store(tmp_path_factory.mktemp("ways") / "store.safetensors", body)


def glider(body, turned=0.0, aside=0.0):
    """Glides along the plan `aside` m to the north of it, turned `turned` rad from where it should face."""
    upright = Rotation.from_matrix([[0.0, 0, 1], [1, 0, 0], [0, 1, 0]])  # faces X
    rest = body.rest_joints()[0].numpy()

    def generate(plan, style, seed):
        poses = np.zeros((len(plan), 55, 3), np.float32)
        poses[:, 0] = (Rotation.from_euler("z", (plan.facing + turned)[:, None]) * upright).as_rotvec()
        return Motion(poses.reshape(len(plan), -1), (plan.drawn + [0, aside, 1] - rest).astype(np.float32), plan.fps)

    return generate


def test_styles_that_were_recorded_all_ways_are_asked(store):
    assert styles_recorded_all_ways(store, ["happy", "sad"]) == ["happy"]
    assert styles_recorded_all_ways(store, ["sad"]) == []


def test_every_way_is_walked_at_its_own_speed_and_measured(store, body):
    rows = walk_facing({"right": glider(body), "wrong": glider(body, 0.2, 0.05)}, store, ["happy"], body, 0, Reporter())
    assert len(rows) == 2 * len(WALKED) * 2
    speed = {row["facing_kind"]: row["speed_asked"] for row in rows}
    assert speed["path"] == pytest.approx(1.2, rel=0.1) and speed["opposite"] == speed["fixed"] == pytest.approx(0.6, rel=0.1)
    assert speed["inward"] == speed["outward"] == pytest.approx(0.8, rel=0.1)
    found = summary_of_facings(rows)
    for facing in WALKED:
        assert found["right"][facing]["facing"] == pytest.approx(0, abs=0.1) and found["right"][facing]["deviation"] == pytest.approx(0, abs=0.1)
        assert found["wrong"][facing]["facing"] == pytest.approx(np.degrees(0.2), abs=0.1)
        assert found["wrong"][facing]["facing_worst"] >= found["wrong"][facing]["facing"]
        assert found["wrong"][facing]["deviation"] == pytest.approx(5, abs=0.2)


def test_the_table_shows_the_ways(store, body):
    rows = walk_facing({"loco": glider(body, 0.2)}, store, ["happy"], body, 0, Reporter())
    walk = rows[0] | {"curve": "circle", "style_right": 1, "windows": 1, "seconds": 1.0, "cpu": 1.0, "penetration": 0.0, "floating": 0.0}
    real = {name: 1.0 for name in ("skate", "skate_step", "support", "penetration", "floating", "jitter", "style")}
    report = summary([walk], {"happy": real}, ["happy"]) | {"facings": summary_of_facings(rows), "facing_styles": ["happy"]}
    table = report_tables(report)["facings of loco"]
    assert [next(iter(row.values())) for row in table] == list(WALKED) and all(float(row["face"]) == pytest.approx(11.5) for row in table)
