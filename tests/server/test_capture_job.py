# SPDX-License-Identifier: GPL-3.0-or-later
"""The job kind `capture` through `smplit serve`: refusals at once, and a real video from end to end."""

import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest
from peer import alive, family, quickest, until

from smplit import protocol

VIDEO = Path(__file__).resolve().parents[3] / "shared" / "videos" / "squats_5fps_portrait.mp4"
ONE_SECOND = {"range": "0:1", "people": "largest"}


@pytest.fixture
def real(start):
    return start(real=True).ready()


@pytest.fixture
def video(tmp_path):
    if not VIDEO.exists():
        pytest.skip("needs ../shared/videos/squats_5fps_portrait.mp4")
    return shutil.copy(VIDEO, tmp_path / "squats ü.mp4")


def test_the_real_backend_names_its_kinds_and_models_and_loads_no_torch(real):
    welcome = real.client().ask(protocol.hello("test"))
    assert welcome["kinds"] == ["capture", "difftraj", "loco"] and welcome["jobs"] == [] and welcome["pid"] == real.pid
    assert {"name", "state", "enables", "licence"} <= set(welcome["models"][0])
    client = real.clients[0]
    assert client.wait("pong")["device"] == "cpu"  # a worker has looked, and that one did load it
    if os.path.exists("/proc/self/maps"):
        assert "libtorch" in Path(f"/proc/{real.worker()}/maps").read_text()
        assert "libtorch" not in Path(f"/proc/{real.pid}/maps").read_text()


def test_wrong_options_of_a_capture_are_refused_before_anything_is_loaded(real, tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    client = real.client()
    params = {"hands": "three", "people": "0", "focal": "long", "fit": 1, "colour": "red"}
    answer = client.ask(protocol.submit("capture", params, [tmp_path / "a.mp4"], [tmp_path], {"poses": np.zeros(3)}))
    assert answer["code"] == "bad_params" and answer["remedy"]
    for name in (*params, "arrays"):
        assert any(name in problem for problem in answer["problems"]), (name, answer["problems"])
    assert client.ask(protocol.submit("capture", {}, [], [tmp_path]))["problems"] == ["no video was given"]
    assert not family(real.pid), "no worker was needed for that"


def test_a_camera_file_is_one_of_the_jobs_files_and_belongs_to_one_video(real, tmp_path):
    for name in ("a.mp4", "b.mp4", "camera.npz"):
        (tmp_path / name).write_bytes(b"x")
    camera = str(tmp_path / "camera.npz")
    client = real.client()
    ask = lambda *files: client.ask(protocol.submit("capture", {"camera_file": camera}, [tmp_path / name for name in files], [tmp_path]))
    assert ask("a.mp4")["problems"] == [f"camera file '{camera}' is not among the job's paths"]
    assert ask("a.mp4", "b.mp4", "camera.npz")["problems"] == ["a camera file belongs to one video"]
    assert ask("camera.npz")["problems"] == ["no video was given"]
    assert client.ask(protocol.submit("capture", {"camera_file": 3}, [tmp_path / "a.mp4"], [tmp_path]))["problems"]


def test_files_that_are_no_videos_fail_with_each_named_and_the_backend_goes_on(real, tmp_path):
    for name, content in (("empty.mp4", b""), ("picture.mp4", b"\x89PNG\r\n\x1a\n" + bytes(100))):
        (tmp_path / name).write_bytes(content)
    client = real.greeted()
    job = client.submit("capture", [tmp_path / "empty.mp4", tmp_path / "picture.mp4"], [tmp_path])
    end = client.end_of(job)
    assert end.type == "failed" and "empty.mp4" in end["message"] and end["remedy"]
    assert not list((real.jobs / job / "results").iterdir())
    assert client.ask(protocol.status(job))["jobs"][0]["state"] == "failed"


@pytest.mark.slow
def test_a_camera_file_is_used_and_is_no_input_of_its_own(real, video, tmp_path):
    R = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])  # a level camera that looks along y
    camera = tmp_path / "camera.npz"
    np.savez(camera, camera_R=R, camera_t=np.zeros(3), camera_K=np.array([[1500.0, 0, 360], [0, 1500, 640], [0, 0, 1]]))
    client = real.greeted()
    job = client.submit("capture", [video, camera], [tmp_path], **ONE_SECOND, camera_file=str(camera))
    end = client.end_of(job)
    assert end.type == "done" and not end["failures"] and len(end["results"]) == 1
    assert {message["clips"] for message in client.heard if message.type == "progress"} == {1}
    with np.load(end["results"][0]["path"]) as archive:
        np.testing.assert_allclose(archive["camera_R"][0], R, atol=1e-6)
        assert archive["camera_K"][0, 0] == 1500


@pytest.mark.slow
def test_a_video_becomes_a_motion_that_is_streamed_stored_and_fetched_alike(real, video, tmp_path):
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    client = real.greeted()
    job = client.submit("capture", [tmp_path / "broken.mp4", video], [tmp_path], **ONE_SECOND)
    end = client.end_of(job)
    assert end.type == "done" and [f["source"] for f in end["failures"]] == ["broken.mp4"] and end["failures"][0]["remedy"]
    (result,) = end["results"]
    path = Path(result["path"])
    assert path.parent == real.jobs / job / "results" / "1" and path.name == f"{video.stem}_p{result['person']}.npz"
    with np.load(path, allow_pickle=False) as archive:
        stored = dict(archive)
    frames = len(stored["poses"])
    assert stored["poses"].shape == (frames, 165) and 3 <= frames <= 8  # 5 frames a second
    stages = [m["stage"] for m in client.heard if m.type == "progress"]
    assert set(stages) >= {"people and landmarks", "fit"}
    client.send(protocol.fetch(job))
    streamed = [m for m in client.heard if m.type == "chunk"]
    client.heard.clear()
    client.end_of(job)
    for pieces in (streamed, [m for m in client.heard if m.type == "chunk"]):
        (piece,) = pieces
        assert set(piece.arrays) == set(stored) and piece["frames"] == frames
        for name, array in stored.items():
            np.testing.assert_array_equal(piece.arrays[name], array, err_msg=name)


@pytest.mark.slow
def test_a_running_capture_is_cancelled_and_killed_without_a_trace_and_the_next_one_ends_well(real, video, tmp_path):
    client = real.greeted()

    def took(way, code):
        job = client.submit("capture", [video], [tmp_path])
        client.wait("progress", job=job)
        began = time.monotonic()
        way(job)
        end = client.end_of(job)
        seconds = time.monotonic() - began
        assert end["code"] == code and end["remedy"]
        assert [p.name for p in (real.jobs / job).rglob("*") if p.is_file() and p.name not in ("job.json", "log.txt")] == []
        return seconds

    assert quickest(lambda: took(lambda job: client.send(protocol.cancel(job)), "cancelled"), 2.0) < 2.0
    assert quickest(lambda: took(lambda _: os.kill(real.worker(), signal.SIGKILL), "worker_died"), 2.0) < 2.0
    assert client.end_of(client.submit("capture", [video], [tmp_path], **ONE_SECOND)).type == "done"


@pytest.mark.slow
def test_killing_the_backend_in_a_capture_leaves_no_worker(real, video, tmp_path):
    client = real.greeted()
    job = client.submit("capture", [video], [tmp_path])
    client.wait("progress", job=job)
    workers = family(real.pid)
    real.process.kill()
    until(lambda: not any(map(alive, workers)))
    assert not list((real.jobs / job / "results").rglob("*.npz"))


@pytest.mark.slow
def test_a_capture_onto_a_full_disk_says_so_and_leaves_nothing(start, video, tmp_path, small_disk):
    server = start(real=True, jobs=small_disk / "jobs").ready()
    client = server.greeted()
    job = client.submit("capture", [video], [tmp_path], **ONE_SECOND)
    client.wait("progress", job=job)
    with pytest.raises(OSError), open(small_disk / "ballast", "wb", buffering=0) as stream:
        while True:
            stream.write(b"\1" * 1024)
    end = client.end_of(job)
    assert end["code"] == "no_space" and end["remedy"]
    assert not list((server.jobs / job).rglob("*.npz"))
    (small_disk / "ballast").unlink()
    assert client.end_of(client.submit("capture", [video], [tmp_path], **ONE_SECOND)).type == "done"
