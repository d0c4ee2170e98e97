# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs folder: what is kept, what is removed, and what nobody can read."""

import json
import time

import numpy as np
import pytest

from smplit.server.journal import Journal


def ended(journal, state="done", age=0.0):
    job = journal.create("capture", {}, [], {})
    job.state, job.ended = state, time.time() - age
    journal.save(job)
    return job


def test_a_job_reads_back_with_its_arrays_and_is_only_its_users(tmp_path):
    journal = Journal(tmp_path)
    job = journal.create("capture", {"people": "1,3"}, [tmp_path / "ä.mp4"], {"poses": np.ones((2, 165))})
    stored = json.loads((tmp_path / job.id / "job.json").read_text("utf-8"))
    assert stored["params"] == {"people": "1,3"} and stored["paths"] == [str(tmp_path / "ä.mp4")] and stored["state"] == "queued"
    with np.load(tmp_path / job.id / "input.npz", allow_pickle=False) as archive:
        assert archive["poses"].shape == (2, 165)


def test_a_job_of_a_backend_that_still_runs_is_left_alone(tmp_path):
    job = Journal(tmp_path).create("capture", {}, [], {})  # by this process, which runs
    assert Journal(tmp_path).recover() == []
    assert json.loads((tmp_path / job.id / "job.json").read_text())["state"] == "queued"


def test_a_job_of_a_process_whose_number_went_to_another_is_interrupted(tmp_path):
    journal = Journal(tmp_path)
    job = journal.create("capture", {}, [], {})
    job.owner = {**job.owner, "started": job.owner["started"] - 1000}
    journal.save(job)
    (found,) = Journal(tmp_path).recover()
    assert (found.state, found.error["code"]) == ("failed", "interrupted")


@pytest.mark.parametrize("damage", [
    b"", b"{", b"[]", b'{"id": "x", "kind": "capture", "params": {}, "paths": []}', {"state": "exploded"}, {"results": None},
    {"results": [{"path": "../../secret.npz"}]}, {"results": [{"path": "/etc/passwd"}]}, {"results": [{}]},
])
def test_an_unreadable_job_is_left_alone_and_does_not_hide_the_others(tmp_path, damage):
    journal = Journal(tmp_path)
    bad, good = ended(journal), ended(journal)
    file = tmp_path / bad.id / "job.json"
    file.write_bytes(damage if isinstance(damage, bytes) else json.dumps({**json.loads(file.read_text()), **damage}).encode())
    before = file.read_bytes()
    assert [job.id for job in Journal(tmp_path).recover()] == [good.id]
    assert file.read_bytes() == before


def test_old_and_surplus_ended_jobs_are_removed_and_open_ones_never(tmp_path):
    journal = Journal(tmp_path, keep_jobs=2, keep_days=1.0)
    ancient = ended(journal, age=2 * 86400)
    old, newer, newest = (ended(journal, age=age) for age in (300, 200, 100))
    open_job = journal.create("capture", {}, [], {})
    jobs = {job.id: job for job in (ancient, old, newer, newest, open_job)}
    assert {job.id for job in journal.prune(jobs)} == {ancient.id, old.id}
    assert {p.name for p in tmp_path.iterdir()} == {newer.id, newest.id, open_job.id}


@pytest.mark.parametrize(("state", "left"), [("failed", ["0/a.npz"]), ("cancelled", [])])
def test_cleaning_keeps_finished_inputs_of_a_failed_job_and_nothing_of_a_cancelled_one(tmp_path, state, left):
    journal = Journal(tmp_path)
    job = ended(journal, state)
    results = tmp_path / job.id / "results"
    for name in ("0/a.npz", "0/.smplit-x/a.npz", "1/half.npz"):
        (results / name).parent.mkdir(parents=True, exist_ok=True)
        (results / name).write_text("x")
    job.results = [{"path": "results/0/a.npz"}]
    journal.clean(job)
    assert sorted(str(p.relative_to(results)) for p in results.rglob("*") if p.is_file()) == left


def test_a_failed_save_changes_nothing(tmp_path, monkeypatch):
    journal = Journal(tmp_path)
    job = ended(journal)
    before = (tmp_path / job.id / "job.json").read_text()
    job.params = {"bad": float("nan")}
    with pytest.raises(ValueError, match="JSON"):
        journal.save(job)
    assert [(p.name, p.read_text()) for p in (tmp_path / job.id).iterdir()] == [("job.json", before)]
