# SPDX-License-Identifier: GPL-3.0-or-later
"""The jobs list follows what the backend says; times and words are those a user reads."""

import pytest
from addon.bridge.jobs import JobList, clock
from addon.bridge.process import LONGEST_DELAY, SETTLED, Backoff
from addon.shared import errors, protocol


@pytest.fixture
def jobs():
    return JobList()


@pytest.fixture
def job(jobs):
    job = jobs.add(protocol.submit("capture", {"range": "1:30-2:00"}, ["/videos/walk.mp4"], id="request"), "walk.mp4")
    jobs.apply(protocol.Message("accepted", {"job": "b1", "state": "queued", "position": 2}, re="request"))
    return job


def progress(fraction, eta):
    fields = {"job": "b1", "clip": 0, "clips": 1, "stage": "hands", "done": 1, "total": 2, "fraction": fraction, "eta": eta}
    return protocol.Message("progress", fields)


def done(results, re="", failures=()):
    return protocol.Message("done", {"job": "b1", "seconds": 1.0, "results": results, "failures": list(failures), "complete": True}, re=re)


def test_a_job_reads_as_its_state_is(jobs, job):
    assert job.summary() == "waits for 2 other"
    jobs.apply(progress(0.64, 12.0))
    assert job.summary() == "64 %  hands  0:12 left"
    for person in (1, 2):
        jobs.apply(protocol.Message("chunk", {"job": "b1", "clip": 0, "source": "walk.mp4", "person": person, "first": 0, "frames": 30}))
    jobs.apply(done([{}, {}]))
    assert job.summary() == "2 people" and not job.open


def test_a_late_accepted_does_not_bring_an_ended_job_back(jobs, job):
    jobs.apply(done([{}]))
    jobs.apply(protocol.Message("accepted", {"job": "b1", "state": "running", "position": 0}))
    assert job.state == "done"


def test_all_problems_of_a_refused_job_are_told(jobs, job):
    refused = protocol.failed(errors.BadInput("Bad.", "Correct it."), problems=["no video was given", "hands cannot be 'four'"], re="request")
    jobs.apply(refused)
    assert job.state == "failed" and "no video" in job.message and "four" in job.message and job.remedy == "Correct it."
    assert "four" in job.details()


def test_an_input_that_failed_beside_others_becomes_a_warning(jobs, job):
    jobs.apply(done([{}], failures=[{"clip": 1, "source": "b.mp4", "code": "no_person", "message": "No person.", "remedy": "Try Range."}]))
    assert job.state == "done" and job.warnings == ["b.mp4: No person. Try Range."]


def test_bringing_in_what_a_failed_job_finished_leaves_it_failed(jobs, job):
    job.fail("interrupted", "The backend stopped.", "Press Retry.")
    job.fetching = True
    jobs.apply(done([{}], re="fetch"))
    assert job.state == "failed" and not job.open


def test_earlier_jobs_with_results_are_listed_once_and_not_the_removed_ones(jobs, job):
    rows = [
        {"job": "old", "state": "done", "results": 1, "created": 1.0, "sources": ["dance.mp4"]},
        {"job": "empty", "state": "failed", "results": 0, "created": 2.0, "sources": ["x.mp4"]},
        {"job": "b1", "state": "running", "results": 0, "created": 3.0, "sources": ["walk.mp4"]},
    ]
    jobs.adopt(rows)
    jobs.adopt(rows)
    assert [job.title for job in jobs] == ["dance.mp4", "walk.mp4"]
    jobs.remove(jobs.find("old"))
    jobs.adopt(rows)
    assert [job.title for job in jobs] == ["walk.mp4"]


@pytest.mark.parametrize(("text", "seconds"), [(None, 0), ("2.5:10", 2.5), (":10", 0), ("1:05-2:00", 65), ("0:00:07-1:00", 7), ("soon", 0)])
def test_a_job_knows_where_in_the_video_it_begins(jobs, text, seconds):
    assert jobs.add(protocol.submit("capture", {"range": text}, ["/a.mp4"]), "a").origin == seconds


def test_restarts_wait_ever_longer_and_begin_anew_after_a_quiet_run():
    backoff = Backoff()
    delays = [backoff.next_delay(1.0) for _ in range(12)]
    assert delays[0] == 0.1 and delays == sorted(delays) and delays[-1] == LONGEST_DELAY
    assert backoff.next_delay(SETTLED + 1) == 0.1


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (59.6, "1:00"), (75, "1:15"), (-3, "0:00")])
def test_seconds_read_as_a_clock(seconds, text):
    assert clock(seconds) == text
