# SPDX-License-Identifier: GPL-3.0-or-later
"""The job kind `loco`: refusals at once, pieces that go out while the walk is made, and cancelling between them."""

import os
from pathlib import Path

import numpy as np
import pytest
from peer import family

from smplit import protocol
from smplit.errors import Cancelled, MissingModel
from smplit.models import MODELS, find
from smplit.motion import Motion
from smplit.server import loco
from smplit.server.job_run import JobInput, JobReporter

ACROSS = np.array([[1.0, 2.0, 0.5], [5.0, 2.0, 0.5]])
ROUND = np.stack([2 * np.cos(np.linspace(0, 2 * np.pi, 73)[:-1]), 2 * np.sin(np.linspace(0, 2 * np.pi, 73)[:-1])], 1)


@pytest.fixture(scope="module")
def weights():
    try:
        return find("loco") if "loco" in MODELS else pytest.skip("no locomotion network yet")
    except MissingModel as error:
        pytest.skip(str(error))


@pytest.fixture
def real(start):
    return start(real=True).ready()


@pytest.fixture
def asked(tmp_path):
    """A job on `points`, and what its runner sends until `cancelled` says stop."""

    def run(points, cancelled=lambda sent: False, extras=None, **params):
        sent = []
        reporter = JobReporter(sent.append, loco.STAGES, 0, lambda: cancelled(sent))
        (tmp_path / "results").mkdir(exist_ok=True)
        job = JobInput(params, [], {"points": np.asarray(points), **(extras or {})}, tmp_path / "results", "cpu")
        assert loco.check(params, [], job.arrays) == []
        try:
            loco.run(job, reporter)
        except Cancelled:
            sent.append("cancelled")
        return sent

    return run


def of(sent, *types):
    return [message for message in sent if message != "cancelled" and message.type in types]


def pelvis(motion) -> np.ndarray:
    """(T,2) m: where the root joint stands, which in AMASS's meaning is `trans` and its rest position."""
    from smplit.body.model import BodyModel

    return (motion.trans + BodyModel.load().rest_joints()[0].numpy())[:, :2]


def test_wrong_options_and_arrays_are_refused_before_anything_is_loaded(real, tmp_path):
    (tmp_path / "a.npz").write_bytes(b"x")
    client = real.client()
    params = {
        "samples": 0, "seed": 0.5, "steps": 1000, "strength": "much", "closed": 1, "facing": "up", "speed": "fast", "target": [1.0], "name": "../x",
        "colour": "red", "seconds": [3],
    }
    answer = client.ask(protocol.submit("loco", params, [tmp_path / "a.npz"], [tmp_path], {"betas": np.zeros(10), "points": np.zeros(3)}))
    assert answer["code"] == "bad_params" and answer["remedy"]
    for word in (*params, "betas", "'points'", "no files"):
        assert any(word in problem for problem in answer["problems"]), (word, answer["problems"])
    (problem,) = client.ask(protocol.submit("loco", {}))["problems"]
    assert "'points'" in problem and "line" in problem
    assert not family(real.pid), "no worker was needed for that"


def test_a_walk_is_streamed_stored_and_fetched_alike(warm, weights):
    client = warm.greeted()
    job = client.submit("loco", arrays={"points": ACROSS, "smplit_scale": np.array(0.5)}, samples=2, seed=7, name="Weg ü proud")
    end = client.end_of(job)
    assert end.type == "done" and end["complete"], dict(end.fields)
    assert [Path(result["path"]) for result in end["results"]] == [warm.jobs / job / "results" / "0" / f"Weg ü proud_p{n}.npz" for n in (1, 2)]
    streamed = of(client.heard, "chunk")
    client.heard.clear()
    client.send(protocol.fetch(job))
    client.end_of(job)
    made = [Motion.load(result["path"]) for result in end["results"]]
    for pieces in (streamed, of(client.heard, "chunk")):
        for number, motion in enumerate(made, 1):
            mine = [piece for piece in pieces if piece["person"] == number]
            assert [piece["first"] for piece in mine] == [0, *np.cumsum([piece["frames"] for piece in mine])[:-1]]
            for name in ("poses", "trans", "contacts"):
                np.testing.assert_array_equal(np.concatenate([piece.arrays[name] for piece in mine]), getattr(motion, name))
            assert float(mine[0].arrays["smplit_scale"]) == 0.5 and float(mine[0].arrays["mocap_frame_rate"]) == 30.0
            assert mine[0]["source"] == "Weg ü proud.npz"
    assert len(of(streamed, "chunk")) > 2 * 2
    first, second = made
    assert len(first) == len(second) and np.abs(first.poses - second.poses).max() > 1e-3
    for motion in made:  # from end to end, on the ground that was drawn
        np.testing.assert_allclose(pelvis(motion)[[0, -1]], ACROSS[:, :2], atol=0.1)
        np.testing.assert_allclose(pelvis(motion)[:, 1], 2.0, atol=0.12)


def test_pieces_go_out_before_the_next_is_made_and_a_cancel_between_them_keeps_those(asked, weights, tmp_path):
    whole = of(asked(ACROSS, seed=3), "chunk")
    stopped = asked(ACROSS, seed=3, cancelled=lambda sent: len(of(sent, "chunk")) >= 2)
    assert stopped[-1] == "cancelled" and len(of(stopped, "chunk")) == 2 < len(whole)
    for piece, same in zip(of(stopped, "chunk"), whole, strict=False):
        np.testing.assert_array_equal(piece.arrays["poses"], same.arrays["poses"])
    assert not of(stopped, "result")
    made = of(asked(ACROSS, samples=2, cancelled=lambda sent: any(chunk["person"] == 2 for chunk in of(sent, "chunk"))), "result")
    assert [result["person"] for result in made] == [1]


def test_progress_goes_from_nothing_to_everything(asked, weights):
    rows = of(asked(ACROSS, samples=2), "progress")
    fractions = [row["fraction"] for row in rows]
    assert fractions == sorted(fractions) and 0 < fractions[0] < 0.5 and fractions[-1] == 1.0


def test_the_network_is_read_once_and_again_when_its_file_changes(asked, weights, monkeypatch, tmp_path):
    copy = tmp_path / "loco" / "loco.safetensors"
    copy.parent.mkdir()
    copy.write_bytes(weights.read_bytes())
    monkeypatch.setenv("SMPLIT_MODEL_FILES", str(tmp_path))
    loco._generator.cache_clear()
    for _ in range(2):
        asked(ACROSS[:, :2] / 4)
    assert loco._generator.cache_info().misses == 1
    os.utime(copy, (1, 1))
    asked(ACROSS[:, :2] / 4)
    assert loco._generator.cache_info().misses == 2


def test_options_do_what_they_say(asked, weights):
    whole = lambda sent: np.concatenate([chunk.arrays["poses"] for chunk in of(sent, "chunk")])
    where = lambda sent: np.concatenate([chunk.arrays["trans"] for chunk in of(sent, "chunk")])
    plain = asked(ACROSS)
    np.testing.assert_array_equal(whole(plain), whole(asked(ACROSS)))
    assert not np.array_equal(whole(plain), whole(asked(ACROSS, seed=1)))
    assert not np.array_equal(whole(plain), whole(asked(ACROSS, strength=2.0)))
    assert not np.array_equal(whole(plain), whole(asked(ACROSS, steps=1)))
    other = next(style for style in loco._generator(weights, weights.stat().st_mtime_ns).weights.styles if style != loco.DEFAULTS["style"])
    assert len(whole(plain)) != len(whole(asked(ACROSS, style=other))) or not np.array_equal(whole(plain), whole(asked(ACROSS, style=other)))
    assert len(where(asked(ACROSS, seconds=2.0))) == pytest.approx(60, abs=1)
    back = where(asked(ACROSS, reverse=True))
    assert back[0, 0] > 4.5 and back[-1, 0] < 1.5
    lap = where(asked(ROUND, closed=True))
    assert np.linalg.norm(lap[0, :2] - lap[-1, :2]) < 0.2 < np.ptp(lap[:, 0])


@pytest.mark.parametrize(
    ("points", "params", "words"),
    [
        (ACROSS[:1], {}, "1 point"), (ACROSS[[0, 0]], {}, "no length"), (np.where(ACROSS == 5.0, np.nan, ACROSS), {}, "not finite"),
        (ACROSS, {"style": "nirmal"}, "nirmal"), (ACROSS, {"seconds": 0}, "0 s"), (ACROSS, {"facing": "towards"}, "towards"),
    ],
)
def test_lines_and_styles_that_cannot_be_walked_fail_with_a_remedy_and_nothing_streamed(warm, weights, points, params, words):
    client = warm.greeted()
    job = client.submit("loco", arrays={"points": points}, **params)
    end = client.end_of(job)
    assert end.type == "failed" and words in end["message"] and end["remedy"], dict(end.fields)
    if "style" in params:
        assert "normal" in end["remedy"]
    assert not of(client.heard, "chunk") and not list((warm.jobs / job).rglob("*_p*.npz"))


def test_a_speed_that_the_style_does_not_have_is_changed_and_told(asked, weights):
    sent = asked(ACROSS, speed=12.0)
    (warning,) = of(sent, "log")
    assert warning["level"] == "warning" and "12 m/s" in warning["text"]
    assert of(sent, "result")[0]["figures"]["speed"] < 6.0
