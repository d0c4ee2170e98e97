# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs through the socket of a real backend: results, progress, cancelling, dying workers, a full disk."""

import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from fake_kinds import motion
from peer import alive, family, quickest, until

from smplit import protocol


def job_folder(server, job):
    return server.jobs / job


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def chunks(messages, job):
    """The motion that the chunks of a job make up."""
    found = [m for m in messages if m.type == "chunk" and m["job"] == job]
    arrays = dict(found[0].arrays)
    for name in ("poses", "trans"):
        arrays[name] = np.concatenate([m.arrays[name] for m in sorted(found, key=lambda m: m["first"])])
    return arrays


def test_a_job_streams_its_motion_and_leaves_it_in_a_file(server, client):
    job = client.submit("write")
    end = client.end_of(job)
    (result,) = end["results"]
    assert end["complete"] and result["frames"] == 250 and result["person"] == 1 and result["figures"] == {"path_m": 1.5, "seen": None}
    with np.load(result["path"], allow_pickle=False) as archive:
        stored = dict(archive)
    streamed = chunks(client.heard, job)
    assert set(stored) == set(streamed) == set(motion())
    for name, expected in motion().items():
        np.testing.assert_array_equal(stored[name], expected)
        np.testing.assert_array_equal(streamed[name], expected)


def test_results_can_be_fetched_again_with_the_request_named(server, client):
    job = client.submit("write")
    client.end_of(job)
    other = server.greeted()  # another session of the same user
    request = other.send(protocol.fetch(job))
    assert other.end_of(job).type == "done"
    again = [m for m in other.heard if m.type in ("chunk", "done")]
    assert all(m.re == request for m in again) and [m["first"] for m in again[:-1]] == [0, 120, 240]
    np.testing.assert_array_equal(chunks(again, job)["poses"], motion()["poses"])


def test_who_comes_late_follows_a_running_job_and_is_told_to_fetch_what_he_missed(server, client, tmp_path):
    job = client.submit("hold", clips=1, until=str(tmp_path / "enough"))
    client.wait("chunk")
    late = server.greeted()
    assert late.ask(protocol.fetch(job)).type == "accepted"
    late.wait("progress", job=job)
    (tmp_path / "enough").touch()
    end = late.end_of(job)
    assert any(m.type == "progress" for m in late.heard) and end.type == "done" and not end["complete"]
    assert client.end_of(job)["complete"]


def test_arrays_and_paths_of_a_submit_reach_the_worker(server, client, tmp_path):
    (tmp_path / "ä b.bvh").write_text("x")
    job = client.submit("echo", [tmp_path / "ä b.bvh"], [tmp_path], {"poses": np.full((3, 165), 2.0)})
    assert client.end_of(job).type == "done"
    assert next(m for m in client.heard if m.type == "log")["text"] == "['poses'] 990.0 ['ä b.bvh'] auto"


def test_progress_rises_and_names_stage_share_and_time_left(server, client):
    job = client.submit("sleep", seconds=2.5)
    client.end_of(job)
    seen = [m for m in client.heard if m.type == "progress"]
    fractions = [m["fraction"] for m in seen]
    assert len(seen) > 5 and fractions == sorted(fractions) and fractions[0] >= 0 and fractions[-1] <= 1
    late = [m["eta"] for m in seen if m["eta"] is not None]
    assert late and all(0 <= eta < 10 for eta in late) and {m["stage"] for m in seen} == {"work"}


def test_jobs_run_one_after_the_other_and_one_too_many_is_refused(server, client):
    first = client.submit("sleep", seconds=600)
    client.wait("progress", job=first)
    waiting = [client.submit("write") for _ in range(3)]
    refused = client.ask(protocol.submit("write", {}))
    assert (refused.type, refused["code"]) == ("failed", "queue_full") and refused["remedy"]
    assert len(client.ask(protocol.status())["jobs"]) == 4
    client.send(protocol.cancel(waiting[1]))
    assert client.end_of(waiting[1])["code"] == "cancelled"
    client.send(protocol.cancel(first))
    assert client.end_of(first)["code"] == "cancelled"
    assert [client.end_of(job).type for job in (waiting[0], waiting[2])] == ["done", "done"]


def test_a_cancelled_job_stops_within_two_seconds_is_cleaned_and_the_next_one_runs(server, client):
    def took():
        job = client.submit("sleep", clips=1, seconds=600)
        client.wait("progress", job=job)
        began = time.monotonic()
        client.send(protocol.cancel(job))
        assert client.end_of(job)["code"] == "cancelled"
        seconds = time.monotonic() - began
        assert files(job_folder(server, job)) == ["job.json", "log.txt"]
        return seconds

    assert quickest(took, 2.0) < 2.0
    assert client.works()


def test_a_job_that_does_not_listen_is_killed_with_its_children(server, client):
    def took():
        job = client.submit("deaf")
        child = int(client.wait("log")["text"].split()[1])
        worker = server.worker()
        began = time.monotonic()
        client.send(protocol.cancel(job))
        assert client.end_of(job)["code"] == "cancelled"
        seconds = time.monotonic() - began
        until(lambda: not alive(worker) and not alive(child))
        return seconds

    assert quickest(took, 3.0) < 3.0
    assert client.works()


def test_killing_the_worker_fails_its_job_with_the_reason_and_the_next_one_runs(server, client):
    job = client.submit("sleep", clips=1, seconds=600)
    client.wait("progress", job=job)
    os.kill(server.worker(), signal.SIGKILL)
    end = client.end_of(job)
    assert (end["code"], "SIGKILL" in end["message"], bool(end["remedy"])) == ("worker_died", True, True)
    assert files(job_folder(server, job)) == ["job.json", "log.txt", "results/0/p1.npz"], "what was finished is kept, the rest is gone"
    assert client.works()


@pytest.mark.parametrize(("how", "code", "says"), [
    ("memory", "out_of_memory", "more memory"), ("defect", "internal", "a defect of ours"), ("bad", "no_video", "no video"),
    ("segfault", "worker_died", "SIGSEGV"), ("exit", "worker_died", "exit code 7"),
])
def test_a_failing_job_says_why_and_what_to_do_and_the_next_one_runs(server, client, how, code, says):
    end = client.end_of(client.submit("die", how=how))
    assert end.type == "failed" and end["code"] == code and says in end["message"] and end["remedy"]
    assert client.works()
    if how in ("segfault", "defect"):
        text = Path(end["log"]).read_text()
        assert ("last words of the worker" if how == "segfault" else "Traceback") in text


def test_a_job_handed_to_a_worker_that_is_about_to_end_is_not_lost(server, client):
    for _ in range(2):  # two at a time: the test server's queue is short, and its worker may still be starting
        jobs = [client.submit("die", how="memory"), client.submit("write")]
        assert [client.end_of(job).type for job in jobs] == ["failed", "done"]


def test_a_worker_that_dies_idle_costs_nothing(server, client):
    assert client.works()
    os.kill(server.worker(), signal.SIGKILL)
    assert client.works()


def test_a_device_that_is_not_there_fails_the_job_in_the_words_of_the_worker(start):
    client = start("device=cuda:7").ready().greeted()
    end = client.end_of(client.submit("write"))
    assert (end["code"], end["remedy"]) == ("no_device", "Use --device auto.") and "cuda:7" in end["message"]


def test_a_full_disk_fails_the_job_with_a_remedy_leaves_nothing_half_written_and_the_next_one_runs(start, small_disk):
    server = start(jobs=small_disk / "jobs").ready()
    client = server.greeted()
    job = client.submit("fill", megabytes=8)
    end = client.end_of(job)
    assert end["code"] == "no_space" and "full" in end["message"] and "Free" in end["remedy"]
    assert files(job_folder(server, job)) == ["job.json", "log.txt"]
    assert client.works()


def test_when_not_even_the_journal_fits_the_submit_is_refused_and_later_ones_are_not(start, small_disk):
    server = start(jobs=small_disk / "jobs").ready()
    client = server.greeted()
    kept = client.submit("write")
    client.end_of(kept)
    ballast = small_disk / "ballast"
    with pytest.raises(OSError), open(ballast, "wb", buffering=0) as stream:
        while True:
            stream.write(b"\1" * 4096)
    refused = client.ask(protocol.submit("write", {}))
    assert (refused.type, refused["code"]) == ("failed", "no_space") and "Free" in refused["remedy"]
    assert sorted(p.name for p in server.jobs.iterdir()) == sorted([kept, "worker.log"])
    ballast.unlink()
    assert client.works()


def test_what_a_full_disk_kept_out_of_the_journal_is_written_later(start, small_disk, tmp_path):
    server = start(jobs=small_disk / "jobs").ready()
    client = server.greeted()
    job = client.submit("hold", until=str(tmp_path / "enough"))
    client.wait("progress", job=job)
    with pytest.raises(OSError), open(small_disk / "ballast", "wb", buffering=0) as stream:
        while True:
            stream.write(b"\1" * 4096)
    (tmp_path / "enough").touch()
    assert client.end_of(job).type == "done"
    (small_disk / "ballast").unlink()
    until(lambda: json.loads((job_folder(server, job) / "job.json").read_text())["state"] == "done")


def test_a_worker_gives_way_to_the_interface(server, client):
    assert client.works()
    worker = psutil.Process(family(server.pid)[0])
    assert worker.nice() >= min(psutil.Process(server.pid).nice() + 1, 19)  # 19: there is no more to give


def test_the_server_itself_stays_small(server, client):
    assert client.works() and family(server.pid)
    maps = Path(f"/proc/{server.pid}/maps")
    if not maps.exists():
        pytest.skip("needs /proc")
    assert "libtorch" not in maps.read_text()
