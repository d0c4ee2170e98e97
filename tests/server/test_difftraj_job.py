# SPDX-License-Identifier: GPL-3.0-or-later
"""The job kind `difftraj` through `smplit serve`: refusals at once, and a walk on the spot from end to end."""

import sys
from pathlib import Path

import numpy as np
import pytest
from peer import family

from smplit import protocol
from smplit.motion import Motion

sys.path.append(str(Path(__file__).resolve().parents[1] / "difftraj"))

SECONDS, SPEED = 4.0, 1.0
LEGS = [3 * joint + axis for joint in (1, 2, 4, 5, 7, 8) for axis in range(3)]


@pytest.fixture(scope="module")
def walked():
    """The walk of the trajectory tests, on the open body."""
    from synthetic_walk import walk

    from smplit.body.model import BodyModel

    return walk(BodyModel.load(), seconds=SECONDS, speed=SPEED)


@pytest.fixture
def file(walked, tmp_path):
    """The walk on the spot, at (3, -2), as a piece of a film would hold it, with a camera and things of the add-on's."""
    moving = walked.motion
    frames = len(moving)
    on_the_spot = Motion(
        moving.poses, np.tile(np.float32([3.0, -2.0, 1.0]), (frames, 1)), moving.fps, moving.betas, frame_times=5.0 + np.arange(frames) / moving.fps,
        camera_R=np.tile(np.eye(3), (frames, 1, 1)), camera_t=np.zeros((frames, 3)), camera_K=np.eye(3),
        extras={"smplit_body": np.array("OPEN_NEUTRAL.npz"), "smplit_start_frame": np.array(37.0)},
    )
    return on_the_spot.save(tmp_path / "wälk 1.npz")


@pytest.fixture
def real(start):
    return start(real=True).ready()


def pieces_of(client):
    return [message for message in client.heard if message.type == "chunk"]


def test_wrong_options_are_refused_before_anything_is_loaded(real, file, tmp_path):
    client = real.client()
    params = {"samples": -1, "seed": 0.5, "lock_feet": 1, "commercial_safe": "yes", "colour": "red"}
    answer = client.ask(protocol.submit("difftraj", params, [file, file], [tmp_path], {"poses": np.zeros(3)}))
    assert answer["code"] == "bad_params" and answer["remedy"]
    for word in (*params, "array 'poses'", "one motion file"):
        assert any(word in problem for problem in answer["problems"]), (word, answer["problems"])
    assert "samples" in client.ask(protocol.submit("difftraj", {"samples": 10**6}, [file], [tmp_path]))["problems"][0]
    assert "none" in client.ask(protocol.submit("difftraj", {}, [], [tmp_path]))["problems"][0]
    assert not family(real.pid), "no worker was needed for that"


def test_files_that_have_no_path_fail_with_a_remedy_and_leave_nothing(warm, file, tmp_path):
    client = warm.greeted()
    (tmp_path / "words.npz").write_text("no archive")
    np.savez(tmp_path / "pickled.npz", poses=np.array([{"a": 1}], dtype=object), trans=np.zeros((1, 3)))
    whole = Motion.load(file)
    whole[:1].save(tmp_path / "one.npz")
    broken = dict(whole.arrays())
    broken["poses"] = broken["poses"].copy()
    broken["poses"][7, 5] = np.nan
    np.savez(tmp_path / "nan.npz", **broken)
    for name, word in (("words.npz", "words.npz"), ("pickled.npz", "pickled.npz"), ("one.npz", "single frame"), ("nan.npz", "NaN")):
        job = client.submit("difftraj", [tmp_path / name], [tmp_path])
        end = client.end_of(job)
        assert end.type == "failed" and word in end["message"] and end["remedy"], dict(end.fields)
        assert not list((warm.jobs / job).rglob("*.npz"))
    assert client.end_of(client.submit("difftraj", [file], [tmp_path])).type == "done"


def test_a_walk_on_the_spot_travels_and_is_streamed_stored_and_fetched_alike(warm, walked, file, tmp_path):
    client = warm.greeted()
    job = client.submit("difftraj", [file], [tmp_path], {"smplit_note": np.array("mine")})
    end = client.end_of(job)
    assert end.type == "done" and end["complete"]
    (result,) = end["results"]
    assert Path(result["path"]) == warm.jobs / job / "results" / "0" / "wälk 1_p1.npz"
    made, given = Motion.load(result["path"]), Motion.load(file)
    assert result["frames"] == len(made) == len(given) and result["figures"]["path_m"] == pytest.approx(SPEED * SECONDS, rel=0.1)
    truth = walked.motion.trans - walked.motion.trans[0]
    assert np.linalg.norm((made.trans - made.trans[0] - truth)[-1, :2]) < 0.05 * SPEED * SECONDS
    np.testing.assert_allclose(made.trans[0, :2], [3.0, -2.0], atol=1e-4)
    rest = np.setdiff1d(np.arange(165), LEGS)
    np.testing.assert_array_equal(made.poses[:, rest], given.poses[:, rest])
    assert made.frame_times[0] == 0.0 and made.frame_times[-1] == pytest.approx(SECONDS)
    assert made.camera_K is None and made.camera_R is None  # it filmed another path
    assert float(made.extras["smplit_start_frame"]) == 37.0 and str(made.extras["smplit_note"]) == "mine"

    streamed = pieces_of(client)
    client.heard.clear()
    client.send(protocol.fetch(job))
    client.end_of(job)
    for pieces in (streamed, pieces_of(client)):
        assert [piece["first"] for piece in pieces] == [0, 120]
        np.testing.assert_array_equal(np.concatenate([piece.arrays["poses"] for piece in pieces]), made.poses)
        np.testing.assert_array_equal(np.concatenate([piece.arrays["trans"] for piece in pieces]), made.trans)
        np.testing.assert_array_equal(pieces[0].arrays["betas"], made.betas)


def test_options_do_what_they_say(warm, file, tmp_path):
    client = warm.greeted()

    def made(**params):
        end = client.end_of(client.submit("difftraj", [file], [tmp_path], **params))
        assert end.type == "done", dict(end.fields)
        return [Motion.load(result["path"]) for result in end["results"]]

    (likeliest,) = made()
    (loose,) = made(lock_feet=False)
    given = Motion.load(file)
    np.testing.assert_array_equal(loose.poses, given.poses)
    assert np.abs(likeliest.poses[:, LEGS] - given.poses[:, LEGS]).max() > 1e-4
    (free,) = made(commercial_safe=True)
    assert np.abs(free.trans - likeliest.trans).max() > 1e-4  # another network
    first, second = made(samples=2, seed=3)
    again = made(samples=2, seed=3)[1]
    assert np.abs(first.trans - second.trans).max() > 1e-4
    np.testing.assert_array_equal(second.trans, again.trans)
